//! `check-endpoint`: does an issuer answer as verifiers need it to?
//!
//! It asks what AWS asks, over the same TLS, and is as strict: a verifier compares the issuer byte for byte and takes no
//! key that it cannot read. It sends nothing secret and writes nothing.

use std::{fmt, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use clap::Args;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use reqwest::{Client, ClientBuilder, redirect};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use serde::{Deserialize, Serialize};
use vouch_issuer_api::{paths, shown::without_userinfo};

use super::{Failure, counted, endpoint_fault::Unanswered};
use crate::config::url::IssuerUrl;

/// For each of the two requests.
const TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
pub(super) struct CheckEndpointArgs {
    /// The issuer's URL, exactly as `spec.url` has it
    url: IssuerUrl,
    /// Connect to this HOST:PORT in place of the URL's, such as a Service in the cluster
    #[arg(long, value_name = "HOST:PORT")]
    connect_to: Option<String>,
    /// Certificate authorities in PEM, in place of the system's
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

/// What is wrong with an issuer, or with the way to it.
#[derive(Debug, thiserror::Error)]
enum EndpointError {
    #[error("the certificate authorities in {} cannot be used; name a file of certificates in PEM with --ca-file", path.display())]
    Authorities {
        path: PathBuf,
        #[source]
        source: Failure,
    },
    #[error("this system has no certificate authorities; name the issuer's with --ca-file")]
    NoAuthorities,
    #[error("{0} is not known; --connect-to needs a HOST:PORT that can be resolved")]
    Unresolved(String, #[source] std::io::Error),
    #[error("{url} does not answer: {why}")]
    Unanswered {
        url: String,
        why: Unanswered,
        #[source]
        source: Option<Words>,
    },
    #[error("{url} answers {status}. {}", advice(*status))]
    Status { url: String, status: reqwest::StatusCode },
    #[error("{url} is not what it should be: something else answers there. See what does: curl {url}")]
    Document {
        url: String,
        #[source]
        source: serde_json::Error,
    },
    #[error(
        "the discovery document says `issuer` {told:?}; verifiers compare it byte for byte with {url}. Name spec.url as it is; if that is wrong, put it right before anybody enrolls"
    )]
    OtherIssuer { url: IssuerUrl, told: String },
    #[error(
        "the discovery document leads to the keys of another issuer: {0}. Something in front of the issuer rewrites the document; let it pass as it is"
    )]
    OtherKeys(String),
    #[error(
        "the key set is empty: no verifier would take any token. See why: `vouch-issuer keys`, in a cluster `kubectl vouch keys`"
    )]
    NoKeys,
    #[error(
        "the key set has a key without `kid`, or with one that another key has: verifiers tell keys apart by it. No issuer of Vouch answers so; look at what is in front of it"
    )]
    KeyIds,
    #[error(
        "the key set shows the private half of a key: withdraw it at once with `vouch-issuer keys revoke`, in a cluster `kubectl vouch revoke-key`"
    )]
    PrivateKey,
}

/// What a library said, as a cause.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Words(String);

/// What to do about an answer that is none.
fn advice(status: reqwest::StatusCode) -> &'static str {
    match status.as_u16() {
        300..=399 => "Verifiers follow no redirect: name the URL that it leads to, or let this one answer by itself",
        401 | 403 => "Let everybody read it without signing in: verifiers have no password",
        404 => "Name the URL as in spec.url, with its path; a proxy must pass the path on as it is",
        500..=599 => "Look at the issuer's log, and at what is in front of it",
        _ => "See what answers there; verifiers take nothing but 200",
    }
}

/// What a right issuer has shown.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct CheckedEndpoint {
    issuer: String,
    keys: Vec<String>,
}

impl fmt::Display for CheckedEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} is right: verifiers find it, and {}: {}",
            self.issuer,
            counted(self.keys.len(), "key"),
            self.keys.join(", ")
        )
    }
}

/// The members of provider metadata that lead a verifier to the keys (OpenID Connect Discovery 1.0 §3).
#[derive(Debug, Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: String,
}

/// Asks the issuer for both documents and judges them.
pub(super) async fn check_endpoint(args: &CheckEndpointArgs) -> Result<CheckedEndpoint, Failure> {
    let client = connect(args).await?;
    let discovery = args.url.endpoint(paths::DISCOVERY);
    let metadata = fetch(&client, &discovery).await?;
    let jwks_uri = keys_of(&args.url, &metadata)?;
    let keys = fetch(&client, &jwks_uri).await?;
    Ok(CheckedEndpoint { issuer: args.url.to_string(), keys: key_ids(&jwks_uri, &keys)? })
}

async fn connect(args: &CheckEndpointArgs) -> Result<Client, Failure> {
    let mut tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(authorities(args.ca_file.as_ref())?)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // A verifier is not sent elsewhere.
    let client = Client::builder().tls_backend_preconfigured(tls).redirect(redirect::Policy::none()).timeout(TIMEOUT);
    let client = match &args.connect_to {
        Some(target) => lead_to(client, args.url.host(), target).await?,
        None => client,
    };
    Ok(client.build()?)
}

/// Leads requests for `host` to `target`. The certificate must be that of `host` all the same.
async fn lead_to(client: ClientBuilder, host: &str, target: &str) -> Result<ClientBuilder, EndpointError> {
    let unresolved = |error| EndpointError::Unresolved(without_userinfo(target), error);
    let addresses: Vec<SocketAddr> = tokio::net::lookup_host(target).await.map_err(unresolved)?.collect();
    Ok(client.no_proxy().resolve_to_addrs(host, &addresses))
}

fn authorities(file: Option<&PathBuf>) -> Result<RootCertStore, EndpointError> {
    let mut roots = RootCertStore::empty();
    match file {
        Some(path) => {
            let unusable = |source: Failure| EndpointError::Authorities { path: path.clone(), source };
            let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
            let certificates: Vec<CertificateDer<'_>> = read.map_err(|error| unusable(error.into()))?;
            for certificate in certificates {
                roots.add(certificate).map_err(|error| unusable(error.into()))?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if roots.is_empty() { Err(EndpointError::NoAuthorities) } else { Ok(roots) }
}

async fn fetch(client: &Client, url: &str) -> Result<Vec<u8>, EndpointError> {
    let unanswered = |error: reqwest::Error| {
        let host = error.url().and_then(|url| url.host_str()).unwrap_or(url).to_owned();
        let why = Unanswered::of(&host, &error.without_url());
        let source = why.words.clone().map(Words);
        EndpointError::Unanswered { url: url.to_owned(), why, source }
    };
    let answer = client.get(url).send().await.map_err(unanswered)?;
    if answer.status() != reqwest::StatusCode::OK {
        return Err(EndpointError::Status { url: url.to_owned(), status: answer.status() });
    }
    Ok(answer.bytes().await.map_err(unanswered)?.to_vec())
}

/// Where the keys are, when the discovery document is that of this issuer.
fn keys_of(url: &IssuerUrl, document: &[u8]) -> Result<String, EndpointError> {
    let metadata: Metadata = parse(&url.endpoint(paths::DISCOVERY), document)?;
    if metadata.issuer != url.as_str() {
        return Err(EndpointError::OtherIssuer { url: url.clone(), told: metadata.issuer });
    }
    if metadata.jwks_uri != url.endpoint(paths::JWKS) {
        return Err(EndpointError::OtherKeys(metadata.jwks_uri));
    }
    Ok(metadata.jwks_uri)
}

/// The ids of the keys, when a verifier can use them.
fn key_ids(url: &str, document: &[u8]) -> Result<Vec<String>, EndpointError> {
    let set: JwkSet = parse(url, document)?;
    if set.keys.is_empty() {
        return Err(EndpointError::NoKeys);
    }
    let ids: Option<Vec<String>> = set.keys.iter().map(|Jwk { common, .. }| common.key_id.clone()).collect();
    let ids = ids.ok_or(EndpointError::KeyIds)?;
    let mut distinct = ids.clone();
    distinct.sort();
    distinct.dedup();
    if distinct.len() != ids.len() {
        return Err(EndpointError::KeyIds);
    }
    let raw: serde_json::Value = parse(url, document)?;
    let has_private = |key: &serde_json::Value| ["d", "p", "q", "k"].iter().any(|member| key.get(member).is_some());
    if raw.get("keys").and_then(serde_json::Value::as_array).is_some_and(|keys| keys.iter().any(has_private)) {
        return Err(EndpointError::PrivateKey);
    }
    Ok(ids)
}

fn parse<'a, T: Deserialize<'a>>(url: &str, document: &'a [u8]) -> Result<T, EndpointError> {
    serde_json::from_slice(document).map_err(|source| EndpointError::Document { url: url.to_owned(), source })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn url() -> IssuerUrl {
        "https://vouch.example.com".parse().unwrap()
    }

    fn metadata(issuer: &str, jwks_uri: &str) -> Result<String, String> {
        let document = json!({"issuer": issuer, "jwks_uri": jwks_uri}).to_string();
        keys_of(&url(), document.as_bytes()).map_err(|error| error.to_string())
    }

    fn keys(keys: &serde_json::Value) -> Result<Vec<String>, String> {
        key_ids("jwks", json!({"keys": keys}).to_string().as_bytes()).map_err(|error| error.to_string())
    }

    fn key(kid: &str) -> serde_json::Value {
        json!({"kty": "EC", "crv": "P-256", "kid": kid, "x": "eA", "y": "eQ"})
    }

    #[test]
    fn an_issuer_must_call_itself_exactly_what_verifiers_call_it() {
        let jwks = "https://vouch.example.com/.well-known/jwks.json";
        assert_eq!(metadata("https://vouch.example.com", jwks).unwrap(), jwks);
        assert!(metadata("https://vouch.example.com/", jwks).unwrap_err().contains("byte for byte"));
        let elsewhere = metadata("https://vouch.example.com", "https://other.example.com/.well-known/jwks.json");
        assert!(elsewhere.unwrap_err().contains("another issuer"));
    }

    #[test]
    fn a_key_set_must_have_keys_that_verifiers_can_tell_apart() {
        assert_eq!(keys(&json!([key("a"), key("b")])).unwrap(), ["a", "b"]);
        assert!(keys(&json!([])).unwrap_err().contains("empty"));
        assert!(keys(&json!([key("a"), key("a")])).unwrap_err().contains("kid"));
        let mut nameless = key("a");
        nameless.as_object_mut().unwrap().remove("kid");
        assert!(keys(&json!([nameless])).unwrap_err().contains("kid"));
    }

    #[test]
    fn one_key_is_counted_as_one() {
        let told = |keys: &[&str]| {
            let keys = keys.iter().map(|&kid| kid.to_owned()).collect();
            CheckedEndpoint { issuer: url().to_string(), keys }.to_string()
        };
        assert!(told(&["a"]).ends_with(", and 1 key: a\n"), "{}", told(&["a"]));
        assert!(told(&["a", "b"]).ends_with(", and 2 keys: a, b\n"));
    }

    #[test]
    fn a_private_key_in_the_key_set_is_an_alarm() {
        let mut private = key("a");
        private.as_object_mut().unwrap().insert("d".to_owned(), json!("ZA"));
        assert!(keys(&json!([private])).unwrap_err().contains("withdraw it at once"));
    }
}
