#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{collections::BTreeSet, time::Duration};

use proptest::prelude::*;

use super::*;

const EXAMPLE: &str = include_str!("../../../docs/examples/issuer.yaml");

const ISSUER: &str = "apiVersion: vouch.sh/v1alpha1
kind: VouchIssuer
metadata: {name: vouch}
spec:
  url: https://vouch.example.com
  organization: {name: Example, emailDomains: [example.com]}
";

/// The smallest issuer with further members of `spec`.
fn issuer(spec: &str) -> String {
    let mut text = ISSUER.to_owned();
    for line in spec.lines() {
        text.push_str(&format!("  {line}\n"));
    }
    text
}

/// An object of another kind after the smallest issuer.
fn with(kind: &str, name: &str, spec: &str) -> String {
    format!("{ISSUER}---\n{}", object(kind, name, spec))
}

fn object(kind: &str, name: &str, spec: &str) -> String {
    let mut text = format!("apiVersion: vouch.sh/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec:\n");
    for line in spec.lines() {
        text.push_str(&format!("  {line}\n"));
    }
    text
}

fn problems(text: &str) -> Vec<String> {
    load_str(text).map(|_| ()).unwrap_err().as_slice().iter().map(ToString::to_string).collect()
}

/// Field and reason of every problem.
fn reasons(text: &str) -> Vec<String> {
    let problems = load_str(text).map(|_| ()).unwrap_err();
    let both = |problem: &Problem| format!("{}: {}", problem.place.field.clone().unwrap_or_default(), problem.reason);
    problems.as_slice().iter().map(both).collect()
}

#[test]
fn the_example_is_right_and_means_what_it_says() {
    let config = load_str(EXAMPLE).unwrap();
    assert_eq!(config.url.as_str(), "https://vouch.example.com");
    assert_eq!((config.name.as_str(), config.namespace.as_deref()), ("vouch", Some("vouch")));
    assert_eq!(config.session_lifetime, Duration::from_secs(8 * 3600));
    assert_eq!(config.key_policy.rotation_period(), Duration::from_secs(30 * 86_400));
    assert_eq!(config.authenticators.policy, AuthenticatorPolicy::YubiKey(None));
    let federation = &config.federations[0];
    assert_eq!(federation.name, "vouch/acme");
    let hub = federation.hub.as_ref().unwrap();
    assert_eq!(hub.role.to_string(), "arn:aws:iam::999999999999:role/vouch/VouchAccess");
    let accounts: Vec<&str> = hub.spokes[0].accounts.iter().map(vouch_iam::arn::AccountId::as_str).collect();
    assert_eq!(accounts, ["111111111111", "222222222222"]);
    assert_eq!(hub.spokes[1].allow.to_string(), "bob@example.com and group release");
    assert_eq!(config.users[0].email.as_str(), "alice@example.com");
    assert_eq!(config.users[0].groups, ["engineering"]);
}

#[test]
fn what_is_left_out_has_its_default() {
    let config = load_str(ISSUER).unwrap();
    assert_eq!(config.session_lifetime, Duration::from_secs(8 * 3600));
    assert_eq!(config.key_policy.publish_lead(), Duration::from_secs(86_400));
    assert_eq!(config.key_policy.max_token_lifetime(), config.session_lifetime);
    assert_eq!(config.jwks_max_age, Duration::from_secs(60));
    assert_eq!(config.enrollment, Enrollment { invites: true, invite_lifetime: Duration::from_secs(72 * 3600) });
    assert_eq!(config.aws.token_lifetime, Duration::from_secs(60));
    assert_eq!(config.aws.ungoverned_accounts, UngovernedAccounts::Allow);
    assert_eq!(config.aws.session_tag_keys, SessionTagKeys::Both);
    assert_eq!(config.rate_limits.per_client.burst.get(), 200);
    assert!(config.trusted_proxies.is_empty() && config.federations.is_empty() && config.users.is_empty());
}

#[test]
fn every_mistake_in_a_file_is_reported_at_once_with_line_path_and_reason() {
    let text = "apiVersion: vouch.sh/v1alpha1
kind: VouchIssuer
metadata: {name: vouch}
spec:
  url: https://vouch.example.com/
  organization: {name: Example, emailDomains: [Example.com]}
  session: {lifetime: 2d}
  signingKeys: {publishLead: 5m}
  aws: {ungovernedAccount: Deny, tokenLifetime: 10m}
---
apiVersion: vouch.sh/v1alpha1
kind: AwsFederation
metadata: {name: acme}
spec:
  issuerRef: {name: other}
  account: 999999999999
  hub: {name: VouchAccess, allow: {}}
---
apiVersion: v1
kind: Secret
metadata: {name: x}
---
apiVersion: vouch.sh/v1alpha1
kind: VouchUser
metadata: {name: alice}
spec: {email: o'neil@example.com}
";
    assert_eq!(
        problems(text),
        [
            "line 5: VouchIssuer vouch: spec.url: must be https, without query, fragment or trailing slash \
             (AWS compares it byte for byte)",
            "line 6: VouchIssuer vouch: spec.organization.emailDomains[0]: must be a domain in lower case, such as example.com",
            "line 7: VouchIssuer vouch: spec.session.lifetime: must be from 5m to 24h",
            "line 8: VouchIssuer vouch: spec.signingKeys.publishLead: must be at least 15m, longer than verifiers cache keys",
            "line 9: VouchIssuer vouch: spec.aws.ungovernedAccount: is unknown; did you mean ungovernedAccounts?",
            "line 9: VouchIssuer vouch: spec.aws.tokenLifetime: must be from 1m to 5m",
            "line 16: AwsFederation acme: spec.account: must be text, is a number; put it in quotes",
            "line 17: AwsFederation acme: spec.hub.allow: must name at least one domain, e-mail or group: \
             an empty list would allow nobody",
            "line 20: Secret x: kind: is Secret; an issuer reads VouchIssuer, AwsFederation, VouchUser, OidcClient, ConfigMap",
            "line 26: VouchUser alice: spec.email: must be an e-mail address in lower case, of letters, digits and \
             _+=,.@- (AWS carries no other character)",
        ]
    );
}

#[test]
fn a_file_is_named_in_front_of_every_problem() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("issuer.yaml");
    let text = |path: &Path| load(path).map(|_| ()).unwrap_err().to_string();
    assert!(text(&path).starts_with(&format!("{}: cannot be read: ", path.display())));
    fs::write(&path, [0xff, 0xfe, 0x00]).unwrap();
    assert_eq!(text(&path), format!("{}: is not text in UTF-8", path.display()));
    fs::write(&path, "").unwrap();
    assert_eq!(text(&path), format!("{}: declares no VouchIssuer; there must be one", path.display()));
    fs::write(&path, issuer("session: {lifetime: x}")).unwrap();
    assert_eq!(
        text(&path),
        format!(
            "{}:7: VouchIssuer vouch: spec.session.lifetime: must be a whole number and one unit, such as 90s, 15m, 8h or 30d",
            path.display()
        )
    );
    fs::write(&path, EXAMPLE).unwrap();
    assert!(load(&path).is_ok());
}

#[test]
fn broken_yaml_is_reported_with_its_line_beside_what_could_be_read() {
    let problems = problems(&format!("{}---\nkind: [VouchUser\nspec: x\n", issuer("session: {lifetime: 2d}")));
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].starts_with("line 7: VouchIssuer vouch: spec.session.lifetime: "), "{problems:?}");
    assert!(problems[1].contains(": is not valid YAML: "), "{problems:?}");
}

#[test]
fn a_url_that_two_parties_could_write_in_two_ways_is_refused_with_one_sentence() {
    let wrong = [
        ("http://vouch.example.com", "must be https, without query"),
        ("https://vouch.example.com/", "must be https, without query"),
        ("https://vouch.example.com?x=1", "must be https, without query"),
        ("https://vouch.example.com#x", "must be https, without query"),
        ("https://Vouch.example.com", "the host must be in lower case"),
        ("https://vouch.example.com:8443", "must not name a port"),
        ("https://vouch.example.com:8443/x", "must not name a port"),
        ("https://vouch..example.com", "must be https://HOST or https://HOST/PATH"),
        ("https://vouch.example.com//x", "must be https://HOST or https://HOST/PATH"),
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

#[test]
fn attestation_roots_come_inline_or_from_a_config_map_of_the_same_file() {
    let root = rcgen::generate_simple_self_signed(["FIDO root".to_owned()]).unwrap().cert;
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

#[test]
fn there_is_exactly_one_issuer() {
    assert_eq!(
        problems(&object("VouchUser", "alice", "email: alice@example.com")),
        ["the configuration declares no VouchIssuer; there must be one"]
    );
    let second = ISSUER.replace("name: vouch}", "name: second}");
    assert_eq!(
        problems(&format!("{ISSUER}---\n{second}")),
        [
            "line 8: VouchIssuer second: is a second issuer beside vouch; a process runs one, so give each a file of its own"
        ]
    );
}

#[test]
fn an_unreadable_issuer_is_not_reported_as_absent_as_well() {
    assert_eq!(
        problems(&ISSUER.replace("metadata: {name: vouch}\n", "")),
        ["line 1: VouchIssuer in document 1: metadata: is missing"]
    );
    assert_eq!(
        problems(&ISSUER.replace("v1alpha1", "v1")),
        ["line 1: VouchIssuer vouch: apiVersion: must be vouch.sh/v1alpha1"]
    );
    assert_eq!(problems("- a\n"), ["line 1: document 1: must be an object with apiVersion, kind, metadata and spec"]);
}

#[test]
fn names_and_members_are_given_once() {
    let user = object("VouchUser", "alice", "email: alice@example.com");
    assert_eq!(
        reasons(&format!("{ISSUER}---\n{user}---\n{}", user.replace("alice@", "bob@"))),
        ["metadata.name: is the name of the object in line 10 already"]
    );
    assert_eq!(
        reasons(&format!("{ISSUER}---\n{user}---\n{}", user.replace("name: alice", "name: again"))),
        ["spec.email: is alice@example.com, whom VouchUser alice declares already"]
    );
    assert_eq!(reasons(&issuer("url: https://other.example.com")), ["spec.url: is given twice"]);
}

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

const FEDERATION: &str = "issuerRef: {name: vouch}
account: '999999999999'
";

fn federation(more: &str) -> String {
    with("AwsFederation", "acme", &format!("{FEDERATION}{more}"))
}

const HUB: &str = "hub: {name: Hub, allow: {domains: [example.com]}}\n";

#[test]
fn refuses_federations_that_could_not_work() {
    let allow = "allow: {domains: [example.com]}";
    let wrong = [
        (String::new(), "spec: declares no role; add roles, or a hub and spokes"),
        (
            format!("spokes: [{{name: A, {allow}, targets: {{accounts: ['111111111111']}}}}]"),
            "spec: spokes are reached through a hub; declare spec.hub",
        ),
        (
            format!("{HUB}roles: [{{name: Hub, {allow}}}]"),
            "spec.hub.name: must differ from the names in spec.roles: IAM has one role of a name in an account",
        ),
        (
            format!("{HUB}spokes: [{{name: A, {allow}, targets: {{}}}}]"),
            "spec.spokes[0].targets: must name at least one organizational unit or account",
        ),
        (
            format!(
                "{HUB}spokes: [{{name: A, {allow}, delivery: Direct, targets: {{organizationalUnits: [ou-abcd-12345678]}}}}]"
            ),
            "spec.spokes[0].targets.organizationalUnits: delivery Direct works account by account; name targets.accounts, \
             or choose StackSet",
        ),
        (
            format!(
                "{HUB}spokes: [{{name: A, {allow}, targets: {{accounts: ['111111111111']}}, overrides: [{{accounts: ['222222222222']}}]}}]"
            ),
            "spec.spokes[0].overrides: may only name accounts of targets.accounts, or accounts of targets.organizationalUnits",
        ),
        (
            "roles: [{name: A, allow: {domains: ['*.example.com']}}]".to_owned(),
            "spec.roles[0].allow.domains[0]: must be a domain in lower case, such as example.com",
        ),
        (
            format!("roles: [{{name: A/B, {allow}}}]"),
            "spec.roles[0].name: must be a role's name without its path: letters, digits and +=,.@_-",
        ),
        (
            format!("roles: [{{name: A, path: vouch, {allow}}}]"),
            "spec.roles[0].path: must begin and end with a slash, such as /vouch/ or /",
        ),
        (
            format!("roles: [{{name: A, {allow}, maxSessionDuration: 13h}}]"),
            "spec.roles[0].maxSessionDuration: must be from 1h to 12h",
        ),
        (
            format!("roles: [{{name: A, {allow}}}, {{name: A, {allow}}}]"),
            "spec.roles[1]: A is there already; once is enough",
        ),
        (
            format!("roles: [{{name: {}, {allow}}}]", "n".repeat(58)),
            "spec.roles[0].name: path and name together must have at most 64 characters, or the console cannot switch to the role",
        ),
    ];
    for (spec, reason) in wrong {
        assert_eq!(reasons(&federation(&spec)), [reason], "{spec}");
    }
}

#[test]
fn two_declarations_of_one_role_are_refused_whatever_path_and_case() {
    let allow = "allow: {domains: [example.com]}";
    let spoke = |name: &str, account: &str| format!("{{name: {name}, {allow}, targets: {{accounts: ['{account}']}}}}");
    let text =
        federation(&format!("{HUB}spokes: [{}, {}]", spoke("Deploy", "111111111111"), spoke("deploy", "111111111111")));
    assert_eq!(
        reasons(&text),
        [
            "spec.spokes[1].name: declares role vouch/deploy in account 111111111111, which AwsFederation acme declares already \
         (spec.spokes[0].name); IAM has one role of a name in an account"
        ]
    );
    let text = federation(&format!("{HUB}spokes: [{}]", spoke("Hub", "999999999999")));
    assert!(reasons(&text)[0].contains("declares already (spec.hub.name)"));

    let first = federation(&format!("{HUB}spokes: [{}]", spoke("Access", "111111111111")));
    let second = object(
        "AwsFederation",
        "other",
        &format!(
            "issuerRef: {{name: vouch}}\naccount: '888888888888'\n{HUB}spokes: [{}]",
            spoke("Access", "111111111111")
        ),
    );
    let reasons = reasons(&format!("{first}---\n{second}"));
    assert_eq!(reasons.len(), 1);
    assert!(
        reasons[0].contains("role vouch/Access in account 111111111111, which AwsFederation acme declares already")
    );
}

#[test]
fn spokes_of_organizational_units_and_overrides_govern_what_they_name() {
    let text = federation(&format!(
        "{HUB}spokes: [{{name: Access, allow: {{groups: [x]}}, targets: {{organizationalUnits: [ou-abcd-12345678]}}, \
         overrides: [{{accounts: ['222222222222']}}]}}]"
    ));
    let config = load_str(&text).unwrap();
    let spoke = &config.federations[0].hub.as_ref().unwrap().spokes[0];
    assert!(spoke.in_organizational_units);
    assert_eq!(spoke.accounts, BTreeSet::from(["222222222222".parse().unwrap()]));
}

#[test]
fn a_member_without_a_value_is_as_if_it_were_left_out() {
    assert!(load_str(&issuer("session:\nstore: null\naws: {tokenLifetime: ~}")).is_ok());
    assert_eq!(reasons(&issuer("sesion:")), ["spec.sesion: is unknown; did you mean session?"]);
    assert_eq!(reasons(&ISSUER.replace("url: https://vouch.example.com", "url:")), ["spec.url: is missing"]);
}

#[test]
fn what_a_server_wrote_into_an_object_may_stay() {
    let text = ISSUER.replace(
        "metadata: {name: vouch}",
        "metadata: {name: vouch, uid: x, generation: 2, labels: {a: b}, managedFields: [{manager: kubectl}]}\nstatus: {anything: [1]}",
    );
    assert!(load_str(&text).is_ok());
}

#[test]
fn every_rule_compiles_and_has_a_sentence_of_one_kind() {
    for definition in vouch_crds::definitions() {
        let mut rules = Vec::new();
        collect_rules(definition.schema(), &mut rules);
        assert!(!rules.is_empty(), "{}", definition.kind);
        for (rule, message) in rules {
            assert!(kube_cel::cel::Program::compile(&rule).is_ok(), "{rule}");
            assert!(message.starts_with(char::is_lowercase) && !message.ends_with('.'), "{message}");
        }
    }
}

fn collect_rules(value: &serde_json::Value, rules: &mut Vec<(String, String)>) {
    match value {
        serde_json::Value::Object(members) => {
            for rule in
                members.get("x-kubernetes-validations").and_then(serde_json::Value::as_array).into_iter().flatten()
            {
                let text = |member: &str| rule[member].as_str().unwrap().to_owned();
                rules.push((text("rule"), text("message")));
            }
            members.values().for_each(|member| collect_rules(member, rules));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| collect_rules(item, rules)),
        _ => {}
    }
}

/// The example with some of its bytes exchanged, left out or repeated.
fn damaged_example() -> impl Strategy<Value = String> {
    let edit = (0..EXAMPLE.len(), 0..40_usize, "[\\PC\\n]{0,6}");
    prop::collection::vec(edit, 1..4).prop_map(|edits| {
        let mut bytes = EXAMPLE.as_bytes().to_vec();
        for (at, length, insert) in edits {
            let start = at.min(bytes.len());
            let end = (start + length).min(bytes.len());
            bytes.splice(start..end, insert.bytes());
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_makes_loading_panic(text in "[\\PC\\n:{}\\[\\]-]{0,300}") {
        let _ = load_str(&text);
    }

    #[test]
    fn a_damaged_file_is_refused_with_reasons_or_still_right(text in damaged_example()) {
        match load_str(&text) {
            Ok(config) => prop_assert!(config.url.as_str().starts_with("https://")),
            Err(problems) => {
                prop_assert!(!problems.as_slice().is_empty());
                for problem in problems.as_slice() {
                    prop_assert!(!problem.reason.is_empty() && !problem.reason.contains("rule evaluation error"), "{}", problem);
                }
            }
        }
    }
}
