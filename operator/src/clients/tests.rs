//! Each check by its name, and whole passes against an API server in memory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::*;
use crate::testing::ApiServer;

const CLIENT: &str = "/apis/vouch.sh/v1alpha1/namespaces/vouch/oidcclients/wiki";
const ISSUER: &str = "/apis/vouch.sh/v1alpha1/namespaces/vouch/vouchissuers/login";
const SECRET: &str = "/api/v1/namespaces/vouch/secrets/wiki";

fn object() -> Value {
    json!({
        "apiVersion": "vouch.sh/v1alpha1", "kind": "OidcClient",
        "metadata": {"name": "wiki", "namespace": "vouch", "uid": "c1", "generation": 1},
        "spec": {
            "issuerRef": {"name": "login"}, "displayName": "Wiki", "redirectUris": ["https://wiki.example.com/callback"],
            "secretRef": {"name": "wiki", "key": "client-secret"},
        },
    })
}

fn client(changes: &Value) -> OidcClient {
    let mut object = object();
    for (name, value) in changes.as_object().unwrap() {
        object["spec"][name] = value.clone();
    }
    serde_json::from_value(object).unwrap()
}

fn secret(data: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "wiki", "namespace": "vouch"}, "data": data})
}

const COMPLETE: Surroundings = Surroundings { issuer: true, secret: ClientSecret::Present };

fn said(changes: &Value, around: Surroundings) -> String {
    let finding = judge(&client(changes).spec, around);
    format!("{} {} {}", finding.truth.as_str(), finding.reason, finding.message)
}

#[test]
fn an_application_with_everything_is_ready() {
    assert_eq!(said(&json!({}), COMPLETE), "True AsDeclared Everything is as declared.");
    let public = json!({"public": true, "secretRef": null});
    let around = Surroundings { issuer: true, secret: ClientSecret::Unwanted };
    assert_eq!(said(&public, around), "True AsDeclared Everything is as declared.");
}

#[test]
fn an_application_needs_its_issuer() {
    let around = Surroundings { issuer: false, ..COMPLETE };
    assert_eq!(
        said(&json!({}), around),
        "False NoIssuer spec.issuerRef: there is no VouchIssuer login in this namespace."
    );
}

#[test]
fn an_application_needs_its_secret_and_something_in_it() {
    assert_eq!(
        said(&json!({}), Surroundings { issuer: true, secret: ClientSecret::Absent }),
        "False SecretMissing spec.secretRef: this namespace has no Secret wiki with something under client-secret."
    );
}

#[test]
fn an_application_is_public_or_has_a_secret() {
    for changes in [json!({"public": true}), json!({"secretRef": null})] {
        assert!(said(&changes, COMPLETE).starts_with("False Invalid spec: must either be public"));
    }
}

#[test]
fn people_are_sent_back_over_https_or_to_their_own_machine() {
    let with = |uri: &str| said(&json!({"redirectUris": [uri]}), COMPLETE);
    for uri in [
        "https://wiki.example.com/callback?x=1",
        "http://localhost:8080/",
        "http://127.0.0.1/callback",
        "http://[::1]:9/callback",
    ] {
        assert!(with(uri).starts_with("True"), "{uri}: {}", with(uri));
    }
    for uri in [
        "http://wiki.example.com/",
        "https://wiki.example.com/#fragment",
        "https://user@wiki.example.com/",
        "http://localhost.example.com/",
        "http://localhost@example.com/",
        "wiki:callback",
        "javascript:alert(1)",
        "/callback",
        "",
    ] {
        assert!(with(uri).starts_with("False Invalid spec.redirectUris"), "{uri}: {}", with(uri));
    }
    assert!(said(&json!({"redirectUris": []}), COMPLETE).starts_with("False Invalid"));
}

struct World {
    server: ApiServer,
    context: Arc<Context>,
}

impl World {
    fn new() -> Self {
        let server = ApiServer::default();
        let context = server.context(&watch::Sender::default(), || Timestamp::from_second(1_800_000_000).unwrap());
        server.put(CLIENT, object());
        Self { server, context }
    }

    async fn pass(&self) -> Result<Action, ReconcileError> {
        let client: OidcClient = serde_json::from_value(self.server.get(CLIENT).unwrap()).unwrap();
        reconcile(Arc::new(client), Arc::clone(&self.context)).await
    }

    fn condition(&self) -> Value {
        self.server.get(CLIENT).unwrap()["status"]["conditions"][0].clone()
    }

    fn reason(&self) -> Value {
        self.condition()["reason"].clone()
    }
}

#[tokio::test]
async fn what_is_missing_is_named_until_it_is_there_and_then_nothing_is_written() {
    let world = World::new();
    assert_eq!(world.pass().await.unwrap(), Action::requeue(MISSING));
    assert_eq!(world.reason(), "NoIssuer");
    let issuer = json!({"apiVersion": "vouch.sh/v1alpha1", "kind": "VouchIssuer", "metadata": {"name": "login", "namespace": "vouch"}});
    world.server.put(ISSUER, issuer);
    world.pass().await.unwrap();
    assert_eq!(world.reason(), "SecretMissing");
    let without_secret = world.condition();
    world.server.put(SECRET, secret(&json!({"other": "eA=="})));
    world.pass().await.unwrap();
    assert_eq!(world.condition(), without_secret, "nobody learns which Secrets there are");
    world.server.put(SECRET, secret(&json!({"client-secret": "eA=="})));
    assert_eq!(world.pass().await.unwrap(), Action::requeue(RESYNC));
    assert_eq!(world.reason(), "AsDeclared");
    world.server.calls();
    world.pass().await.unwrap();
    assert_eq!(world.server.writes(), Vec::<String>::new());
}

#[tokio::test]
async fn a_cluster_that_cannot_be_read_says_nothing_of_the_application() {
    let world = World::new();
    world.server.fail(|call| call.path.contains("/vouchissuers/").then_some(503));
    assert_eq!(world.pass().await.unwrap_err().category(), Category::Transient);
    assert_eq!(world.server.writes(), Vec::<String>::new());
}
