//! Whatever happens to requests, and whoever deletes the `Lease`: never two leaders.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::lease::Step;

/// What happens to one request, in tenths of a second.
#[derive(Debug, Clone)]
struct Fate {
    candidate: usize,
    rest: u64,
    /// From sending to the server.
    there: u64,
    /// From the server to the answer.
    back: u64,
    answered: bool,
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let fate = (0..3_usize, 0..40_u64, 0..25_u64, 0..25_u64, proptest::bool::weighted(0.8));
    let fate =
        fate.prop_map(|(candidate, rest, there, back, answered)| Fate { candidate, rest, there, back, answered });
    proptest::collection::vec(fate, 1..400)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// One request after another, each candidate at its own pace and with a clock that began at another moment. Whoever
    /// led may still have a request under way for as long as a request may take; nobody else leads by then.
    #[test]
    fn two_leaders_can_never_both_write(fates in fates(), offsets in [0..1_000_u64, 0..1_000, 0..1_000]) {
        let tenths = |count: u64| Duration::from_millis(count * 100);
        let mut electors = ["a", "b", "c"].map(candidate);
        let mut shelf = Shelf::default();
        let mut now = 10_u64;
        let mut writes_until = [Duration::ZERO; 3];
        for Fate { candidate, rest, there, back, answered } in fates {
            now += rest;
            let offset = tenths(offsets[candidate]);
            let elector = &mut electors[candidate];
            let sent = offset + tenths(now);
            match elector.next(sent, WALL) {
                Step::Read => {
                    now += there;
                    let found = shelf.record.clone();
                    now += back;
                    let arrived = offset + tenths(now);
                    if answered { elector.read(found, arrived) } else { elector.read_failed(arrived) }
                }
                Step::Write(claim) => {
                    now += there;
                    let answer = shelf.write(claim);
                    now += back;
                    let answer = if answered { answer } else { Err(Refusal::Unknown) };
                    elector.wrote(answer, sent, offset + tenths(now));
                }
                Step::Rest { .. } => {}
                Step::End(_) => *elector = super::Elector::new(format!("{candidate}-{now}"), timing()),
            }
            if let Some(until) = electors[candidate].leads_until() {
                let until = until.saturating_sub(offset);
                if until > tenths(now) {
                    for (other, others) in writes_until.iter().enumerate().filter(|(other, _)| *other != candidate) {
                        prop_assert!(*others <= tenths(now), "{candidate} leads at {now} while {other} may write");
                    }
                    writes_until[candidate] = until + timing().request_timeout();
                }
            }
        }
    }
}
