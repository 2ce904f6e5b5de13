//! An API server in memory, as far as the operator needs one: it keeps objects, applies them with an owner for every
//! field, and remembers every request.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use kube::{Client, client::Body};
use serde_json::{Map, Value, json};
use tokio::sync::watch;
use vouch_crds::names;

use crate::{
    apply::OptionalApis,
    context::Context,
    events::Events,
    failure::Retries,
    lease::{LeaseHeld, held::read_only},
    metrics::Metrics,
};

/// What the server does to a request before it answers.
pub(crate) type Fault = Box<dyn Fn(&Call) -> Option<u16> + Send>;

/// A request that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    /// The body is to be applied, not merged.
    pub(crate) applies: bool,
    pub(crate) body: Value,
}

impl Call {
    pub(crate) fn writes(&self) -> bool {
        self.method != "GET"
    }
}

#[derive(Default)]
struct Server {
    objects: BTreeMap<String, Value>,
    groups: Vec<(String, Vec<String>)>,
    calls: Vec<Call>,
    version: u64,
    fault: Option<Fault>,
    lost: Option<Fault>,
}

/// The server; clones are the same one.
#[derive(Clone, Default)]
pub(crate) struct ApiServer(Arc<Mutex<Server>>);

impl ApiServer {
    pub(crate) fn client(&self) -> Client {
        let server = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let server = server.clone();
            async move {
                let (parts, body) = request.into_parts();
                let bytes = body.collect().await?.to_bytes();
                let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
                let kind = parts.headers.get(http::header::CONTENT_TYPE);
                let applies = kind.is_some_and(|kind| kind == "application/apply-patch+yaml");
                let (status, answer) = server.handle(&parts.method, &parts.uri, applies, body);
                let answer = Response::builder().status(status).body(Body::from(answer.to_string().into_bytes()));
                answer.map_err(kube::Error::HttpError)
            }
        });
        Client::new(service, "vouch")
    }

    /// What an operator that holds the lease works with, here: the optional APIs that `apis` says, and the clock `now`.
    pub(crate) fn context(&self, apis: &watch::Sender<OptionalApis>, now: fn() -> Timestamp) -> Arc<Context> {
        let held = LeaseHeld::for_tests(self.client());
        Arc::new(Context {
            reader: read_only(self.client()),
            events: Events::new(&held, "operator"),
            held,
            metrics: Arc::new(Metrics::new()),
            outage: Arc::default(),
            apis: apis.subscribe(),
            retries: Retries::default(),
            image: "vouch-issuer:1".to_owned(),
            now,
            jitter: || 0.0,
        })
    }

    pub(crate) fn put(&self, path: &str, object: Value) {
        let mut server = self.lock();
        let object = server.stamp(object);
        server.objects.insert(path.to_owned(), object);
    }

    pub(crate) fn get(&self, path: &str) -> Option<Value> {
        self.lock().objects.get(path).cloned()
    }

    /// Deletes an object as a person would.
    pub(crate) fn remove(&self, path: &str) {
        self.lock().objects.remove(path).unwrap();
    }

    pub(crate) fn paths(&self) -> Vec<String> {
        self.lock().objects.keys().cloned().collect()
    }

    /// Serves an optional API.
    pub(crate) fn serve(&self, group_version: &str, kinds: &[&str]) {
        let kinds = kinds.iter().map(|kind| (*kind).to_owned()).collect();
        self.lock().groups.push((group_version.to_owned(), kinds));
    }

    /// Changes an object as a person would: what they change is not the operator's any more.
    pub(crate) fn edit(&self, path: &str, pointer: &str, value: Option<Value>) {
        let mut server = self.lock();
        let mut object = server.objects.remove(path).unwrap();
        let (parent, member) = pointer.rsplit_once('/').unwrap();
        let members = object.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        match value {
            Some(value) => drop(members.insert(member.to_owned(), value)),
            None => drop(members.remove(member)),
        }
        let fields = object.pointer_mut("/metadata/managedFields/0/fieldsV1").unwrap();
        let parent = parent.split('/').skip(1).try_fold(fields, |node, name| node.get_mut(format!("f:{name}")));
        if let Some(node) = parent.and_then(Value::as_object_mut) {
            node.remove(&format!("f:{member}"));
        }
        let object = server.stamp(object);
        server.objects.insert(path.to_owned(), object);
    }

    pub(crate) fn fail(&self, fault: impl Fn(&Call) -> Option<u16> + Send + 'static) {
        self.lock().fault = Some(Box::new(fault));
    }

    /// Carries requests out, and answers as if it had not.
    pub(crate) fn lose(&self, fault: impl Fn(&Call) -> Option<u16> + Send + 'static) {
        self.lock().lost = Some(Box::new(fault));
    }

    pub(crate) fn recover(&self) {
        let mut server = self.lock();
        (server.fault, server.lost) = (None, None);
    }

    /// The requests since the last time.
    pub(crate) fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.lock().calls)
    }

    /// Those that write, as `METHOD path`.
    pub(crate) fn writes(&self) -> Vec<String> {
        let writes = self.calls().into_iter().filter(Call::writes);
        writes.map(|call| format!("{} {}", call.method, call.path)).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Server> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handle(&self, method: &Method, uri: &http::Uri, applies: bool, body: Value) -> (StatusCode, Value) {
        let mut server = self.lock();
        let call = Call {
            method: method.to_string(),
            path: uri.path().to_owned(),
            query: uri.query().unwrap_or_default().to_owned(),
            applies,
            body: body.clone(),
        };
        server.calls.push(call.clone());
        if let Some(code) = server.fault.as_ref().and_then(|fault| fault(&call)) {
            return failure(code, "the test says so");
        }
        let lost = server.lost.as_ref().and_then(|lost| lost(&call));
        let answer = server.answer(&call, body);
        lost.map_or(answer, |code| failure(code, "the test says so"))
    }
}

impl Server {
    fn answer(&mut self, call: &Call, body: Value) -> (StatusCode, Value) {
        let path = call.path.trim_end_matches("/status").to_owned();
        match call.method.as_str() {
            // Every watch has lost its place in history, and whoever watches lists again.
            "GET" if call.query.contains("watch=true") => {
                (StatusCode::OK, json!({"type": "ERROR", "object": failure(410, "too old").1}))
            }
            "GET" => self.read(&path),
            "POST" => {
                let name = body.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
                let path = format!("{path}/{name}");
                if self.objects.contains_key(&path) {
                    return failure(409, "it exists already");
                }
                let object = self.stamp(body);
                self.objects.insert(path, object.clone());
                (StatusCode::CREATED, object)
            }
            "PUT" => self.replace(&path, body),
            "PATCH" if call.applies => self.apply(&path, &call.query, body),
            "PATCH" => self.merge(call, &path, &body),
            "DELETE" => match self.objects.remove(&path) {
                Some(object) => (StatusCode::OK, object),
                None => failure(404, "not found"),
            },
            other => failure(405, other),
        }
    }

    fn read(&self, path: &str) -> (StatusCode, Value) {
        if let Some(object) = self.objects.get(path) {
            return (StatusCode::OK, object.clone());
        }
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        match segments.as_slice() {
            ["apis", group, version] => {
                let group_version = format!("{group}/{version}");
                let Some((_, kinds)) = self.groups.iter().find(|(known, _)| *known == group_version) else {
                    return failure(404, "not found");
                };
                let kind = |kind: &String| json!({"name": kind.to_lowercase(), "singularName": "", "namespaced": true, "kind": kind, "verbs": []});
                let resources: Vec<Value> = kinds.iter().map(kind).collect();
                let list = json!({"kind": "APIResourceList", "groupVersion": group_version, "resources": resources});
                (StatusCode::OK, list)
            }
            ["apis", .., "namespaces", _, _] | ["api", .., "namespaces", _, _] => {
                let below = format!("{path}/");
                self.list(|path| path.starts_with(&below))
            }
            ["apis", group, version, kind] => {
                let (above, between) = (format!("/apis/{group}/{version}/namespaces/"), format!("/{kind}/"));
                self.list(|path| path.starts_with(&above) && path.contains(&between))
            }
            _ => failure(404, "not found"),
        }
    }

    fn list(&self, is_wanted: impl Fn(&str) -> bool) -> (StatusCode, Value) {
        let items: Vec<&Value> =
            self.objects.iter().filter(|(path, _)| is_wanted(path)).map(|(_, object)| object).collect();
        let metadata = json!({"resourceVersion": self.version.to_string()});
        (StatusCode::OK, json!({"kind": "List", "apiVersion": "v1", "metadata": metadata, "items": items}))
    }

    /// Server-side apply, for one manager beside hands.
    fn apply(&mut self, path: &str, query: &str, mut body: Value) -> (StatusCode, Value) {
        let existing = self.objects.get(path).cloned();
        let claimed = body.pointer("/metadata/uid").cloned();
        let uid = existing.as_ref().and_then(|object| object.pointer("/metadata/uid").cloned());
        if claimed.is_some() && claimed != uid {
            return failure(409, "the UID in the precondition is not that of the object");
        }
        if existing.is_some() && !query.contains("force=true") {
            return failure(409, "Apply failed with 1 conflict: conflict with \"somebody\"");
        }
        let manager = manager(query);
        let fields = fields(&body);
        let mut object = existing.unwrap_or_else(|| json!({}));
        merge(&mut object, std::mem::take(&mut body));
        if manager == names::FIELD_MANAGER {
            let ours = json!({
                "manager": manager, "operation": "Apply", "apiVersion": object["apiVersion"],
                "fieldsType": "FieldsV1", "fieldsV1": fields,
            });
            let before = object["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
            let others = before.into_iter().filter(|entry| entry["manager"] != names::FIELD_MANAGER);
            object["metadata"]["managedFields"] = [ours].into_iter().chain(others).collect();
        }
        let object = self.stamp(object);
        self.objects.insert(path.to_owned(), object.clone());
        (StatusCode::OK, object)
    }

    fn replace(&mut self, path: &str, body: Value) -> (StatusCode, Value) {
        let Some(existing) = self.objects.get(path) else {
            // An API server makes a Lease that is replaced and not there, unless it is named by its UID.
            return match body.pointer("/metadata/uid") {
                None if path.contains("/leases/") => {
                    let object = self.stamp(body);
                    self.objects.insert(path.to_owned(), object.clone());
                    (StatusCode::CREATED, object)
                }
                None => failure(404, "not found"),
                Some(_) => failure(409, "the UID in the precondition is not that of the object"),
            };
        };
        if existing.pointer("/metadata/resourceVersion") != body.pointer("/metadata/resourceVersion") {
            return failure(409, "the object has been modified");
        }
        let object = self.stamp(body);
        self.objects.insert(path.to_owned(), object.clone());
        (StatusCode::OK, object)
    }

    fn merge(&mut self, call: &Call, path: &str, body: &Value) -> (StatusCode, Value) {
        let Some(mut object) = self.objects.get(path).cloned() else { return failure(404, "not found") };
        for precondition in ["/metadata/resourceVersion", "/metadata/uid"] {
            let named = body.pointer(precondition);
            if named.is_some_and(|named| Some(named) != object.pointer(precondition)) {
                return failure(409, "the object has been modified");
            }
        }
        let before = object.clone();
        merge(&mut object, body.clone());
        // What changes nothing is not stored, and no watch tells of it.
        if object == before {
            return (StatusCode::OK, object);
        }
        // Whoever changes a field is its manager.
        if let (Some(managers), None) =
            (object.pointer_mut("/metadata/managedFields"), body.pointer("/metadata/managedFields"))
            && let (Some(managers), manager) = (managers.as_array_mut(), manager(&call.query))
            && manager != names::FIELD_MANAGER
        {
            managers.push(json!({"manager": manager, "operation": "Update", "fieldsType": "FieldsV1", "fieldsV1": {}}));
        }
        let object = self.stamp(object);
        self.objects.insert(path.to_owned(), object.clone());
        (StatusCode::OK, object)
    }

    fn stamp(&mut self, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        if object["metadata"]["uid"].is_null() {
            object["metadata"]["uid"] = json!(format!("uid-{}", self.version));
        }
        object
    }
}

fn manager(query: &str) -> String {
    query.split('&').find_map(|pair| pair.strip_prefix("fieldManager=")).unwrap_or_default().to_owned()
}

fn failure(code: u16, message: &str) -> (StatusCode, Value) {
    let reason = StatusCode::from_u16(code).unwrap().canonical_reason().unwrap().replace(' ', "");
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message, "reason": reason,
    });
    (StatusCode::from_u16(code).unwrap(), status)
}

/// The fields of an applied object, as `FieldsV1`; every list counts as one whole.
fn fields(object: &Value) -> Value {
    let mut object = object.clone();
    let metadata = object.get_mut("metadata").and_then(Value::as_object_mut).unwrap();
    metadata.retain(|name, _| !matches!(name.as_str(), "name" | "namespace" | "uid"));
    object.as_object_mut().unwrap().retain(|name, _| !matches!(name.as_str(), "apiVersion" | "kind"));
    members(&object)
}

fn members(value: &Value) -> Value {
    let Value::Object(named) = value else { return json!({}) };
    Value::Object(named.iter().map(|(name, value)| (format!("f:{name}"), members(value))).collect())
}

/// RFC 7396.
fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Some(members) = target.as_object_mut() else { return };
    for (name, value) in patch {
        if value.is_null() {
            members.remove(&name);
        } else {
            merge(members.entry(name).or_insert(Value::Null), value);
        }
    }
}
