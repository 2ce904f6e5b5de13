//! Screens for situations that administrators meet.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use k8s_openapi::{api::core::v1::Pod, apimachinery::pkg::apis::meta::v1::Time};
use serde_json::{Value, json};
use vouch_issuer::admin::moment;
use vouch_keyring::Kid;

use super::{
    gather::{Failing, Gathered, People},
    look, look_everywhere,
    screen::Screen,
};
use crate::{
    plugin::{
        testing::{
            condition, connection, issuer_json, issuer_with_keys, kid, later_json, lease_json, moment as at, put,
            put_lease, status, user, user_json,
        },
        trouble::Trouble,
    },
    testing::ApiServer,
};

const NOW: &str = "2026-11-21T09:00:00Z";

fn healthy() -> Gathered {
    let mut people = People::default();
    people.count(&user("alice@example.com", 2));
    people.count(&user("bob@example.com", 0));
    Gathered {
        namespace: "vouch".to_owned(),
        issuers: vec![issuer_with_keys()],
        people: Some(people),
        pods: Some(vec![pod("vouch-1", &json!({"conditions": [{"type": "Ready", "status": "True"}]}))]),
        refused_logins: vec![("vouch".to_owned(), 1)],
        ..Gathered::default()
    }
}

fn with_status(change: impl FnOnce(&mut Value)) -> Gathered {
    let mut object = issuer_json("vouch");
    object["status"] = status();
    change(&mut object);
    Gathered { issuers: vec![serde_json::from_value(object).unwrap()], ..healthy() }
}

fn pod(name: &str, status: &Value) -> Pod {
    let labels = json!({"app.kubernetes.io/name": "vouch-issuer", "app.kubernetes.io/instance": "vouch"});
    serde_json::from_value(json!({"metadata": {"name": name, "labels": labels}, "status": status})).unwrap()
}

fn screen(gathered: &Gathered) -> String {
    Screen::of(gathered, at(NOW)).to_string()
}

/// The lines below the issuer's and those of its keys.
fn told(gathered: &Gathered) -> Vec<String> {
    screen(gathered).lines().skip(1).skip_while(|line| line.starts_with("  ")).map(str::to_owned).collect()
}

#[test]
fn a_healthy_issuer_is_a_line_and_one_for_each_key() {
    let text = screen(&healthy());
    let lines: Vec<&str> = text.lines().collect();
    let issuer = "vouch      https://vouch.example.com · 3/3 ready · 3 keys · 2 people, 1 never enrolled · \
                  1 refused login since the pods started";
    assert_eq!(lines[0], issuer);
    let (rotation, end) = (moment(at("2026-12-20T09:00:00Z"), at(NOW)), moment(at("2026-11-22T08:00:00Z"), at(NOW)));
    let key = |state, letter, then: String| format!("  {state}  {}  ES256  {then}", kid(letter));
    let keys = [
        key("Active ", 'Q', format!("until {rotation}")),
        key("Next   ", 'n', format!("from {rotation}")),
        key("Retired", 'm', format!("until {end}")),
    ];
    assert_eq!(lines[1..4], keys);
    assert_eq!(lines[4..], ["Everything is as declared."]);
}

#[test]
fn a_key_is_named_as_commands_take_it_on_a_line_that_is_not_broken() {
    let years = with_status(|object| object["status"]["nextRotation"] = "2027-12-20T09:00:00Z".into());
    let text = screen(&years);
    let keys: Vec<&str> = text.lines().filter(|line| line.starts_with("  ")).collect();
    assert_eq!(keys.len(), 3, "{text}");
    for line in keys {
        assert!(line.chars().count() <= 100, "{line}");
        assert!(line.split_whitespace().any(|word| word.parse::<Kid>().is_ok()), "{line}");
    }
}

#[test]
fn a_condition_that_fails_is_told_once_with_what_to_do() {
    let lost = with_status(|object| {
        object["status"]["conditions"][0] =
            condition("Ready", "False", "KeySecretMissing", "Secret vouch-signing-keys is gone.");
        object["status"]["conditions"][1] =
            condition("KeysReady", "False", "KeySecretMissing", "Secret vouch-signing-keys is gone.");
    });
    let lines = told(&lost);
    assert_eq!(lines[0], "✗ VouchIssuer vouch: KeySecretMissing: Secret vouch-signing-keys is gone.");
    assert!(lines[1].starts_with("→ Restore the Secret from a backup."), "{}", lines[1]);
    assert_eq!(lines.len(), 2);
    assert!(!Screen::of(&lost, at(NOW)).healthy);
}

#[test]
fn every_fault_of_an_issuer_is_told() {
    let lines = told(&with_status(|object| {
        object["status"]["conditions"][0] = condition("Ready", "False", "ForeignObject", "Service vouch is not ours.");
        object["status"]["conditions"][1] = condition("KeysReady", "False", "ClockBehind", "The clock.");
        object["status"]["conditions"][2] = condition("Available", "False", "TooFewPods", "0 of 3 pods serve.");
        object["status"]["conditions"][3] = condition("Progressing", "False", "RolloutStuck", "Pods do not start.");
    }));
    for reason in ["ForeignObject", "ClockBehind", "TooFewPods", "RolloutStuck"] {
        assert!(lines.iter().any(|line| line.starts_with(&format!("✗ VouchIssuer vouch: {reason}: "))), "{lines:?}");
    }
    for command in
        ["kubectl get pods -n vouch -l app.kubernetes.io/instance=vouch", "kubectl vouch accept-clock -n vouch"]
    {
        assert!(lines.iter().any(|line| line.contains(&format!("`{command}`"))), "{lines:?}");
    }
}

#[test]
fn pods_that_the_api_server_refuses_are_told_once() {
    let why = "0 of 3 pods serve. The API server refused one: exceeded quota.";
    let lines = told(&with_status(|object| {
        object["status"]["conditions"][0] = condition("Ready", "False", "TooFewPods", why);
        object["status"]["conditions"][2] = condition("Available", "False", "TooFewPods", why);
        object["status"]["conditions"][3] = condition("Progressing", "False", "RolloutStuck", why);
    }));
    assert_eq!(lines[0], format!("✗ VouchIssuer vouch: TooFewPods: {why}"));
    assert_eq!(lines.iter().filter(|line| line.contains("exceeded quota")).count(), 1, "{lines:?}");
}

#[test]
fn a_rollout_is_no_fault() {
    let rolling = with_status(|object| {
        object["status"]["conditions"][0] = condition("Ready", "False", "RollingOut", "2 of 3 pods are new.");
    });
    assert_eq!(told(&rolling)[0], "· VouchIssuer vouch: RollingOut: 2 of 3 pods are new.");
    assert!(Screen::of(&rolling, at(NOW)).healthy);
}

#[test]
fn an_issuer_that_is_paused_says_so() {
    let lines = told(&with_status(|object| {
        object["status"]["conditions"][4] = condition("Paused", "True", "Paused", "spec.paused is true.");
    }));
    assert_eq!(lines, ["· VouchIssuer vouch: Paused: spec.paused is true.", "→ Set `spec.paused` to false."]);
}

#[test]
fn an_issuer_that_no_operator_looks_at_says_what_to_look_for() {
    let fresh = with_status(|object| {
        object["status"] = json!({});
        object["metadata"]["creationTimestamp"] = "2026-11-21T08:59:58Z".into();
    });
    let lines = told(&fresh);
    assert_eq!(lines[0], "· VouchIssuer vouch: NotObserved: The operator has not looked at it yet.");
    assert!(lines[1].contains(crate::lease::SHOWN_BY));
    let old = with_status(|object| object["status"] = json!({}));
    assert!(told(&old)[0].starts_with("✗ VouchIssuer vouch: NotObserved"));
    let changed = with_status(|object| object["metadata"]["generation"] = 3.into());
    assert!(told(&changed)[0].contains("has not looked at the last change yet"));
}

#[test]
fn a_pod_that_does_not_come_up_leads_to_its_log() {
    let waiting = |reason: &str| {
        let state = json!({"waiting": {"reason": reason, "message": "the message"}});
        let container =
            json!({"name": "issuer", "ready": false, "restartCount": 3, "image": "i", "imageID": "", "state": state});
        pod("vouch-2", &json!({"containerStatuses": [container]}))
    };
    let pods = |pod| Gathered { pods: Some(vec![pod]), ..healthy() };
    assert_eq!(
        told(&pods(waiting("CrashLoopBackOff"))),
        ["✗ Pod vouch-2: CrashLoopBackOff: the message", "→ kubectl logs vouch-2 -n vouch --previous"]
    );
    assert_eq!(told(&pods(waiting("ErrImagePull")))[1], "→ kubectl describe pod vouch-2 -n vouch");
    let since = |moment: &str| {
        let mut pod = waiting("ContainerCreating");
        pod.metadata.creation_timestamp = Some(Time(at(moment)));
        told(&pods(pod))
    };
    assert_eq!(since("2026-11-21T08:59:30Z"), ["Everything is as declared."]);
    let slow = since("2026-11-21T08:58:30Z");
    assert!(slow[0].starts_with("✗ Pod vouch-2: ContainerCreating: It does not begin; a Secret"), "{slow:?}");
    assert_eq!(slow[1], "→ kubectl describe pod vouch-2 -n vouch");
    let nowhere = json!({"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no node"}]});
    assert_eq!(told(&pods(pod("vouch-3", &nowhere)))[0], "✗ Pod vouch-3: Unschedulable: no node");
}

#[test]
fn people_with_one_fault_are_told_together() {
    let failing =
        |name: &str| Failing { name: name.to_owned(), reason: "EmailTaken".to_owned(), message: "Taken.".to_owned() };
    let people = People { count: 9, failing: ["a", "b", "c", "d", "e"].map(failing).to_vec(), ..People::default() };
    let lines = told(&Gathered { people: Some(people), ..healthy() });
    assert_eq!(lines, ["✗ VouchUser a, b, c and 2 more: EmailTaken: Taken.", "→ Delete one of the two."]);
}

#[test]
fn what_may_not_be_read_is_told_and_the_rest_shown() {
    let blind = Gathered { people: None, unknown: vec!["you may not list vouchusers".to_owned()], ..healthy() };
    let text = screen(&blind);
    assert!(text.ends_with("\n? you may not list vouchusers\n") && !text.contains("people"), "{text}");
}

#[test]
fn programs_get_the_same_facts() {
    let json = serde_json::to_value(Screen::of(&healthy(), at(NOW))).unwrap();
    assert_eq!(json["healthy"], true);
    assert_eq!(json["issuers"][0]["keys"][0]["state"], "active");
    assert_eq!(json["issuers"][0]["next_rotation"], "2026-12-20T09:00:00Z");
    assert_eq!(json["people"], json!({"count": 2, "never_enrolled": 1, "disabled": 0}));
    assert_eq!(json["issuers"][0]["refused_logins"], 1);
}

#[tokio::test]
async fn objects_of_a_later_version_are_told_of_and_the_rest_shown() {
    let server = ApiServer::default();
    put(&server, later_json("later"));
    put(&server, issuer_json("vouch"));
    put(&server, user_json("alice@example.com", 1));
    for name in ["bob", "carol", "dan", "erin"] {
        let mut person = user_json(&format!("{name}@example.com"), 1);
        person["status"]["keyCount"] = "many".into();
        put(&server, person);
    }
    let screen = look(&connection(&server), None, at(NOW)).await.unwrap();
    assert_eq!(screen.issuers.iter().map(|issuer| issuer.name.as_str()).collect::<Vec<_>>(), ["vouch"]);
    assert_eq!(screen.people.as_ref().unwrap().count, 5);
    let text = screen.to_string();
    assert!(
        text.contains("\n? this version of kubectl-vouch cannot read VouchIssuer later: unknown variant"),
        "{text}"
    );
    let people = "cannot read VouchUser bob-example.com, carol-example.com, dan-example.com and 1 more: invalid type";
    assert!(text.contains(people), "{text}");
    assert!(screen.unknown.iter().all(|told| told.contains("Update kubectl-vouch")), "{text}");
}

#[tokio::test]
async fn what_cannot_be_read_is_not_healthy() {
    let server = ApiServer::default();
    put_lease(&server, lease_json("vouch-system", "a", NOW));
    put(&server, later_json("vouch"));
    let screen = look(&connection(&server), None, at(NOW)).await.unwrap();
    assert!(!screen.healthy && screen.findings.is_empty(), "{screen}");
}

#[tokio::test]
async fn every_namespace_with_an_issuer_has_its_screen() {
    let server = ApiServer::default();
    let way = connection(&server);
    let trouble = look_everywhere(&way, at(NOW)).await.unwrap_err();
    assert!(matches!(trouble, Trouble::NoIssuers), "{trouble}");
    put_lease(&server, lease_json("vouch-system", "a", NOW));
    for namespace in ["team-b", "team-a"] {
        let mut object = issuer_json("vouch");
        object["metadata"]["namespace"] = namespace.into();
        object["status"] = status();
        server.put(&format!("/apis/vouch.sh/v1alpha1/namespaces/{namespace}/vouchissuers/vouch"), object);
    }
    let screens = look_everywhere(&way, at(NOW)).await.unwrap();
    let text = screens.to_string();
    let heads: Vec<&str> = text.lines().filter(|line| line.starts_with("Namespace ")).collect();
    assert_eq!(heads, ["Namespace team-a", "Namespace team-b"], "{text}");
    assert_eq!(text.matches("vouch      https://vouch.example.com").count(), 2, "{text}");
    assert!(screens.healthy && screens.namespaces[1].namespace == "team-b", "{text}");
}

#[tokio::test]
async fn an_issuer_that_vanishes_after_it_was_listed_hides_no_other() {
    let server = ApiServer::default();
    let way = connection(&server);
    let mut gone = issuer_json("vouch");
    gone["metadata"]["namespace"] = "gone".into();
    // Only the list of the whole cluster has it.
    server.put("/apis/vouch.sh/v1alpha1/namespaces/elsewhere/vouchissuers/vouch", gone);
    let trouble = look_everywhere(&way, at(NOW)).await.unwrap_err();
    assert!(matches!(trouble, Trouble::NoIssuers), "{trouble}");
    put(&server, issuer_json("vouch"));
    let screens = look_everywhere(&way, at(NOW)).await.unwrap();
    let found: Vec<&str> = screens.namespaces.iter().map(|screen| screen.namespace.as_str()).collect();
    assert_eq!(found, ["vouch"]);
}
