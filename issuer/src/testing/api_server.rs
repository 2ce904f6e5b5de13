//! An API server in memory: objects with versions, patches that compare and swap, a status of its own, lists in pages,
//! watches that can be too late, and everything that goes wrong on the way.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    future::pending,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::body::Bytes;
use futures::{StreamExt as _, stream};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Frame;
use kube::{Client, Config, client::Body};
use serde_json::{Value, json};
use tokio::sync::watch;
use uuid::Uuid;

use crate::cluster::Cluster;

const NAMESPACE: &str = "vouch";

/// What comes in place of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// A failure of this status.
    Status(u16),
    /// 503, and to try again after so many seconds.
    RetryAfter(u64),
    /// Half of the answer, and silence.
    Half,
    /// Silence. Watches that go on fall silent as well, for ever.
    Silence,
}

type Fault = Box<dyn Fn(&str, &str) -> Option<Trouble> + Send>;
/// A request as `METHOD path`, and what somebody else does just before it is carried out.
type Meanwhile = (String, Box<dyn FnOnce(&ApiServer) + Send>);
type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

#[derive(Default)]
struct Server {
    /// By path.
    objects: BTreeMap<String, Value>,
    /// Revision, path, kind of event, object.
    history: Vec<(u64, String, &'static str, Value)>,
    revision: u64,
    /// Watches from before this revision are told that they come too late.
    compacted: u64,
    fault: Option<Fault>,
    meanwhile: Option<Meanwhile>,
    calls: Vec<String>,
}

/// The server; clones are the same one.
#[derive(Clone, Default)]
pub(crate) struct ApiServer {
    server: Arc<Mutex<Server>>,
    told: watch::Sender<u64>,
    /// Every watch ends when it rises.
    cut: watch::Sender<u64>,
}

impl ApiServer {
    pub(crate) fn cluster(&self) -> Cluster {
        Cluster { client: self.client(), namespace: NAMESPACE.to_owned() }
    }

    fn client(&self) -> Client {
        let server = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let server = server.clone();
            async move {
                let (parts, body) = request.into_parts();
                let bytes = body.collect().await?.to_bytes();
                Ok::<_, kube::Error>(server.handle(parts.method.as_str(), &parts.uri, &bytes).await)
            }
        });
        Client::new(service, NAMESPACE)
    }

    /// Listens on the network, for a client that is put together as in the program.
    pub(crate) fn listen(&self) -> Config {
        let server = self.clone();
        let router = axum::Router::new().fallback(async move |request: axum::extract::Request| {
            let (parts, body) = request.into_parts();
            let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
            server.handle(parts.method.as_str(), &parts.uri, &bytes).await.map(axum::body::Body::new)
        });
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut config = Config::new(format!("http://{}", listener.local_addr().unwrap()).parse().unwrap());
        NAMESPACE.clone_into(&mut config.default_namespace);
        listener.set_nonblocking(true).unwrap();
        tokio::spawn(axum_server::from_tcp(listener).unwrap().serve(router.into_make_service()));
        config
    }

    /// Puts an object in its place, as somebody else would.
    pub(crate) fn put(&self, path: &str, object: Value) {
        let mut server = self.lock();
        server.store(path, object);
        self.tell(&server);
    }

    pub(crate) fn get(&self, path: &str) -> Option<Value> {
        self.lock().objects.get(path).cloned()
    }

    pub(crate) fn delete(&self, path: &str) {
        let mut server = self.lock();
        server.remove(path);
        self.tell(&server);
    }

    /// Answers with a status where the function says so; it gets method and path. Every watch ends.
    pub(crate) fn fail(&self, fault: impl Fn(&str, &str) -> Option<u16> + Send + 'static) {
        self.trouble(move |method, path| fault(method, path).map(Trouble::Status));
        self.cut.send_modify(|count| *count += 1);
    }

    /// Does something else than answering where the function says so; it gets method and path.
    pub(crate) fn trouble(&self, fault: impl Fn(&str, &str) -> Option<Trouble> + Send + 'static) {
        self.lock().fault = Some(Box::new(fault));
    }

    /// Lets somebody else write just before the next request of this kind, given as `METHOD path`, is carried out.
    pub(crate) fn before(&self, request: &str, write: impl FnOnce(&Self) + Send + 'static) {
        self.lock().meanwhile = Some((request.to_owned(), Box::new(write)));
    }

    pub(crate) fn heal(&self) {
        self.lock().fault = None;
    }

    /// Ends every watch, and forgets what has happened until now.
    pub(crate) fn compact(&self) {
        let mut server = self.lock();
        server.compacted = server.revision;
        server.history.clear();
        drop(server);
        self.cut.send_modify(|count| *count += 1);
    }

    /// `METHOD path` of every request since the last time.
    pub(crate) fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().calls)
    }

    fn lock(&self) -> MutexGuard<'_, Server> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, server: &Server) {
        self.told.send_replace(server.revision);
    }

    async fn handle(&self, method: &str, uri: &http::Uri, body: &[u8]) -> Answer {
        let body = serde_json::from_slice(body).unwrap_or(Value::Null);
        let query: BTreeMap<String, String> =
            url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
        let request = format!("{method} {}", uri.path());
        let meanwhile = self.lock().meanwhile.take_if(|(awaited, _)| *awaited == request);
        if let Some((_, write)) = meanwhile {
            write(self);
        }
        let trouble = self.take_call(request, method, uri.path());
        match trouble {
            Some(Trouble::Silence) => pending().await,
            Some(Trouble::Status(code)) => answer(failure(code, "the test says so")),
            Some(Trouble::RetryAfter(seconds)) => {
                let mut answer = answer(failure(503, "the test says so"));
                answer.headers_mut().insert(http::header::RETRY_AFTER, seconds.into());
                answer
            }
            None if query.contains_key("watch") => self.watch(uri.path(), &query),
            None | Some(Trouble::Half) => {
                let mut server = self.lock();
                let (status, body) = server.answer(method, uri.path(), &query, &body);
                self.tell(&server);
                if trouble.is_some() { half(status, &body) } else { answer((status, body)) }
            }
        }
    }

    fn take_call(&self, request: String, method: &str, path: &str) -> Option<Trouble> {
        let mut server = self.lock();
        server.calls.push(request);
        server.trouble(method, path)
    }

    fn watch(&self, path: &str, query: &BTreeMap<String, String>) -> Answer {
        let from: u64 = query.get("resourceVersion").and_then(|version| version.parse().ok()).unwrap_or_default();
        let (path, selector) = (path.to_owned(), query.get("fieldSelector").cloned());
        let (told, mut cut) = (self.told.subscribe(), self.cut.subscribe());
        cut.mark_unchanged();
        let events =
            stream::unfold((self.clone(), from, told, cut, false), move |(server, seen, mut told, mut cut, over)| {
                let (path, selector) = (path.clone(), selector.clone());
                async move {
                    if over {
                        return None;
                    }
                    loop {
                        if server.lock().trouble("GET", &path) == Some(Trouble::Silence) {
                            pending::<()>().await;
                        }
                        let next = {
                            let inner = server.lock();
                            if seen < inner.compacted {
                                let gone =
                                    json!({"type": "ERROR", "object": failure(410, "too old resource version").1});
                                drop(inner);
                                return Some((line(&gone), (server, seen, told, cut, true)));
                            }
                            told.mark_unchanged();
                            let mut history = inner.history.iter();
                            history
                                .find(|event| {
                                    event.0 > seen && below(&path, &event.1) && selected(&event.3, selector.as_deref())
                                })
                                .cloned()
                        };
                        if let Some((revision, _, kind, object)) = next {
                            let event = json!({"type": kind, "object": object});
                            return Some((line(&event), (server, revision, told, cut, false)));
                        }
                        tokio::select! {
                            _ = told.changed() => {}
                            _ = cut.changed() => return None,
                        }
                    }
                }
            });
        Response::new(BodyExt::boxed_unsync(StreamBody::new(events)))
    }
}

fn line(event: &Value) -> Result<Frame<Bytes>, Infallible> {
    Ok(Frame::data(Bytes::from(format!("{event}\n"))))
}

fn below(collection: &str, path: &str) -> bool {
    path.strip_prefix(collection).and_then(|rest| rest.strip_prefix('/')).is_some_and(|name| !name.contains('/'))
}

fn selected(object: &Value, selector: Option<&str>) -> bool {
    let Some((field, wanted)) = selector.and_then(|selector| selector.split_once('=')) else { return true };
    object.pointer(&format!("/{}", field.replace('.', "/"))).and_then(Value::as_str) == Some(wanted)
}

impl Server {
    fn trouble(&self, method: &str, path: &str) -> Option<Trouble> {
        self.fault.as_ref().and_then(|fault| fault(method, path))
    }

    fn answer(
        &mut self,
        method: &str,
        path: &str,
        query: &BTreeMap<String, String>,
        body: &Value,
    ) -> (StatusCode, Value) {
        let (object_path, is_status) = match path.strip_suffix("/status") {
            Some(path) => (path, true),
            None => (path, false),
        };
        match method {
            "GET" => match self.objects.get(object_path) {
                Some(object) => (StatusCode::OK, object.clone()),
                None if path.rsplit('/').next().is_some_and(|last| last.ends_with('s')) => self.list(path, query),
                None => failure(404, "not found"),
            },
            "POST" => {
                let name = body.pointer("/metadata/name").and_then(Value::as_str).unwrap();
                let path = format!("{path}/{name}");
                if self.objects.contains_key(&path) {
                    return failure(409, "already exists");
                }
                let mut object = body.clone();
                object.as_object_mut().unwrap().remove("status");
                (StatusCode::CREATED, self.store(&path, object))
            }
            "PATCH" => self.patch(object_path, is_status, body),
            "DELETE" => {
                let Some(object) = self.objects.get(object_path).cloned() else { return failure(404, "not found") };
                let wanted = body.pointer("/preconditions/uid");
                if wanted.is_some_and(|uid| Some(uid) != object.pointer("/metadata/uid")) {
                    return failure(409, "the UID in the precondition is another");
                }
                self.remove(object_path);
                (StatusCode::OK, object)
            }
            other => failure(405, other),
        }
    }

    fn list(&self, path: &str, query: &BTreeMap<String, String>) -> (StatusCode, Value) {
        let after = query.get("continue").cloned().unwrap_or_default();
        let limit = query.get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(usize::MAX);
        let selector = query.get("fieldSelector").map(String::as_str);
        let found = self.objects.iter().filter(|(known, object)| below(path, known) && selected(object, selector));
        let mut rest = found.filter(|(known, _)| **known > after).peekable();
        let page: Vec<_> = rest.by_ref().take(limit).collect();
        let more = rest.peek().and_then(|_| page.last()).map(|(path, _)| (*path).clone());
        let items: Vec<&Value> = page.iter().map(|(_, object)| *object).collect();
        let metadata = json!({"resourceVersion": self.revision.to_string(), "continue": more.unwrap_or_default()});
        (StatusCode::OK, json!({"kind": "List", "apiVersion": "v1", "metadata": metadata, "items": items}))
    }

    fn patch(&mut self, path: &str, is_status: bool, body: &Value) -> (StatusCode, Value) {
        let Some(mut object) = self.objects.get(path).cloned() else { return failure(404, "not found") };
        let named = body.pointer("/metadata/resourceVersion");
        if named.is_some_and(|version| Some(version) != object.pointer("/metadata/resourceVersion")) {
            return failure(409, "the object has been modified; please apply your changes to the latest version");
        }
        let half = if is_status { "status" } else { "spec" };
        let before = object.clone();
        merge(&mut object[half], &body[half]);
        if object == before {
            return (StatusCode::OK, object);
        }
        (StatusCode::OK, self.store(path, object))
    }

    fn store(&mut self, path: &str, mut object: Value) -> Value {
        self.revision += 1;
        let earlier = self.objects.get(path).and_then(|earlier| earlier.get("metadata"));
        let kept = |name: &str| earlier.and_then(|earlier| earlier.get(name)).cloned();
        let (uid, created) = (kept("uid"), kept("creationTimestamp"));
        let kind = if earlier.is_some() { "MODIFIED" } else { "ADDED" };
        let metadata = &mut object["metadata"];
        metadata["resourceVersion"] = json!(self.revision.to_string());
        metadata["name"] = json!(path.rsplit('/').next());
        metadata["namespace"] = json!(NAMESPACE);
        if metadata["uid"].is_null() {
            metadata["uid"] = uid.unwrap_or_else(|| json!(Uuid::new_v4().to_string()));
        }
        if metadata["creationTimestamp"].is_null() {
            metadata["creationTimestamp"] = created.unwrap_or_else(|| json!("2026-11-21T09:00:00Z"));
        }
        self.objects.insert(path.to_owned(), object.clone());
        self.history.push((self.revision, path.to_owned(), kind, object.clone()));
        object
    }

    fn remove(&mut self, path: &str) {
        if let Some(mut object) = self.objects.remove(path) {
            self.revision += 1;
            object["metadata"]["resourceVersion"] = json!(self.revision.to_string());
            self.history.push((self.revision, path.to_owned(), "DELETED", object));
        }
    }
}

/// JSON Merge Patch (RFC 7396).
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(members) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let target = target.as_object_mut().unwrap();
    for (name, value) in members {
        if value.is_null() {
            target.remove(name);
        } else {
            merge(target.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}

fn failure(code: u16, message: &str) -> (StatusCode, Value) {
    let code = StatusCode::from_u16(code).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code.as_u16(),
        "message": message, "reason": code.canonical_reason()});
    (code, status)
}

fn half(status: StatusCode, body: &Value) -> Answer {
    let body = body.to_string();
    let begun = Frame::data(Bytes::copy_from_slice(&body.as_bytes()[..body.len() / 2]));
    let body = StreamBody::new(stream::iter([Ok(begun)]).chain(stream::pending()));
    Response::builder().status(status).body(BodyExt::boxed_unsync(body)).unwrap()
}

fn answer((status, body): (StatusCode, Value)) -> Answer {
    let body = http_body_util::Full::new(Bytes::from(body.to_string()));
    Response::builder().status(status).body(BodyExt::boxed_unsync(body)).unwrap()
}
