//! Refresh of key sets as knobs set it, and documents that cannot be had.

use serde_json::{Value, json};

use super::Expected::Ok as Accepted;
use super::{NO_KEY, NOT_VALIDATED, Recorded, check, invalid};
use crate::support::TestKey;

impl Recorded {
    fn signed(&self, key: &TestKey, header: &Value) -> String {
        key.token(header, &Value::Object(self.claims()).to_string())
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
