//! A.3, A.7 to A.9: algorithms, key ids, members of keys, refresh.

use serde_json::{Value, json};

use super::Expected::Ok as Accepted;
use super::{Expected, NO_KEY, NOT_VALIDATED, Recorded, check, invalid};
use crate::support::TestKey;

impl Recorded {
    fn signed(&self, key: &TestKey, header: &Value) -> String {
        key.token(header, &Value::Object(self.claims()).to_string())
    }

    /// Publishes keys and uses a token signed by the main key with a header.
    async fn with_keys(&self, keys: Vec<Value>, header: &Value) -> Result<String, crate::support::Refusal> {
        self.issuer.publish(keys);
        self.assume(&self.signed(&self.key, header)).await
    }
}

fn with(mut jwk: Value, name: &str, value: Value) -> Value {
    jwk[name] = value;
    jwk
}

fn without(mut jwk: Value, names: &[&str]) -> Value {
    for name in names {
        jwk.as_object_mut().unwrap().remove(*name);
    }
    jwk
}

#[tokio::test]
async fn accepts_the_six_algorithms() {
    let recorded = Recorded::start().await;
    let curves = [TestKey::ec("P-256"), TestKey::ec("P-384"), TestKey::ec("P-521")];
    let mut keys: Vec<Value> = ["rsa-1", "rsa-2", "rsa-3"].iter().map(|kid| recorded.key.jwk(kid)).collect();
    keys.extend(curves.iter().zip(["ec-256", "ec-384", "ec-521"]).map(|(key, kid)| key.jwk(kid)));
    recorded.issuer.publish(keys);
    let rows = [
        (&recorded.key, "RS256", "rsa-1"),
        (&recorded.key, "RS384", "rsa-2"),
        (&recorded.key, "RS512", "rsa-3"),
        (&curves[0], "ES256", "ec-256"),
        (&curves[1], "ES384", "ec-384"),
        (&curves[2], "ES512", "ec-521"),
    ];
    for (key, algorithm, kid) in rows {
        let token = recorded.signed(key, &json!({"alg": algorithm, "kid": kid}));
        check(algorithm, &recorded.assume(&token).await, &Accepted(&[("PackedPolicySize", "25")]));
    }
}

#[tokio::test]
async fn finds_keys_by_id_as_recorded() {
    let recorded = Recorded::start().await;
    let (main, other) = (&recorded.key, TestKey::rsa());
    let several = || vec![main.jwk("rsa-1"), other.jwk("rsa-2"), TestKey::ec("P-256").jwk("ec-1")];
    let named = json!({"alg": "RS256", "kid": "rsa-1"});
    let rows: Vec<(&str, Vec<Value>, Value, Expected)> = vec![
        ("kid not in the set", several(), json!({"alg": "RS256", "kid": "rsa-9"}), invalid(NO_KEY)),
        ("good right after", several(), named.clone(), Accepted(&[])),
        ("kid missing, several keys", several(), json!({"alg": "RS256"}), invalid(NO_KEY)),
        ("kid empty, several keys", several(), json!({"alg": "RS256", "kid": ""}), invalid(NO_KEY)),
        ("kid missing, one key", vec![main.jwk("rsa-1")], json!({"alg": "RS256"}), Accepted(&[])),
        ("JWK without kid", vec![without(main.jwk("x"), &["kid"])], named.clone(), invalid(NO_KEY)),
        ("same kid, identical", vec![main.jwk("rsa-1"), main.jwk("rsa-1")], named.clone(), Accepted(&[])),
        ("same kid, right key last", vec![other.jwk("rsa-1"), main.jwk("rsa-1")], named.clone(), Accepted(&[])),
        (
            "same kid, wrong key last",
            vec![main.jwk("rsa-1"), other.jwk("rsa-1")],
            named.clone(),
            invalid(NOT_VALIDATED),
        ),
    ];
    for (name, keys, header, expected) in rows {
        check(name, &recorded.with_keys(keys, &header).await, &expected);
    }
}

#[tokio::test]
async fn judges_members_of_keys_as_recorded() {
    let recorded = Recorded::start().await;
    let main = recorded.key.jwk("rsa-1");
    let certificate = |key: &TestKey| {
        use base64::Engine as _;
        json!([base64::engine::general_purpose::STANDARD.encode(key.certificate())])
    };
    let (own, foreign) = (certificate(&recorded.key), certificate(&TestKey::rsa()));
    let rows: Vec<(&str, Value, Expected)> = vec![
        ("alg differs", with(main.clone(), "alg", json!("RS512")), Accepted(&[])),
        ("use sig", with(main.clone(), "use", json!("sig")), Accepted(&[])),
        ("use enc", with(main.clone(), "use", json!("enc")), invalid(NO_KEY)),
        ("key_ops verify", with(main.clone(), "key_ops", json!(["verify"])), invalid(NOT_VALIDATED)),
        ("key_ops sign", with(main.clone(), "key_ops", json!(["sign"])), invalid(NOT_VALIDATED)),
        ("x5c matching", with(main.clone(), "x5c", own.clone()), Accepted(&[])),
        ("x5c only", without(with(main.clone(), "x5c", own), &["n", "e"]), invalid(NO_KEY)),
        ("x5c of another key", with(main.clone(), "x5c", foreign), invalid(NO_KEY)),
    ];
    for (name, key, expected) in rows {
        check(name, &recorded.with_keys(vec![key], &json!({"alg": "RS256", "kid": "rsa-1"})).await, &expected);
    }
}

#[tokio::test]
async fn the_limit_of_a_hundred_keys_counts_per_type() {
    let recorded = Recorded::start().await;
    let curve = TestKey::ec("P-256");
    let mut keys: Vec<Value> = (1..=101).map(|number| recorded.key.jwk(&format!("rsa-{number}"))).collect();
    keys.push(curve.jwk("ec-1"));
    recorded.issuer.publish(keys.clone());
    let rsa = recorded.signed(&recorded.key, &json!({"alg": "RS256", "kid": "rsa-1"}));
    let ec = recorded.signed(&curve, &json!({"alg": "ES256", "kid": "ec-1"}));
    check("RSA of 101", &recorded.assume(&rsa).await, &invalid(NO_KEY));
    check("EC beside 101 RSA", &recorded.assume(&ec).await, &Accepted(&[]));
    keys.remove(100);
    recorded.issuer.publish(keys);
    check("RSA of 100 (inferred)", &recorded.assume(&rsa).await, &Accepted(&[]));
}

#[tokio::test]
async fn under_no_cache_every_change_counts_at_once() {
    let recorded = Recorded::start().await;
    let token = recorded.token(|_| {});
    check("published", &recorded.assume(&token).await, &Accepted(&[]));
    recorded.issuer.publish([TestKey::rsa().jwk("rsa-1")]);
    check("replaced", &recorded.assume(&token).await, &invalid(NOT_VALIDATED));
    recorded.issuer.publish([]);
    check("removed", &recorded.assume(&token).await, &invalid(NO_KEY));
    recorded.issuer.publish([recorded.key.jwk("rsa-1")]);
    check("published again", &recorded.assume(&token).await, &Accepted(&[]));
}

/// Nobody knows what AWS does under a long `max-age`: both behaviours are knobs.
#[tokio::test]
async fn a_max_age_keeps_keys_as_the_knobs_say() {
    let recorded = Recorded::start().await;
    let other = TestKey::rsa();
    let token = recorded.token(|_| {});
    let new_token = recorded.signed(&other, &json!({"alg": "RS256", "kid": "new"}));
    recorded.issuer.change(|documents| documents.cache_control = Some("max-age=600"));
    check("first read", &recorded.assume(&token).await, &Accepted(&[]));
    let reads = recorded.issuer.reads();
    recorded.issuer.publish([other.jwk("new")]);
    check("withdrawn, still kept", &recorded.assume(&token).await, &Accepted(&[]));
    assert_eq!(recorded.issuer.reads(), reads);

    recorded.aws.knobs(&json!({"jwks": {"refetch_on_unknown_kid": false}}));
    check("unknown kid without refetch", &recorded.assume(&new_token).await, &invalid(NO_KEY));
    recorded.aws.knobs(&json!({"jwks": {"refetch_on_unknown_kid": true}}));
    check("unknown kid with refetch", &recorded.assume(&new_token).await, &Accepted(&[]));
    check("withdrawn, read anew", &recorded.assume(&token).await, &invalid(NO_KEY));

    recorded.issuer.publish([recorded.key.jwk("rsa-1")]);
    recorded.aws.knobs(&json!({"jwks": {"refetch_on_unknown_kid": false}, "clock_offset_seconds": 601}));
    let later = recorded.token(|_| {});
    check("after max-age", &recorded.assume(&later).await, &Accepted(&[]));
    recorded.aws.knobs(&json!({"jwks": {"honour_max_age": false}, "clock_offset_seconds": 1300}));
    let reads = recorded.issuer.reads();
    let latest = recorded.token(|_| {});
    for _ in 0..2 {
        check("max-age not honoured", &recorded.assume(&latest).await, &Accepted(&[]));
    }
    assert_eq!(recorded.issuer.reads(), reads + 2);
}

#[tokio::test]
async fn documents_that_cannot_be_had_are_a_missing_key() {
    let recorded = Recorded::start().await;
    let token = recorded.token(|_| {});
    let good = recorded.issuer.url.clone();
    let members = [
        "issuer",
        "jwks_uri",
        "response_types_supported",
        "subject_types_supported",
        "id_token_signing_alg_values_supported",
    ];
    for member in members {
        let mut removed = Value::Null;
        recorded
            .issuer
            .change(|documents| removed = documents.discovery.as_object_mut().unwrap().remove(member).unwrap());
        check(member, &recorded.assume(&token).await, &invalid(NO_KEY));
        recorded.issuer.change(|documents| documents.discovery[member] = removed);
    }
    recorded.issuer.change(|documents| documents.discovery["issuer"] = json!("https://other.example.com"));
    check("another issuer", &recorded.assume(&token).await, &invalid(NO_KEY));
    recorded.issuer.change(|documents| documents.discovery["issuer"] = json!(good));
    for elsewhere in ["http://issuer.example.com/jwks", "https://unrouted.example.com/jwks", "https://192.0.2.1/jwks"] {
        recorded.issuer.change(|documents| documents.discovery["jwks_uri"] = json!(elsewhere));
        check(elsewhere, &recorded.assume(&token).await, &invalid(NO_KEY));
    }
    recorded.issuer.change(|documents| documents.status = 503);
    check("503", &recorded.assume(&token).await, &invalid(NO_KEY));
    recorded.aws.knobs(&json!({"jwks": {"unreachable_is_communication_error": true}}));
    let refusal = recorded.assume(&token).await.unwrap_err();
    assert_eq!((refusal.status, refusal.code.as_str()), (400, "IDPCommunicationError"));
}
