//! What the API server refuses of an object that exists: because of what a hand has made of it, or for good.
use super::*;
use crate::testing::Call;

const SERVICES: &str = "/api/v1/namespaces/vouch/services/";

impl World {
    /// The Service has another port of the name that ours has, beside which the API server refuses ours.
    async fn with_a_port_that_a_hand_has_replaced() -> Self {
        let world = Self::new();
        world.pass().await.unwrap();
        world.server.edit(SERVICE, "/spec/ports", Some(json!([{"name": "http", "port": 81, "protocol": "TCP"}])));
        world
    }

    fn managers(&self) -> Vec<Value> {
        let managers = self.server.get(SERVICE).unwrap()["metadata"]["managedFields"].clone();
        managers.as_array().unwrap().iter().map(|entry| entry["manager"].clone()).collect()
    }
}

/// True of the first apply to the Service alone.
fn first_apply() -> impl Fn(&Call) -> bool + Send {
    let came = std::sync::atomic::AtomicBool::new(false);
    move |call| call.applies && call.path == SERVICE && !came.swap(true, std::sync::atomic::Ordering::SeqCst)
}

#[tokio::test]
async fn an_item_of_a_list_that_a_hand_has_replaced_is_put_back_where_no_other_object_can_be_made() {
    let world = World::with_a_port_that_a_hand_has_replaced().await;
    let (in_the_way, elsewhere) =
        (first_apply(), |call: &Call| call.path != SERVICE && call.path.starts_with(SERVICES));
    world.server.fail(move |call| match call.method.as_str() {
        "PATCH" if in_the_way(call) => Some(422),
        // A quota is used up.
        "PATCH" if elsewhere(call) => Some(403),
        _ => None,
    });
    world.pass().await.unwrap();
    assert_eq!(world.server.get(SERVICE).unwrap()["spec"]["ports"][0]["port"], 80);
    assert_eq!(world.managers(), ["vouch-operator"]);
    assert_eq!(world.writes().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_repair_sets_the_object_as_a_whole_or_not_at_all_and_leaves_what_others_have_added() {
    let world = World::with_a_port_that_a_hand_has_replaced().await;
    let mut service = world.server.get(SERVICE).unwrap();
    service["metadata"]["annotations"]["mesh.example.com/inject"] = json!("true");
    service["metadata"]["ownerReferences"].as_array_mut().unwrap().push(json!({"uid": "somebody"}));
    world.server.put(SERVICE, service);
    let in_the_way = first_apply();
    world.server.fail(move |call| in_the_way(call).then_some(422));
    world.server.calls();
    world.pass().await.unwrap();
    let calls = world.server.calls();
    let set = calls.iter().find(|call| call.path == SERVICE && call.method == "PATCH" && !call.applies).unwrap();
    assert!(set.query.contains("fieldValidation=Strict"), "{}", set.query);
    assert_eq!(set.body["spec"], calls.iter().find(|call| call.path == SERVICE && call.applies).unwrap().body["spec"]);
    assert_eq!(set.body["metadata"]["ownerReferences"], Value::Null, "a merge would take theirs away");
    let metadata = &world.server.get(SERVICE).unwrap()["metadata"];
    assert_eq!(metadata["annotations"]["mesh.example.com/inject"], "true");
}

#[tokio::test]
async fn a_repair_that_was_cut_short_is_ended_by_the_next_pass() {
    let world = World::with_a_port_that_a_hand_has_replaced().await;
    let in_the_way = first_apply();
    world.server.fail(move |call| match call.body.pointer("/metadata/managedFields") {
        Some(_) => Some(409),
        None => in_the_way(call).then_some(422),
    });
    world.pass().await.unwrap();
    assert_eq!(world.managers(), ["vouch-operator", "vouch-operator-repair"]);
    world.server.recover();
    world.pass().await.unwrap();
    assert_eq!(world.managers(), ["vouch-operator"]);
    assert_eq!(world.writes().await, Vec::<String>::new());
}

#[tokio::test]
async fn an_object_that_is_invalid_to_the_api_server_is_told_once_and_tried_again_minutes_later() {
    let world = World::new();
    world.pass().await.unwrap();
    world.pods_serve(3);
    world.pass().await.unwrap();
    let running = world.server.get(DEPLOYMENT);
    world.declare(json!({"deployment": {"annotations": {"team": "identity"}, "log": "debug"}}));
    // As a policy does that compares an object with what it was: it has nothing to say where nothing was.
    let changes = |call: &Call| call.body.pointer("/spec/template/metadata/annotations/team").is_some();
    world.server.fail(move |call| (call.path == DEPLOYMENT && changes(call)).then_some(422));
    let error = world.pass().await.unwrap_err();
    assert_eq!(error.category(), Category::Invalid);
    assert!(failure::delay(error.category(), 0, 0.0) >= Duration::from_secs(150));
    assert_eq!(world.condition("Ready"), "False Invalid could not update Deployment login: the test says so");
    assert_eq!(world.condition("Available"), "True AsDeclared 3 of 3 pods serve.");
    assert_eq!(world.server.get(DEPLOYMENT), running, "what is refused is not brought in by halves");
    let told = || world.events().iter().filter(|reason| *reason == "Invalid").count();
    assert_eq!(told(), 1);
    let before = world.versions();
    assert!(world.pass().await.is_err());
    assert_eq!(world.versions(), before, "what is not changed wakes nobody");
    assert_eq!(told(), 1);
    world.server.recover();
    world.pass().await.unwrap();
    assert!(world.condition("Ready").starts_with("False RollingOut") || world.condition("Ready").starts_with("True"));
}
