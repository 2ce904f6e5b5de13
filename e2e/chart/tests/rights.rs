//! The operator at work, on an API server that writes down what it is asked: it is refused nothing, and it uses, or grants,
//! everything that it may do.

use std::{
    collections::BTreeSet,
    fs,
    process::{Child, Stdio},
};

use serde_json::{Value, json};
use vouch_control_plane::{ControlPlane, tied, until};

use crate::{
    access::{issuer, objects_of_an_issuer},
    pods,
    right::{Right, rights_in},
    support::{ENFORCEMENT, helms, of_kind, render, the, tool},
    user_roles,
};

const ACCOUNT: &str = "system:serviceaccount:vouch:vouch-operator";

/// Needed by a plugin of admission, which asks about it without a request that could be written down: without it, the
/// plugin refuses every object that an issuer owns.
const ASKED_BY_ADMISSION: (&str, &str, &str) = ("vouch.sh", "vouchissuers/finalizers", "update");

/// The operator, with the rights of its account.
struct Operator(Child);

impl Operator {
    fn start(cluster: &ControlPlane, folder: &std::path::Path) -> Self {
        let log = fs::File::create(folder.join("log")).unwrap();
        let child = tied(tool("VOUCH_OPERATOR"))
            .args([
                "--namespaces=vouch",
                "--image=vouch-issuer:1",
                "--listen=127.0.0.1:0",
                "--admin-listen=127.0.0.1:0",
            ])
            .env("KUBECONFIG", cluster.kubeconfig_of_account("vouch", "vouch-operator"))
            .envs([("POD_NAME", "operator"), ("POD_UID", "1"), ("POD_NAMESPACE", "vouch")])
            .stdin(Stdio::null())
            .stderr(log)
            .spawn();
        Self(child.unwrap())
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// As much of an API as the operator needs to see that it is there.
fn definition(group: &str, kind: &str, plural: &str) -> Value {
    let schema = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": format!("{plural}.{group}"),
            "annotations": {"api-approved.kubernetes.io": "unapproved, a stand-in of a test"},
        },
        "spec": {
            "group": group,
            "names": {"kind": kind, "plural": plural, "singular": kind.to_lowercase(), "listKind": format!("{kind}List")},
            "scope": "Namespaced",
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": schema}],
        },
    })
}

/// Every right that the account has made use of. A patch that makes an object needs the right to create it, too.
fn used(events: &[Value]) -> BTreeSet<Right> {
    let of_account = events.iter().filter(|event| event["user"]["username"] == ACCOUNT);
    of_account
        .flat_map(|event| {
            let object = &event["objectRef"];
            let text = |value: &'_ Value| value.as_str().unwrap_or_default().to_owned();
            let subresource = object["subresource"].as_str().map(|name| format!("/{name}")).unwrap_or_default();
            let resource = text(&object["resource"]) + &subresource;
            let right = |verb: &str| Right::new(&text(&object["apiGroup"]), &resource, verb);
            let made = event["verb"] == "patch" && event["responseStatus"]["code"] == 201;
            [Some(right(&text(&event["verb"]))), made.then(|| right("create"))].into_iter().flatten()
        })
        .collect()
}

fn client() -> Value {
    let uris = ["https://app.example.com/callback"];
    json!({"issuerRef": {"name": "vouch"}, "displayName": "App", "redirectUris": uris, "public": true})
}

/// Has an issuer made with all it can have, its keys rotated by order, and all taken away again that can be.
fn have_everything_done(cluster: &ControlPlane) {
    let exists = |what: &str| cluster.kubectl(&["get", "--namespace=vouch", what]).is_success();
    cluster.takes(&issuer("", true), &[]);
    let people = [("VouchUser", json!({"email": "alice@example.com"})), ("OidcClient", client())];
    for (kind, spec) in people {
        let metadata = json!({"name": "vouch", "namespace": "vouch"});
        let object = json!({"apiVersion": "vouch.sh/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec});
        cluster.takes(&object, &[]);
    }
    let optional = ["networkpolicy/vouch", "certificate/vouch", "hpa/vouch", "ingress/vouch", "httproute/vouch"];
    for object in optional.iter().chain(&["servicemonitor/vouch", "secret/vouch-signing-keys"]) {
        until(object, || exists(object));
    }
    for kind in ["vouchuser", "oidcclient"] {
        let conditions = ["get", kind, "--namespace=vouch", "vouch", "--output=jsonpath={.status.conditions[*].type}"];
        until(&format!("{kind} is judged"), || cluster.told(&conditions).contains("Ready"));
    }
    cluster.told(&["annotate", "vouchissuer", "--namespace=vouch", "vouch", "vouch.sh/rotate-keys=1"]);
    let order =
        ["get", "secret", "--namespace=vouch", "vouch-signing-keys", "--output=jsonpath={.metadata.annotations}"];
    until("the order is carried out", || cluster.told(&order).contains("rotate-keys"));
    cluster.takes(&issuer("", false), &[]);
    for object in optional {
        until(&format!("no {object}"), || !exists(object));
    }
}

#[test]
fn the_operator_is_refused_nothing_and_uses_or_grants_every_right_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("policy.json");
    let rules = json!([{"level": "Metadata", "users": [ACCOUNT]}, {"level": "None"}]);
    fs::write(
        &policy,
        json!({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"], "rules": rules})
            .to_string(),
    )
    .unwrap();
    let cluster = ControlPlane::start_with(&[&ENFORCEMENT[..], &["-audit-policy", policy.to_str().unwrap()]].concat());
    for (group, kind, plural) in [
        ("cert-manager.io", "Certificate", "certificates"),
        ("gateway.networking.k8s.io", "HTTPRoute", "httproutes"),
        ("monitoring.coreos.com", "ServiceMonitor", "servicemonitors"),
    ] {
        cluster.takes(&definition(group, kind, plural), &[]);
    }
    let chart = vouch_chart::chart();
    let install = ["install", "vouch", chart.to_str().unwrap(), "--namespace=vouch", "--create-namespace"];
    let installed = helms()[0].run(&install, Some(cluster.kubeconfig()));
    assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
    cluster.told(&["wait", "--for=condition=Established", "--timeout=30s", "crd", "--all"]);
    let operator = Operator::start(&cluster, folder.path());
    have_everything_done(&cluster);
    user_roles::are_enough_for_every_command(&cluster);
    drop(operator);

    let log = fs::read_to_string(folder.path().join("log")).unwrap();
    // The plugin of admission learns of new kinds some seconds late, and refuses until then.
    let refusals: Vec<&str> =
        log.lines().filter(|line| line.contains("forbidden") && !line.contains("cannot find RESTMapping")).collect();
    assert!(refusals.is_empty(), "{refusals:#?}");

    let objects = render(&[]);
    let (group, resource, verb) = ASKED_BY_ADMISSION;
    let mut justified = used(&cluster.cluster().audit_events());
    justified.extend(rights_in(&[the(&objects_of_an_issuer("1"), "Role")]));
    justified.insert(Right::new(group, resource, verb));
    let unused: Vec<Right> = rights_in(&of_kind(&objects, "Role")).difference(&justified).cloned().collect();
    assert!(unused.is_empty(), "neither used nor granted: {unused:#?}");
    pods::need_every_right(&cluster);
}
