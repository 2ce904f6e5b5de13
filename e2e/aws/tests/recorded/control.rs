//! The control API, over real connections.

use std::sync::Arc;

use aws_standin::control;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{Aws, Keys};

/// A control API and its URL.
async fn start(aws: &Aws) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(control::serve(listener, Arc::clone(&aws.standin)));
    url
}

fn client() -> reqwest::Client {
    // Another test of this process may have installed it already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

#[tokio::test]
async fn creates_accounts_whose_keys_work() {
    let aws = Aws::new(&[]);
    let (url, client) = (start(&aws).await, client());
    let body = json!({"id": "999999999999", "alias": "hub", "organization": "o-example123"});
    let keys: Value = client.post(format!("{url}/accounts")).json(&body).send().await.unwrap().json().await.unwrap();
    let text = |name: &str| keys[name].as_str().unwrap().to_owned();
    let keys = Keys { id: text("access_key_id"), secret: text("secret_access_key"), token: None };
    let aliases = aws.iam(&keys, "ListAccountAliases", &[]).await.unwrap();
    assert!(aliases.contains("<member>hub</member>"), "{aliases}");
    for wrong in [body, json!({"id": "12"})] {
        let answer = client.post(format!("{url}/accounts")).json(&wrong).send().await.unwrap();
        assert_eq!(answer.status(), 400, "{wrong}");
    }
}

#[tokio::test]
async fn turns_knobs_and_puts_them_back() {
    let aws = Aws::new(&[]);
    let (url, client) = (format!("{}/knobs", start(&aws).await), client());
    let patch = json!({"role_propagation_seconds": 12, "jwks": {"ttl_override": 60}});
    let knobs: Value = client.put(&url).json(&patch).send().await.unwrap().json().await.unwrap();
    assert_eq!((&knobs["role_propagation_seconds"], &knobs["jwks"]["ttl_override"]), (&json!(12), &json!(60)));
    assert_eq!(client.put(&url).json(&json!({"unknown": 1})).send().await.unwrap().status(), 400);
    assert_eq!(client.delete(&url).send().await.unwrap().status(), 204);
    let knobs: Value = client.get(&url).send().await.unwrap().json().await.unwrap();
    assert_eq!(knobs["role_propagation_seconds"], 0);
}

#[tokio::test]
async fn shows_calls_as_json_lines_and_forgets_them() {
    let aws = Aws::new(&[]);
    let (url, client) = (format!("{}/calls", start(&aws).await), client());
    let keys = aws.account("999999999999");
    for _ in 0..2 {
        aws.sts(Some(&keys), "GetCallerIdentity", &[]).await.unwrap();
    }
    let lines = client.get(&url).send().await.unwrap().text().await.unwrap();
    let records: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(records.len(), 2);
    let record = &records[0];
    assert_eq!(
        (&record["eventName"], &record["readOnly"], &record["responseElements"]),
        (&json!("GetCallerIdentity"), &json!(true), &Value::Null)
    );
    assert_eq!(client.delete(&url).send().await.unwrap().status(), 204);
    assert_eq!(client.get(&url).send().await.unwrap().text().await.unwrap(), "");
}

#[tokio::test]
async fn adds_routes_and_policies_of_the_organisation() {
    let aws = Aws::new(&[]);
    let (url, client) = (start(&aws).await, client());
    let keys = aws.account("999999999999");
    let routes = json!({"Vouch.example.com": "127.0.0.1:8443"});
    assert_eq!(client.put(format!("{url}/routes")).json(&routes).send().await.unwrap().status(), 204);
    assert_eq!(aws.standin.route("vouch.example.com"), Some("127.0.0.1:8443".parse().unwrap()));
    let policies = json!({"service_control": [{"Statement": {"Effect": "Deny", "Action": "iam:*", "Resource": "*"}}]});
    let put = |id: &str| client.put(format!("{url}/accounts/{id}/policies")).json(&policies).send();
    assert_eq!(put("999999999999").await.unwrap().status(), 204);
    assert_eq!(aws.iam(&keys, "ListRoles", &[]).await.unwrap_err().code, "AccessDenied");
    assert_eq!(put("111111111111").await.unwrap().status(), 400);
}
