#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod damage;
mod federation;
mod future;
mod issuer;
mod people;

use std::time::Duration;

use super::*;

const EXAMPLE: &str = include_str!("../../../../docs/examples/issuer.yaml");

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
            "line 5: VouchIssuer vouch: spec.url: must not end with a slash (AWS compares it byte for byte)",
            "line 6: VouchIssuer vouch: spec.organization.emailDomains[0]: must be a domain in lower case, such as example.com",
            "line 7: VouchIssuer vouch: spec.session.lifetime: must be from 5m to 24h",
            "line 8: VouchIssuer vouch: spec.signingKeys.publishLead: must be at least 15m, longer than verifiers cache keys",
            "line 9: VouchIssuer vouch: spec.aws.ungovernedAccount: is unknown; did you mean ungovernedAccounts?",
            "line 9: VouchIssuer vouch: spec.aws.tokenLifetime: must be from 1m to 5m",
            "line 15: AwsFederation acme: spec.issuerRef.name: is other; the VouchIssuer here is vouch",
            "line 16: AwsFederation acme: spec.account: must be text, is a number; put it in quotes",
            "line 17: AwsFederation acme: spec.hub.allow: must name at least one domain, e-mail or group: \
             an empty list would allow nobody",
            "line 20: Secret x: kind: is Secret; an issuer reads VouchIssuer, AwsFederation, VouchUser, OidcClient, ConfigMap",
            "line 26: VouchUser alice: spec.email: must be an e-mail address in lower case, of letters, digits and \
             _+=.@- (AWS carries no other character)",
        ]
    );
}

#[test]
fn one_round_is_enough_whatever_else_is_wrong() {
    let text = "apiVersion: vouch.sh/v1
kind: VouchIssuer
metadata: {name: vouch}
spec:
  url: https://vouch.example.com
  organization: {name: Example, emailDomains: [example.com]}
  session: {lifetime: 8 hours}
  authenticators: {attestationRoots: {pem: nothing}}
---
apiVersion: vouch.sh/v1beta1
kind: VouchUser
metadata: {name: eve}
spec: {email: eve@example.org, groups: release}
---
kind: AwsFederation
metadata: {name: acme}
spec:
  issuerRef: {name: other}
  account: 999999999999
---
apiVersion: vouch.sh/v1alpha1
kind: OidcClient
metadata: {name: wiki}
spec: {issuerRef: {name: another}, displayName: Wiki, redirectUris: [], public: true}
";
    assert_eq!(
        problems(text),
        [
            "line 1: VouchIssuer vouch: apiVersion: must be vouch.sh/v1alpha1",
            "line 7: VouchIssuer vouch: spec.session.lifetime: must be a whole number and one unit (s, m, h or d), from 5m to 24h",
            "line 8: VouchIssuer vouch: spec.authenticators.attestationRoots.pem: holds no certificate; \
             it must begin with -----BEGIN CERTIFICATE-----",
            "line 10: VouchUser eve: apiVersion: must be vouch.sh/v1alpha1",
            "line 13: VouchUser eve: spec.groups: must be a list, is text",
            "line 13: VouchUser eve: spec.email: is in none of the organization's domains (example.com)",
            "line 15: AwsFederation acme: apiVersion: must be vouch.sh/v1alpha1",
            "line 17: AwsFederation acme: spec: declares no role; add roles, or a hub and spokes",
            "line 18: AwsFederation acme: spec.issuerRef.name: is other; the VouchIssuer here is vouch",
            "line 19: AwsFederation acme: spec.account: must be text, is a number; put it in quotes",
            "line 24: OidcClient wiki: spec.redirectUris: must name at least one URI",
            "line 24: OidcClient wiki: spec.issuerRef.name: is another; the VouchIssuer here is vouch",
        ]
    );
}

#[test]
fn a_file_is_named_in_front_of_every_problem() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("issuer.yaml");
    let text = |path: &Path| load(path).map(|_| ()).unwrap_err().to_string();
    assert_eq!(text(&path), format!("{}: is not there; name the manifest with --config", path.display()));
    let directory_named = text(directory.path());
    assert!(
        directory_named.ends_with("is a directory; name the file with the manifest with --config"),
        "{directory_named}"
    );
    fs::write(&path, [0xff, 0xfe, 0x00]).unwrap();
    assert_eq!(text(&path), format!("{}: is not text in UTF-8", path.display()));
    fs::write(&path, "").unwrap();
    assert_eq!(text(&path), format!("{}: declares no VouchIssuer; there must be one", path.display()));
    fs::write(&path, issuer("session: {lifetime: x}")).unwrap();
    assert_eq!(
        text(&path),
        format!(
            "{}:7: VouchIssuer vouch: spec.session.lifetime: must be a whole number and one unit (s, m, h or d), from 5m to 24h",
            path.display()
        )
    );
    fs::write(&path, EXAMPLE).unwrap();
    assert!(load(&path).is_ok());
}

#[test]
fn a_file_without_an_end_is_not_read_to_its_end() {
    let error = load(Path::new("/dev/zero")).map(|_| ()).unwrap_err();
    assert_eq!(error.to_string(), "/dev/zero: is longer than 16 MiB, which no manifest is");
}

#[test]
fn a_problem_is_one_line_without_control_characters_whatever_it_quotes() {
    let user = "apiVersion: vouch.sh/v1alpha1\nkind: VouchUser\nmetadata: {name: \"x\\e[31m\\ny\"}\nspec: {}\n";
    for problem in problems(&format!("{ISSUER}---\n{user}---\nkind: \"P\\rod\"\nmetadata: {{name: z}}\n")) {
        assert!(!problem.contains(char::is_control), "{problem:?}");
    }
}

#[test]
fn broken_yaml_is_reported_with_its_line_beside_what_could_be_read() {
    let problems = problems(&format!("{}---\nkind: [VouchUser\nspec: x\n", issuer("session: {lifetime: 2d}")));
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].starts_with("line 7: VouchIssuer vouch: spec.session.lifetime: "), "{problems:?}");
    assert!(problems[1].contains(": is not valid YAML: "), "{problems:?}");
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
