//! The one way to speak HTTP: rustls with aws-lc-rs, the system's certificate authorities and those the person added,
//! proxies from the environment. The issuer, STS and `vouch doctor` all go through it.

use std::{
    error::Error as StdError,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use hyper_util::client::proxy::matcher::Matcher;
use rustls::{CertificateError, ClientConfig, RootCertStore, crypto::aws_lc_rs};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};

use crate::{
    env,
    error::{Category, Failure},
    file_failure::words,
    overrides::{self, Reader},
    paths::Lookup,
};

/// How long a connection may take to stand, with TLS and a proxy in between.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a connection is tried when nobody says no. Of several servers behind one name one may have gone without anybody
/// having noticed; the next connection leads to another.
const CONNECTIONS: usize = 3;

/// Which certificate authorities are trusted beside the system's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trust {
    /// PEM files, each with the name of the variable that gave it.
    pub bundles: Vec<(&'static str, PathBuf)>,
}

impl Trust {
    /// What the environment says.
    #[must_use]
    pub fn of(lookup: Lookup<'_>) -> Self {
        let named = |variable: &env::Variable| lookup(variable).map(|path| (variable.name, PathBuf::from(path)));
        Self { bundles: [&env::VOUCH_CA_BUNDLE, &env::AWS_CA_BUNDLE].into_iter().filter_map(named).collect() }
    }

    fn roots(&self) -> Result<RootCertStore, Failure> {
        let mut roots = RootCertStore::empty();
        // Honours SSL_CERT_FILE and SSL_CERT_DIR. What it cannot read is another tool's to complain about.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        for (variable, path) in &self.bundles {
            for certificate in read_bundle(variable, path)? {
                roots.add(certificate).map_err(|error| bad_bundle(variable, path, &error))?;
            }
        }
        if roots.is_empty() {
            return Err(Failure::new(Category::Configuration, "this system has no trusted certificate authorities")
                .hint("Install the package ca-certificates, or set SSL_CERT_FILE"));
        }
        Ok(roots)
    }
}

fn read_bundle(variable: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let pem = fs::read(path).map_err(|error| bad_bundle(variable, path, &words(&error)))?;
    let certificates = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| bad_bundle(variable, path, &error))?;
    if certificates.is_empty() {
        return Err(bad_bundle(variable, path, &"it has no certificate in PEM form"));
    }
    Ok(certificates)
}

fn bad_bundle(variable: &str, path: &Path, why: &dyn std::fmt::Display) -> Failure {
    Failure::new(Category::Configuration, format!("{variable}: cannot use {}: {why}", path.display()))
        .hint(format!("Point {variable} at a PEM file of certificate authorities, then run: vouch agent stop"))
}

/// How soon a connection is noticed to be dead, by HTTP/2 pings while a request waits for its answer. One without requests
/// is left alone: an idle agent costs a server nothing but the connection.
#[derive(Debug, Clone, Copy)]
struct Heartbeat {
    /// Silence before a ping.
    interval: Duration,
    /// Silence after it.
    timeout: Duration,
}

/// Somebody waits for the answer. A server whose node has gone, and that never said goodbye, costs them these seconds.
const CALLS: Heartbeat = Heartbeat { interval: Duration::from_secs(3), timeout: Duration::from_secs(5) };
/// Nobody waits, and a request is in flight all day: often enough to keep what is between from forgetting the connection.
const WATCHES: Heartbeat = Heartbeat { interval: Duration::from_secs(20), timeout: Duration::from_secs(10) };

/// The HTTP clients, which differ in nothing but their connections: pings are for a whole connection, so what is held open
/// for a minute has one of its own.
#[derive(Debug, Clone)]
pub struct Clients {
    /// For what is answered at once.
    pub calls: reqwest::Client,
    /// For what the server holds open.
    pub watches: reqwest::Client,
}

/// Makes the clients. Redirects are not followed: a proof of possession is for one URL.
///
/// # Errors
/// [`Category::Configuration`] when a bundle or a proxy setting is wrong.
pub fn clients(trust: &Trust) -> Result<Clients, Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        Failure::new(Category::Configuration, format!("cannot set up HTTPS: {error}"))
            .hint("Check HTTPS_PROXY and NO_PROXY")
    };
    let mut tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(&error))?
        .with_root_certificates(trust.roots()?)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let client = |heartbeat: Heartbeat| {
        reqwest::Client::builder()
            .tls_backend_preconfigured(tls.clone())
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(heartbeat.interval)
            .http2_keep_alive_timeout(heartbeat.timeout)
            .tcp_keepalive(Duration::from_secs(30))
            .user_agent(concat!("vouch/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| failed(&error))
    };
    Ok(Clients { calls: client(CALLS)?, watches: client(WATCHES)? })
}

/// Sends a request. A connection that does not stand in time has delivered nothing of it, and is tried again.
///
/// # Errors
/// Why there is no answer.
pub async fn send(request: reqwest::RequestBuilder) -> Result<reqwest::Response, reqwest::Error> {
    for _ in 1..CONNECTIONS {
        let Some(copy) = request.try_clone() else { break };
        match copy.send().await {
            Err(error) if error.is_connect() && error.is_timeout() => {}
            outcome => return outcome,
        }
    }
    request.send().await
}

/// What helps when nobody knows which part of the way failed. A server that starts again is the usual one.
pub const UNREACHED: &str =
    "Try again; if it stays so, check the network, and behind a proxy set HTTPS_PROXY and run: vouch agent stop";

/// [`UNREACHED`], or the proxy by its name when there is one: then it may be the proxy that was not reached.
fn unreached() -> String {
    let set = overrides::in_effect(Reader::Agent, &|name| std::env::var_os(name));
    match set.iter().find(|given| overrides::is_proxy(&given.name)) {
        Some(proxy) => format!(
            "Try again; if it stays so, check the network and the proxy in between ({}={}); after a change run: vouch agent stop",
            proxy.name, proxy.value
        ),
        None => UNREACHED.to_owned(),
    }
}

/// The proxy between this process and `host`, without what is secret in its URL.
fn proxy_for(host: &str) -> Option<String> {
    let uri = http::Uri::builder().scheme("https").authority(host).path_and_query("/").build().ok()?;
    let proxy = Matcher::from_system().intercept(&uri)?;
    let authority = proxy.uri().authority()?.as_str();
    Some(authority.rsplit_once('@').map_or(authority, |(_, place)| place).to_owned())
}

/// What happened to a connection that `proxy` was to carry: until it stands, nothing but the proxy has been asked.
fn explain_proxy(host: &str, proxy: &str, why: &str) -> Failure {
    let set = overrides::in_effect(Reader::Agent, &|name| std::env::var_os(name));
    let given = set.iter().find(|given| overrides::is_proxy(&given.name));
    let variable = given.map_or(env::HTTPS_PROXY.name, |given| given.name.as_str());
    Failure::new(Category::Network, format!("cannot reach {host} through the proxy {proxy}: {why}"))
        .hint(format!("Correct {variable}, or name hosts that need no proxy in {}", env::NO_PROXY.name))
}

/// Says in a person's words why `host` could not be asked.
#[must_use]
pub fn explain(host: &str, error: reqwest::Error) -> Failure {
    let timeout = error.is_timeout();
    let dns = error.is_dns();
    let error = error.without_url();
    let refused = find::<io::Error>(&error).is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
    let proxy = if dns || refused { proxy_for(host) } else { None };
    let failure = match find::<rustls::Error>(&error) {
        Some(tls) => explain_tls(host, tls),
        None if let Some(proxy) = &proxy => {
            let why = if dns { "the name of the proxy is not known" } else { "the proxy refuses the connection" };
            explain_proxy(host, proxy, why)
        }
        None if dns => Failure::new(Category::Network, format!("cannot reach {host}: its name is not known"))
            .hint("Check the network connection and the name"),
        None if timeout => {
            Failure::new(Category::Network, format!("cannot reach {host}: no answer in time")).hint(unreached())
        }
        None => {
            let why = find::<io::Error>(&error).map_or_else(|| "the connection failed".to_owned(), describe_io);
            Failure::new(Category::Network, format!("cannot reach {host}: {why}")).hint(unreached())
        }
    };
    causes(&error).fold(failure, Failure::detail)
}

fn describe_io(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "the connection was refused".to_owned(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof => "the connection was cut".to_owned(),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => "there is no way to it".to_owned(),
        _ => words(error),
    }
}

fn explain_tls(host: &str, error: &rustls::Error) -> Failure {
    use CertificateError as C;
    const REASON: &str = "The reason is shown with -v";
    const CLOCK: &str = "Check this machine's date; if it is right, tell whoever runs the server";
    let network = |message: String| Failure::new(Category::Network, message);
    match error {
        rustls::Error::InvalidCertificate(C::Expired | C::ExpiredContext { .. }) => {
            network(format!("the certificate of {host} has expired, or this machine's clock is ahead")).hint(CLOCK)
        }
        rustls::Error::InvalidCertificate(C::NotValidYet | C::NotValidYetContext { .. }) => {
            network(format!("the certificate of {host} is not valid yet, or this machine's clock is behind"))
                .hint(CLOCK)
        }
        rustls::Error::InvalidCertificate(C::NotValidForName | C::NotValidForNameContext { .. }) => {
            network(format!("the certificate shown for {host} is for another name")).hint("Check the URL")
        }
        // A signature that does not fit comes from an authority with the name of a trusted one and another key.
        rustls::Error::InvalidCertificate(C::UnknownIssuer | C::BadSignature) => network(format!(
            "the certificate of {host} is not signed by an authority this machine trusts"
        ))
        .hint(format!(
            "If your organisation has its own, set {} to its PEM file and run: vouch agent stop",
            env::VOUCH_CA_BUNDLE.name
        )),
        rustls::Error::InvalidCertificate(_) => {
            network(format!("the certificate of {host} is none that a server may use")).hint(format!(
                "Tell whoever runs the server; a self-signed one of openssl needs basicConstraints CA:FALSE. {REASON}"
            ))
        }
        rustls::Error::InvalidMessage(_) => network(format!("{host} does not speak TLS there"))
            .hint("Check the URL and its port; a proxy in between may want you to sign in to it"),
        _ => network(format!("no secure connection to {host} could be agreed on"))
            .hint(format!("Tell whoever runs the server; it needs TLS 1.2 or 1.3. {REASON}")),
    }
}

/// The first error of type `T` among the causes, also inside an [`io::Error`], whose own `source` skips what it wraps.
fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

/// The error and everything that caused it, outermost first.
pub fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = String> + 'a {
    std::iter::successors(Some(error), |error| (*error).source()).map(ToString::to_string)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn tls(error: rustls::Error) -> Failure {
        let wrapped = io::Error::new(io::ErrorKind::InvalidData, error);
        explain_tls("vouch.example.com", find::<rustls::Error>(&wrapped).unwrap())
    }

    /// Time goes by at once when nothing else can happen, and stands still while a connection is on its way.
    #[tokio::test(start_paused = true)]
    async fn a_connection_that_does_not_stand_in_time_is_tried_again_and_not_for_ever() {
        let silent = Arc::new(std::net::TcpListener::bind("127.0.0.1:0").unwrap());
        silent.set_nonblocking(true).unwrap();
        let client = clients(&Trust::default()).unwrap().calls;
        let url = format!("https://{}/", silent.local_addr().unwrap());
        let taking = async {
            let mut taken = Vec::new();
            for _ in 0..CONNECTIONS {
                let silent = Arc::clone(&silent);
                taken.push(tokio::task::spawn_blocking(move || take(&silent)).await.unwrap());
                // The next one has begun by then.
                tokio::time::sleep(CONNECT_TIMEOUT + Duration::from_millis(10)).await;
            }
            taken
        };
        let (answer, _taken) = tokio::join!(send(client.post(url).body("x")), taking);
        let error = answer.unwrap_err();
        assert!(error.is_connect() && error.is_timeout(), "{error:?}");
        assert!(silent.accept().is_err(), "it is tried once more");
    }

    /// Waits for a connection, on a clock that is never paused.
    fn take(silent: &std::net::TcpListener) -> std::net::TcpStream {
        let begun = std::time::Instant::now();
        loop {
            match silent.accept() {
                Ok((connection, _)) => return connection,
                Err(error) => assert!(begun.elapsed() < Duration::from_secs(20), "it is not tried again: {error}"),
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn an_untrusted_certificate_names_the_variable_that_helps() {
        let failure = tls(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer));
        assert_eq!(failure.category, Category::Network);
        assert!(failure.hint.unwrap().contains("VOUCH_CA_BUNDLE"));
    }

    #[test]
    fn a_port_without_tls_and_a_certificate_that_is_none_for_servers_are_told_in_words() {
        let failure = tls(rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType));
        assert!(failure.message.ends_with("does not speak TLS there"), "{failure}");
        for error in
            [rustls::Error::InvalidCertificate(CertificateError::BadEncoding), rustls::Error::HandshakeNotComplete]
        {
            let failure = tls(error.clone());
            let said = failure.render(false);
            assert!(!said.contains(&error.to_string()) && !said.contains("BadEncoding"), "{said}");
            assert!(failure.hint.is_some());
        }
    }

    #[test]
    fn an_expired_certificate_may_be_the_clocks_fault() {
        let failure = tls(rustls::Error::InvalidCertificate(CertificateError::Expired));
        assert!(failure.message.contains("clock"), "{failure}");
    }

    #[test]
    fn a_bundle_that_cannot_be_used_is_named_with_its_variable() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing.pem");
        let failure = read_bundle("VOUCH_CA_BUNDLE", &missing).unwrap_err();
        assert!(failure.message.starts_with("VOUCH_CA_BUNDLE: cannot use") && failure.message.contains("missing.pem"));
        let empty = folder.path().join("empty.pem");
        fs::write(&empty, "no certificate").unwrap();
        assert_eq!(read_bundle("AWS_CA_BUNDLE", &empty).unwrap_err().category, Category::Configuration);
    }

    /// A redirect would carry a proof or an assertion to an address that nobody has configured.
    #[tokio::test]
    async fn a_redirect_is_an_answer_and_nothing_is_sent_to_where_it_points() {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let elsewhere = format!("HTTP/1.1 307 Temporary Redirect\r\nlocation: {origin}/elsewhere\r\n");
        let server = tokio::spawn(async move {
            for head in [elsewhere.as_str(), "HTTP/1.1 200 OK\r\n"] {
                let (mut stream, _) = listener.accept().await.unwrap();
                let _ = stream.read(&mut [0; 4096]).await.unwrap();
                stream
                    .write_all(format!("{head}content-length: 0\r\nconnection: close\r\n\r\n").as_bytes())
                    .await
                    .unwrap();
            }
        });
        let client = clients(&Trust::default()).unwrap().calls;
        let answer = client.post(format!("{origin}/oauth/token")).body("assertion").send().await.unwrap();
        assert_eq!(answer.status(), 307);
        server.abort();
    }

    #[tokio::test]
    async fn a_closed_port_is_a_network_failure_in_words() {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(
                ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                    .with_safe_default_protocol_versions()
                    .unwrap()
                    .with_root_certificates(RootCertStore::empty())
                    .with_no_client_auth(),
            )
            .no_proxy()
            .build()
            .unwrap();
        let error = client.get(format!("http://127.0.0.1:{port}/")).send().await.unwrap_err();
        let failure = explain("vouch.example.com", error);
        assert_eq!(failure.message, "cannot reach vouch.example.com: the connection was refused");
        assert_eq!(failure.category, Category::Network);
        assert!(!failure.details.is_empty() && failure.details.iter().all(|line| !line.contains("http://")));
    }
}
