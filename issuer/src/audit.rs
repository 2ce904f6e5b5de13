//! The audit trail: one JSON line per security event on standard output, never a secret.
//!
//! It fails closed. Whatever grants something (a session, a key, an assertion) first takes a place in the queue of lines,
//! and is refused while there is none or lines cannot be written. Whatever takes something away is done in any case, and
//! has places of its own beyond those; what anybody can cause as often as they like never takes one of these.

#[cfg(test)]
mod tests;
mod writer;

use std::{io::Write, net::IpAddr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use vouch_iam::{arn::RoleArn, identity::EmailAddress};
use vouch_issuer_api::error::ErrorCode;

use self::writer::Writer;
pub use self::writer::{Room, TrailFault};
use crate::{metrics::EventCounter, store::record::UserId};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// An invite was made.
    Invited,
    /// A first key was registered.
    Enrolled,
    /// A further key was registered.
    KeyAdded,
    /// A key was renamed.
    KeyRenamed,
    /// A key was removed.
    KeyRemoved,
    /// A session began.
    Login,
    /// Every session of a person was ended.
    LoggedOutEverywhere,
    /// An AWS assertion was minted.
    Minted,
    /// A person was disabled.
    Disabled,
    /// A person was enabled.
    Enabled,
    /// A signing key was made, activated, retired, removed or revoked.
    SigningKey,
}

impl Action {
    /// The action as it stands in the trail.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invited => "invited",
            Self::Enrolled => "enrolled",
            Self::KeyAdded => "key_added",
            Self::KeyRenamed => "key_renamed",
            Self::KeyRemoved => "key_removed",
            Self::Login => "login",
            Self::LoggedOutEverywhere => "logged_out_everywhere",
            Self::Minted => "minted",
            Self::Disabled => "disabled",
            Self::Enabled => "enabled",
            Self::SigningKey => "signing_key",
        }
    }

    /// Whether it must not wait for whoever reads the trail: a right that is taken away, the rotation of a key. Everything
    /// else is not done without its line.
    #[must_use]
    pub const fn is_done_in_any_case(self) -> bool {
        match self {
            Self::KeyRemoved | Self::LoggedOutEverywhere | Self::Disabled | Self::SigningKey => true,
            Self::Invited
            | Self::Enrolled
            | Self::KeyAdded
            | Self::KeyRenamed
            | Self::Login
            | Self::Minted
            | Self::Enabled => false,
        }
    }
}

/// One line of the trail. Absent members are left out.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Event {
    /// What was tried.
    pub action: Action,
    /// Absent: it happened. Present: it was refused, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<ErrorCode>,
    /// More about a refusal or a change, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Whose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// Whose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<EmailAddress>,
    /// The security key, as `KeyInfo::id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    /// The security key's model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aaguid: Option<Uuid>,
    /// The role asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<RoleArn>,
    /// The audience of the minted token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aud: Option<String>,
    /// The signing key used or changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    /// The minted token's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jti: Option<Uuid>,
    /// Where the request came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<IpAddr>,
    /// As in the error body and the `X-Request-Id` header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

impl Event {
    /// An event about nobody yet.
    #[must_use]
    pub const fn new(action: Action) -> Self {
        Self {
            action,
            refused: None,
            detail: None,
            user_id: None,
            email: None,
            key_id: None,
            aaguid: None,
            role: None,
            aud: None,
            kid: None,
            jti: None,
            source: None,
            request_id: None,
        }
    }
}

/// The trail. Writing it is the business of a thread of its own, behind a queue.
pub struct Audit {
    writer: Writer,
    counter: EventCounter,
}

#[derive(Serialize)]
struct Line<'a> {
    audit: &'static str,
    time: Timestamp,
    #[serde(flatten)]
    event: &'a Event,
}

impl Audit {
    /// Writes to standard output.
    #[must_use]
    pub fn stdout() -> Self {
        Self::to(Box::new(std::io::stdout()))
    }

    /// Writes to `out`.
    #[must_use]
    pub fn to(out: Box<dyn Write + Send>) -> Self {
        Self { writer: Writer::start(out), counter: EventCounter::default() }
    }

    /// Counts every event with `counter`, too.
    #[must_use]
    pub fn counting(mut self, counter: EventCounter) -> Self {
        self.counter = counter;
        self
    }

    /// Room for the line of an action, before the action is done. Waits a second at most. What takes a right away is done
    /// without room, too: [`Audit::record_in`] takes whatever this answers.
    ///
    /// # Errors
    /// Why no line would be written now of something that is not [done in any case](Action::is_done_in_any_case); it must
    /// not be done then.
    pub async fn room_for(&self, action: Action) -> Result<Option<Room<'_>>, TrailFault> {
        match self.writer.room().await {
            Ok(room) => Ok(Some(room)),
            Err(_) if action.is_done_in_any_case() => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// Adds a line where there is room for it, as [`Audit::record`] does when none was found.
    pub fn record_in(&self, room: Option<Room<'_>>, now: Timestamp, event: &Event) {
        self.counter.count(event.action, event.refused.is_some());
        let line = match line(now, event) {
            Ok(line) => line,
            Err(error) => return self.lose(event, &error),
        };
        // A refused attempt has taken nothing away, and is repeated at will.
        let took_away = event.action.is_done_in_any_case() && event.refused.is_none();
        let aside = || if took_away { self.writer.room_aside() } else { None };
        let room = room.or_else(|| self.writer.room_at_once()).or_else(aside);
        if !room.is_some_and(|room| room.take(line)) {
            self.counter.lose();
            self.writer.lose();
        }
    }

    /// Adds a line, without waiting for room. Of what is done in any case, a thousand lines more are kept than of
    /// everything else. A line without room is lost, and counted.
    pub fn record(&self, now: Timestamp, event: &Event) {
        self.record_in(None, now, event);
    }

    /// An event that cannot be written as a line.
    fn lose(&self, event: &Event, error: &serde_json::Error) {
        self.counter.lose();
        tracing::error!(%error, ?event, "audit line lost");
    }

    /// Adds the line of an event that another process has kept since `at`. Waits as long as it takes.
    ///
    /// # Errors
    /// When lines are not written any more; whoever keeps the event goes on keeping it.
    pub async fn forward(&self, at: Timestamp, event: &Event) -> Result<(), TrailFault> {
        let line = line(at, event).map_err(|error| TrailFault::Unwritable(error.to_string()))?;
        self.writer.take(line).await?;
        self.counter.count(event.action, event.refused.is_some());
        Ok(())
    }

    /// Returns when every line added before has been written.
    ///
    /// # Errors
    /// When lines are not written any more.
    pub async fn written(&self) -> Result<(), TrailFault> {
        self.writer.written().await
    }

    /// Why lines are not written now.
    #[must_use]
    pub fn fault(&self) -> Option<TrailFault> {
        self.writer.fault()
    }
}

fn line(time: Timestamp, event: &Event) -> serde_json::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(&Line { audit: "v1", time, event })?;
    bytes.push(b'\n');
    Ok(bytes)
}

impl std::fmt::Debug for Audit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Audit")
    }
}
