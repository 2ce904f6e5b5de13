//! An issuer whose pods would refuse what is declared says so.
use super::*;

const FEDERATIONS: &str = "/apis/vouch.sh/v1alpha1/namespaces/vouch/awsfederations";
const CONFIG_MAP: &str = "/api/v1/namespaces/vouch/configmaps/roots";

fn federation(name: &str, issuer: &str) -> Value {
    json!({
        "apiVersion": "vouch.sh/v1alpha1", "kind": "AwsFederation",
        "metadata": {"name": name, "namespace": "vouch", "labels": {"anybody": "may label"}},
        "spec": {
            "issuerRef": {"name": issuer}, "account": "999999999999",
            "roles": [{"name": "Deploy", "allow": {"groups": ["sre"]}}],
        },
        "status": {"anything": true},
    })
}

impl World {
    fn federate(&self, name: &str, issuer: &str) {
        self.server.put(&format!("{FEDERATIONS}/{name}"), federation(name, issuer));
    }

    async fn served() -> Self {
        let world = Self::new();
        world.pass().await.unwrap();
        world.pods_serve(3);
        world
    }
}

#[tokio::test]
async fn two_federations_that_claim_one_role_are_told_of_until_they_do_not() {
    let world = World::served().await;
    world.federate("first", "login");
    world.federate("elsewhere", "other");
    world.pass().await.unwrap();
    assert!(world.condition("Ready").starts_with("True AsDeclared"), "{}", world.condition("Ready"));
    world.federate("second", "login");
    assert_eq!(world.pass().await.unwrap(), Action::requeue(OBSTRUCTED));
    let ready = world.condition("Ready");
    assert!(ready.starts_with("False ConfigurationRefused Pods go on with the configuration that they had"), "{ready}");
    assert!(ready.contains("AwsFederation second: spec.roles[0].name: declares role vouch/Deploy"), "{ready}");
    assert!(world.events().contains(&"ConfigurationRefused".to_owned()));
    world.server.remove(&format!("{FEDERATIONS}/second"));
    world.pass().await.unwrap();
    assert!(world.condition("Ready").starts_with("True AsDeclared"));
}

#[tokio::test]
async fn attestation_roots_that_are_missing_or_no_certificates_are_told_of() {
    let world = World::served().await;
    world
        .declare(json!({"authenticators": {"attestationRoots": {"configMapRef": {"name": "roots", "key": "ca.pem"}}}}));
    world.pass().await.unwrap();
    let ready = world.condition("Ready");
    assert!(
        ready.starts_with("False ConfigurationRefused") && ready.contains("is roots; there is no such ConfigMap"),
        "{ready}"
    );
    let roots = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "roots", "namespace": "vouch"},
        "data": {"ca.pem": "no certificate"}});
    world.server.put(CONFIG_MAP, roots);
    world.pass().await.unwrap();
    let ready = world.condition("Ready");
    assert!(ready.starts_with("False ConfigurationRefused") && ready.contains("certificate"), "{ready}");
}

#[tokio::test]
async fn federations_that_cannot_be_read_are_no_reason_to_change_nothing() {
    let world = World::served().await;
    world.declare(json!({"deployment": {"replicas": 5}}));
    world.server.fail(|call| (call.path == FEDERATIONS).then_some(403));
    assert_eq!(world.pass().await.unwrap_err().category(), Category::Transient);
    assert_eq!(world.server.get(DEPLOYMENT).unwrap()["spec"]["replicas"], 5);
    let ready = world.condition("Ready");
    assert!(ready.starts_with("False NotApplied could not read the AwsFederation objects of vouch"), "{ready}");
}
