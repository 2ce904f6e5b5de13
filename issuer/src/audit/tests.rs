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
    assert!(read.lines().is_sorted_by_key(|line| line.contains("key_removed")), "not in the order of what happened");
}

#[tokio::test]
async fn what_anybody_can_repeat_at_will_takes_no_place_of_a_revocation() {
    let (reader, writer) = std::io::pipe().unwrap();
    let lost = EventCounter::default();
    let audit = Audit::to(Box::new(writer)).counting(lost.clone());
    while let Ok(room) = audit.room_for(Action::Minted).await {
        audit.record_in(room, Timestamp::UNIX_EPOCH, &Event::new(Action::Minted));
    }
    assert_eq!(audit.room_for(Action::KeyRenamed).await.unwrap_err(), TrailFault::Unread);
    let refused = Event { refused: Some(ErrorCode::InvalidGrant), ..Event::new(Action::KeyRemoved) };
    for _ in 0..=ASIDE {
        audit.record(Timestamp::UNIX_EPOCH, &refused);
    }
    assert_eq!(lost.lost(), ASIDE as u64 + 1);
    audit.record(Timestamp::UNIX_EPOCH, &Event::new(Action::Disabled));
    assert_eq!(lost.lost(), ASIDE as u64 + 1);
    let read = std::thread::spawn(move || std::io::read_to_string(reader).unwrap());
    drop(audit);
    assert!(read.join().unwrap().ends_with("\"action\":\"disabled\"}\n"));
}

#[tokio::test]
async fn a_revocation_is_written_at_once_while_others_hold_every_place() {
    let log = Log::default();
    let audit = Audit::to(Box::new(log.clone()));
    let mut waiting = Vec::new();
    for _ in 0..QUEUE {
        waiting.push(audit.room_for(Action::Login).await.unwrap());
    }
    audit.record(Timestamp::UNIX_EPOCH, &Event::new(Action::Disabled));
    let told = async || String::from_utf8_lossy(&log.0.lock().unwrap()).contains("disabled");
    until("the line is written", told).await;
    drop(waiting);
}

/// Ends the thread that writes to it.
struct Broken;

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        std::panic::resume_unwind(Box::new("broken"))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn nothing_is_granted_when_the_thread_that_writes_has_ended() {
    let lost = EventCounter::default();
    let audit = Audit::to(Box::new(Broken)).counting(lost.clone());
    audit.record(Timestamp::UNIX_EPOCH, &Event::new(Action::Minted));
    until("the thread has ended", async || audit.room_for(Action::Minted).await.is_err()).await;
    audit.record(Timestamp::UNIX_EPOCH, &Event::new(Action::Disabled));
    assert_eq!(lost.lost(), 1);
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
    // With a single subscriber in the process, whether a line is wanted is asked once, of the thread that comes to it first;
    // the threads of other tests have none.
    let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default());
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
    for action in [Action::Invited, Action::KeyAdded, Action::LoggedOutEverywhere, Action::Minted, Action::SigningKey] {
        assert_eq!(serde_json::to_value(action).unwrap(), action.as_str());
    }
}
