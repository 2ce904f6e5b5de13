//! What the operator may do: all that it does, all that it grants, and no more.

use serde_json::{Value, json};
use vouch_crds::issuer::VouchIssuer;
use vouch_operator::{
    apply::{Kind, OptionalApis},
    issuer::{build, validate},
};

use crate::support::{of_kind, render, texts, the, title};

/// A declaration: of all that an issuer can have, or of nothing that it can do without.
pub(crate) fn issuer(uid: &str, with_everything: bool) -> Value {
    let mut issuer = json!({
        "apiVersion": "vouch.sh/v1alpha1",
        "kind": "VouchIssuer",
        "metadata": {"name": "vouch", "namespace": "vouch"},
        "spec": {
            "url": "https://vouch.example.com",
            "organization": {"name": "Example Inc", "emailDomains": ["example.com"]},
            "exposure": {"networkPolicy": {"enabled": false}},
        },
    });
    if !uid.is_empty() {
        issuer["metadata"]["uid"] = Value::from(uid);
    }
    if with_everything {
        issuer["spec"]["authenticators"] =
            json!({"attestationRoots": {"configMapRef": {"name": "roots", "key": "roots.pem"}}});
        issuer["spec"]["deployment"] = json!({"autoscaling": {"minReplicas": 2, "maxReplicas": 4}});
        issuer["spec"]["exposure"] = json!({
            "tls": {"secretName": "vouch-tls", "certManager": {"issuerRef": {"name": "ca"}}},
            "ingress": {},
            "gateway": {"name": "gateway"},
        });
    }
    issuer
}

fn objects_of(issuer: Value) -> Vec<Value> {
    let issuer: VouchIssuer = serde_json::from_value(issuer).unwrap();
    let valid = validate::validate(&issuer, &[], "vouch-issuer:1").unwrap();
    let built = build::build(&valid, &OptionalApis::of(Kind::OPTIONAL)).unwrap();
    built.iter().map(|desired| desired.body().clone()).collect()
}

/// The objects that the operator makes for an issuer that declares all it can.
pub(crate) fn objects_of_an_issuer(uid: &str) -> Vec<Value> {
    objects_of(issuer(uid, true))
}

/// The rules of the operator where it acts.
fn rules() -> Vec<Value> {
    let objects = render(&[]);
    let roles = of_kind(&objects, "Role");
    let role = roles.iter().find(|role| role["metadata"]["name"] == "vouch-operator").unwrap();
    role["rules"].as_array().unwrap().clone()
}

fn may(rules: &[Value], verb: &str, group: &str, resource: &str) -> bool {
    rules.iter().any(|rule| {
        rule["resourceNames"].is_null()
            && texts(&rule["apiGroups"]).contains(&group)
            && texts(&rule["resources"]).contains(&resource)
            && texts(&rule["verbs"]).contains(&verb)
    })
}

#[test]
fn the_operator_may_do_all_it_does_with_every_kind() {
    let rules = rules();
    let bare = objects_of(issuer("1", false));
    for kind in Kind::ALL {
        let resource = kind.resource();
        for verb in ["get", "list", "watch", "create", "patch"] {
            assert!(may(&rules, verb, &resource.group, &resource.plural), "{verb} {}", resource.plural);
        }
        // What every issuer has is never taken away from one.
        let deletes = of_kind(&bare, kind.as_str()).is_empty();
        assert_eq!(may(&rules, "delete", &resource.group, &resource.plural), deletes, "delete {}", resource.plural);
    }
}

#[test]
fn the_operator_holds_what_it_grants_to_pods() {
    let rules = rules();
    let objects = objects_of_an_issuer("0b0c6b0e-3b7c-4a53-9b0b-0d5f1a1f2b3c");
    let granted = the(&objects, "Role")["rules"].as_array().unwrap();
    assert!(granted.len() >= 5, "{granted:?}");
    for rule in granted {
        for group in texts(&rule["apiGroups"]) {
            for resource in texts(&rule["resources"]) {
                for verb in texts(&rule["verbs"]) {
                    assert!(may(&rules, verb, group, resource), "pods get {verb} {resource}, the operator has it not");
                }
            }
        }
    }
}

#[test]
fn nobody_is_given_more_than_is_named() {
    for set in [&["scope=Cluster"][..], &["scope=Namespaces"]] {
        let objects = render(set);
        for role in of_kind(&objects, "Role").into_iter().chain(of_kind(&objects, "ClusterRole")) {
            for rule in role["rules"].as_array().unwrap() {
                let words = [&rule["apiGroups"], &rule["resources"], &rule["verbs"]].map(texts).concat();
                for word in ["*", "escalate", "bind", "impersonate", "deletecollection"] {
                    assert!(!words.contains(&word), "{} says {word}", title(role));
                }
                let secrets = words.contains(&"secrets");
                assert!(!secrets || !words.contains(&"delete"), "{} may delete Secrets", title(role));
            }
        }
    }
}

#[test]
fn an_operator_of_some_namespaces_has_no_rights_in_the_cluster() {
    let objects = render(&["namespaces={team-a,team-b}", "rbac.userRoles.create=false"]);
    assert!(of_kind(&objects, "ClusterRole").is_empty() && of_kind(&objects, "ClusterRoleBinding").is_empty());
    let places: Vec<(&str, &str)> = of_kind(&objects, "Role")
        .iter()
        .map(|role| {
            let metadata = &role["metadata"];
            (metadata["namespace"].as_str().unwrap(), metadata["name"].as_str().unwrap())
        })
        .collect();
    assert_eq!(places, [("team-a", "vouch-operator"), ("team-b", "vouch-operator"), ("vouch", "vouch-operator-lease")]);
}

#[test]
fn an_operator_of_the_cluster_is_elected_in_its_own_namespace() {
    let objects = render(&["scope=Cluster", "rbac.userRoles.create=false"]);
    let everywhere = the(&objects, "ClusterRole");
    assert_eq!(everywhere["metadata"]["name"], "vouch:vouch-operator", "two releases must not share it");
    assert_eq!(everywhere["rules"].as_array().unwrap(), &rules());
    let lease = the(&objects, "Role");
    assert_eq!(lease["metadata"]["namespace"], "vouch");
    assert!(!may(everywhere["rules"].as_array().unwrap(), "get", "coordination.k8s.io", "leases"));
}

#[test]
fn every_binding_leads_from_the_operators_account_to_a_role_that_is_there() {
    for set in [&["scope=Cluster"][..], &["namespaces={a,b}"]] {
        let objects = render(set);
        let account = &the(&objects, "ServiceAccount")["metadata"];
        let bindings = of_kind(&objects, "RoleBinding").into_iter().chain(of_kind(&objects, "ClusterRoleBinding"));
        for binding in bindings {
            let subject = &binding["subjects"][0];
            assert_eq!((&subject["name"], &subject["namespace"]), (&account["name"], &account["namespace"]));
            let (kind, name) = (&binding["roleRef"]["kind"], &binding["roleRef"]["name"]);
            let namespace = &binding["metadata"]["namespace"];
            let found = objects.iter().any(|role| {
                role["kind"] == *kind
                    && role["metadata"]["name"] == *name
                    && role["metadata"]["namespace"] == *namespace
            });
            assert!(found, "{} binds what is not there", title(binding));
        }
    }
}
