//! When cached credentials are served, renewed and given up: plain arithmetic on times.
//!
//! botocore asks a credential process again once less than 15 minutes are left, and insists once less than 10 are
//! (`RefreshableCredentials`); other SDKs wait until a few minutes or the very end. So hour-long credentials are renewed
//! 16 minutes ahead, in time for all of them.

use jiff::{SignedDuration, Timestamp};

/// The most that credentials are renewed ahead of their end.
const LONGEST_AHEAD: SignedDuration = SignedDuration::from_mins(16);
/// With less than this left, a caller rather waits for new ones.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_mins(5);
/// With less than this left, they are of no use: a request on its way would arrive too late.
const LAST_USE: SignedDuration = SignedDuration::from_secs(60);
/// Credentials nobody asked for in this time are not renewed by themselves.
const RECENT_USE: SignedDuration = SignedDuration::from_hours(1);

/// The life of one set of credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// When they came.
    pub from: Timestamp,
    /// When AWS stops taking them.
    pub until: Timestamp,
}

/// What to do with credentials at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Serve them.
    Fresh,
    /// Serve them, and get new ones meanwhile.
    Aging,
    /// Get new ones; serve these only when that fails.
    Old,
    /// Get new ones.
    Dead,
}

impl Life {
    /// When they are renewed.
    #[must_use]
    pub fn refresh_at(&self) -> Timestamp {
        let ahead = LONGEST_AHEAD.min(self.length() / 3);
        self.until.checked_sub(ahead).unwrap_or(self.until)
    }

    /// What to do with them now.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> Freshness {
        let left = now.duration_until(self.until);
        if left < LAST_USE {
            Freshness::Dead
        } else if left < LONGEST_WAIT.min(self.length() / 6) {
            Freshness::Old
        } else if now >= self.refresh_at() {
            Freshness::Aging
        } else {
            Freshness::Fresh
        }
    }

    /// Whether they should be renewed without anybody asking.
    #[must_use]
    pub fn due(&self, now: Timestamp, used_at: Timestamp) -> bool {
        now >= self.refresh_at() && used_at.duration_until(now) <= RECENT_USE
    }

    fn length(&self) -> SignedDuration {
        self.from.duration_until(self.until).max(SignedDuration::ZERO)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + second).unwrap()
    }

    fn life(seconds: i64) -> Life {
        Life { from: at(0), until: at(seconds) }
    }

    #[test]
    fn an_hour_is_renewed_before_botocore_asks_again() {
        let hour = life(3600);
        assert_eq!(hour.refresh_at(), at(44 * 60));
        let stages = [0, 44 * 60 - 1, 44 * 60, 55 * 60, 55 * 60 + 1, 59 * 60, 59 * 60 + 1, 3600];
        let expected = {
            use Freshness::{Aging, Dead, Fresh, Old};
            [Fresh, Fresh, Aging, Aging, Old, Old, Dead, Dead]
        };
        assert_eq!(stages.map(|second| hour.at(at(second))), expected);
    }

    #[test]
    fn a_quarter_of_an_hour_is_mostly_fresh() {
        assert_eq!(life(900).at(at(599)), Freshness::Fresh);
        assert_eq!(life(900).at(at(600)), Freshness::Aging);
    }

    #[test]
    fn only_what_was_used_in_the_last_hour_is_renewed_by_itself() {
        let hour = life(3600);
        assert!(!hour.due(at(2_000), at(2_000)), "not yet due");
        assert!(hour.due(at(2_700), at(0)));
        assert!(!hour.due(at(3_601), at(0)));
    }

    proptest! {
        #[test]
        fn credentials_only_ever_get_older(seconds in 0_i64..50_000, first in 0_i64..50_000, later in 0_i64..50_000) {
            let rank = |moment| match life(seconds).at(at(moment)) {
                Freshness::Fresh => 0,
                Freshness::Aging => 1,
                Freshness::Old => 2,
                Freshness::Dead => 3,
            };
            prop_assert!(rank(first) <= rank(first + later));
        }

        #[test]
        fn nothing_is_served_in_its_last_minute(seconds in 0_i64..50_000, left in i64::MIN / 4..60) {
            prop_assert_eq!(life(seconds).at(Timestamp::from_second((at(seconds).as_second()).saturating_sub(left).min(200_000_000_000)).unwrap()), Freshness::Dead);
        }
    }
}
