//! What cannot be right is refused at `kubectl apply`, with a sentence that says what to write instead. No webhook and no
//! operator is needed for that.

use serde_json::{Value, json};
use vouch_scenarios::kubernetes;

fn issuer(changes: &[(&str, Value)]) -> Value {
    let mut object = json!({
        "apiVersion": "vouch.sh/v1alpha1",
        "kind": "VouchIssuer",
        "metadata": {"name": "vouch", "namespace": "default"},
        "spec": {"url": "https://vouch.example.com", "organization": {"name": "Example", "emailDomains": ["example.com"]}},
    });
    for (pointer, value) in changes {
        set(&mut object, pointer, value);
    }
    object
}

/// Sets what a pointer names; objects on the way there are made.
fn set(object: &mut Value, pointer: &str, value: &Value) {
    let place = pointer.split('/').skip(1).fold(object, |place, name| &mut place[name]);
    *place = value.clone();
}

#[test]
fn invalid_objects_are_refused_with_a_sentence() {
    let (installation, _together) = kubernetes::together();
    let judge = |object: &Value| {
        let arguments = ["apply", "--dry-run=server", "--validate=strict"];
        installation.cluster.kubectl_with(&arguments, &object.to_string())
    };
    let _ = judge(&issuer(&[])).succeeded();
    let refused = [
        ("/spec/url", json!("http://vouch.example.com"), "https"),
        ("/spec/url", json!("https://vouch.example.com/"), "slash"),
        ("/spec/url", json!("https://Vouch.example.com"), "lower"),
        ("/spec/organization/emailDomains", json!([]), "must name at least one domain"),
        ("/spec/signingKeys/publishLead", json!("5m"), "15m"),
        ("/spec/signingKeys/algorithms", json!(["RS256"]), "must contain ES256"),
        ("/spec/signingKeys/jwksMaxAge", json!("2h"), "1h"),
        ("/spec/session/lifetime", json!("1m"), "5m"),
        ("/spec/authenticators", json!({"policy": "Attested"}), "policy Attested needs attestationRoots"),
        ("/spec/aws/tokenLifetime", json!("1h"), "5m"),
        ("/spec/deployment/autoscaling", json!({"minReplicas": 3, "maxReplicas": 2}), "must be at least minReplicas"),
        ("/spec/store", json!({"kind": "Postgres"}), "needs secretRef"),
        ("/spec/exposure/service/loadBalancerClass", json!("x"), "only a Service of type LoadBalancer has a class"),
        ("/spec/unheardOf", json!(1), "unknown field"),
    ];
    for (pointer, value, words) in refused {
        let ran = judge(&issuer(&[(pointer, value.clone())]));
        assert_ne!(ran.code, Some(0), "{pointer} = {value} is taken");
        assert!(ran.stderr.contains(words), "{pointer} = {value}: expected {words:?} in:\n{}", ran.stderr);
    }
}
