//! What an issuer may declare.

use super::*;

#[test]
fn a_url_that_two_parties_could_write_in_two_ways_is_refused_with_one_sentence() {
    let wrong = [
        ("http://vouch.example.com", "must begin with https://"),
        ("vouch.example.com", "must begin with https://"),
        ("HTTPS://vouch.example.com", "must begin with https://"),
        (" https://vouch.example.com", "must begin with https://"),
        ("https://vouch.example.com/", "must not end with a slash"),
        ("https://vouch.example.com/eu/", "must not end with a slash"),
        ("https://vouch.example.com?x=1", "must have no query"),
        ("https://vouch.example.com/eu/?x=#1/", "must have no query"),
        ("https://vouch.example.com#x", "must have no fragment"),
        ("https://vouch.example.com/#x?", "must have no fragment"),
        ("https://", "must name a host"),
        ("https:///eu", "must name a host"),
        ("https://alice@vouch.example.com", "must not name a user"),
        ("https://alice:secret@vouch.example.com:8443", "must not name a user"),
        ("https://Vouch.example.com", "the host must be in lower case"),
        ("https://vouch.example.com:8443", "must not name a port"),
        ("https://vouch.example.com:8443/x", "must not name a port"),
        ("https://vouch..example.com", "the host must be letters, digits and dashes"),
        ("https://vouch.example.com.", "the host must be letters, digits and dashes"),
        ("https://vouch_1.example.com/a b", "the host must be letters, digits and dashes"),
        ("https://vouch.example.com//x", "the path must be letters, digits and ._~-"),
        ("https://vouch.example.com/a b", "the path must be letters, digits and ._~-"),
        ("https://vouch.example.com/../x", "the path must be letters, digits and ._~-"),
    ];
    for (url, sentence) in wrong {
        let reasons = reasons(&ISSUER.replace("https://vouch.example.com", &format!("'{url}'")));
        assert_eq!(reasons.len(), 1, "{url}: {reasons:?}");
        assert!(reasons[0].starts_with(&format!("spec.url: {sentence}")), "{url}: {reasons:?}");
    }
    for url in ["https://vouch.example.com", "https://id.example.com/Vouch/eu-1", "https://localhost"] {
        assert_eq!(load_str(&ISSUER.replace("https://vouch.example.com", url)).unwrap().url.as_str(), url);
    }
}

#[test]
fn a_url_whose_host_is_an_address_is_refused_with_one_sentence() {
    for host in [
        "192.0.2.1",
        "192.0.2.1/eu",
        "192.0.2.1:8443",
        "127.0.0.1",
        "127.1",
        "3221225985",
        "0xc0000201",
        "0x7f.0x1",
        "vouch.example.1",
        "[2001:db8::1]",
        "[2001:DB8::1]:8443/eu",
    ] {
        let url = format!("'https://{host}'");
        assert_eq!(
            reasons(&ISSUER.replace("https://vouch.example.com", &url)),
            [
                "spec.url: the host must be a domain name, not an IP address: security keys and AWS know an issuer by its name"
            ],
            "{host}"
        );
    }
    for host in ["1.example.com", "0x1.example.com", "192-0-2-1.example.com", "3com"] {
        let text = ISSUER.replace("https://vouch.example.com", &format!("https://{host}"));
        assert_eq!(load_str(&text).unwrap().url.host(), host);
    }
}

#[test]
fn a_url_whose_host_no_security_key_would_take_is_refused() {
    let reasons = reasons(&ISSUER.replace("vouch.example.com", "xn--a.example.com"));
    assert_eq!(
        reasons,
        [
            "spec.url: `https://xn--a.example.com` is not an issuer URL such as https://vouch.example.com: its host is no \
             domain name that security keys take"
        ]
    );
}

#[test]
fn a_name_that_people_read_has_no_control_characters() {
    for name in ["Exam\\u001b[31mple", "Exam\\0ple", "\\u001bExample", "Exam\\u202eple"] {
        let reasons = reasons(&ISSUER.replace("name: Example", &format!("name: \"{name}\"")));
        assert_eq!(
            reasons,
            ["spec.organization.name: must not be empty, nor begin or end with a space, nor have control characters"],
            "{name}"
        );
    }
    for name in ["Example", "E", "Exämple & Søn, 東京"] {
        let text = ISSUER.replace("name: Example", &format!("name: \"{name}\""));
        assert_eq!(load_str(&text).unwrap().organization.name, name);
    }
}

#[test]
fn a_number_without_a_unit_is_told_what_a_duration_looks_like() {
    for lifetime in ["90", "'90'", "90.5", "forever", "[8h]"] {
        assert_eq!(
            reasons(&format!("{ISSUER}  session: {{lifetime: {lifetime}}}\n")),
            ["spec.session.lifetime: must be a whole number and one unit (s, m, h or d), from 5m to 24h"],
            "{lifetime}"
        );
    }
}

#[test]
fn refuses_key_policies_under_which_a_verifier_could_fail() {
    let wrong = [
        (
            "signingKeys: {publishLead: 14m}",
            "spec.signingKeys.publishLead: must be at least 15m, longer than verifiers cache keys",
        ),
        (
            "signingKeys: {publishLead: 20m, jwksMaxAge: 30m}",
            "spec.signingKeys.publishLead: must be longer than jwksMaxAge, or a verifier meets a key it has not read",
        ),
        ("signingKeys: {jwksMaxAge: 2h}", "spec.signingKeys.jwksMaxAge: must be from 10s to 1h"),
        (
            "signingKeys: {retainRetired: 8h}",
            "spec.signingKeys.retainRetired: must be at least 5m longer than session.lifetime, or a rotation would end sessions",
        ),
        (
            "signingKeys: {rotationPeriod: 47h}",
            "spec.signingKeys.rotationPeriod: must be at least publishLead + retainRetired, so that one rotation ends before \
             the next begins",
        ),
        (
            "signingKeys: {algorithms: [RS256]}",
            "spec.signingKeys.algorithms: must contain ES256; RS256 may be added beside it",
        ),
        (
            "signingKeys: {algorithms: [ES256, ES384]}",
            "spec.signingKeys.algorithms[1]: is ES384; must be one of ES256, RS256",
        ),
        (
            "session: {lifetime: 24h}",
            "spec.signingKeys.retainRetired: must be at least 5m longer than session.lifetime, or a rotation would end sessions",
        ),
    ];
    for (spec, reason) in wrong {
        assert_eq!(reasons(&issuer(spec)), [reason], "{spec}");
    }
    let edge = "session: {lifetime: 5m}\nsigningKeys: {publishLead: 15m, retainRetired: 10m, rotationPeriod: 25m}";
    assert!(load_str(&issuer(edge)).is_ok());
    assert!(load_str(&issuer("signingKeys: {algorithms: [ES256, RS256], retainRetired: 29100s}")).is_ok());
}

#[test]
fn an_authenticator_policy_and_its_roots_must_fit() {
    let wrong = [
        (
            "policy: Attested",
            "spec.authenticators: policy Attested needs attestationRoots: the certificates that attestations must lead to",
        ),
        (
            "policy: Any\nattestationRoots: {pem: x}",
            "spec.authenticators.attestationRoots: policy Any looks at no attestation; remove attestationRoots, or choose Attested",
        ),
        (
            "policy: Any\nallowedAaguids: [2fc0579f-8113-47ea-b116-bb5a8db9202a]",
            "spec.authenticators.allowedAaguids: policy Any cannot tell models apart, for nothing proves an AAGUID; \
             choose YubiKey or Attested",
        ),
        (
            "allowedAaguids: [2FC0579F-8113-47EA-B116-BB5A8DB9202A]",
            "spec.authenticators.allowedAaguids[0]: must be an AAGUID in lower case, such as 2fc0579f-8113-47ea-b116-bb5a8db9202a",
        ),
        ("attestationRoots: {}", "spec.authenticators.attestationRoots: must have either pem or configMapRef"),
        ("policy: yubikey", "spec.authenticators.policy: is yubikey; must be one of YubiKey, Attested, Any"),
        (
            "attestationRoots: {pem: nothing}",
            "spec.authenticators.attestationRoots.pem: holds no certificate; it must begin with -----BEGIN CERTIFICATE-----",
        ),
        (
            "attestationRoots: {configMapRef: {name: roots, key: x}}",
            "spec.authenticators.attestationRoots.configMapRef.name: is roots; there is no such ConfigMap in this file",
        ),
    ];
    for (spec, reason) in wrong {
        let spec = spec.replace('\n', "\n  ");
        assert_eq!(reasons(&issuer(&format!("authenticators:\n  {spec}"))), [reason], "{spec}");
    }
}

fn attestation_root(usages: &[rcgen::KeyUsagePurpose]) -> rcgen::Certificate {
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.key_usages = usages.to_vec();
    params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap()
}

#[test]
fn a_root_that_no_attestation_can_lead_to_is_refused_before_the_first_key_is() {
    let pem = attestation_root(&[]).pem().replace('\n', "\n        ");
    let reasons = reasons(&issuer(&format!("authenticators:\n  attestationRoots:\n    pem: |\n        {pem}")));
    assert_eq!(reasons.len(), 1, "{reasons:?}");
    let sentence = "spec.authenticators.attestationRoots.pem: certificate 1 does not say that it may sign certificates";
    assert!(reasons[0].starts_with(sentence), "{reasons:?}");
}

#[test]
fn attestation_roots_come_inline_or_from_a_config_map_of_the_same_file() {
    let root = attestation_root(&[rcgen::KeyUsagePurpose::KeyCertSign]);
    let indented = |spaces: usize| root.pem().replace('\n', &format!("\n{}", " ".repeat(spaces)));
    let inline = format!("authenticators:\n  policy: Attested\n  attestationRoots:\n    pem: |\n      {}", indented(6));
    let config = load_str(&issuer(&inline)).unwrap();
    let AuthenticatorPolicy::Attested(roots) = &config.authenticators.policy else { panic!("{config:?}") };
    assert_eq!(roots.certificates(), [root.der().clone()]);

    let reference = issuer("authenticators: {attestationRoots: {configMapRef: {name: roots, key: fido.pem}}}");
    let config_map = format!(
        "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: roots}}\ndata:\n  fido.pem: |\n    {}\n",
        indented(4)
    );
    let config = load_str(&format!("{reference}{config_map}")).unwrap();
    assert!(matches!(config.authenticators.policy, AuthenticatorPolicy::YubiKey(Some(ref found)) if found == roots));

    let garbled = config_map.replacen("MII", "AAA", 1);
    let reasons = reasons(&format!("{reference}{garbled}"));
    assert!(reasons[0].starts_with("data.fido.pem: certificate 1 cannot be read: "), "{reasons:?}");
    let other_key = config_map.replace("fido.pem", "other.pem");
    assert_eq!(
        self::reasons(&format!("{reference}{other_key}")),
        [
            "spec.authenticators.attestationRoots.configMapRef.key: is fido.pem; ConfigMap roots has no such key in its data"
        ]
    );
}

#[test]
fn trusted_proxies_are_networks() {
    let config = load_str(&issuer("http: {trustedProxies: [10.0.0.0/8, 'fd00::/8']}")).unwrap();
    assert_eq!(config.trusted_proxies, ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()]);
    for network in ["10.0.0.0/33", "10.0.0.1", "proxy.example.com"] {
        let reasons = reasons(&issuer(&format!("http: {{trustedProxies: [{network}]}}")));
        assert_eq!(reasons, ["spec.http.trustedProxies[0]: must be a network such as 10.0.0.0/8 or fd00::/8"]);
    }
}

#[test]
fn an_issuer_alone_refuses_a_store_of_a_cluster() {
    let reasons = reasons(&issuer("store: {kind: Kubernetes}"));
    assert_eq!(reasons.len(), 1);
    assert!(
        reasons[0]
            .starts_with("spec.store: is for a cluster; an issuer that runs alone keeps people in its own database")
    );
}
