//! Tokens and the JWKS, as a foreign implementation sees them.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{DecodingKey, Validation, decode, decode_header, jwk::JwkSet};
use serde_json::{Value, json};
use vouch_keyring::{Algorithm, ChangeContext, KeyError, KeyGenerator, KeySet, Kid, PrivateKey, PublicKey};

use crate::support::{World, both, es256, genesis};

/// The P-256 key of RFC 7515 appendix A.3.
struct RfcKey;

const RFC_X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
const RFC_Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
const RFC_D: &str = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI";

impl KeyGenerator for RfcKey {
    fn generate(&self, algorithm: Algorithm) -> Result<PrivateKey, KeyError> {
        let bytes = |text| URL_SAFE_NO_PAD.decode(text).unwrap();
        let point = [vec![4], bytes(RFC_X), bytes(RFC_Y)].concat();
        let signing = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pair = EcdsaKeyPair::from_private_key_and_public_key(signing, &bytes(RFC_D), &point).unwrap();
        PrivateKey::from_pkcs8(algorithm, pair.to_pkcs8v1().unwrap().as_ref())
    }
}

fn rfc_key() -> PrivateKey {
    RfcKey.generate(Algorithm::Es256).unwrap()
}

fn claims() -> Value {
    json!({"iss": "https://vouch.example.com", "sub": "alice@example.com", "exp": 4_102_444_800_u64, "ü": "\u{1F511}"})
}

fn foreign(algorithm: Algorithm) -> jsonwebtoken::Algorithm {
    match algorithm {
        Algorithm::Es256 => jsonwebtoken::Algorithm::ES256,
        Algorithm::Rs256 => jsonwebtoken::Algorithm::RS256,
    }
}

#[test]
fn tokens_verify_with_the_published_jwks() {
    let world = World::new(both());
    let jwks: JwkSet = serde_json::from_str(world.set.jwks().body()).unwrap();
    for algorithm in Algorithm::ALL {
        let signer = world.set.signer(algorithm, &world.policy).unwrap();
        for typ in [None, Some("JWT"), Some("at+jwt")] {
            let token = signer.sign_jwt(typ, &claims()).unwrap();
            let header = decode_header(&token).unwrap();
            assert_eq!(header.kid.as_deref(), Some(signer.kid().as_str()));
            assert_eq!(header.typ.as_deref(), typ);
            assert_eq!(header.alg, foreign(algorithm));
            let key = DecodingKey::from_jwk(jwks.find(signer.kid().as_str()).unwrap()).unwrap();
            let verified = decode::<Value>(&token, &key, &Validation::new(header.alg)).unwrap();
            assert_eq!(verified.claims, claims());
        }
    }
}

#[test]
fn tokens_verify_with_the_verifying_keys() {
    let world = World::new(both());
    for algorithm in Algorithm::ALL {
        let signer = world.set.signer(algorithm, &world.policy).unwrap();
        let token = signer.sign_jwt(Some("JWT"), &claims()).unwrap();
        let keys = world.set.verifying_keys();
        let key = keys.iter().find(|key| key.kid == *signer.kid()).unwrap();
        let decoding = match key.algorithm {
            Algorithm::Es256 => DecodingKey::from_ec_der(&key.der),
            Algorithm::Rs256 => DecodingKey::from_rsa_der(&key.der),
        };
        assert!(decode::<Value>(&token, &decoding, &Validation::new(foreign(algorithm))).is_ok());
    }
}

#[test]
fn a_token_of_another_key_does_not_verify() {
    let world = World::new(es256());
    let token = world.set.signer(Algorithm::Es256, &world.policy).unwrap().sign_jwt(None, &claims()).unwrap();
    let next = world.next(Algorithm::Es256);
    let keys = world.set.verifying_keys();
    let wrong = keys.iter().find(|key| key.kid == next).unwrap();
    let validation = Validation::new(jsonwebtoken::Algorithm::ES256);
    assert!(decode::<Value>(&token, &DecodingKey::from_ec_der(&wrong.der), &validation).is_err());
}

#[test]
fn a_token_type_is_written_as_a_json_string() {
    let world = World::new(es256());
    let signer = world.set.signer(Algorithm::Es256, &world.policy).unwrap();
    let token = signer.sign_jwt(Some(r#"x","alg":"none"#), &claims()).unwrap();
    let header = decode_header(&token).unwrap();
    assert_eq!(header.typ.as_deref(), Some(r#"x","alg":"none"#));
    assert_eq!(header.alg, jsonwebtoken::Algorithm::ES256);
}

#[test]
fn an_es256_signature_is_64_bytes_and_an_rs256_signature_256() {
    let world = World::new(both());
    for (algorithm, length) in [(Algorithm::Es256, 64), (Algorithm::Rs256, 256)] {
        let signer = world.set.signer(algorithm, &world.policy).unwrap();
        let token = signer.sign_jwt(None, &claims()).unwrap();
        let signature = token.rsplit('.').next().unwrap();
        assert_eq!(URL_SAFE_NO_PAD.decode(signature).unwrap().len(), length);
    }
}

#[test]
fn claims_that_are_not_json_are_refused() {
    let world = World::new(es256());
    let signer = world.set.signer(Algorithm::Es256, &world.policy).unwrap();
    let no_json = std::collections::BTreeMap::from([((1, 2), 3)]);
    let error = signer.sign_jwt(None, &no_json).unwrap_err();
    assert_eq!(error.to_string(), "the claims cannot be written as JSON");
}

#[test]
fn the_header_of_a_token_is_the_algorithm_the_key_and_the_type() {
    let world = World::new(es256());
    let signer = world.set.signer(Algorithm::Es256, &world.policy).unwrap();
    let token = signer.sign_jwt(Some("JWT"), &claims()).unwrap();
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    let expected = format!(r#"{{"alg":"ES256","kid":"{}","typ":"JWT"}}"#, signer.kid());
    assert_eq!(String::from_utf8(header).unwrap(), expected);
}

#[test]
fn the_jwk_of_a_p256_key_is_what_it_was() {
    let key = rfc_key();
    assert_eq!(key.kid().as_str(), "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U");
    assert_eq!(
        key.public().jwk(key.kid(), Algorithm::Es256),
        r#"{"kty":"EC","use":"sig","alg":"ES256","kid":"oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#
    );
}

#[test]
fn the_jwk_of_an_rsa_key_is_what_it_was() {
    let key = PublicKey::Rsa { n: vec![0xc3; 6], e: vec![1, 0, 1] };
    let kid = Kid::of(&key);
    assert_eq!(
        key.jwk(&kid, Algorithm::Rs256),
        format!(r#"{{"kty":"RSA","use":"sig","alg":"RS256","kid":"{kid}","n":"w8PDw8PD","e":"AQAB"}}"#)
    );
}

#[test]
fn a_jwks_lists_its_keys_by_algorithm_and_id() {
    let world = World::new(both());
    let jwks: Value = serde_json::from_str(world.set.jwks().body()).unwrap();
    let listed: Vec<(String, String)> = jwks["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|jwk| (jwk["alg"].as_str().unwrap().to_owned(), jwk["kid"].as_str().unwrap().to_owned()))
        .collect();
    assert_eq!(listed.len(), 4);
    assert!(listed.is_sorted());
}

#[test]
fn a_jwk_carries_nothing_that_confuses_aws() {
    let world = World::new(both());
    let jwks: Value = serde_json::from_str(world.set.jwks().body()).unwrap();
    for jwk in jwks["keys"].as_array().unwrap() {
        let jwk = jwk.as_object().unwrap();
        assert!(jwk.get("key_ops").is_none() && jwk.get("x5c").is_none());
        assert_eq!(jwk["use"], "sig");
        assert!(!jwk["kid"].as_str().unwrap().is_empty());
    }
}

#[test]
fn the_entity_tag_changes_with_the_keys_and_only_with_them() {
    let mut world = World::new(es256());
    let before = world.set.jwks();
    assert_eq!(world.set.jwks().etag(), before.etag());
    assert!(before.etag().starts_with('"') && before.etag().ends_with('"'));
    world.policy = both();
    world.advance();
    assert_ne!(world.set.jwks().etag(), before.etag());
}

#[test]
fn a_stored_set_signs_with_the_same_keys() {
    let world = World::new(both());
    let restored = KeySet::from_json(world.set.to_json().unwrap().as_bytes()).unwrap();
    for algorithm in Algorithm::ALL {
        let signer = restored.signer(algorithm, &world.policy).unwrap();
        assert_eq!(*signer.kid(), world.active(algorithm));
    }
    assert_eq!(restored.jwks(), world.set.jwks());
}

#[test]
fn the_system_generator_makes_different_keys() {
    let policy = es256();
    let context = ChangeContext { policy: &policy, generator: &vouch_keyring::SystemKeyGenerator, now: genesis() };
    let (one, _) = KeySet::initialize(&context).unwrap();
    let (other, _) = KeySet::initialize(&context).unwrap();
    assert_ne!(one.jwks(), other.jwks());
}
