//! Two costs, measured side by side.

use std::time::Duration;

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
