//! Whether the API server is away, told once when it begins, seldom while it lasts, and once when it is over.
//!
//! Every watch, every pass and the election fail for as long as it lasts, each again and again. What they have to say of that
//! is the same, so it is said here, and they say nothing above the level `debug`.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How often an outage that goes on is told of.
const REMINDER: Duration = Duration::from_secs(300);
/// An outage is over when the API server has answered and nothing has failed for so long: one of several API servers may be
/// away, and requests fail and succeed by turns.
const CALM: Duration = Duration::from_secs(10);

/// What is to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum News {
    /// The first request has failed.
    Begun,
    /// It goes on, since so long.
    GoesOn(Duration),
    /// It is over; it began so long ago.
    Over(Duration),
}

#[derive(Debug, Clone, Copy)]
struct Ongoing {
    since: Instant,
    told_at: Instant,
    failed_at: Instant,
}

/// The decisions, from moments alone.
#[derive(Debug, Default)]
struct Course(Option<Ongoing>);

impl Course {
    fn failed(&mut self, now: Instant) -> Option<News> {
        let Some(ongoing) = &mut self.0 else {
            self.0 = Some(Ongoing { since: now, told_at: now, failed_at: now });
            return Some(News::Begun);
        };
        ongoing.failed_at = now;
        if now.duration_since(ongoing.told_at) < REMINDER {
            return None;
        }
        ongoing.told_at = now;
        Some(News::GoesOn(now.duration_since(ongoing.since)))
    }

    fn answered(&mut self, now: Instant) -> Option<News> {
        let ongoing = self.0.filter(|ongoing| now.duration_since(ongoing.failed_at) >= CALM)?;
        self.0 = None;
        Some(News::Over(now.duration_since(ongoing.since)))
    }
}

/// Shared by every client of the process.
#[derive(Debug, Default)]
pub struct Outage(Mutex<Course>);

impl Outage {
    /// Whether the API server is away, as far as is known.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.course().0.is_some()
    }

    /// Notes that a request had an answer, whatever it was.
    pub fn answered(&self) {
        let news = self.course().answered(Instant::now());
        if let Some(News::Over(since)) = news {
            tracing::info!(?since, "the API server can be reached again");
        }
    }

    /// Notes that a request had no answer, or one that says that nobody is there to answer.
    pub fn failed(&self, why: &dyn std::fmt::Display) {
        let news = self.course().failed(Instant::now());
        match news {
            Some(News::Begun) => tracing::warn!("the API server cannot be reached, which is tried again: {why}"),
            Some(News::GoesOn(since)) => tracing::warn!(?since, "the API server still cannot be reached: {why}"),
            Some(News::Over(_)) | None => {}
        }
    }

    fn course(&self) -> std::sync::MutexGuard<'_, Course> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    /// What is told of a failure (`false`) or an answer (`true`) at each second.
    fn told(course: &[(u64, bool)]) -> Vec<(u64, News)> {
        let (start, mut outage) = (Instant::now(), Course::default());
        let mut told = Vec::new();
        for (second, answered) in course {
            let now = start + Duration::from_secs(*second);
            let news = if *answered { outage.answered(now) } else { outage.failed(now) };
            told.extend(news.map(|news| (*second, news)));
        }
        told
    }

    #[test]
    fn an_outage_is_told_once_at_its_beginning_seldom_while_it_lasts_and_once_at_its_end() {
        let course: Vec<(u64, bool)> =
            (0..700).map(|second| (second, false)).chain([(720, true), (721, true)]).collect();
        let seconds = Duration::from_secs;
        let expected = [
            (0, News::Begun),
            (300, News::GoesOn(seconds(300))),
            (600, News::GoesOn(seconds(600))),
            (720, News::Over(seconds(720))),
        ];
        assert_eq!(told(&course), expected);
    }

    #[test]
    fn requests_that_fail_and_succeed_by_turns_are_one_outage() {
        let course: Vec<(u64, bool)> = (0..60).map(|second| (second, second % 2 == 1)).collect();
        assert_eq!(told(&course), [(0, News::Begun)]);
    }

    #[test]
    fn nothing_is_told_of_an_api_server_that_answers_and_each_outage_is_told_anew() {
        assert_eq!(told(&[(0, true), (9, true)]), []);
        let twice = told(&[(0, false), (20, true), (30, false)]);
        assert_eq!(twice, [(0, News::Begun), (20, News::Over(Duration::from_secs(20))), (30, News::Begun)]);
    }
}
