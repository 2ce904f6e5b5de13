//! What a pod counts, read from its metrics.

/// The series that counts logins that were refused.
const SERIES: &str = "vouch_issuer_events_total";

/// Logins that a pod has refused since it started. `None` when the text is not the metrics of an issuer.
pub(super) fn refused_logins(text: &str) -> Option<u64> {
    text.contains("vouch_issuer_").then(|| {
        let series = text.lines().filter_map(|line| line.strip_prefix(SERIES)).filter_map(|line| line.split_once("} "));
        let logins =
            series.filter(|(labels, _)| labels.contains("action=\"login\"") && labels.contains("outcome=\"refused\""));
        logins.filter_map(|(_, value)| value.split_whitespace().next()?.parse::<u64>().ok()).sum()
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use vouch_issuer::{
        audit::Action,
        metrics::{Gauges, Metrics},
    };

    use super::refused_logins;

    #[test]
    fn refused_logins_are_read_from_what_an_issuer_serves() {
        let metrics = Metrics::new();
        metrics.events().count(Action::Login, true);
        metrics.events().count(Action::Login, true);
        metrics.events().count(Action::Login, false);
        metrics.events().count(Action::Minted, true);
        assert_eq!(refused_logins(&metrics.render(&Gauges::default()).unwrap()), Some(2));
    }

    #[test]
    fn an_issuer_that_has_refused_nobody_says_none() {
        let metrics = Metrics::new();
        assert_eq!(refused_logins(&metrics.render(&Gauges::default()).unwrap()), Some(0));
    }

    #[test]
    fn another_text_is_no_count() {
        assert_eq!(refused_logins("<html>"), None);
    }
}
