//! The rights in the reference: with those of a command it works, and without any one of them it says which is missing.

use serde_json::json;
use vouch_control_plane::until;
use vouch_operator::plugin::access::{NEEDS, Need};

use crate::plugin::Cluster;

/// Commands that need every one of their rights each time they run. Some rights are for what happens rarely.
const COMMANDS: [(&str, &[&str]); 6] = [
    ("users", &["users", "list"]),
    ("keys", &["keys"]),
    ("rotate", &["rotate"]),
    ("disable", &["disable", "alice@example.com"]),
    ("logout", &["logout", "alice@example.com"]),
    ("invite", &["invite", "carol@example.com"]),
];

pub(crate) fn are_enough_and_needed(cluster: &Cluster) {
    for (command, arguments) in COMMANDS {
        let user = format!("{command}-admin");
        let kubeconfig = cluster.plane.kubeconfig_of_user(&user);
        let nobody = cluster.vouch_with(&kubeconfig, &with_namespace(arguments)).refusal();
        assert!(nobody.contains("you may not list vouchissuers in namespace vouch"), "{nobody}");
        assert!(nobody.contains("{apiGroups: [vouch.sh], resources: [vouchissuers], verbs: [list]}"), "{nobody}");
        grant(cluster, &user, |need| need.commands.contains(&command) && !need.optional);
        cluster.vouch_with(&kubeconfig, &with_namespace(arguments)).answer();
    }
    cluster.vouch(&["enable", "alice@example.com"]).answer();
    without_the_root_secret(cluster);
    without_anything_optional(cluster);
}

fn without_the_root_secret(cluster: &Cluster) {
    let kubeconfig = cluster.plane.kubeconfig_of_user("desk");
    grant(cluster, "desk", |need| need.commands.contains(&"invite") && need.resource != "secrets");
    let words = cluster.vouch_with(&kubeconfig, &with_namespace(&["invite", "dave@example.com"])).refusal();
    assert!(words.contains("you may not get secrets vouch-root-secret in namespace vouch"), "{words}");
    assert!(words.contains("role vouch-admin") && words.contains("resourceNames: [vouch-root-secret]"), "{words}");
    let people = cluster.vouch(&["users", "-o", "json"]).json().to_string();
    assert!(!people.contains("dave"), "somebody was made who cannot be invited");
}

fn without_anything_optional(cluster: &Cluster) {
    let kubeconfig = cluster.plane.kubeconfig_of_user("viewer");
    grant(cluster, "viewer", |need| need.commands.contains(&"status") && !need.optional);
    let screen = cluster.vouch_with(&kubeconfig, &with_namespace(&["status", "-o", "json"])).json();
    assert_eq!(screen["unknown"].as_array().unwrap().len(), 3, "{screen}");
    assert!(screen["people"].is_null() && !screen["issuers"][0]["keys"].as_array().unwrap().is_empty(), "{screen}");
}

fn with_namespace<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    [arguments, &["-n", "vouch"]].concat()
}

/// Gives somebody the rights of the table.
fn grant(cluster: &Cluster, user: &str, wanted: impl Fn(&Need) -> bool) {
    let rules = NEEDS.iter().filter(|need| wanted(need)).map(|need| {
        let names: Vec<String> = need.suffix.iter().map(|suffix| format!("vouch{suffix}")).collect();
        json!({"apiGroups": [need.group], "resources": [need.resource], "resourceNames": names, "verbs": need.verbs})
    });
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
        "metadata": {"name": user, "namespace": "vouch"}, "rules": rules.collect::<Vec<_>>(),
    });
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": user, "namespace": "vouch"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": user},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
    });
    cluster.plane.takes(&role, &[]);
    cluster.plane.takes(&binding, &[]);
    until(&format!("the rights of {user}"), || {
        let may = ["auth", "can-i", "list", "vouchissuers.vouch.sh", "-n", "vouch", "--as", user];
        cluster.plane.kubectl(&may).is_success()
    });
}
