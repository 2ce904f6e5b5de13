//! What stands between the operator and the API server: it passes every request on, until the one at which the operator
//! is to die.
//!
//! From that moment on nothing passes in either direction, so that what the API server has is what a process leaves that
//! ended there.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use kube::Client;
use serde_json::json;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

use crate::call::{Call, Calls, Sort};

/// More than any request of the operator has.
const LARGEST_REQUEST: usize = 1 << 20;

/// Which side of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The API server never gets it.
    Before,
    /// The API server has done what it asks for, and the operator is never told.
    After,
}

/// Where the operator dies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) call: Call,
    pub(crate) moment: Moment,
}

/// The way of one process to the API server.
pub(crate) struct Proxy {
    way: Arc<Way>,
    address: std::net::SocketAddr,
    serving: JoinHandle<()>,
}

struct Way {
    client: Client,
    namespace: String,
    fault: Option<Fault>,
    struck: watch::Sender<bool>,
    traffic: Mutex<Traffic>,
}

struct Traffic {
    calls: Calls,
    /// Requests of its work that have no answer yet.
    open: usize,
    /// When there was one last.
    busy: Instant,
}

impl Proxy {
    /// For a process that works in a namespace.
    pub(crate) async fn start(client: Client, namespace: &str, fault: Option<Fault>) -> Self {
        let traffic = Traffic { calls: Calls::default(), open: 0, busy: Instant::now() };
        let way = Arc::new(Way {
            client,
            namespace: namespace.to_owned(),
            fault,
            struck: watch::Sender::new(false),
            traffic: Mutex::new(traffic),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = axum::Router::new().fallback(pass_on).with_state(Arc::clone(&way));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { way, address, serving }
    }

    /// Writes the kubeconfig that leads here.
    pub(crate) fn kubeconfig(&self, folder: &Path) -> PathBuf {
        let path = folder.join(format!("{}.{}", self.way.namespace, self.address.port()));
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "proxy", "cluster": {"server": format!("http://{}", self.address)}}],
            "users": [{"name": "operator", "user": {}}],
            "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "operator"}}],
            "current-context": "proxy",
        });
        fs::write(&path, config.to_string()).unwrap();
        path
    }

    /// Ends at the moment in which the operator is to die.
    pub(crate) async fn struck(&self) {
        self.way.struck.subscribe().wait_for(|struck| *struck).await.unwrap();
    }

    /// Ends when the operator has looked at its keys, and has then asked for nothing for some time but for its lease and
    /// for news.
    pub(crate) async fn at_rest(&self, quiet: Duration) {
        loop {
            let rests = {
                let traffic = self.way.traffic.lock().unwrap();
                let looked = traffic.calls.all().iter().any(|call| call.is_about("secrets/vouch-signing-keys"));
                looked && traffic.open == 0 && traffic.busy.elapsed() >= quiet
            };
            if rests {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.way.traffic.lock().unwrap().calls.all().to_vec()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Way {
    fn strikes(&self, call: &Call, moment: Moment) -> bool {
        self.fault.as_ref().is_some_and(|fault| fault.moment == moment && fault.call == *call)
    }

    async fn strike(&self) -> Response {
        self.struck.send_replace(true);
        std::future::pending().await
    }

    async fn unless_struck(&self) {
        if *self.struck.borrow() {
            std::future::pending::<()>().await;
        }
    }

    /// Asks the API server with the rights of the operator.
    async fn ask(&self, request: Request) -> Response {
        let (mut parts, body) = request.into_parts();
        parts.headers.remove(header::HOST);
        let body = to_bytes(body, LARGEST_REQUEST).await.unwrap();
        let request = axum::http::Request::from_parts(parts, kube::client::Body::from(body));
        match self.client.send(request).await {
            Ok(answer) => answer.map(Body::new),
            Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
        }
    }
}

async fn pass_on(State(way): State<Arc<Way>>, request: Request) -> Response {
    way.unless_struck().await;
    let call = way.traffic.lock().unwrap().calls.note(request.method(), request.uri(), &way.namespace);
    if way.strikes(&call, Moment::Before) {
        return way.strike().await;
    }
    let _work = matches!(call.sort, Sort::Read | Sort::Write).then(|| Work::begin(Arc::clone(&way)));
    let answer = way.ask(request).await;
    if way.strikes(&call, Moment::After) {
        return way.strike().await;
    }
    way.unless_struck().await;
    answer
}

/// A request that the operator waits for.
struct Work(Arc<Way>);

impl Work {
    fn begin(way: Arc<Way>) -> Self {
        way.traffic.lock().unwrap().open += 1;
        Self(way)
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let mut traffic = self.0.traffic.lock().unwrap();
        traffic.open -= 1;
        traffic.busy = Instant::now();
    }
}
