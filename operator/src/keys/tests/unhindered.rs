//! Keys rotate and are revoked whatever else is broken, and nothing else hides what became of them.
use super::{
    passes::{ISSUER, KEYS, NOW, ROOT, SECRETS, World},
    *,
};
use crate::{failure::Category, testing::Call};

const ISSUERS: &str = "/apis/vouch.sh/v1alpha1/namespaces/vouch/vouchissuers";
const INGRESS: &str = "/apis/networking.k8s.io/v1/namespaces/vouch/ingresses/login";
const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/vouch/deployments/login";

fn cannot_be_read(path: &'static str) -> impl Fn(&Call) -> Option<u16> {
    move |call| (call.method == "GET" && call.path == path).then_some(500)
}

/// An issuer whose next rotation is due.
async fn due() -> (World, Option<Kid>) {
    let world = World::made().await;
    let before = active(&world.set());
    NOW.set(PERIOD);
    (world, before)
}

fn declare(world: &World, pointer: &str, value: serde_json::Value) {
    let mut issuer = world.server.get(ISSUER).unwrap();
    issuer["spec"][pointer] = value;
    world.server.put(ISSUER, issuer);
}

#[tokio::test]
async fn keys_rotate_while_an_object_cannot_be_read() {
    let (world, before) = due().await;
    world.server.fail(cannot_be_read(INGRESS));
    assert!(world.pass().await.is_err());
    assert_ne!(active(&world.set()), before);
    assert_eq!(world.condition("KeysReady"), "True AsDeclared");
    assert_eq!(world.condition("Ready"), "Unknown NotApplied");
}

#[tokio::test]
async fn keys_rotate_while_nobody_can_tell_whose_the_namespace_is() {
    let (world, before) = due().await;
    world.server.fail(cannot_be_read(ISSUERS));
    assert!(world.pass().await.is_err());
    assert_ne!(active(&world.set()), before);
    assert_eq!(world.condition("Ready"), "Unknown NotApplied");
}

#[tokio::test]
async fn a_leaked_key_is_revoked_while_the_declaration_is_refused() {
    let (world, before) = due().await;
    let leaked = before.unwrap();
    world.order(annotation::REVOKE_KEY, leaked.as_str());
    declare(&world, "deployment", json!({"labels": {"app.kubernetes.io/instance": "other"}}));
    world.pass().await.unwrap();
    assert!(world.set().key(&leaked).is_none());
    assert_eq!(world.condition("Ready"), "False Invalid");
    assert_eq!(world.status()["handledOrders"], json!({annotation::REVOKE_KEY: leaked.as_str()}));
}

#[tokio::test]
async fn an_issuer_that_is_refused_from_the_beginning_gets_no_keys() {
    let world = World::new();
    declare(&world, "deployment", json!({"labels": {"app.kubernetes.io/instance": "other"}}));
    assert_eq!(world.writes().await, [format!("PATCH {ISSUER}/status")]);
}

#[tokio::test]
async fn a_failure_of_the_keys_decides_when_to_try_again_under_an_invalid_deployment() {
    let (world, before) = due().await;
    declare(&world, "deployment", json!({"replicas": 5}));
    world.server.fail(|call| match call.path.as_str() {
        DEPLOYMENT if call.writes() => Some(422),
        KEYS if call.writes() => Some(503),
        _ => None,
    });
    assert_eq!(world.pass().await.unwrap_err().category(), Category::Transient);
    world.server.fail(|call| (call.path == DEPLOYMENT && call.writes()).then_some(422));
    assert_eq!(world.pass().await.unwrap_err().category(), Category::Invalid);
    assert_ne!(active(&world.set()), before);
}

#[tokio::test]
async fn keys_rotate_while_the_root_secret_cannot_be_made() {
    let (world, before) = due().await;
    world.server.remove(ROOT);
    world.server.fail(|call| (call.method == "POST" && call.path == SECRETS).then_some(403));
    assert!(world.pass().await.is_err());
    assert_ne!(active(&world.set()), before);
    assert_eq!(world.condition("KeysReady"), "Unknown NotApplied");
}

/// The value of a gauge about the issuer; nothing when it is not there.
fn gauge(world: &World, name: &str, rest: &str) -> Option<f64> {
    let start = format!("vouch_operator_{name}{{namespace=\"vouch\",issuer=\"login\"{rest}}} ");
    let metrics = world.context.metrics.render().unwrap();
    metrics.lines().find_map(|line| line.strip_prefix(&start)).map(|value| value.parse().unwrap())
}

fn active_keys(world: &World) -> Option<f64> {
    gauge(world, "signing_keys", r#",algorithm="ES256",state="Active""#)
}

/// In seconds after the beginning.
fn next_rotation(world: &World) -> Option<f64> {
    gauge(world, "next_rotation_timestamp_seconds", "").map(|at| at - START as f64)
}

#[tokio::test]
async fn no_key_counts_as_active_while_none_can_be_read() {
    let hidden: [fn(&World); 4] = [
        |world| world.server.remove(KEYS),
        |world| {
            let mut secret = world.server.get(KEYS).unwrap();
            secret["data"] = json!({});
            world.server.put(KEYS, secret);
        },
        |world| {
            let mut secret = world.server.get(KEYS).unwrap();
            secret["metadata"]["annotations"][annotation::ISSUER_URL] = json!("https://other.example.com");
            world.server.put(KEYS, secret);
        },
        |world| world.server.fail(cannot_be_read(KEYS)),
    ];
    for hide in hidden {
        let world = World::made().await;
        assert_eq!(active_keys(&world), Some(1.0));
        hide(&world);
        let _ = world.pass().await;
        assert_eq!(active_keys(&world), Some(0.0), "{}", world.condition("KeysReady"));
    }
}

#[tokio::test]
async fn no_key_counts_as_active_while_nothing_signs() {
    let world = World::made().await;
    let kid = active(&world.set()).unwrap();
    world.order(annotation::REVOKE_KEY, kid.as_str());
    world.pass().await.unwrap();
    assert_eq!(world.condition("KeysReady"), "False NothingSigns");
    assert_eq!(active_keys(&world), Some(0.0));
}

#[tokio::test]
async fn the_moment_of_a_rotation_stays_known_while_nothing_rotates() {
    let world = World::made().await;
    assert_eq!(next_rotation(&world), Some(PERIOD as f64));
    declare(&world, "paused", json!(true));
    NOW.set(2 * PERIOD);
    world.context.metrics.forget("vouch", "login");
    world.pass().await.unwrap();
    assert_eq!(next_rotation(&world), Some(PERIOD as f64), "known to an operator that has only just begun");
    declare(&world, "paused", json!(false));
    world.server.fail(|call| (call.path == KEYS && call.writes()).then_some(503));
    world.pass().await.unwrap_err();
    assert_eq!(next_rotation(&world), Some(PERIOD as f64));
    world.server.recover();
    world.pass().await.unwrap();
    assert!(next_rotation(&world) > Some(2.0 * PERIOD as f64));
}

#[tokio::test]
async fn nothing_is_shown_of_an_issuer_that_is_gone() {
    let (world, _) = due().await;
    world.pass().await.unwrap();
    world.context.metrics.forget("vouch", "login");
    let metrics = world.context.metrics.render().unwrap();
    assert!(!metrics.contains(r#"issuer="login""#), "{metrics}");
}
