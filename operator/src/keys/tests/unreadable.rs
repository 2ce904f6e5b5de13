//! Keys of an issuer that this version cannot read as a whole.
use super::{
    passes::{ISSUER, KEYS, NOW, SECRETS, World},
    *,
};
use crate::{
    failure::Category,
    issuer::{ReconcileError, reconcile_or_tell},
};

/// An issuer whose next rotation is due, and the key that signs.
async fn due() -> (World, Kid) {
    let world = World::made().await;
    let before = active(&world.set()).unwrap();
    NOW.set(PERIOD);
    (world, before)
}

/// A newer definition has something else in a place.
fn change(world: &World, pointer: &str, value: serde_json::Value) {
    let mut issuer = world.server.get(ISSUER).unwrap();
    *issuer.pointer_mut(pointer).unwrap() = value;
    world.server.put(ISSUER, issuer);
}

fn become_unreadable(world: &World) {
    change(world, "/spec/exposure/service/type", json!("CarrierPigeon"));
}

/// What a condition says to people.
fn said(world: &World, kind: &str) -> String {
    let status = world.status();
    let conditions = status["conditions"].as_array().unwrap();
    let found = conditions.iter().find(|found| found["type"] == kind).unwrap();
    found["message"].as_str().unwrap().to_owned()
}

async fn pass(world: &World) -> Result<(), ReconcileError> {
    let issuer: Tolerant<VouchIssuer> = serde_json::from_value(world.server.get(ISSUER).unwrap()).unwrap();
    assert!(matches!(issuer, Tolerant::Unreadable(_)));
    reconcile_or_tell(Arc::new(issuer), Arc::clone(&world.context)).await.map(|_| ())
}

#[tokio::test]
async fn keys_rotate_by_what_can_be_read() {
    let (world, before) = due().await;
    become_unreadable(&world);
    pass(&world).await.unwrap();
    let after = active(&world.set()).unwrap();
    assert_ne!(after, before);
    assert_eq!(world.status()["activeKey"], after.as_str());
    assert_eq!(world.condition("KeysReady"), "True AsDeclared");
    assert_eq!(world.condition("Ready"), "False Invalid");
    assert_eq!(world.condition("Paused"), "False Running");
    assert!(said(&world, "Ready").contains("leaves it alone but for its signing keys (see KeysReady): "));
    let writes = world.server.writes();
    let others = |write: &&String| ![SECRETS, ISSUER, "/events"].iter().any(|known| write.contains(known));
    assert_eq!(writes.iter().find(others), None, "nothing else is done for it");
    world.server.calls();
    pass(&world).await.unwrap();
    assert_eq!(world.server.writes(), Vec::<String>::new());
}

#[tokio::test]
async fn a_leaked_key_is_revoked() {
    let (world, leaked) = due().await;
    become_unreadable(&world);
    world.order(annotation::REVOKE_KEY, leaked.as_str());
    pass(&world).await.unwrap();
    assert!(world.set().key(&leaked).is_none());
    assert_eq!(world.status()["handledOrders"], json!({annotation::REVOKE_KEY: leaked.as_str()}));
}

#[tokio::test]
async fn keys_stay_as_they_are_when_nobody_can_read_how_they_should_rotate() {
    let mut without_sessions = serde_json::to_value(issuer().spec).unwrap();
    without_sessions["exposure"]["service"]["type"] = json!("CarrierPigeon");
    without_sessions.as_object_mut().unwrap().remove("session");
    for (place, unknown) in [
        ("/spec/signingKeys/algorithms", json!(["ES256", "ES512"])),
        ("/spec/signingKeys", json!("weekly")),
        ("/spec/session/lifetime", json!("a while")),
        ("/spec/url", json!({})),
        ("/spec", without_sessions),
    ] {
        let (world, before) = due().await;
        let secret = world.server.get(KEYS);
        change(&world, place, unknown);
        assert_eq!(pass(&world).await.unwrap_err().category(), Category::Invalid);
        assert_eq!((active(&world.set()).unwrap(), world.server.get(KEYS)), (before.clone(), secret));
        assert_eq!(world.condition("KeysReady"), "False Invalid");
        let said = said(&world, "KeysReady");
        assert!(said.contains("spec.signingKeys") && said.contains("nothing rotates: "), "{said}");
        assert_eq!(world.status()["activeKey"], before.as_str(), "what was known stays");
    }
}

#[tokio::test]
async fn no_default_of_this_version_stands_in_for_what_a_newer_definition_calls_otherwise() {
    for (part, member) in [("signingKeys", "retainRetired"), ("signingKeys", "algorithms"), ("session", "lifetime")] {
        let (world, _) = due().await;
        become_unreadable(&world);
        let secret = world.server.get(KEYS);
        let mut declared = world.server.get(ISSUER).unwrap()["spec"][part].clone();
        let value = declared.as_object_mut().unwrap().remove(member).unwrap();
        declared["renamed"] = value;
        change(&world, &format!("/spec/{part}"), declared);
        assert_eq!(pass(&world).await.unwrap_err().category(), Category::Invalid);
        assert_eq!(world.server.get(KEYS), secret, "{member}");
        assert_eq!(world.condition("KeysReady"), "False Invalid");
        let said = said(&world, "KeysReady");
        assert!(said.ends_with(&format!("missing field `{part}.{member}`")), "{said}");
    }
}

#[tokio::test]
async fn an_issuer_that_is_paused_is_left_alone() {
    let (world, before) = due().await;
    become_unreadable(&world);
    change(&world, "/spec/paused", json!(true));
    pass(&world).await.unwrap();
    assert_eq!(active(&world.set()).unwrap(), before);
    assert_eq!((world.condition("Paused"), world.condition("Ready")), ("True Paused".into(), "False Invalid".into()));
}

#[tokio::test]
async fn nobody_is_told_that_an_issuer_runs_or_is_paused_when_that_cannot_be_read() {
    let (world, before) = due().await;
    assert_eq!(world.condition("Paused"), "False Running");
    change(&world, "/spec/paused", json!("until Monday"));
    assert_eq!(pass(&world).await.unwrap_err().category(), Category::Invalid);
    assert_eq!(active(&world.set()).unwrap(), before);
    assert_eq!(world.condition("Paused"), "Unknown Invalid");
    assert_eq!(said(&world, "Paused"), said(&world, "Ready"), "it is one matter");
}

#[tokio::test]
async fn an_issuer_without_keys_gets_none() {
    let world = World::new();
    become_unreadable(&world);
    pass(&world).await.unwrap();
    assert_eq!((world.server.get(KEYS), world.condition("Ready")), (None, "False Invalid".into()));
}

#[tokio::test]
async fn keys_stay_as_they_are_when_nobody_can_read_what_was_reported_of_them() {
    let (world, before) = due().await;
    assert_eq!(world.condition("KeysReady"), "True AsDeclared");
    change(&world, "/status/keys/0/state", json!("Dormant"));
    let reported = world.status()["keys"].clone();
    pass(&world).await.unwrap();
    assert_eq!(active(&world.set()).unwrap(), before);
    assert_eq!(
        (world.condition("Ready"), world.condition("KeysReady")),
        ("False Invalid".into(), "False Invalid".into())
    );
    assert!(said(&world, "Ready").contains("leaves it alone: "), "{}", said(&world, "Ready"));
    assert!(said(&world, "KeysReady").contains("nothing rotates, and no key is revoked: "));
    assert_eq!(world.status()["keys"], reported, "what was reported stays");
}
