//! People, applications, and what they refer to.

use super::*;

#[test]
fn people_belong_to_a_domain_of_the_organization() {
    let reasons = reasons(&with("VouchUser", "eve", "email: eve@example.org"));
    assert_eq!(reasons, ["spec.email: is in none of the organization's domains (example.com)"]);
}

#[test]
fn objects_refer_to_the_issuer_at_hand_in_its_namespace() {
    let spec =
        "issuerRef: {name: other}\ndisplayName: Wiki\nredirectUris: ['https://wiki.example.com/cb']\npublic: true";
    assert_eq!(
        reasons(&with("OidcClient", "wiki", spec)),
        ["spec.issuerRef.name: is other; the VouchIssuer here is vouch"]
    );
    let elsewhere =
        with("VouchUser", "alice", "email: alice@example.com").replace("{name: alice}", "{name: alice, namespace: b}");
    assert_eq!(
        reasons(&elsewhere),
        ["metadata.namespace: is b; the VouchIssuer's namespace is none, and it sees no other"]
    );
}

#[test]
fn an_application_is_public_or_has_a_secret_and_comes_back_to_safe_places() {
    let client =
        |more: &str| with("OidcClient", "wiki", &format!("issuerRef: {{name: vouch}}\ndisplayName: Wiki\n{more}"));
    let right = client(
        "redirectUris: ['https://wiki.example.com/cb', 'http://127.0.0.1:8400/cb', 'http://localhost/cb']\npublic: true",
    );
    let config = load_str(&right).unwrap();
    assert_eq!((config.clients[0].id.as_str(), config.clients[0].redirect_uris.len()), ("wiki", 3));
    assert_eq!(config.clients[0].scopes, [Scope::Openid, Scope::Email]);
    assert_eq!(
        reasons(&client("redirectUris: ['http://wiki.example.com/cb']\nsecretRef: {name: wiki, key: secret}")),
        ["spec.redirectUris[0]: must be https, or http to localhost, 127.0.0.1 or [::1], without a fragment"]
    );
    assert_eq!(
        reasons(&client("redirectUris: []")),
        [
            "spec: must either be public: true or have secretRef, the Secret with its client secret",
            "spec.redirectUris: must name at least one URI"
        ]
    );
}
