//! What a measurement comes to: two costs side by side, or many delays.

use std::{fmt, time::Duration};

/// What a row comes to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Figure {
    /// Costs side by side, or a figure in some unit, over several rounds.
    Ratio(Ratio),
    /// How long something took, over many tries.
    Delays(Delays),
}

impl Figure {
    /// What a target is about: the middle of the rounds, and the longest of the delays, in seconds.
    #[must_use]
    pub fn judged(&self) -> f64 {
        match self {
            Self::Ratio(ratio) => ratio.median,
            Self::Delays(delays) => delays.longest.as_secs_f64(),
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ratio(Ratio { median, lowest, highest }) => write!(f, "{median:.2} ({lowest:.2} to {highest:.2})"),
            Self::Delays(Delays { median, p99, longest }) => {
                let [median, p99, longest] = [median, p99, longest].map(Duration::as_secs_f64);
                write!(f, "longest {longest:.3}, 99 % {p99:.3}, median {median:.3}")
            }
        }
    }
}

impl From<Ratio> for Figure {
    fn from(ratio: Ratio) -> Self {
        Self::Ratio(ratio)
    }
}

impl From<Delays> for Figure {
    fn from(delays: Delays) -> Self {
        Self::Delays(delays)
    }
}

/// How long something took, over many tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delays {
    /// Half of the tries took no longer.
    pub median: Duration,
    /// Of a hundred tries, ninety-nine took no longer.
    pub p99: Duration,
    /// None took longer.
    pub longest: Duration,
}

impl Delays {
    /// Of all tries; `None` when there is none.
    #[must_use]
    pub fn of(mut delays: Vec<Duration>) -> Option<Self> {
        delays.sort_unstable();
        let of_hundred = |share: usize| delays.get((delays.len() * share).div_ceil(100).saturating_sub(1)).copied();
        Some(Self { median: of_hundred(50)?, p99: of_hundred(99)?, longest: of_hundred(100)? })
    }
}

/// How a subject compares with its baseline, over several rounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio {
    /// The middle one of the rounds.
    pub median: f64,
    /// The lowest of the rounds.
    pub lowest: f64,
    /// The highest of the rounds.
    pub highest: f64,
}

impl Ratio {
    /// Of the ratios of all rounds; `None` when there is none, or one is not a number.
    #[must_use]
    pub fn of(mut ratios: Vec<f64>) -> Option<Self> {
        if ratios.iter().any(|ratio| !ratio.is_finite()) {
            return None;
        }
        ratios.sort_by(f64::total_cmp);
        let median = *ratios.get(ratios.len() / 2)?;
        Some(Self { median, lowest: *ratios.first()?, highest: *ratios.last()? })
    }

    /// The other way round: of costs becomes of rates.
    #[must_use]
    pub fn inverse(self) -> Self {
        Self { median: self.median.recip(), lowest: self.highest.recip(), highest: self.lowest.recip() }
    }
}

/// The cost of the subject over the cost of the baseline. Rounds alternate which of the two goes first, so that
/// neither always meets the warmer machine. `None` when a baseline costs nothing that can be measured.
///
/// # Errors
/// The first that a measurement gives.
pub fn costs<E>(
    rounds: usize,
    mut subject: impl FnMut() -> Result<Duration, E>,
    mut baseline: impl FnMut() -> Result<Duration, E>,
) -> Result<Option<Ratio>, E> {
    let mut ratios = Vec::with_capacity(rounds);
    for round in 0..rounds {
        let (subject, baseline) = if round % 2 == 0 {
            let subject = subject()?;
            (subject, baseline()?)
        } else {
            let baseline = baseline()?;
            (subject()?, baseline)
        };
        ratios.push(subject.as_secs_f64() / baseline.as_secs_f64());
    }
    Ok(Ratio::of(ratios))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::{cell::RefCell, convert::Infallible};

    use super::*;

    #[test]
    fn the_ratio_is_the_median_of_the_rounds() {
        let ratio = Ratio::of(vec![9.0, 1.0, 2.0]).unwrap();
        assert_eq!(ratio, Ratio { median: 2.0, lowest: 1.0, highest: 9.0 });
    }

    #[test]
    fn of_many_delays_the_longest_is_judged() {
        let delays = Delays::of((1..=1000).rev().map(Duration::from_millis).collect()).unwrap();
        assert_eq!([delays.median, delays.p99, delays.longest], [500, 990, 1000].map(Duration::from_millis));
        assert!((Figure::from(delays).judged() - 1.0).abs() < f64::EPSILON);
        assert_eq!(Delays::of(Vec::new()), None);
    }

    #[test]
    fn an_inverse_ratio_keeps_its_order() {
        let ratio = Ratio { median: 2.0, lowest: 1.0, highest: 4.0 }.inverse();
        assert_eq!(ratio, Ratio { median: 0.5, lowest: 0.25, highest: 1.0 });
    }

    #[test]
    fn a_baseline_that_costs_nothing_gives_no_ratio() {
        let second = || Ok::<_, Infallible>(Duration::from_secs(1));
        let nothing = || Ok::<_, Infallible>(Duration::ZERO);
        assert_eq!(costs(3, second, nothing), Ok(None));
    }

    #[test]
    fn rounds_alternate_which_goes_first() {
        let order = RefCell::new(String::new());
        let cost = |name: char, seconds: u64| {
            order.borrow_mut().push(name);
            Ok::<_, Infallible>(Duration::from_secs(seconds))
        };
        let ratio = costs(3, || cost('s', 3), || cost('b', 2)).unwrap().unwrap();
        assert_eq!(order.into_inner(), "sbbssb");
        assert!((ratio.median - 1.5).abs() < f64::EPSILON);
    }
}
