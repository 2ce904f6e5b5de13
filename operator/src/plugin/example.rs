//! Manifests to start from. The least that a good installation needs, with the choices that cannot be undone explained.

use super::args::Example;

const ISSUER: &str = include_str!("example/issuer.yaml");

/// A manifest.
#[must_use]
pub const fn manifest(example: Example) -> &'static str {
    match example {
        Example::Issuer => ISSUER,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn every_rule_of_the_schema_accepts_the_example() {
        let config = vouch_issuer::config::load_str(manifest(Example::Issuer)).unwrap();
        assert_eq!(config.url.to_string(), "https://vouch.example.com");
    }
}
