//! Discovery document and key set, read from the issuer over TLS.
//!
//! Only hosts with a route are ever contacted, redirects are not followed, and no proxy is used: a document that names
//! any other place leads nowhere.

mod certificate;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::CACHE_CONTROL;
use reqwest::{Client, redirect};
use serde_json::Value;
use url::Url;

use super::jwk::KeySet;
use crate::standin::Standin;
use crate::world::OidcProvider;
pub use certificate::Seen;

const TIMEOUT: Duration = Duration::from_secs(5);
const LIMIT: usize = 1 << 20;

/// Members that AWS demands of a discovery document (IAM User Guide, "Create an OpenID Connect (OIDC) identity
/// provider in IAM").
const REQUIRED: [&str; 5] = [
    "issuer",
    "jwks_uri",
    "response_types_supported",
    "subject_types_supported",
    "id_token_signing_alg_values_supported",
];

/// A key set as it came.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// The keys.
    pub keys: KeySet,
    /// `max-age` of the key set in seconds; `None` under `no-cache`, `no-store` or without the header.
    pub max_age: Option<u32>,
}

/// Why the documents cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The certificate is neither trusted nor has one of the provider's thumbprints.
    #[error("the certificate is neither trusted nor matches a thumbprint")]
    Thumbprint,
    /// No connection, no answer, or an answer that is not 200.
    #[error("{0}")]
    Unreachable(String),
    /// A document lacks something.
    #[error("{0}")]
    Document(String),
}

/// Reads discovery document and key set of a provider.
///
/// # Errors
/// [`FetchError`] when either is not as AWS wants it.
pub async fn key_set(standin: &Standin, provider: &OidcProvider) -> Result<Fetched, FetchError> {
    let issuer = provider.issuer();
    let discovery_url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let (discovery, _) = get(standin, &discovery_url, &provider.thumbprints).await?;
    let discovery: Value = serde_json::from_slice(&discovery)
        .map_err(|error| document(format!("the discovery document is not JSON: {error}")))?;
    if let Some(name) = REQUIRED.iter().find(|name| discovery.get(**name).is_none()) {
        return Err(document(format!("the discovery document lacks {name}")));
    }
    if discovery.get("issuer").and_then(Value::as_str) != Some(issuer.as_str()) {
        return Err(document(format!("the discovery document is for another issuer than {issuer}")));
    }
    let location = discovery.get("jwks_uri").and_then(Value::as_str).unwrap_or_default();
    let (keys, max_age) = get(standin, location, &provider.thumbprints).await?;
    let keys = KeySet::parse(&keys).ok_or_else(|| document(format!("{location} is not a key set")))?;
    Ok(Fetched { keys, max_age })
}

/// The thumbprint that IAM stores for an issuer when a provider is created without one: that of the last certificate
/// the host sends.
///
/// # Errors
/// [`FetchError`] when the host cannot be reached.
pub async fn thumbprint(standin: &Standin, issuer: &str) -> Result<String, FetchError> {
    let url = Url::parse(issuer).map_err(|error| unreachable(format!("{issuer} is not a URL: {error}")))?;
    let (client, seen) = client(standin, &url, &[])?;
    // The certificate is seen whether it is trusted or not; only a host that does not answer at all leaves none.
    let answered = client.get(url).send().await;
    seen.last_thumbprint().ok_or_else(|| match answered {
        Ok(_) => unreachable(format!("{issuer} sent no certificate")),
        Err(error) => unreachable(format!("{issuer} cannot be reached: {error:?}")),
    })
}

async fn get(standin: &Standin, location: &str, thumbprints: &[String]) -> Result<(Vec<u8>, Option<u32>), FetchError> {
    let url = Url::parse(location).map_err(|error| document(format!("{location} is not a URL: {error}")))?;
    if url.scheme() != "https" {
        return Err(document(format!("{location} is not https")));
    }
    let (client, seen) = client(standin, &url, thumbprints)?;
    let mut response = client.get(url).send().await.map_err(|error| {
        if seen.is_mismatch() {
            FetchError::Thumbprint
        } else {
            unreachable(format!("{location} cannot be reached: {error:?}"))
        }
    })?;
    if response.status() != http::StatusCode::OK {
        return Err(unreachable(format!("{location} answers {}", response.status())));
    }
    let max_age = max_age(response.headers().get(CACHE_CONTROL).and_then(|value| value.to_str().ok()));
    let mut body = Vec::new();
    while let Some(chunk) =
        response.chunk().await.map_err(|error| unreachable(format!("{location} breaks off: {error}")))?
    {
        body.extend_from_slice(&chunk);
        if body.len() > LIMIT {
            return Err(document(format!("{location} is larger than {LIMIT} bytes")));
        }
    }
    Ok((body, max_age))
}

fn client(standin: &Standin, url: &Url, thumbprints: &[String]) -> Result<(Client, Arc<Seen>), FetchError> {
    let host = url.host_str().unwrap_or_default();
    let address: SocketAddr = standin.route(host).ok_or_else(|| unreachable(format!("there is no route to {host}")))?;
    let failed = |error: String| unreachable(format!("cannot set TLS up for {host}: {error}"));
    let seen = Arc::new(Seen::default());
    let tls = certificate::client_config(&standin.roots, thumbprints, Arc::clone(&seen))
        .map_err(|error| failed(error.to_string()))?;
    let client = Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .redirect(redirect::Policy::none())
        .resolve(host, address)
        .timeout(TIMEOUT)
        .build()
        .map_err(|error| failed(error.to_string()))?;
    Ok((client, seen))
}

fn max_age(cache_control: Option<&str>) -> Option<u32> {
    let directives: Vec<&str> = cache_control?.split(',').map(str::trim).collect();
    if directives.iter().any(|directive| matches!(*directive, "no-cache" | "no-store")) {
        return None;
    }
    directives.iter().find_map(|directive| directive.strip_prefix("max-age=")?.parse().ok())
}

fn unreachable(reason: String) -> FetchError {
    FetchError::Unreachable(reason)
}

fn document(reason: String) -> FetchError {
    FetchError::Document(reason)
}

#[cfg(test)]
mod tests {
    use super::max_age;

    #[test]
    fn keeps_only_what_the_issuer_lets_be_kept() {
        let rows = [
            (None, None),
            (Some("max-age=60"), Some(60)),
            (Some("public, max-age=604800"), Some(604_800)),
            (Some("no-cache, max-age=60"), None),
            (Some("no-store"), None),
            (Some("public"), None),
            (Some("max-age=soon"), None),
        ];
        for (header, expected) in rows {
            assert_eq!(max_age(header), expected, "{header:?}");
        }
    }
}
