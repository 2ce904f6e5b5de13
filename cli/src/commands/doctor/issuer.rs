//! Whether the issuer can be reached, is trusted, and is who it says.

use std::sync::Arc;

use http::Method;
use serde::Deserialize;
use vouch_issuer_api::paths;

use super::Check;
use crate::{
    agent::{
        issuer_calls::Discovery,
        issuer_client::{Call, IssuerClient, Proof, describe_offset},
        issuer_error::IssuerError,
    },
    clock::{IssuerClock, SystemClock},
    env::Variable,
    error::{Category, Failure},
    issuer_url::IssuerUrl,
    network::{self, Trust},
};

#[derive(Debug, Deserialize)]
struct Jwks {
    keys: Vec<serde_json::Value>,
}

/// What the issuer said.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Facts {
    discovery: Discovery,
    keys: usize,
    offset_ms: Option<i64>,
}

/// Asks the issuer.
pub(super) fn check(issuer: &IssuerUrl) -> Vec<Check> {
    match gather(issuer) {
        Ok(facts) => judge(issuer, &facts),
        Err(failure) => vec![Check::failed("issuer", &failure)],
    }
}

fn gather(issuer: &IssuerUrl) -> Result<Facts, Failure> {
    let http = network::clients(&Trust::of(&Variable::get))?;
    let client = IssuerClient::new(issuer.clone(), http, IssuerClock::new(Arc::new(SystemClock)));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Category::General, format!("cannot ask the issuer: {error}")))?;
    runtime.block_on(async {
        let discovery = client.discovery().await.map_err(IssuerError::into_failure)?;
        let get = Call::new(Method::GET, paths::JWKS, None, Proof::None);
        let jwks: Jwks = client.fetch(get).await.map_err(IssuerError::into_failure)?;
        Ok(Facts { discovery, keys: jwks.keys.len(), offset_ms: client.clock().offset_ms() })
    })
}

fn judge(issuer: &IssuerUrl, facts: &Facts) -> Vec<Check> {
    let Facts { discovery, keys, offset_ms } = facts;
    let mut checks = Vec::new();
    if discovery.issuer != issuer.as_str() {
        checks.push(Check::problem(
            "issuer",
            format!("{issuer} calls itself {}; AWS compares the two byte for byte", discovery.issuer),
            "Correct issuer in config.toml, or tell whoever runs it",
        ));
    } else if discovery.jwks_uri != issuer.join(paths::JWKS) {
        checks.push(Check::problem(
            "issuer",
            format!("{issuer} has its keys elsewhere, at {}", discovery.jwks_uri),
            "Tell whoever runs it",
        ));
    } else if *keys == 0 {
        checks.push(Check::problem("issuer", format!("{issuer} publishes no signing key"), "Tell whoever runs it"));
    } else {
        let clock = offset_ms.map(|offset| format!(", clock differs by {:.1} s", seconds(offset))).unwrap_or_default();
        checks.push(Check::well("issuer", format!("{issuer} answers (TLS ok{clock}, keys: {keys})")));
    }
    if let Some(offset) = offset_ms.and_then(describe_offset) {
        checks.push(Check::problem(
            "clock",
            format!("this machine's clock is {offset}"),
            "vouch allows for that, other tools may not: set the clock, for example with timedatectl set-ntp true",
        ));
    }
    checks
}

#[allow(clippy::cast_precision_loss)]
fn seconds(offset_ms: i64) -> f64 {
    offset_ms.abs() as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{super::State, *};

    fn judged(issuer: &str, jwks_uri: &str, keys: usize, offset_ms: i64) -> Vec<Check> {
        let discovery = Discovery { issuer: issuer.to_owned(), jwks_uri: jwks_uri.to_owned() };
        judge(&"https://vouch.example.com".parse().unwrap(), &Facts { discovery, keys, offset_ms: Some(offset_ms) })
    }

    const JWKS: &str = "https://vouch.example.com/.well-known/jwks.json";

    #[test]
    fn an_issuer_that_answers_as_itself_is_well() {
        let checks = judged("https://vouch.example.com", JWKS, 2, 300);
        let line = "https://vouch.example.com answers (TLS ok, clock differs by 0.3 s, keys: 2)";
        assert_eq!(checks, [Check::well("issuer", line)]);
    }

    #[test]
    fn a_slash_too_many_is_a_problem() {
        let checks = judged("https://vouch.example.com/", JWKS, 2, 0);
        assert_eq!(checks.first().unwrap().state, State::Problem);
    }

    #[test]
    fn no_keys_keys_elsewhere_and_a_wrong_clock_are_problems() {
        assert!(judged("https://vouch.example.com", JWKS, 0, 0).first().unwrap().finding.contains("no signing key"));
        assert!(
            judged("https://vouch.example.com", "https://example.org/jwks", 1, 0)
                .first()
                .unwrap()
                .finding
                .contains("elsewhere")
        );
        let checks = judged("https://vouch.example.com", JWKS, 2, -360_000);
        assert!(checks.last().unwrap().finding.contains("6 min behind"));
    }
}
