//! Whoever stands between people and their issuer, with a certificate that people's machines trust: a middlebox with a
//! leaked key, or a phishing site under a name of its own.
//!
//! It reads every request and every answer, and does with them what a test wants. It has nothing else: no key of a
//! person, of an agent or of the issuer.

use std::{
    fs,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http_body_util::{BodyExt as _, Full};
use hyper::{
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use reqwest::{
    Method, StatusCode,
    blocking::Client,
    header::{self, HeaderMap, HeaderName},
};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use serde_json::Value;
use tokio::{net::TcpListener, runtime::Runtime};
use tokio_rustls::TlsAcceptor;

use crate::{manifest::ISSUER_HOST, pki::KeyPairFiles, world::Prepared};

/// Paths of the contract that are worth meddling with.
pub const CHALLENGE: &str = "/oauth/fido2/challenge";
/// Where an assertion becomes a session.
pub const TOKEN: &str = "/oauth/token";
/// Where an invite becomes creation options.
pub const ENROLL_CHALLENGE: &str = "/v1/enroll/challenge";
/// Where a new credential is registered.
pub const ENROLL: &str = "/v1/enroll";

/// Longer than the issuer holds any request open.
const TIMEOUT: Duration = Duration::from_secs(120);

/// A request on its way.
#[derive(Debug, Clone)]
pub struct Request {
    /// `GET` and the like.
    pub method: Method,
    /// Path and query.
    pub path: String,
    /// Those that concern the message, not the connection.
    pub headers: HeaderMap,
    /// What is sent.
    pub body: Vec<u8>,
}

/// An answer on its way back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Status code.
    pub status: StatusCode,
    /// Those that concern the message, not the connection.
    pub headers: HeaderMap,
    /// What came.
    pub body: Vec<u8>,
}

/// What is done with a request; the issuer is asked, or not, or twice.
pub type Meddling = Box<dyn Fn(Request, &Upstream) -> Answer + Send + Sync>;

/// The way to the real issuer.
#[derive(Debug, Clone)]
pub struct Upstream {
    http: Client,
    issuer: SocketAddr,
}

/// A proxy that speaks TLS with both sides. Dropping it ends it.
pub struct Meddler {
    shared: Arc<Shared>,
    runtime: Option<Runtime>,
}

struct Shared {
    upstream: Upstream,
    meddling: Mutex<Arc<Meddling>>,
    seen: Mutex<Vec<(Request, Answer)>>,
}

impl Meddler {
    /// Takes the issuer's place in everybody's eyes. It must be there before anybody's first connection.
    #[must_use]
    pub fn before_the_issuer_of(world: &Prepared) -> Self {
        Self::posing_as(ISSUER_HOST, world)
    }

    /// Answers under a host name and knows the issuer. So far it only passes things on.
    ///
    /// # Panics
    /// When there is no port to listen at.
    #[must_use]
    pub fn posing_as(host: &str, world: &Prepared) -> Self {
        let tls = tls(&world.certificate_for(host));
        let upstream = Upstream::new(world);
        let passing_on: Meddling = Box::new(|request, issuer| issuer.send(&request));
        let shared = Arc::new(Shared { upstream, meddling: Mutex::new(Arc::new(passing_on)), seen: Mutex::default() });
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        world.cloud.standin.route(host, listener.local_addr().unwrap());
        runtime.spawn(accept(listener, tls, Arc::clone(&shared)));
        Self { shared, runtime: Some(runtime) }
    }

    /// What it does from now on.
    pub fn will(&self, meddling: Meddling) {
        *lock(&self.shared.meddling) = Arc::new(meddling);
    }

    /// It passes things on again.
    pub fn will_behave(&self) {
        self.will(Box::new(|request, issuer| issuer.send(&request)));
    }

    /// Every request to a path so far, as it came, and the answer as it left.
    #[must_use]
    pub fn seen(&self, path: &str) -> Vec<(Request, Answer)> {
        lock(&self.shared.seen).iter().filter(|(request, _)| request.path == path).cloned().collect()
    }

    /// The last of them.
    ///
    /// # Panics
    /// When there was none.
    #[must_use]
    pub fn last(&self, path: &str) -> (Request, Answer) {
        self.seen(path).pop().unwrap_or_else(|| panic!("nobody asked for {path}"))
    }

    /// The way to the issuer, for requests of one's own.
    #[must_use]
    pub fn issuer(&self) -> Upstream {
        self.shared.upstream.clone()
    }
}

impl std::fmt::Debug for Meddler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Meddler").finish_non_exhaustive()
    }
}

impl Drop for Meddler {
    fn drop(&mut self) {
        // Requests that the issuer holds open would keep it waiting.
        self.runtime.take().into_iter().for_each(Runtime::shutdown_background);
    }
}

/// Changes the requests to one path.
pub fn change_request(path: &'static str, change: impl Fn(&mut Request) + Send + Sync + 'static) -> Meddling {
    Box::new(move |mut request, issuer| {
        if request.path == path {
            change(&mut request);
        }
        issuer.send(&request)
    })
}

/// Changes the JSON in the answers to one path.
pub fn change_answer(path: &'static str, change: impl Fn(&mut Value) + Send + Sync + 'static) -> Meddling {
    Box::new(move |request, issuer| {
        let mut answer = issuer.send(&request);
        if request.path == path {
            let mut body = answer.json();
            change(&mut body);
            answer.body = body.to_string().into_bytes();
        }
        answer
    })
}

/// Gives an answer of earlier to one path.
pub fn give_again(path: &'static str, earlier: Answer) -> Meddling {
    Box::new(move |request, issuer| if request.path == path { earlier.clone() } else { issuer.send(&request) })
}

impl Request {
    /// A request of one's own.
    #[must_use]
    pub fn new(method: Method, path: &str) -> Self {
        Self { method, path: path.to_owned(), headers: HeaderMap::new(), body: Vec::new() }
    }

    /// Sets a header.
    ///
    /// # Panics
    /// When it cannot be one.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.set(name, value);
        self
    }

    /// Sets a header.
    ///
    /// # Panics
    /// When it cannot be one.
    pub fn set(&mut self, name: &'static str, value: &str) {
        self.headers.insert(HeaderName::from_static(name), value.parse().unwrap());
    }

    /// Sets a JSON body.
    #[must_use]
    pub fn with_json(mut self, body: &Value) -> Self {
        self.body = body.to_string().into_bytes();
        self.with("content-type", "application/json")
    }

    /// Changes one JSON text in a form, such as an assertion.
    ///
    /// # Panics
    /// When there is none.
    pub fn change_field(&mut self, name: &str, change: impl Fn(&mut Value)) {
        let mut value = serde_json::from_str(&self.field(name)).unwrap();
        change(&mut value);
        self.set_field(name, &value.to_string());
    }

    /// A field of a form.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn field(&self, name: &str) -> String {
        let found = url::form_urlencoded::parse(&self.body).find(|(key, _)| key == name);
        found.unwrap_or_else(|| panic!("{} without {name}", self.path)).1.into_owned()
    }

    /// Replaces a field of a form.
    pub fn set_field(&mut self, name: &str, value: &str) {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        for (key, old) in url::form_urlencoded::parse(&self.body) {
            form.append_pair(&key, if key == name { value } else { &old });
        }
        self.body = form.finish().into_bytes();
    }

    /// Changes the JSON body.
    ///
    /// # Panics
    /// When it is none.
    pub fn change_json(&mut self, change: impl Fn(&mut Value)) {
        let mut body = serde_json::from_slice(&self.body).unwrap();
        change(&mut body);
        self.body = body.to_string().into_bytes();
    }
}

impl Answer {
    /// The body.
    ///
    /// # Panics
    /// When it is no JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// A header.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> String {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_else(|| panic!("{self:?}")).to_owned()
    }
}

impl Upstream {
    fn new(world: &Prepared) -> Self {
        let issuer = world.issuer.listeners().public;
        // A connection for each request: one that was kept may be closed just as the next request sets out.
        let client = Client::builder().no_proxy().http1_only().pool_max_idle_per_host(0).timeout(TIMEOUT);
        let builder = world.trusting(client);
        Self { http: builder.resolve(ISSUER_HOST, issuer).build().unwrap(), issuer }
    }

    /// Asks the issuer; as proxies do, answers 502 when it is not there.
    #[must_use]
    pub fn send(&self, request: &Request) -> Answer {
        let url = format!("https://{ISSUER_HOST}:{}{}", self.issuer.port(), request.path);
        let asked = self.http.request(request.method.clone(), url).headers(request.headers.clone());
        let asked = asked.header(header::HOST, ISSUER_HOST).body(request.body.clone());
        let answered = asked.send().and_then(|answer| {
            let (status, headers) = (answer.status(), about_the_message(answer.headers()));
            Ok(Answer { status, headers, body: answer.bytes()?.to_vec() })
        });
        let nobody = Answer { status: StatusCode::BAD_GATEWAY, headers: HeaderMap::new(), body: Vec::new() };
        answered.unwrap_or(nobody)
    }
}

impl Shared {
    fn handle(&self, request: Request) -> Answer {
        let meddling = Arc::clone(&lock(&self.meddling));
        let answer = meddling(request.clone(), &self.upstream);
        lock(&self.seen).push((request, answer.clone()));
        answer
    }
}

async fn accept(listener: TcpListener, tls: TlsAcceptor, shared: Arc<Shared>) {
    while let Ok((socket, _)) = listener.accept().await {
        let (tls, shared) = (tls.clone(), Arc::clone(&shared));
        tokio::spawn(async move {
            let Ok(stream) = tls.accept(socket).await else { return };
            let service = service_fn(move |request| answer(Arc::clone(&shared), request));
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(
    shared: Arc<Shared>,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Full<Bytes>>, hyper::Error> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes().to_vec();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let request = Request { method: parts.method, path, headers: about_the_message(&parts.headers), body };
    let answer = tokio::task::spawn_blocking(move || shared.handle(request)).await.unwrap();
    let mut response = hyper::Response::new(Full::from(answer.body));
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    Ok(response)
}

fn about_the_message(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    for hop in [header::HOST, header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING] {
        headers.remove(hop);
    }
    headers
}

fn tls(files: &KeyPairFiles) -> TlsAcceptor {
    let certificate = CertificateDer::from_pem_slice(&fs::read(&files.certificate).unwrap()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(&fs::read(&files.key).unwrap()).unwrap();
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    TlsAcceptor::from(Arc::new(config))
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
