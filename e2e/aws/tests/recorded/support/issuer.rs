//! An issuer on loopback: two documents over TLS, which a test may change at any time.

use std::convert::Infallible;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What the issuer says now.
#[derive(Debug)]
pub(crate) struct Documents {
    pub(crate) discovery: Value,
    pub(crate) jwks: Value,
    pub(crate) cache_control: Option<&'static str>,
    pub(crate) status: u16,
    /// How often the key set was read.
    pub(crate) reads: usize,
}

/// A running issuer.
pub(crate) struct Issuer {
    pub(crate) host: String,
    pub(crate) url: String,
    pub(crate) address: SocketAddr,
    /// The certificate, for `--trust-ca`.
    pub(crate) root: tempfile::NamedTempFile,
    documents: Arc<Mutex<Documents>>,
}

impl Issuer {
    /// An issuer of a host, with discovery document and no keys.
    pub(crate) async fn start(host: &str) -> Self {
        let url = format!("https://{host}");
        let documents = Arc::new(Mutex::new(Documents {
            discovery: json!({
                "issuer": url,
                "jwks_uri": format!("{url}/jwks"),
                "id_token_signing_alg_values_supported": ["RS256"],
                "response_types_supported": ["id_token"],
                "subject_types_supported": ["public"],
                "claims_supported": ["sub"],
            }),
            jwks: json!({"keys": []}),
            cache_control: Some("no-cache"),
            status: 200,
            reads: 0,
        }));
        let (acceptor, root) = tls(host);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, acceptor, Arc::clone(&documents)));
        Self { host: host.to_owned(), url, address, root, documents }
    }

    /// Changes what the issuer says.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Documents)) {
        change(&mut self.documents.lock().unwrap());
    }

    /// Publishes keys.
    pub(crate) fn publish(&self, keys: impl IntoIterator<Item = Value>) {
        let keys: Vec<Value> = keys.into_iter().collect();
        self.change(|documents| documents.jwks = json!({"keys": keys}));
    }

    /// How often the key set was read so far.
    pub(crate) fn reads(&self) -> usize {
        self.documents.lock().unwrap().reads
    }
}

fn tls(host: &str) -> (TlsAcceptor, tempfile::NamedTempFile) {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec![host.to_owned()]).unwrap().self_signed(&key).unwrap();
    let mut root = tempfile::NamedTempFile::new().unwrap();
    root.write_all(certificate.pem().as_bytes()).unwrap();
    let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), root)
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, documents: Arc<Mutex<Documents>>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (acceptor, documents) = (acceptor.clone(), Arc::clone(&documents));
        tokio::spawn(async move {
            // A client that refuses the certificate ends here.
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let service = service_fn(move |request| {
                let response = answer(&request, &mut documents.lock().unwrap());
                async move { Ok::<_, Infallible>(response) }
            });
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

fn answer(request: &Request<Incoming>, documents: &mut Documents) -> Response<Full<Bytes>> {
    let body = match request.uri().path() {
        "/.well-known/openid-configuration" => documents.discovery.to_string(),
        "/jwks" => {
            documents.reads += 1;
            documents.jwks.to_string()
        }
        _ => return Response::builder().status(404).body(Full::default()).unwrap(),
    };
    let mut response = Response::builder().status(documents.status).header("content-type", "application/json");
    if let Some(value) = documents.cache_control {
        response = response.header("cache-control", value);
    }
    response.body(Full::from(body)).unwrap()
}
