//! What `kubectl get` shows of an object, on a real API server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use serde_json::json;
use vouch_control_plane::ControlPlane;

#[test]
fn an_issuer_that_is_paused_is_shown_as_paused_although_it_is_ready() {
    let control_plane = ControlPlane::start();
    control_plane.install_definitions();
    let issuer = json!({
        "apiVersion": "vouch.sh/v1alpha1",
        "kind": "VouchIssuer",
        "metadata": {"name": "vouch", "namespace": "default"},
        "spec": {
            "url": "https://vouch.example.com",
            "organization": {"name": "Example", "emailDomains": ["example.com"]},
            "paused": true,
        },
    });
    control_plane.takes(&issuer, &[]);
    let condition = |kind: &str, status: &str, reason: &str| {
        json!({
            "type": kind, "status": status, "reason": reason, "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z",
        })
    };
    let conditions = [condition("Ready", "True", "AsDeclared"), condition("Paused", "True", "Paused")];
    let status = json!({"status": {"conditions": conditions}}).to_string();
    let patch = ["patch", "vouchissuer", "vouch", "--subresource=status", "--type=merge", "--patch", &status];
    control_plane.told(&patch);
    let shown = control_plane.told(&["get", "vouchissuer", "vouch"]);
    let (head, line) = shown.split_once('\n').unwrap();
    let column = |name: &str| line[head.find(name).unwrap()..].split_whitespace().next().unwrap();
    assert_eq!((column("READY"), column("PAUSED")), ("True", "True"), "{shown}");
}
