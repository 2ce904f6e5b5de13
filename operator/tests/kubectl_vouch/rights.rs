//! The rights in the reference: with those of a command it works, and without any one of them it says which is missing.

use serde_json::{Value, json};
use vouch_control_plane::until;
use vouch_issuer::store::conformance::passkey;
use vouch_operator::plugin::access::{NEEDS, Need};

use crate::plugin::Cluster;

/// A right, as verb and resource.
type Right = (&'static str, &'static str);

const SEE_ISSUERS: Right = ("list", "vouchissuers");
const SEE_PEOPLE: Right = ("list", "vouchusers");
const CHANGE_SPEC: Right = ("patch", "vouchusers");
const CHANGE_STATUS: Right = ("patch", "vouchusers/status");
const ORDER: Right = ("patch", "vouchissuers");
const SEE_ORDER: Right = ("get", "vouchissuers");
const ROOT_SECRET: Right = ("get", "secrets");

/// What uses which rights each time it runs, of those that its command has.
const CASES: &[(&[&str], &[Right])] = &[
    (&["status"], &[SEE_ISSUERS]),
    (&["keys"], &[SEE_ISSUERS]),
    (&["users", "list"], &[SEE_PEOPLE]),
    (&["users", "show", "alice@example.com"], &[SEE_PEOPLE]),
    (&["rotate"], &[SEE_ISSUERS, ORDER, SEE_ORDER]),
    (&["accept-clock"], &[SEE_ISSUERS, ORDER, SEE_ORDER]),
    (&["disable", "alice@example.com"], &[SEE_PEOPLE, CHANGE_SPEC, CHANGE_STATUS]),
    (&["enable", "alice@example.com"], &[SEE_PEOPLE, CHANGE_SPEC]),
    (&["logout", "alice@example.com"], &[SEE_PEOPLE, CHANGE_STATUS]),
    (&["remove-key", "alice@example.com", KEY, "--allow-last"], &[SEE_PEOPLE, CHANGE_STATUS]),
    (
        &["invite", "carol@example.com"],
        &[SEE_ISSUERS, ROOT_SECRET, SEE_PEOPLE, ("create", "vouchusers"), CHANGE_STATUS, ("watch", "vouchusers")],
    ),
    (&["invite", "alice@example.com", "--group", "support"], &[ROOT_SECRET, SEE_PEOPLE, CHANGE_SPEC, CHANGE_STATUS]),
];

/// A key of alice's.
const KEY: &str = "0011223344556677";

pub(crate) fn are_enough_and_needed(cluster: &Cluster) {
    give_alice_a_key(cluster);
    let users = everybody();
    grant(cluster, &users);
    let nobody = cluster.vouch_with(&cluster.plane.kubeconfig_of_user("nobody"), &["keys", "-n", "vouch"]).refusal();
    assert!(nobody.contains("you may not list vouchissuers in namespace vouch"), "{nobody}");
    assert!(nobody.contains("{apiGroups: [vouch.sh], resources: [vouchissuers], verbs: [list]}"), "{nobody}");
    for (number, (arguments, used)) in CASES.iter().enumerate() {
        for right in *used {
            let words = vouch(cluster, &lacking(number, *right), arguments).refusal();
            let (verb, resource) = right;
            assert!(words.contains(&format!("you may not {verb} {resource}")), "{arguments:?}: {words}");
        }
        vouch(cluster, arguments[0], arguments).answer();
    }
    without_the_root_secret(cluster);
    without_a_look_at_whoever_has_the_name(cluster);
    what_cannot_be_finished_is_taken_back(cluster);
    without_anything_optional(cluster);
}

/// The users of this test, with their rights.
fn everybody() -> Vec<(String, Vec<Value>)> {
    let mut users = Vec::new();
    for (number, (arguments, used)) in CASES.iter().enumerate() {
        let command = arguments[0];
        users.push((command.to_owned(), rules_of(command, &[])));
        users.extend(used.iter().map(|right| (lacking(number, *right), rules_of(command, &[*right]))));
    }
    for right in [("get", "vouchusers"), CHANGE_STATUS] {
        users.push((format!("desk-lacks-{}-{}", right.0, plain(right.1)), rules_of("invite", &[right])));
    }
    users.push(("desk-cannot-take-back".to_owned(), rules_of("invite", &[CHANGE_STATUS, ("delete", "vouchusers")])));
    for need in NEEDS.iter().filter(|need| need.optional) {
        let others = NEEDS.iter().filter(|other| other.commands.contains(&"status") && other.resource != need.resource);
        users.push((
            format!("viewer-lacks-{}", plain(need.resource)),
            others.map(|other| rule(other, other.verbs)).collect(),
        ));
    }
    users
}

/// The rights that the table gives to a command, without some of them.
fn rules_of(command: &str, without: &[Right]) -> Vec<Value> {
    let needs = NEEDS.iter().filter(|need| need.commands.contains(&command) && !need.optional);
    let left = |need: &Need| -> Vec<&'static str> {
        need.verbs.iter().copied().filter(|verb| !without.contains(&(*verb, need.resource))).collect()
    };
    needs
        .map(|need| (need, left(need)))
        .filter(|(_, verbs)| !verbs.is_empty())
        .map(|(need, verbs)| rule(need, &verbs))
        .collect()
}

fn rule(need: &Need, verbs: &[&str]) -> Value {
    let names: Vec<String> = need.suffix.iter().map(|suffix| format!("vouch{suffix}")).collect();
    json!({"apiGroups": [need.group], "resources": [need.resource], "resourceNames": names, "verbs": verbs})
}

fn lacking(case: usize, (verb, resource): Right) -> String {
    format!("case-{case}-lacks-{verb}-{}", plain(resource))
}

fn plain(resource: &str) -> String {
    resource.replace('/', "-")
}

fn vouch(cluster: &Cluster, user: &str, arguments: &[&str]) -> vouch_control_plane::Outcome {
    cluster.vouch_with(&cluster.plane.kubeconfig_of_user(user), &[arguments, &["-n", "vouch"]].concat())
}

/// Gives everybody their rights, all at once.
fn grant(cluster: &Cluster, users: &[(String, Vec<Value>)]) {
    let group = "rbac.authorization.k8s.io";
    let (version, mut objects) = (format!("{group}/v1"), Vec::new());
    for (user, rules) in users {
        let metadata = json!({"name": user, "namespace": "vouch"});
        objects.push(json!({"apiVersion": version, "kind": "Role", "metadata": metadata, "rules": rules}));
        objects.push(json!({
            "apiVersion": version, "kind": "RoleBinding", "metadata": metadata,
            "roleRef": {"apiGroup": group, "kind": "Role", "name": user},
            "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
        }));
    }
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    cluster.plane.apply(&list.to_string(), &[]).answer();
    // Objects of a kind are seen in their order.
    let (last, _) = users.last().unwrap();
    until("the rights of everybody", || {
        let may = ["auth", "can-i", "list", "vouchissuers.vouch.sh", "-n", "vouch", "--as", last];
        cluster.plane.kubectl(&may).is_success()
    });
}

fn give_alice_a_key(cluster: &Cluster) {
    let key = json!({
        "id": KEY, "credentialId": "AQID", "name": "blue", "attested": false, "createdAt": "2026-01-01T00:00:00Z",
        "counter": 1, "credential": passkey("AQID").to_string(),
    });
    let patch = json!({"status": {"keyCount": 1, "keys": [key]}}).to_string();
    let name = person_with(cluster, "alice@example.com").unwrap();
    let patch = ["patch", "vouchuser", &name, "-n", "vouch", "--subresource=status", "--type=merge", "-p", &patch];
    cluster.plane.told(&patch);
}

/// The object of a person.
fn person_with(cluster: &Cluster, email: &str) -> Option<String> {
    let selector = format!("--field-selector=spec.email={email}");
    let found = cluster.plane.told(&["get", "vouchusers", "-n", "vouch", &selector, "-o", "name"]);
    found.trim().strip_prefix("vouchuser.vouch.sh/").map(str::to_owned)
}

fn without_the_root_secret(cluster: &Cluster) {
    let invite =
        CASES.iter().position(|(arguments, _)| arguments.starts_with(&["invite", "carol@example.com"])).unwrap();
    let words = vouch(cluster, &lacking(invite, ROOT_SECRET), &["invite", "dave@example.com"]).refusal();
    assert!(words.contains("role vouch-admin") && words.contains("resourceNames: [vouch-root-secret]"), "{words}");
    assert_eq!(person_with(cluster, "dave@example.com"), None, "somebody was made who cannot be invited");
}

/// The name of a new person's object may be taken by the object of another.
fn without_a_look_at_whoever_has_the_name(cluster: &Cluster) {
    let name = vouch_crds::names::user_object_name("erin@example.com");
    let metadata = json!({"name": name, "namespace": "vouch"});
    let spec = json!({"email": "frank@example.com"});
    let frank = json!({"apiVersion": "vouch.sh/v1alpha1", "kind": "VouchUser", "metadata": metadata, "spec": spec});
    cluster.plane.takes(&frank, &[]);
    let words = vouch(cluster, "invite", &["invite", "erin@example.com"]).refusal();
    assert!(words.contains(&format!("the VouchUser {name}, which would be that of erin@example.com")), "{words}");
    let words = vouch(cluster, "desk-lacks-get-vouchusers", &["invite", "erin@example.com"]).refusal();
    assert!(words.contains("you may not get vouchusers"), "{words}");
}

fn what_cannot_be_finished_is_taken_back(cluster: &Cluster) {
    for (user, email, left) in [
        ("desk-lacks-patch-vouchusers-status", "grace@example.com", false),
        ("desk-cannot-take-back", "heidi@example.com", true),
    ] {
        let words = vouch(cluster, user, &["invite", email]).refusal();
        assert!(words.contains("you may not "), "{words}");
        assert_eq!(person_with(cluster, email).is_some(), left, "{user}");
    }
}

/// What may not be seen is named, and the rest is shown.
fn without_anything_optional(cluster: &Cluster) {
    let unknown = |user: &str| {
        let screen = vouch(cluster, user, &["status", "-o", "json"]).json();
        assert!(!screen["issuers"][0]["keys"].as_array().unwrap().is_empty(), "{screen}");
        screen["unknown"].as_array().cloned().unwrap_or_default()
    };
    assert_eq!(unknown("status").len(), 3);
    for resource in ["vouchusers", "oidcclients", "pods"] {
        let unknown = unknown(&format!("viewer-lacks-{resource}"));
        assert_eq!(unknown.len(), 1, "{unknown:?}");
        assert!(unknown[0].as_str().unwrap().contains(&format!("you may not list {resource}")), "{unknown:?}");
    }
    assert!(unknown("viewer-lacks-pods-proxy").is_empty(), "a number that nobody needs is left out in silence");
}
