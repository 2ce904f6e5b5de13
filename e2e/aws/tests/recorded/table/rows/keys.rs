//! A.7 to A.9: key ids, members of keys, refresh.

use serde_json::{Value, json};

use super::super::outcome::text::{G, K};
use super::super::outcome::{iit, ok};
use super::super::scene::Scene;
use super::super::sent::{Sent, token};
use super::super::{Row, not_played, rec};
use super::UNKNOWN;
use crate::support::TestKey;

pub(super) fn rows() -> Vec<Row> {
    [ids(), members(), refresh()].into_iter().flatten().collect()
}

fn ids() -> Vec<Row> {
    let kid = |kid: &str| token().header(json!({"alg": "RS256", "kid": kid}));
    let no_kid = || token().header(json!({"alg": "RS256"}));
    vec![
        rec("A.7", "kid not in the key set", kid("rsa-9"), iit(K)),
        rec("A.7", "good token right after", token(), ok(&[])),
        rec("A.7", "kid missing, six keys", no_kid(), iit(K)),
        rec("A.7", "kid empty, six keys", kid(""), iit(K)),
        rec("A.7", "kid missing, one key", no_kid().keys("one key", |scene| vec![main(scene)]), ok(&[])),
        rec(
            "A.7",
            "JWK without kid",
            token().keys("one key without kid", |scene| vec![without(main(scene), &["kid"])]),
            iit(K),
        ),
        rec(
            "A.7",
            "same kid twice, identical",
            token().keys("rsa-1 twice", |scene| vec![main(scene), main(scene)]),
            ok(&[]),
        ),
        rec(
            "A.7",
            "same kid, wrong key first, right key last",
            token().keys("other as rsa-1, then rsa-1", |scene| vec![impostor(scene), main(scene)]),
            ok(&[]),
        ),
        rec(
            "A.7",
            "same kid, right key first, wrong key last",
            token().keys("rsa-1, then other as rsa-1", |scene| vec![main(scene), impostor(scene)]),
            iit(G),
        ),
    ]
}

fn members() -> Vec<Row> {
    let key = |words: &'static str, change: fn(&Scene, Value) -> Value| -> Sent {
        token().keys(words, move |scene| vec![change(scene, main(scene))])
    };
    vec![
        rec(
            "A.8",
            "JWK alg RS512, JWT alg RS256",
            key("alg RS512", |_, key| with(key, "alg", json!("RS512"))),
            ok(&[]),
        ),
        rec("A.8", "use enc", key("use enc", |_, key| with(key, "use", json!("enc"))), iit(K)),
        rec("A.8", "key_ops verify", key("key_ops [verify]", |_, key| with(key, "key_ops", json!(["verify"]))), iit(G)),
        rec("A.8", "key_ops sign", key("key_ops [sign]", |_, key| with(key, "key_ops", json!(["sign"]))), iit(G)),
        rec(
            "A.8",
            "x5c present and matching",
            key("own x5c", |scene, key| with(key, "x5c", x5c(scene, "rsa"))),
            ok(&[]),
        ),
        rec(
            "A.8",
            "x5c only",
            key("x5c, no n, no e", |scene, key| without(with(key, "x5c", x5c(scene, "rsa")), &["n", "e"])),
            iit(K),
        ),
        rec(
            "A.8",
            "x5c for another key",
            key("x5c of other", |scene, key| with(key, "x5c", x5c(scene, "other"))),
            iit(K),
        ),
        rec("A.8", "101 RSA keys + 1 EC key, RSA token", token().keys("101 RSA, 1 EC", overfull), iit(K)),
        rec(
            "A.8",
            "101 RSA keys + 1 EC key, EC token",
            token().keys("101 RSA, 1 EC", overfull).header(json!({"alg": "ES256", "kid": "ec-1"})).signed_by("P-256"),
            ok(&[]),
        ),
    ]
}

/// Each row publishes its own key set right before its call, under `no-cache`.
fn refresh() -> Vec<Row> {
    let added = || token().header(json!({"alg": "RS256", "kid": "added"})).signed_by("other");
    let set = |scene: &Scene, key: &str| vec![main(scene), scene.key(key).jwk("added")];
    vec![
        rec("A.9", "before a key is added", added(), iit(K)),
        rec("A.9", "added key, next attempt", added().keys("rsa-1, added", move |scene| set(scene, "other")), ok(&[])),
        rec(
            "A.9",
            "broken key, next attempt",
            added().keys("added is another", move |scene| set(scene, "rsa")),
            iit(G),
        ),
        rec("A.9", "removed key, next attempt", added().keys("rsa-1", |scene| vec![main(scene)]), iit(K)),
        not_played("A.9", "EKS issuers send max-age=604800", "a fact about another issuer"),
        not_played(
            "A.9",
            "caching under a long max-age or without Cache-Control",
            "not recorded; knobs play both guesses",
        ),
        not_played("A.9", "issuer slow, redirecting, wrong content type, too large", UNKNOWN),
        not_played("A.9", "IDPCommunicationError", "not recorded; a knob answers it, with a text of the program's own"),
    ]
}

fn main(scene: &Scene) -> Value {
    scene.key("rsa").jwk("rsa-1")
}

fn impostor(scene: &Scene) -> Value {
    scene.key("other").jwk("rsa-1")
}

fn overfull(scene: &Scene) -> Vec<Value> {
    let rsa = (1..=101).map(|number| scene.key("rsa").jwk(&format!("rsa-{number}")));
    rsa.chain([scene.key("P-256").jwk("ec-1")]).collect()
}

fn x5c(scene: &Scene, key: &str) -> Value {
    use base64::Engine as _;
    let certificate = TestKey::certificate(scene.key(key));
    json!([base64::engine::general_purpose::STANDARD.encode(certificate)])
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
