//! The audit trail: one JSON line per security event on standard output, never a secret.
//!
//! It fails closed. Whatever grants something (a session, a key, an assertion) first takes a place in the queue of lines,
//! and is refused while there is none or lines cannot be written. Whatever takes something away is done in any case.

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

    /// Whether somebody can do more afterwards than before. Such a thing is not done without its line.
    #[must_use]
    pub const fn grants(self) -> bool {
        match self {
            Self::Invited | Self::Enrolled | Self::KeyAdded | Self::Login | Self::Minted | Self::Enabled => true,
            Self::KeyRenamed | Self::KeyRemoved | Self::LoggedOutEverywhere | Self::Disabled | Self::SigningKey => {
                false
            }
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
    /// Why no line would be written now of something that grants ([`Action::grants`]); it must not be done then.
    pub async fn room_for(&self, action: Action) -> Result<Option<Room<'_>>, TrailFault> {
        match self.writer.room().await {
            Ok(room) => Ok(Some(room)),
            Err(fault) if action.grants() => Err(fault),
            Err(_) => Ok(None),
        }
    }

    /// Adds a line where there is room for it, as [`Audit::record`] does when none was found.
    pub fn record_in(&self, room: Option<Room<'_>>, now: Timestamp, event: &Event) {
        let Some(room) = room else { return self.record(now, event) };
        self.counter.count(event.action, event.refused.is_some());
        match line(now, event) {
            Ok(line) => room.take(line),
            Err(error) => self.lose(event, &error),
        }
    }

    /// Adds a line. It is for what must not wait for a reader of the trail (a right that is taken away, the rotation of a
    /// key): where there is no room, the line is kept until there is. Of more than a thousand such the rest is lost, and
    /// counted.
    pub fn record(&self, now: Timestamp, event: &Event) {
        self.counter.count(event.action, event.refused.is_some());
        match line(now, event).map(|line| self.writer.take_at_once(line)) {
            Ok(true) => {}
            Ok(false) => self.counter.lose(),
            Err(error) => self.lose(event, &error),
        }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use std::{
        sync::{Arc, Mutex},
        time::Duration,
    };

    use super::{
        writer::{ASIDE, QUEUE},
        *,
    };
    use crate::{
        http::error::ApiError,
        metrics::{Gauges, Metrics},
        testing::until,
    };

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

    #[tokio::test]
    async fn a_reader_that_has_stopped_holds_up_nobody_and_everything_comes_when_it_goes_on() {
        let (reader, writer) = std::io::pipe().unwrap();
        let audit = Audit::to(Box::new(writer));
        let began = std::time::Instant::now();
        let mut taken = 0_usize;
        let fault = loop {
            match audit.room_for(Action::Minted).await {
                Ok(room) => audit.record_in(room, Timestamp::UNIX_EPOCH, &Event::new(Action::Minted)),
                Err(fault) => break fault,
            }
            taken += 1;
        };
        assert_eq!((&fault, audit.fault()), (&TrailFault::Unread, Some(TrailFault::Unread)));
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        let lost = EventCounter::default();
        let audit = audit.counting(lost.clone());
        // What takes a right away is done in any case, and told of when somebody reads again.
        assert!(audit.room_for(Action::KeyRemoved).await.unwrap().is_none());
        for _ in 0..=ASIDE {
            audit.record(Timestamp::UNIX_EPOCH, &Event::new(Action::KeyRemoved));
        }
        assert_eq!(lost.lost(), 1);
        let read = std::thread::spawn(move || std::io::read_to_string(reader).unwrap());
        audit.written().await.unwrap();
        assert_eq!(audit.fault(), None);
        drop(audit);
        let read = read.join().unwrap();
        let count = |action: &str| read.lines().filter(|line| line.contains(action)).count();
        assert_eq!((count("minted"), count("key_removed")), (taken, ASIDE));
    }

    #[tokio::test(start_paused = true)]
    async fn places_whose_lines_are_still_to_come_are_no_lines_that_nobody_reads() {
        let audit = Audit::to(Box::new(std::io::sink()));
        let mut waiting = Vec::new();
        for _ in 0..QUEUE {
            waiting.push(audit.room_for(Action::Login).await.unwrap());
        }
        assert_eq!(audit.room_for(Action::Login).await.unwrap_err(), TrailFault::Crowded);
        assert_eq!(audit.fault(), None, "lines would be written at once");
        drop(waiting);
        assert!(audit.room_for(Action::Login).await.unwrap().is_some());
    }

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// Whoever does not read the trail may not read the log either.
    #[tokio::test]
    async fn the_log_is_told_once_however_many_are_refused() {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
        let _log = tracing::subscriber::set_default(subscriber);
        let (reader, writer) = std::io::pipe().unwrap();
        let audit = Audit::to(Box::new(writer));
        while let Ok(room) = audit.room_for(Action::Minted).await {
            audit.record_in(room, Timestamp::UNIX_EPOCH, &Event::new(Action::Minted));
        }
        for refused in futures::future::join_all((0..20).map(|_| audit.room_for(Action::Minted))).await {
            assert_eq!(ApiError::from(refused.unwrap_err()).code, ErrorCode::Unavailable);
        }
        for _ in 0..ASIDE + 20 {
            audit.record(Timestamp::UNIX_EPOCH, &Event::new(Action::KeyRemoved));
        }
        let told = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        assert_eq!(told.lines().count(), 2, "{told}");
        assert!(told.contains("nobody reads the audit trail") && told.contains("are being lost"), "{told}");
        drop(reader);
    }

    /// A disk that is full until there is room again.
    #[derive(Clone, Default)]
    struct Disk(Arc<Mutex<(bool, Vec<u8>)>>);

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let mut disk = self.0.lock().unwrap();
            if disk.0 {
                return Err(std::io::ErrorKind::StorageFull.into());
            }
            // A little at a time: what was written before the failure is not written again.
            let some = &bytes[..bytes.len().min(7)];
            disk.1.extend_from_slice(some);
            disk.0 = disk.1.len() == 7;
            Ok(some.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn nothing_is_granted_while_lines_cannot_be_written_and_no_line_is_lost() {
        let disk = Disk::default();
        let audit = Audit::to(Box::new(disk.clone()));
        audit.record(Timestamp::UNIX_EPOCH, &Event::new(Action::Minted));
        until("the disk is full", async || audit.fault().is_some()).await;
        assert!(matches!(audit.room_for(Action::Minted).await, Err(TrailFault::Unwritable(_))));
        disk.0.lock().unwrap().0 = false;
        audit.written().await.unwrap();
        assert!(audit.room_for(Action::Minted).await.unwrap().is_some());
        let written = String::from_utf8(disk.0.lock().unwrap().1.clone()).unwrap();
        assert_eq!(written, "{\"audit\":\"v1\",\"time\":\"1970-01-01T00:00:00Z\",\"action\":\"minted\"}\n");
    }

    #[test]
    fn the_end_of_the_issuer_waits_for_the_last_lines() {
        let disk = Disk::default();
        disk.0.lock().unwrap().1.extend_from_slice(b"earlier\n");
        let audit = Audit::to(Box::new(disk.clone()));
        for _ in 0..100 {
            audit.record(Timestamp::UNIX_EPOCH, &Event::new(Action::Disabled));
        }
        drop(audit);
        assert_eq!(disk.0.lock().unwrap().1.iter().filter(|byte| **byte == b'\n').count(), 101);
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
