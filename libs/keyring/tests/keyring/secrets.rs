//! No private key in what people read.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use vouch_keyring::{Algorithm, KeySet, LeadRule, RevokeError, plan};

use crate::support::{DAY, World, both};

const ES256: Algorithm = Algorithm::Es256;

/// Every way a private key of the set could appear in text: base64, hexadecimal digits, a list of numbers.
fn spellings(set: &KeySet) -> Vec<String> {
    let document: Value = serde_json::from_str(&set.to_json().unwrap()).unwrap();
    let keys = document["set"]["keys"].as_array().unwrap();
    keys.iter().flat_map(|key| spellings_of(key["pkcs8"].as_str().unwrap())).collect()
}

fn spellings_of(pkcs8: &str) -> Vec<String> {
    let der = STANDARD.decode(pkcs8).unwrap();
    // The private scalar of a P-256 key stands near the beginning; an RSA key ends with its CRT coefficient.
    let start = if der.len() < 200 { 36 } else { (der.len() - 60) / 3 * 3 };
    let secret = &der[start..start + 24];
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let numbers = secret.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    vec![pkcs8[start / 3 * 4..][..32].to_owned(), hex.clone(), hex.to_uppercase(), numbers]
}

fn assert_discreet(set: &KeySet, text: &str) {
    for spelling in spellings(set) {
        assert!(!text.contains(&spelling), "{text}");
    }
}

#[test]
fn the_spellings_would_be_found() {
    let world = World::new(both());
    let json = world.set.to_json().unwrap();
    assert!(spellings(&world.set).iter().any(|spelling| json.contains(spelling)));
}

#[test]
fn debug_output_shows_no_private_key() {
    let mut world = World::new(both());
    let active = world.active(ES256);
    let signer = world.set.signer(ES256, &world.policy).unwrap();
    assert_discreet(&world.set, &format!("{:?} {:#?} {signer:?} {signer:#?}", world.set, world.set));
    for verifying in world.set.verifying_keys() {
        assert_discreet(&world.set, &format!("{verifying:?}"));
    }
    world.pass(30 * DAY);
    let actions = plan(&world.set, &world.policy, world.now);
    let changes = world.advance();
    assert_discreet(&world.set, &format!("{actions:?} {changes:?} {:?}", world.set.jwks()));
    world.change(|set, context| set.revoke(&active, LeadRule::Keep, context)).unwrap();
    let error: RevokeError = world.change(|set, context| set.revoke(&active, LeadRule::Keep, context)).unwrap_err();
    assert_discreet(&world.set, &format!("{error:?} {error} {:?}", world.set.revoked()));
}

#[test]
fn the_jwks_shows_no_private_key() {
    let world = World::new(both());
    assert_discreet(&world.set, world.set.jwks().body());
    let jwks: Value = serde_json::from_str(world.set.jwks().body()).unwrap();
    for jwk in jwks["keys"].as_array().unwrap() {
        for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
            assert!(jwk.get(private).is_none(), "{private}");
        }
    }
}

#[test]
fn the_refusal_of_a_document_does_not_quote_it() {
    let world = World::new(both());
    let json = world.set.to_json().unwrap();
    let document: Value = serde_json::from_str(&json).unwrap();
    let secret = document["set"]["keys"][0]["pkcs8"].as_str().unwrap();
    let in_the_wrong_place = [
        json.replacen("ES256", secret, 1),
        json.replacen("\"version\": 1", &format!("\"version\": \"{secret}\""), 1),
        json.replacen("\"algorithm\"", &format!("\"{secret}\""), 1),
        json.replacen("\"next\"", &format!("\"{secret}\""), 1),
        json.replacen("\"published_at\": \"2026", &format!("\"published_at\": \"{secret}"), 1),
        json.replacen("\"kid\": \"", &format!("\"kid\": \"{secret}"), 1),
    ];
    for damaged in in_the_wrong_place {
        assert_ne!(damaged, *json);
        let error = KeySet::from_json(&damaged).unwrap_err();
        assert_discreet(&world.set, &format!("{error} {error:?}"));
    }
}
