//! People: the verbs of an issuer that runs alone.

use crate::plugin::Cluster;

pub(crate) fn from_invite_to_logout(cluster: &Cluster) {
    let invited = cluster.vouch(&["invite", "alice@example.com", "--group", "release", "-o", "json"]).json();
    assert_eq!(invited["command"], "vouch enroll https://vouch.example.com");
    let code = invited["code"].as_str().unwrap().to_owned();
    let object =
        cluster.plane.told(&["get", "vouchuser", "alice-example-com-ff8d9819fc0e12bf", "-n", "vouch", "-o", "json"]);
    assert!(object.contains("\"hash\"") && !object.contains(&code), "the code is kept");
    let text = cluster.vouch(&["invite", "alice@example.com"]).answer();
    assert!(text.contains("The earlier invite no longer works."), "{text}");

    let users = cluster.vouch(&["users", "-o", "json"]).json();
    assert_eq!(users["users"][0]["email"], "alice@example.com");
    assert_eq!(users["users"][0]["groups"][0], "release");
    assert_eq!(users, cluster.vouch(&["users", "list", "-o", "json"]).json());
    let spec = || cluster.plane.told(&["get", "vouchusers", "-n", "vouch", "-o", "jsonpath={.items[0].spec.disabled}"]);
    let said = cluster.vouch(&["disable", "alice@example.com"]).answer();
    assert!(said.contains("alice@example.com is disabled"), "{said}");
    assert_eq!(spec(), "true");
    let words = cluster.vouch(&["invite", "alice@example.com"]).refusal();
    assert!(words.contains("enable first: kubectl vouch enable alice@example.com -n vouch"), "{words}");
    let shown = cluster.vouch(&["users", "show", "alice@example.com"]).answer();
    assert!(shown.contains("no login, no session, no credential; to allow them again: "), "{shown}");
    assert!(shown.contains("kubectl vouch enable alice@example.com -n vouch\n"), "{shown}");
    cluster.vouch(&["enable", "alice@example.com"]).answer();
    assert_eq!(spec(), "false");
    let said = cluster.vouch(&["logout", "alice@example.com"]).answer();
    assert!(said.contains("Every session of alice@example.com is over."), "{said}");

    let words = cluster.vouch(&["users", "show", "bob@example.com"]).refusal();
    assert!(words.contains("kubectl vouch users list"), "{words}");
    let words = cluster.vouch(&["remove-key", "alice@example.com", "0011223344556677"]).refusal();
    assert!(words.contains("kubectl vouch users show alice@example.com"), "{words}");
    let words = cluster.vouch(&["invite", "mallory@example.org"]).refusal();
    assert!(words.contains("is not in a domain of Example Inc."), "{words}");
    let screen = cluster.vouch(&["status", "-o", "json"]).json();
    assert_eq!(screen["people"]["never_enrolled"], 1, "{screen}");
}
