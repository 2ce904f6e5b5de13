//! OpenID Connect Discovery 1.0 and the JSON Web Key Set, as prepared bytes.
//!
//! Verifiers compare `issuer` byte for byte, and AWS reads both documents whenever somebody assumes a role: they are
//! rendered when something changes, never per request.

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use vouch_issuer_api::{oauth::FIDO2_GRANT, paths};
use vouch_keyring::Algorithm;

use crate::{
    config::{Config, url::IssuerUrl},
    state::SharedIssuer,
};

/// A JSON document with its entity tag (RFC 9110 §8.8.3).
#[derive(Debug, Clone)]
pub struct Document {
    body: Bytes,
    etag: HeaderValue,
}

impl Document {
    /// Prepares `body`. The tag is the start of its SHA-256, so replicas answer the same one.
    #[must_use]
    pub fn new(body: impl Into<Bytes>) -> Self {
        use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
        let body = body.into();
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &body);
        let tag = digest.as_ref().get(..16).map_or_else(String::new, |start| URL_SAFE_NO_PAD.encode(start));
        let etag = HeaderValue::from_str(&format!("\"{tag}\"")).unwrap_or_else(|_| HeaderValue::from_static("\"\""));
        Self { body, etag }
    }

    /// The bytes.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    fn answer(&self, request: &HeaderMap, cache_control: HeaderValue) -> Response {
        let known = request.get(header::IF_NONE_MATCH).is_some_and(|tags| names(tags, &self.etag));
        let (status, body) = if known {
            (StatusCode::NOT_MODIFIED, Body::empty())
        } else {
            (StatusCode::OK, Body::from(self.body.clone()))
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.reserve(8);
        if !known {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        headers.insert(header::ETAG, self.etag.clone());
        headers.insert(header::CACHE_CONTROL, cache_control);
        response
    }
}

/// Weak comparison of an `If-None-Match` list (RFC 9110 §13.1.2).
fn names(list: &HeaderValue, etag: &HeaderValue) -> bool {
    let (Ok(list), Ok(etag)) = (list.to_str(), etag.to_str()) else { return false };
    list.split(',').map(str::trim).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

/// Provider metadata (OpenID Connect Discovery 1.0 §3). AWS requires the first five members.
#[derive(Serialize)]
struct Metadata<'a> {
    issuer: &'a str,
    jwks_uri: String,
    response_types_supported: [&'a str; 1],
    subject_types_supported: [&'a str; 1],
    id_token_signing_alg_values_supported: &'a [&'a str],
    token_endpoint: String,
    grant_types_supported: [&'a str; 1],
    token_endpoint_auth_methods_supported: [&'a str; 1],
    dpop_signing_alg_values_supported: [&'a str; 1],
    scopes_supported: [&'a str; 1],
    claims_supported: [&'a str; 12],
}

/// The provider metadata of the issuer at `url`, which appears byte for byte.
fn metadata(url: &IssuerUrl, algorithms: &[&str]) -> Document {
    let metadata = Metadata {
        issuer: url.as_str(),
        jwks_uri: url.endpoint(paths::JWKS),
        response_types_supported: ["id_token"],
        subject_types_supported: ["public"],
        id_token_signing_alg_values_supported: algorithms,
        token_endpoint: url.endpoint(paths::TOKEN),
        grant_types_supported: [FIDO2_GRANT],
        token_endpoint_auth_methods_supported: ["none"],
        dpop_signing_alg_values_supported: ["ES256"],
        scopes_supported: ["openid"],
        claims_supported: [
            "iss",
            "sub",
            "aud",
            "iat",
            "nbf",
            "exp",
            "jti",
            "email",
            "email_verified",
            "hd",
            "hardware_verified",
            "hardware_aaguid",
        ],
    };
    Document::new(serde_json::to_vec(&metadata).unwrap_or_default())
}

/// `GET /.well-known/openid-configuration`.
pub async fn configuration(State(issuer): State<SharedIssuer>, headers: HeaderMap) -> impl IntoResponse {
    let document = issuer.discovery.load();
    document.metadata.answer(&headers, document.cache_control.clone())
}

/// `GET /.well-known/jwks.json`.
pub async fn jwks(State(issuer): State<SharedIssuer>, headers: HeaderMap) -> impl IntoResponse {
    issuer.keys.snapshot().jwks.answer(&headers, issuer.discovery.load().cache_control.clone())
}

/// What discovery serves besides the keys; changes with the configuration.
#[derive(Debug)]
pub struct Discovery {
    metadata: Document,
    cache_control: HeaderValue,
}

impl Discovery {
    /// Prepares the answers for a configuration.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let algorithms: Vec<_> = config.key_policy.algorithms().map(Algorithm::as_str).collect();
        let cache_control = HeaderValue::from_str(&format!("public, max-age={}", config.jwks_max_age.as_secs()));
        Self {
            metadata: metadata(&config.url, &algorithms),
            cache_control: cache_control.unwrap_or_else(|_| HeaderValue::from_static("no-cache")),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use super::*;

    #[test]
    fn the_issuer_is_the_configured_url_byte_for_byte() {
        let document = metadata(&"https://vouch.example.com/Team-A".parse().unwrap(), &["ES256"]);
        let json: serde_json::Value = serde_json::from_slice(document.body()).unwrap();
        assert_eq!(json["issuer"], "https://vouch.example.com/Team-A");
        assert_eq!(json["jwks_uri"], "https://vouch.example.com/Team-A/.well-known/jwks.json");
        for required in ["response_types_supported", "subject_types_supported", "id_token_signing_alg_values_supported"]
        {
            assert!(json[required].is_array(), "AWS requires {required}");
        }
    }

    #[test]
    fn a_known_tag_is_answered_without_a_body() {
        let document = Document::new(&b"{}"[..]);
        let tag = document.etag.to_str().unwrap();
        let mut headers = HeaderMap::new();
        for (list, status) in [
            (tag.to_owned(), 304),
            (format!("W/{tag}"), 304),
            (format!("\"other\", {tag}"), 304),
            ("*".to_owned(), 304),
            ("\"other\"".to_owned(), 200),
        ] {
            headers.insert(header::IF_NONE_MATCH, HeaderValue::from_str(&list).unwrap());
            let response = document.answer(&headers, HeaderValue::from_static("no-cache"));
            assert_eq!(response.status().as_u16(), status, "{list}");
            assert_eq!(response.headers()[header::ETAG], document.etag);
        }
    }

    #[test]
    fn the_tag_follows_the_content() {
        assert_eq!(Document::new(&b"a"[..]).etag, Document::new(&b"a"[..]).etag);
        assert_ne!(Document::new(&b"a"[..]).etag, Document::new(&b"b"[..]).etag);
    }
}
