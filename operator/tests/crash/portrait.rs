//! What the operator has made of a namespace, without what differs from run to run: two portraits of one state are equal.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client,
    api::{ApiResource, ListParams},
    core::DynamicObject,
    discovery::{Discovery, Scope, verbs},
};
use serde_json::{Map, Value, json};
use vouch_crds::{
    GROUP,
    issuer::VouchIssuer,
    names::{self, annotation, root_secret, signing_keys},
};
use vouch_keyring::{Algorithm, KeySet};

use crate::keys;

/// Every kind of object that a namespace can have, but those that tell of what has been done: events and leases.
pub(crate) async fn kinds(client: &Client) -> Vec<ApiResource> {
    let discovery = Discovery::new(client.clone()).run_aggregated().await.unwrap();
    let all = discovery.groups_alphabetical().into_iter().flat_map(|group| group.recommended_resources());
    let listed = all.filter(|(kind, can)| {
        can.scope == Scope::Namespaced
            && can.supports_operation(verbs::LIST)
            && !["Event", "Lease"].contains(&kind.kind.as_str())
    });
    listed.map(|(kind, _)| kind).collect()
}

/// A namespace with the issuer `vouch`.
#[derive(Debug, Clone)]
pub(crate) struct Portrait {
    pub(crate) objects: Value,
    /// The states of the keys, the oldest first.
    pub(crate) states: Vec<&'static str>,
}

impl Portrait {
    /// Takes one. Moments are told as hours since `born`.
    ///
    /// # Errors
    /// What is missing.
    pub(crate) async fn take(
        client: &Client,
        kinds: &[ApiResource],
        namespace: &str,
        born: Timestamp,
    ) -> Result<Self, String> {
        let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
        let stored = secrets.get_opt(&signing_keys::name("vouch")).await.unwrap().ok_or("there is no key Secret")?;
        let set = keys::set_of(&stored)?;
        let issuers: Api<VouchIssuer> = Api::namespaced(client.clone(), namespace);
        let issuer = issuers.get("vouch").await.unwrap();
        let mut objects = Map::new();
        for kind in kinds {
            let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, kind);
            for object in api.list(&ListParams::default()).await.unwrap() {
                let managers = managers(&object);
                if managers.is_empty() {
                    continue;
                }
                let title = format!("{} {}", kind.kind, object.metadata.name.as_deref().unwrap_or_default());
                objects.insert(title, cleaned(object, kind, &managers, &set));
            }
        }
        objects.insert("status".to_owned(), agreement(&issuer, &stored, &set));
        let uid = issuer.metadata.uid.unwrap_or_default();
        let mut text = Value::Object(objects).to_string().replace(namespace, "NAMESPACE").replace(&uid, "UID");
        for (number, key) in set.keys().iter().enumerate() {
            let kid = key.kid().as_str();
            text = text.replace(kid, &format!("KEY-{number}")).replace(&kid[..8], &format!("KEY-{number}"));
        }
        let mut objects: Value = serde_json::from_str(&text).unwrap();
        round_moments(&mut objects, born);
        let states = set.keys().iter().map(|key| key.state().name()).collect();
        Ok(Self { objects, states })
    }

    /// How this one differs from another, line by line.
    pub(crate) fn differences(&self, other: &Self) -> Vec<String> {
        let mut found = Vec::new();
        compare("", &self.objects, &other.objects, &mut found);
        found
    }
}

/// As whom the operator has written to an object, and how.
fn managers(object: &DynamicObject) -> Vec<String> {
    let entries = object.metadata.managed_fields.iter().flatten();
    let ours =
        entries.filter(|entry| entry.manager.as_ref().is_some_and(|name| name.starts_with(names::FIELD_MANAGER)));
    let text = |part: &Option<String>| part.clone().unwrap_or_default();
    let mut found: Vec<String> = ours
        .map(|entry| format!("{} {} {}", text(&entry.manager), text(&entry.operation), text(&entry.subresource)))
        .collect();
    found.sort();
    found
}

fn cleaned(object: DynamicObject, kind: &ApiResource, managers: &[String], set: &KeySet) -> Value {
    let mut object = serde_json::to_value(object).unwrap();
    let metadata = object["metadata"].as_object_mut().unwrap();
    for member in ["uid", "resourceVersion", "creationTimestamp"] {
        metadata.remove(member);
    }
    metadata.insert("managedFields".to_owned(), json!(managers));
    if let Some(annotations) = object.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
        annotations.retain(|name, _| !name.starts_with("deployment.kubernetes.io/"));
        // It is one of the owner's UID, too.
        if let Some(digest) = annotations.get_mut(annotation::APPLIED) {
            *digest = json!("a digest");
        }
    }
    if kind.group != GROUP {
        // It is written by the controllers of the cluster.
        object.as_object_mut().unwrap().remove("status");
    }
    if let Some(spec) = object["spec"].as_object_mut() {
        spec.retain(|member, _| member != "clusterIP" && member != "clusterIPs");
    }
    if let Some(data) = object["data"].as_object_mut() {
        for (member, value) in data {
            *value = match member.as_str() {
                signing_keys::DATA_KEY => keys_of(set),
                root_secret::DATA_KEY => json!(value.as_str().unwrap_or_default().len()),
                _ => continue,
            };
        }
    }
    object
}

fn keys_of(set: &KeySet) -> Value {
    let keys = set.keys().iter().map(|key| {
        json!({
            "kid": key.kid(), "algorithm": key.algorithm(), "published": key.published_at(), "state": key.state(),
        })
    });
    json!({"keys": keys.collect::<Vec<_>>(), "revoked": set.revoked().len()})
}

/// Whether the status says of the keys what the Secret has.
fn agreement(issuer: &VouchIssuer, stored: &Secret, set: &KeySet) -> Value {
    let Some(status) = &issuer.status else { return json!("none") };
    let mut reported: Vec<(String, String)> =
        status.keys.iter().map(|key| (key.kid.clone(), format!("{:?}", key.state).to_lowercase())).collect();
    let mut kept: Vec<(String, String)> =
        set.keys().iter().map(|key| (key.kid().to_string(), key.state().name().to_owned())).collect();
    reported.sort();
    kept.sort();
    let handled = stored.metadata.annotations.as_ref().and_then(|all| all.get(annotation::HANDLED_ORDER));
    let handled: Value = serde_json::from_str(handled.map_or("{}", String::as_str)).unwrap();
    json!({
        "tells of every key": reported == kept,
        "names the key that signs": status.active_key == set.active(Algorithm::Es256).map(|key| key.kid().to_string()),
        "tells of every order": json!(status.handled_orders) == handled,
    })
}

/// Moments as hours since another.
fn round_moments(value: &mut Value, born: Timestamp) {
    match value {
        Value::String(text) => {
            if let Ok(moment) = text.parse::<Timestamp>() {
                *text = format!("+{:.0}h", moment.duration_since(born).as_secs_f64() / 3600.0);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| round_moments(item, born)),
        Value::Object(members) => members.values_mut().for_each(|member| round_moments(member, born)),
        _ => {}
    }
}

fn compare(path: &str, found: &Value, wanted: &Value, differences: &mut Vec<String>) {
    match (found, wanted) {
        (Value::Object(found), Value::Object(wanted)) => {
            let names = found.keys().chain(wanted.keys().filter(|name| !found.contains_key(*name)));
            for name in names {
                let (found, wanted) = (found.get(name), wanted.get(name));
                let path = format!("{path}/{name}");
                compare(&path, found.unwrap_or(&Value::Null), wanted.unwrap_or(&Value::Null), differences);
            }
        }
        _ if found == wanted => {}
        _ => differences.push(format!("{path} is {found}, not {wanted}")),
    }
}
