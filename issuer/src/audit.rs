//! The audit trail: one JSON line per security event on standard output, never a secret.

use std::{io::Write, net::IpAddr, sync::Mutex};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use vouch_iam::{arn::RoleArn, identity::EmailAddress};
use vouch_issuer_api::error::ErrorCode;

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

/// Writes the trail.
pub struct Audit {
    out: Mutex<Box<dyn Write + Send>>,
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
        Self { out: Mutex::new(out), counter: EventCounter::default() }
    }

    /// Counts every event with `counter`, too.
    #[must_use]
    pub fn counting(mut self, counter: EventCounter) -> Self {
        self.counter = counter;
        self
    }

    /// Adds a line. A line that cannot be written is reported on the log and must not stop the request.
    pub fn record(&self, now: Timestamp, event: &Event) {
        self.count(event);
        if let Err(error) = self.write(now, event) {
            tracing::error!(%error, action = ?event.action, "audit line lost");
        }
    }

    /// Adds the line of an event that another process has kept since `at`.
    ///
    /// # Errors
    /// When the line cannot be written; whoever keeps the event goes on keeping it.
    pub fn forward(&self, at: Timestamp, event: &Event) -> std::io::Result<()> {
        self.write(at, event)?;
        self.count(event);
        Ok(())
    }

    fn count(&self, event: &Event) {
        self.counter.count(event.action, event.refused.is_some());
    }

    fn write(&self, time: Timestamp, event: &Event) -> std::io::Result<()> {
        let mut bytes = serde_json::to_vec(&Line { audit: "v1", time, event })?;
        bytes.push(b'\n');
        let mut out = self.out.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        out.write_all(&bytes)?;
        out.flush()
    }
}

impl std::fmt::Debug for Audit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Audit")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::metrics::{Gauges, Metrics};

    #[test]
    fn every_line_is_counted_by_action_and_outcome() {
        let metrics = Metrics::new();
        let audit = Audit::to(Box::new(std::io::sink())).counting(metrics.events());
        let refused = Event { refused: Some(ErrorCode::RoleNotAllowed), ..Event::new(Action::Minted) };
        for event in [Event::new(Action::Minted), refused.clone(), refused] {
            audit.record(Timestamp::UNIX_EPOCH, &event);
        }
        let text = metrics.render(&Gauges::default()).unwrap();
        assert!(text.contains("vouch_issuer_events_total{action=\"minted\",outcome=\"done\"} 1"), "{text}");
        assert!(text.contains("vouch_issuer_events_total{action=\"minted\",outcome=\"refused\"} 2"), "{text}");
    }

    #[test]
    fn an_action_is_spelt_in_metrics_as_on_the_trail() {
        for action in
            [Action::Invited, Action::KeyAdded, Action::LoggedOutEverywhere, Action::Minted, Action::SigningKey]
        {
            assert_eq!(serde_json::to_value(action).unwrap(), action.as_str());
        }
    }
}
