//! What a candidate does about what it sees.

use super::*;
use crate::lease::{Loss, Step, TimingError};

/// A candidate that took a new lease at second 100.
fn leader() -> Elector {
    let mut elector = candidate("a");
    assert_eq!(elector.next(seconds(93), WALL), Step::Read);
    elector.read(None, seconds(93));
    elector.read(None, seconds(100));
    let Step::Write(claim) = elector.next(seconds(100), WALL) else { panic!("no claim") };
    assert_eq!(claim.replaces, None);
    elector.wrote(Ok(accepted(claim, "1")), seconds(100), seconds(101));
    elector
}

#[test]
fn a_leader_counts_from_before_its_request() {
    assert_eq!(leader().leads_until(), Some(seconds(110)));
}

#[test]
fn a_lease_that_is_not_there_at_the_first_look_is_made_when_whoever_had_it_has_noticed() {
    let mut elector = candidate("b");
    for second in 100..107 {
        elector.read(None, seconds(second));
        assert!(!matches!(elector.next(seconds(second), WALL), Step::Write(_)), "{second}");
    }
    elector.read(None, seconds(107));
    assert!(matches!(elector.next(seconds(107), WALL), Step::Write(Claim { replaces: None, .. })));
}

#[test]
fn a_lease_that_is_held_is_taken_only_when_it_has_not_changed_for_its_duration() {
    let mut elector = candidate("b");
    for second in 100..115 {
        elector.read(Some(held_by("a", "7")), seconds(second));
        assert!(!matches!(elector.next(seconds(second), WALL), Step::Write(_)), "{second}");
    }
    elector.read(Some(held_by("a", "7")), seconds(115));
    let Step::Write(claim) = elector.next(seconds(115), WALL) else { panic!("no claim") };
    assert_eq!((claim.replaces, claim.transitions), (Some(revision("7")), 1));
}

#[test]
fn a_renewal_begins_the_wait_anew() {
    let mut elector = candidate("b");
    elector.read(Some(held_by("a", "7")), seconds(100));
    elector.read(Some(held_by("a", "8")), seconds(114));
    elector.read(Some(held_by("a", "8")), seconds(128));
    assert!(!matches!(elector.next(seconds(128), WALL), Step::Write(_)));
}

#[test]
fn a_lease_that_vanishes_while_it_is_held_is_waited_for_all_the_same() {
    let mut elector = candidate("b");
    elector.read(Some(held_by("a", "7")), seconds(100));
    elector.read(None, seconds(102));
    assert!(!matches!(elector.next(seconds(102), WALL), Step::Write(_)));
    elector.read(None, seconds(115));
    assert!(matches!(elector.next(seconds(115), WALL), Step::Write(Claim { replaces: None, .. })));
}

#[test]
fn a_lease_that_was_released_is_taken_at_once() {
    let mut elector = candidate("b");
    elector.read(Some(held_by("a", "7")), seconds(100));
    elector.read(Some(Record { holder: None, ..held_by("a", "8") }), seconds(101));
    assert!(matches!(elector.next(seconds(101), WALL), Step::Write(_)));
}

#[test]
fn a_holder_that_asks_for_more_time_gets_it_within_reason() {
    let mut elector = candidate("b");
    elector.read(Some(Record { duration: Some(seconds(60)), ..held_by("a", "7") }), seconds(100));
    elector.read(Some(Record { duration: Some(seconds(60)), ..held_by("a", "7") }), seconds(159));
    assert!(!matches!(elector.next(seconds(159), WALL), Step::Write(_)));
    let damaged = Record { duration: Some(Duration::MAX), ..held_by("a", "9") };
    elector.read(Some(damaged.clone()), seconds(200));
    elector.read(Some(damaged), seconds(200) + Timing::LONGEST);
    assert!(matches!(elector.next(seconds(200) + Timing::LONGEST, WALL), Step::Write(_)));
}

#[test]
fn a_leader_whose_renewals_are_not_accepted_ends_at_the_deadline() {
    let mut elector = leader();
    let Step::Write(_) = elector.next(seconds(102), WALL) else { panic!("no renewal") };
    elector.wrote(Err(Refusal::Unknown), seconds(102), seconds(107));
    assert_eq!(elector.leads_until(), Some(seconds(110)));
    assert_eq!(elector.next(seconds(110), WALL), Step::End(Loss::Deadline));
    assert_eq!(elector.leads_until(), None);
}

#[test]
fn a_leader_whose_renewal_is_refused_writes_nothing_until_it_has_looked() {
    let mut elector = leader();
    elector.wrote(Err(Refusal::Conflict), seconds(102), seconds(102));
    assert_eq!((elector.leads_until(), elector.deadline()), (None, Some(seconds(110))));
    elector.read_failed(seconds(104));
    assert_eq!((elector.leads_until(), elector.next(seconds(106), WALL)), (None, Step::Read));
    elector.read(Some(held_by("a", "2")), seconds(106));
    assert_eq!(elector.leads_until(), Some(seconds(110)), "somebody has labelled it");
    let Step::Write(claim) = elector.next(seconds(106), WALL) else { panic!("no renewal") };
    assert_eq!(claim.replaces, Some(revision("2")));
    elector.wrote(Err(Refusal::Conflict), seconds(106), seconds(106));
    assert_eq!(elector.next(seconds(110), WALL), Step::End(Loss::Deadline), "doubt makes it no longer");
}

#[test]
fn a_leader_whose_lease_was_deleted_and_restored_ends_at_once() {
    let mut elector = leader();
    elector.wrote(Err(Refusal::Conflict), seconds(102), seconds(102));
    let restored = Revision { uid: "another".to_owned(), version: "9".to_owned() };
    elector.read(Some(Record { revision: restored, ..held_by("a", "9") }), seconds(102));
    assert_eq!(elector.next(seconds(102), WALL), Step::End(Loss::Withdrawn));
}

#[test]
fn a_lease_that_was_made_anew_without_a_holder_is_no_release() {
    let mut elector = candidate("b");
    elector.read(Some(held_by("a", "7")), seconds(100));
    let another = Revision { uid: "another".to_owned(), version: "9".to_owned() };
    let unheld = Record { holder: None, revision: another, ..held_by("a", "9") };
    elector.read(Some(unheld.clone()), seconds(101));
    assert!(!matches!(elector.next(seconds(101), WALL), Step::Write(_)));
    let mut elector = candidate("b");
    elector.read(Some(held_by("a", "7")), seconds(100));
    elector.read(None, seconds(101));
    elector.read(Some(unheld.clone()), seconds(102));
    assert!(!matches!(elector.next(seconds(102), WALL), Step::Write(_)));
    elector.read(Some(unheld), seconds(115));
    assert!(matches!(elector.next(seconds(115), WALL), Step::Write(_)));
}

#[test]
fn only_a_lease_of_ones_own_is_given_back_and_one_that_may_be_is_looked_at() {
    let mut elector = candidate("b");
    assert_eq!(elector.release(WALL), None);
    elector.read(Some(held_by("a", "7")), seconds(100));
    assert_eq!(elector.release(WALL), None);
    elector.read(Some(held_by("a", "7")), seconds(115));
    assert!(matches!(elector.next(seconds(115), WALL), Step::Write(_)));
    assert_eq!(elector.release(WALL), Some(Step::Read), "under way");
    elector.wrote(Err(Refusal::Unknown), seconds(115), seconds(120));
    assert_eq!(elector.release(WALL), Some(Step::Read), "without an answer");
    elector.read(Some(held_by("b", "8")), seconds(120));
    let Some(Step::Write(claim)) = elector.release(WALL) else { panic!("no release") };
    assert_eq!((claim.holder, claim.replaces), (None, Some(revision("8"))));
    elector.wrote(Err(Refusal::Conflict), seconds(120), seconds(120));
    assert_eq!(elector.release(WALL), Some(Step::Read));
    elector.read(Some(held_by("c", "9")), seconds(120));
    assert_eq!(elector.release(WALL), None);
}

#[test]
fn a_leader_that_finds_another_holder_ends_at_once() {
    let mut elector = leader();
    elector.wrote(Err(Refusal::Conflict), seconds(102), seconds(102));
    assert_eq!(elector.next(seconds(102), WALL), Step::Read, "a conflict is looked into at once");
    elector.read(Some(held_by("b", "2")), seconds(102));
    assert_eq!(elector.next(seconds(102), WALL), Step::End(Loss::Taken("b".to_owned())));
}

#[test]
fn a_leader_whose_lease_is_deleted_ends_at_once() {
    let mut elector = leader();
    elector.wrote(Err(Refusal::Conflict), seconds(102), seconds(102));
    elector.read(None, seconds(102));
    assert_eq!(elector.next(seconds(102), WALL), Step::End(Loss::Withdrawn));
}

#[test]
fn a_renewal_whose_answer_was_lost_is_found_again_and_goes_on() {
    let mut elector = leader();
    let Step::Write(claim) = elector.next(seconds(102), WALL) else { panic!("no renewal") };
    elector.wrote(Err(Refusal::Unknown), seconds(102), seconds(104));
    assert_eq!(elector.next(seconds(106), WALL), Step::Read);
    elector.read(Some(accepted(claim, "2")), seconds(106));
    let Step::Write(claim) = elector.next(seconds(106), WALL) else { panic!("no renewal") };
    assert_eq!((claim.replaces.as_ref(), claim.transitions), (Some(&revision("2")), 0));
    elector.wrote(Ok(accepted(claim, "3")), seconds(106), seconds(106));
    assert_eq!(elector.leads_until(), Some(seconds(116)));
}

#[test]
fn an_answer_that_comes_after_the_deadline_makes_no_leader() {
    let mut elector = candidate("a");
    elector.read(None, seconds(93));
    elector.read(None, seconds(100));
    let Step::Write(claim) = elector.next(seconds(100), WALL) else { panic!("no claim") };
    elector.wrote(Ok(accepted(claim, "1")), seconds(100), seconds(111));
    assert_eq!(elector.leads_until(), None);
    assert!(matches!(elector.next(seconds(111), WALL), Step::Write(_)), "it renews first");
}

#[test]
fn what_people_read_on_the_clock_decides_nothing() {
    let mut elector = leader();
    let far = Timestamp::MAX;
    let Step::Write(claim) = elector.next(seconds(102), far) else { panic!("no renewal") };
    elector.wrote(Ok(accepted(claim, "2")), seconds(102), seconds(102));
    assert_eq!(elector.leads_until(), Some(seconds(112)));
    let mut other = candidate("b");
    other.read(Some(Record { renewed_at: Some(Timestamp::MIN), ..held_by("a", "2") }), seconds(5));
    assert!(!matches!(other.next(seconds(5), far), Step::Write(_)));
}

#[test]
fn times_that_two_leaders_could_share_are_refused() {
    let timing = |duration, deadline, retry, request| {
        Timing::new(seconds(duration), seconds(deadline), seconds(retry), seconds(request))
    };
    assert!(matches!(timing(14, 10, 2, 5), Err(TimingError::TooShort { .. })));
    assert!(matches!(timing(15, 2, 2, 5), Err(TimingError::NoSecondTry { .. })));
    assert!(matches!(timing(0, 10, 2, 5), Err(TimingError::NotWholeSeconds(_))));
    assert!(matches!(timing(601, 10, 2, 5), Err(TimingError::NotWholeSeconds(_))));
    assert!(timing(15, 10, 2, 5).is_ok());
}
