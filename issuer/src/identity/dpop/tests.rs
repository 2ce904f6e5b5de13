#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use http::Method;
use jiff::{Timestamp, ToSpan as _};
use serde_json::{Value, json};

use super::{
    ExpectedRequest, NONCE_LIFETIME, Proof, ProofError, ReplayError, ReplayGuard, fresh_nonce, nonce::REPLAY_WINDOW,
    verify,
};
use crate::{identity::secrets::Secrets, testing::dpop::ProofKey};

const TOKEN: &str = "header.claims.signature";

fn now() -> Timestamp {
    Timestamp::from_second(1_790_000_000).unwrap()
}

/// When the process began.
fn begun() -> Timestamp {
    now() - 1.hour()
}

struct Case {
    secrets: Secrets,
    key: ProofKey,
    header: Value,
    claims: Value,
}

impl Case {
    /// A proof that is right in every respect.
    fn right() -> Self {
        let secrets = Secrets::derive(&[7; 32]).unwrap();
        let key = ProofKey::generate();
        let header = json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": key.jwk()});
        let claims = json!({
            "jti": "unique", "htm": "POST", "htu": "https://vouch.example.com/v1/aws/token",
            "iat": now().as_second(), "nonce": fresh_nonce(&secrets, now()), "ath": ProofKey::token_hash(TOKEN),
        });
        Self { secrets, key, header, claims }
    }

    fn header(mut self, name: &str, value: Value) -> Self {
        self.header[name] = value;
        self
    }

    fn jwk(mut self, name: &str, value: Value) -> Self {
        self.header["jwk"][name] = value;
        self
    }

    fn claim(mut self, name: &str, value: Value) -> Self {
        self.claims[name] = value;
        self
    }

    fn without_claim(mut self, name: &str) -> Self {
        self.claims.as_object_mut().unwrap().remove(name).unwrap();
        self
    }

    fn verify_text(&self, proof: &str) -> Result<Proof, ProofError> {
        self.verify_by_process_of(begun(), proof)
    }

    fn verify_by_process_of(&self, begun: Timestamp, proof: &str) -> Result<Proof, ProofError> {
        let url = "https://vouch.example.com/v1/aws/token";
        let expected = ExpectedRequest { method: &Method::POST, url, token: Some(TOKEN) };
        verify(proof, &expected, &self.secrets, begun, now())
    }

    fn verify(self) -> Result<Proof, ProofError> {
        self.verify_text(&self.key.sign(&self.header, &self.claims))
    }
}

fn assert_malformed(case: Case) {
    let shown = format!("{} {}", case.header, case.claims);
    let outcome = case.verify();
    assert!(matches!(outcome, Err(ProofError::Malformed(_))), "{shown}: {outcome:?}");
}

#[test]
fn accepts_a_proof_that_is_right_and_names_its_key() {
    let case = Case::right();
    let thumbprint = case.key.thumbprint();
    assert_eq!(case.verify(), Ok(Proof { thumbprint, jti: "unique".to_owned() }));
}

#[test]
fn refuses_another_type_algorithm_or_kind_of_key() {
    assert_malformed(Case::right().header("typ", json!("JWT")));
    assert_malformed(Case::right().header("typ", Value::Null));
    for algorithm in ["none", "HS256", "RS256", "ES384", "EdDSA", "es256"] {
        assert_malformed(Case::right().header("alg", json!(algorithm)));
    }
    assert_malformed(Case::right().jwk("kty", json!("oct")));
    assert_malformed(Case::right().jwk("crv", json!("P-384")));
    assert_malformed(Case::right().jwk("x", json!("AAAA")));
    assert_malformed(Case::right().header("jwk", Value::Null));
    assert_malformed(Case::right().header("crit", json!(["exp"])));
}

#[test]
fn refuses_a_proof_that_gives_its_private_key_away() {
    assert_malformed(Case::right().jwk("d", json!("AAAA")));
}

#[test]
fn refuses_a_proof_that_lacks_a_claim() {
    for claim in ["jti", "htm", "htu", "iat"] {
        assert_malformed(Case::right().without_claim(claim));
    }
    assert_malformed(Case::right().claim("jti", json!("")));
    assert_malformed(Case::right().claim("jti", json!("j".repeat(129))));
    assert_malformed(Case::right().claim("iat", json!("now")));
    assert_malformed(Case::right().claim("iat", json!(1e300)));
    assert_eq!(Case::right().without_claim("nonce").verify(), Err(ProofError::Nonce));
    assert_eq!(Case::right().without_claim("ath").verify(), Err(ProofError::Token));
}

#[test]
fn refuses_a_signature_by_another_key() {
    let case = Case::right();
    let proof = ProofKey::generate().sign(&case.header, &case.claims);
    assert_eq!(case.verify_text(&proof), Err(ProofError::Signature));
}

#[test]
fn refuses_claims_that_were_changed_after_signing() {
    let case = Case::right();
    let proof = case.key.sign(&case.header, &case.claims);
    let changed = case.key.sign(&case.header, &json!({"jti": "other"}));
    let signature = changed.rsplit_once('.').unwrap().1;
    let spliced = format!("{}.{signature}", proof.rsplit_once('.').unwrap().0);
    assert_eq!(case.verify_text(&spliced), Err(ProofError::Signature));
}

#[test]
fn refuses_what_is_no_jwt() {
    let case = Case::right();
    let proof = case.key.sign(&case.header, &case.claims);
    for text in ["", ".", "..", "a.b.c", "e30.e30.", &proof[1..], &format!("{proof}.x"), &"A".repeat(5000)] {
        let outcome = case.verify_text(text);
        assert!(matches!(outcome, Err(ProofError::Malformed(_) | ProofError::Signature)), "{text}: {outcome:?}");
    }
}

#[test]
fn refuses_a_proof_for_another_method() {
    for method in ["GET", "post", "POST "] {
        assert_eq!(Case::right().claim("htm", json!(method)).verify(), Err(ProofError::Method));
    }
}

#[test]
fn refuses_a_proof_for_another_url() {
    for url in [
        "https://vouch.example.com/v1/aws/roles",
        "https://vouch.example.com/v1/aws/token/",
        "https://vouch.example.com/",
        "https://other.example.com/v1/aws/token",
        "https://vouch.example.com.evil.example/v1/aws/token",
        "https://user@vouch.example.com/v1/aws/token",
        "https://vouch.example.com:8443/v1/aws/token",
        "http://vouch.example.com/v1/aws/token",
        "/v1/aws/token",
        "",
    ] {
        let outcome = Case::right().claim("htu", json!(url)).verify();
        assert!(matches!(outcome, Err(ProofError::Url(_))), "{url}: {outcome:?}");
    }
}

#[test]
fn a_url_is_compared_normalised_and_without_query_and_fragment() {
    for url in [
        "https://vouch.example.com/v1/aws/token?a=b#c",
        "HTTPS://VOUCH.example.com:443/v1/aws/token",
        "https://vouch.example.com/v1/./aws/x/../token",
    ] {
        assert!(Case::right().claim("htu", json!(url)).verify().is_ok(), "{url}");
    }
}

#[test]
fn refuses_a_nonce_that_is_foreign_altered_expired_or_from_the_future() {
    let ours = Secrets::derive(&[7; 32]).unwrap();
    let foreign = fresh_nonce(&Secrets::derive(&[8; 32]).unwrap(), now());
    let expired = fresh_nonce(&ours, now() - NONCE_LIFETIME);
    let future = fresh_nonce(&ours, now() + 31.seconds());
    let mut altered = fresh_nonce(&ours, now());
    altered.replace_range(9..10, if &altered[9..10] == "A" { "B" } else { "A" });
    for nonce in [foreign.as_str(), &expired, &future, &altered, "", "AAAAAAAAAAA"] {
        assert_eq!(Case::right().claim("nonce", json!(nonce)).verify(), Err(ProofError::Nonce), "{nonce}");
    }
    for moment in [now() - NONCE_LIFETIME + 1.second(), now() + 30.seconds()] {
        assert!(Case::right().claim("nonce", json!(fresh_nonce(&ours, moment))).verify().is_ok());
    }
}

#[test]
fn no_nonce_is_taken_for_longer_than_its_proof_is_remembered() {
    let secrets = Secrets::derive(&[7; 32]).unwrap();
    let nonce = fresh_nonce(&secrets, now());
    let taken = |seconds: i64| super::nonce::is_current(&secrets, &nonce, begun(), now() + seconds.seconds());
    let first = (-1000..1000).find(|seconds| taken(*seconds)).unwrap();
    let last = (-1000..1000).rfind(|seconds| taken(*seconds)).unwrap();
    assert!(last - first < REPLAY_WINDOW.as_secs(), "{first} {last}");
}

#[test]
fn a_proof_taken_before_a_restart_is_not_taken_after_it() {
    let issued = now() - 1.second() + 123_456_789.nanoseconds();
    let mut case = Case::right();
    case.claims["nonce"] = fresh_nonce(&case.secrets, issued).into();
    let proof = case.key.sign(&case.header, &case.claims);
    assert!(case.verify_by_process_of(begun(), &proof).is_ok());
    // Within the same second, too.
    assert_eq!(case.verify_by_process_of(issued + 1.microsecond(), &proof), Err(ProofError::Nonce));
    assert_eq!(case.verify_by_process_of(now(), &proof), Err(ProofError::Nonce));
}

#[test]
fn a_nonce_of_another_replica_is_taken_by_one_that_began_before_it_was_given_out() {
    let case = Case::right();
    let (header, mut claims) = (case.header.clone(), case.claims.clone());
    let started = now() - 1.second() + 123_456_789.nanoseconds();
    for issued in [started, started + 1.microsecond(), now()] {
        claims["nonce"] = fresh_nonce(&Secrets::derive(&[7; 32]).unwrap(), issued).into();
        let proof = case.key.sign(&header, &claims);
        assert!(case.verify_by_process_of(started, &proof).is_ok(), "{issued}");
    }
}

#[test]
fn a_clock_that_is_off_is_named_with_its_offset() {
    for (offset, refused) in [(-301, true), (-300, false), (300, false), (301, true)] {
        let outcome = Case::right().claim("iat", json!(now().as_second() + offset)).verify();
        let expected = refused.then_some(ProofError::Clock { seconds: offset });
        assert_eq!(outcome.err(), expected);
    }
    let text = ProofError::Clock { seconds: -400 }.to_string();
    assert!(text.contains("400 seconds before"), "{text}");
}

#[test]
fn refuses_a_proof_for_another_token() {
    let other = ProofKey::token_hash("another");
    assert_eq!(Case::right().claim("ath", json!(other)).verify(), Err(ProofError::Token));
}

#[test]
fn a_proof_is_taken_once_while_its_nonce_lives() {
    let guard = ReplayGuard::new(begun());
    let proof = Proof { thumbprint: "key".to_owned(), jti: "one".to_owned() };
    assert_eq!(guard.take(&proof, now()), Ok(()));
    let mut moment = now();
    while moment < now() + REPLAY_WINDOW {
        assert_eq!(guard.take(&proof, moment), Err(ReplayError::Replayed), "{moment}");
        moment += 1.second();
    }
    let same_jti_of_another_key = Proof { thumbprint: "other".to_owned(), ..proof };
    assert_eq!(guard.take(&same_jti_of_another_key, now()), Ok(()));
}

#[test]
fn a_proof_taken_just_before_the_sets_turn_is_still_remembered() {
    let guard = ReplayGuard::new(begun());
    let proof = |jti: &str| Proof { thumbprint: "key".to_owned(), jti: jti.to_owned() };
    guard.take(&proof("first"), now()).unwrap();
    let late = now() + REPLAY_WINDOW - 1.second();
    guard.take(&proof("late"), late).unwrap();
    for seconds in 0..150 {
        guard.take(&proof(&format!("other {seconds}")), late + seconds.seconds()).unwrap();
        assert_eq!(guard.take(&proof("late"), late + seconds.seconds()), Err(ReplayError::Replayed), "{seconds}");
    }
}

#[test]
fn a_clock_set_back_to_before_the_start_of_the_process_stops_nobody() {
    let (secrets, guard) = (Secrets::derive(&[7; 32]).unwrap(), ReplayGuard::new(begun()));
    let set_back = begun() - 3600.seconds();
    let nonce = fresh_nonce(&secrets, set_back + 1.seconds());
    let now = set_back + 2.seconds();
    assert!(!super::nonce::is_current(&secrets, &nonce, begun(), now), "older than the process, as it seems");
    assert_eq!(guard.begun(set_back), set_back);
    assert!(super::nonce::is_current(&secrets, &nonce, guard.begun(now), now));
    assert_eq!(guard.begun(begun()), set_back, "what was taken since is remembered");
}

#[test]
fn a_guard_that_is_full_takes_nothing_and_recovers() {
    let guard = ReplayGuard::with_capacity(2, begun());
    let proof = |jti: &str| Proof { thumbprint: "key".to_owned(), jti: jti.to_owned() };
    guard.take(&proof("1"), now()).unwrap();
    guard.take(&proof("2"), now()).unwrap();
    assert_eq!(guard.take(&proof("3"), now()), Err(ReplayError::Full));
    assert_eq!(guard.take(&proof("1"), now()), Err(ReplayError::Replayed));
    assert_eq!(guard.take(&proof("3"), now() + REPLAY_WINDOW), Ok(()));
}
