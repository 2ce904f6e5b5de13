//! The roles for users of `kubectl vouch`: they have what its commands need, as its own table says, and no more.

use std::{collections::BTreeSet, process::Command};

use serde_json::{Value, json};
use vouch_control_plane::{ControlPlane, Outcome, until};
use vouch_issuer::store::conformance::passkey;
use vouch_operator::plugin::access::{ADMIN, ANY_PORT, NEEDS, Need, VIEWER};

use crate::{
    right::{Right, rights_in},
    support::{of_kind, render, texts, tool},
};

/// A key of alice's.
const KEY: &str = "0011223344556677";

fn role<'a>(objects: &'a [Value], name: &str) -> &'a Value {
    let roles = of_kind(objects, "ClusterRole");
    roles.into_iter().find(|role| role["metadata"]["name"] == name).unwrap_or_else(|| panic!("no ClusterRole {name}"))
}

/// What commands need, but what no role of the chart has.
fn needs(wanted: impl Fn(&Need) -> bool) -> BTreeSet<Right> {
    let needs = NEEDS.iter().filter(|need| wanted(need) && need.resource != ANY_PORT);
    let right = |need: &Need, verb: &str| Right::new(need.group, need.resource, verb);
    needs.flat_map(|need| need.verbs.iter().map(move |verb| right(need, verb))).collect()
}

#[test]
fn who_looks_reads_what_is_declared_and_changes_nothing() {
    let viewer = rights_in(&[role(&render(&[]), VIEWER)]);
    let mut expected = BTreeSet::from([Right::new("", "pods", "list")]);
    for definition in vouch_crds::definitions() {
        let (plural, group) = definition.name.split_once('.').unwrap();
        expected.extend(["get", "list", "watch"].map(|verb| Right::new(group, plural, verb)));
    }
    assert_eq!(viewer, expected);
    for command in ["status", "users", "keys"] {
        let missing: Vec<Right> = needs(|need| need.commands.contains(&command)).difference(&viewer).cloned().collect();
        assert!(missing.is_empty(), "{command} needs {missing:?}");
    }
}

#[test]
fn who_administers_may_do_what_every_command_needs_and_no_more() {
    let objects = render(&[]);
    let mut expected = rights_in(&[role(&objects, VIEWER)]);
    expected.extend(needs(|_| true));
    assert_eq!(rights_in(&[role(&objects, ADMIN)]), expected);
}

#[test]
fn of_all_secrets_only_the_root_secrets_of_named_issuers_are_read() {
    for (set, names) in [
        (&[][..], Some(json!(["vouch-root-secret"]))),
        (&["rbac.userRoles.issuers={login,second}"], Some(json!(["login-root-secret", "second-root-secret"]))),
        (&["rbac.userRoles.issuers=null"], None),
    ] {
        let objects = render(set);
        let rules = role(&objects, ADMIN)["rules"].as_array().unwrap();
        let secrets = rules.iter().filter(|rule| texts(&rule["resources"]).contains(&"secrets"));
        let found: Vec<&Value> = secrets.map(|rule| &rule["resourceNames"]).collect();
        assert_eq!(found, names.iter().collect::<Vec<_>>(), "{set:?}");
    }
}

#[test]
fn nobody_is_bound_to_a_role_for_users_and_they_are_left_out_when_asked() {
    let objects = render(&["scope=Cluster"]);
    let bindings = of_kind(&objects, "RoleBinding").into_iter().chain(of_kind(&objects, "ClusterRoleBinding"));
    for binding in bindings {
        assert!(binding["roleRef"]["name"].as_str().unwrap().contains("vouch-operator"), "{binding}");
    }
    assert!(of_kind(&render(&["rbac.userRoles.create=false"]), "ClusterRole").is_empty());
}

/// `kubectl vouch` in somebody's name.
fn vouch(cluster: &ControlPlane, user: &str, arguments: &[&str]) -> Outcome {
    let mut command = Command::new(tool("VOUCH_KUBECTL_VOUCH"));
    command.args(arguments).arg("--namespace=vouch");
    Outcome::of(command.env("KUBECONFIG", cluster.kubeconfig_of_user(user)))
}

fn give_alice_a_key(cluster: &ControlPlane) {
    let key = json!({
        "id": KEY, "credentialId": "AQID", "name": "blue", "attested": false, "createdAt": "2026-01-01T00:00:00Z",
        "counter": 1, "credential": passkey("AQID").to_string(),
    });
    let patch = json!({"status": {"keyCount": 1, "keys": [key]}}).to_string();
    let person = ["patch", "vouchuser", "vouch", "--namespace=vouch", "--subresource=status", "--type=merge"];
    cluster.told(&[&person[..], &["--patch", &patch]].concat());
}

/// The chart is installed, an issuer and alice are declared, and an operator is at work.
pub(crate) fn are_enough_for_every_command(cluster: &ControlPlane) {
    for (user, role) in [("bob", VIEWER), ("carol", ADMIN)] {
        let (role, subject) = (format!("--clusterrole={role}"), format!("--user={user}"));
        cluster.told(&["create", "rolebinding", user, &role, &subject, "--namespace=vouch"]);
    }
    until("the rights of carol", || {
        cluster.kubectl(&["auth", "can-i", "patch", "vouchusers.vouch.sh", "-n=vouch", "--as=carol"]).is_success()
    });
    let alice = "alice@example.com";
    for user in ["bob", "carol"] {
        let screen = vouch(cluster, user, &["status", "--output=json"]).json();
        assert!(screen["unknown"].as_array().is_none_or(Vec::is_empty), "{user}: {screen}");
        vouch(cluster, user, &["users", "list"]).answer();
        vouch(cluster, user, &["users", "show", alice]).answer();
        vouch(cluster, user, &["keys"]).answer();
    }
    let keys = vouch(cluster, "bob", &["keys", "--output=json"]).json();
    let next = keys["keys"].as_array().unwrap().last().unwrap()["kid"].clone();
    let words = vouch(cluster, "bob", &["rotate"]).refusal();
    assert!(words.contains("you may not patch vouchissuers") && words.contains("role vouch-admin"), "{words}");
    let words = vouch(cluster, "bob", &["invite", alice]).refusal();
    assert!(words.contains("you may not get secrets vouch-root-secret"), "{words}");
    give_alice_a_key(cluster);
    let changes = [
        &["invite", "dave@example.com"][..],
        &["invite", "dave@example.com", "--group=release"],
        &["disable", alice],
        &["enable", alice],
        &["logout", alice],
        &["remove-key", alice, KEY, "--allow-last"],
        &["rotate"],
        &["accept-clock"],
        &["revoke-key", next.as_str().unwrap()],
    ];
    for change in changes {
        vouch(cluster, "carol", change).answer();
    }
    let tried: BTreeSet<&str> = changes.iter().map(|change| change[0]).chain(["status", "users", "keys"]).collect();
    assert_eq!(tried, NEEDS.iter().flat_map(|need| need.commands).copied().collect(), "every command");
    let keys = ["auth", "can-i", "get", "secrets/vouch-signing-keys", "--namespace=vouch", "--as=carol"];
    assert!(!cluster.kubectl(&keys).is_success(), "an administrator reads signing keys");
}
