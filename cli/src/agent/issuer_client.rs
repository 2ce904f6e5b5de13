//! The issuer's HTTP contract from the client's side.
//!
//! It proves possession of the session's key with every request, keeps the issuer's nonce, and measures how far this
//! machine's clock is from the issuer's. It never logs or returns a token.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http::{HeaderMap, Method, header};
use jiff::{Timestamp, fmt::rfc2822};
use serde::{Serialize, de::DeserializeOwned};
use zeroize::Zeroizing;

use super::{
    dpop::{DpopKey, Statement},
    issuer_error::{IssuerError, Refusal},
};
use crate::{
    clock::{Clock as _, IssuerClock},
    error::{Category, Failure},
    issuer_url::IssuerUrl,
    network::{self, Clients},
};

/// For everything but the watch, which is held open by the issuer.
const TIMEOUT: Duration = Duration::from_secs(20);

/// No answer of an issuer is longer.
const LONGEST_ANSWER: usize = 1024 * 1024;

/// A session token with the key it is bound to. Neither leaves the agent.
pub struct BoundToken {
    /// `access_token` of the token endpoint.
    pub token: Zeroizing<String>,
    /// The key whose thumbprint is in the token.
    pub key: DpopKey,
}

impl std::fmt::Debug for BoundToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BoundToken(..)")
    }
}

/// How a request proves who asks.
#[derive(Debug, Clone, Copy)]
pub enum Proof<'a> {
    /// It does not.
    None,
    /// By a key alone: the token endpoint.
    Key(&'a DpopKey),
    /// By a session.
    Session(&'a BoundToken),
}

/// A request body.
#[derive(Debug)]
pub struct Body {
    content_type: &'static str,
    bytes: Zeroizing<Vec<u8>>,
}

impl Body {
    /// `application/json`.
    ///
    /// # Errors
    /// When `value` has no JSON form.
    pub fn json<T: Serialize>(value: &T) -> Result<Self, IssuerError> {
        let bytes = serde_json::to_vec(value).map_err(|error| {
            IssuerError::Failed(Failure::new(Category::General, format!("cannot put the request into words: {error}")))
        })?;
        Ok(Self { content_type: "application/json", bytes: Zeroizing::new(bytes) })
    }

    /// `application/x-www-form-urlencoded`.
    #[must_use]
    pub fn form(fields: &[(&str, &str)]) -> Self {
        let text = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        Self { content_type: "application/x-www-form-urlencoded", bytes: Zeroizing::new(text.into_bytes()) }
    }
}

/// One request.
#[derive(Debug)]
pub struct Call<'a> {
    /// `GET`, `POST`, `PATCH` or `DELETE`.
    pub method: Method,
    /// Path and query.
    pub path: &'a str,
    /// What is sent.
    pub body: Option<Body>,
    /// Who asks.
    pub proof: Proof<'a>,
    /// How long the whole exchange may take.
    pub timeout: Duration,
    /// Whether the issuer answers only when there is news.
    pub held_open: bool,
}

impl<'a> Call<'a> {
    /// A request with the usual time limit.
    #[must_use]
    pub const fn new(method: Method, path: &'a str, body: Option<Body>, proof: Proof<'a>) -> Self {
        Self { method, path, body, proof, timeout: TIMEOUT, held_open: false }
    }
}

/// A client of one issuer.
pub struct IssuerClient {
    issuer: IssuerUrl,
    http: Clients,
    clock: IssuerClock,
    /// The last `DPoP-Nonce` (RFC 9449 §8).
    nonce: Mutex<Option<String>>,
}

/// What came back.
struct Answer {
    status: http::StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl IssuerClient {
    /// A client that has not spoken to its issuer yet.
    #[must_use]
    pub fn new(issuer: IssuerUrl, http: Clients, clock: IssuerClock) -> Arc<Self> {
        Arc::new(Self { issuer, http, clock, nonce: Mutex::new(None) })
    }

    /// Whose client it is.
    #[must_use]
    pub const fn issuer(&self) -> &IssuerUrl {
        &self.issuer
    }

    /// The issuer's time.
    #[must_use]
    pub const fn clock(&self) -> &IssuerClock {
        &self.clock
    }

    /// Sends a request and reads the answer as JSON.
    ///
    /// # Errors
    /// As [`IssuerClient::send`], and when the answer is not what the contract says.
    pub async fn fetch<T: DeserializeOwned>(&self, call: Call<'_>) -> Result<T, IssuerError> {
        let path = call.path.split('?').next().unwrap_or_default().to_owned();
        let body = self.send(call).await?;
        serde_json::from_slice(&body).map_err(|error| {
            let host = self.issuer.authority();
            let message = format!("{host} does not answer {path} as an issuer of this version does");
            let failure =
                Failure::new(Category::General, message).hint("Update vouch, or tell whoever runs the issuer");
            IssuerError::Failed(failure.detail(format!("{} at column {}", error_class(&error), error.column())))
        })
    }

    /// Sends a request; once more when the issuer wants its nonce in the proof.
    ///
    /// # Errors
    /// What the issuer refused, or why it was not reached.
    pub async fn send(&self, call: Call<'_>) -> Result<Zeroizing<Vec<u8>>, IssuerError> {
        let mut nonce_is_fresh = false;
        loop {
            let answer = self.exchange(&call).await.map_err(IssuerError::Failed)?;
            let new_nonce = self.remember_nonce(&answer.headers);
            if answer.status.is_success() {
                return Ok(Zeroizing::new(answer.body));
            }
            let error = self.refusal(&answer).read();
            let wants_nonce =
                matches!(error, IssuerError::Refused { code: vouch_issuer_api::error::ErrorCode::UseDpopNonce, .. });
            if !wants_nonce || !new_nonce || nonce_is_fresh {
                return Err(self.mention_clock(error));
            }
            nonce_is_fresh = true;
        }
    }

    async fn exchange(&self, call: &Call<'_>) -> Result<Answer, Failure> {
        let host = self.issuer.authority();
        let url = self.issuer.join(call.path);
        let http = if call.held_open { &self.http.watches } else { &self.http.calls };
        let mut request = http.request(call.method.clone(), &url).timeout(call.timeout);
        if let Some(body) = &call.body {
            request = request.header(header::CONTENT_TYPE, body.content_type).body(body.bytes.to_vec());
        }
        let (key, token) = match call.proof {
            Proof::None => (None, None),
            Proof::Key(key) => (Some(key), None),
            Proof::Session(bound) => (Some(&bound.key), Some(bound.token.as_str())),
        };
        if let Some(key) = key {
            let nonce = self.nonce();
            let at = self.clock.now();
            let statement = Statement { method: call.method.as_str(), url: &url, at, nonce: nonce.as_deref(), token };
            let proof = key.prove(&statement).map_err(|error| Failure::new(Category::General, error.to_string()))?;
            request = request.header("dpop", proof);
        }
        if let Some(token) = token {
            let value = Zeroizing::new(format!("DPoP {token}"));
            let mut value = header::HeaderValue::from_str(&value).map_err(|_| {
                Failure::new(Category::General, format!("{host} gave a session token that cannot be sent"))
            })?;
            value.set_sensitive(true);
            request = request.header(header::AUTHORIZATION, value);
        }
        let before = self.clock.local();
        let mut response = network::send(request).await.map_err(|error| network::explain(host, error))?;
        self.compare_clocks(before, response.headers());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| network::explain(host, error))? {
            if body.len() + chunk.len() > LONGEST_ANSWER {
                return Err(Failure::new(Category::General, format!("{host} answers with more than an issuer would")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status: response.status(), headers: std::mem::take(response.headers_mut()), body })
    }

    fn nonce(&self) -> Option<String> {
        self.nonce.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps the nonce of an answer; says whether there was one.
    fn remember_nonce(&self, headers: &HeaderMap) -> bool {
        let nonce = headers.get("dpop-nonce").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let found = nonce.is_some();
        if found {
            *self.nonce.lock().unwrap_or_else(PoisonError::into_inner) = nonce;
        }
        found
    }

    fn compare_clocks(&self, before: Timestamp, headers: &HeaderMap) {
        if let Some(date) = headers.get(header::DATE).and_then(|value| value.to_str().ok()).and_then(parse_date) {
            self.clock.compare(before, date, self.clock.local());
        }
    }

    fn refusal<'a>(&'a self, answer: &'a Answer) -> Refusal<'a> {
        let retry_after = answer.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        Refusal {
            issuer: self.issuer.authority(),
            status: answer.status.as_u16(),
            phrase: answer.status.canonical_reason().unwrap_or("(no phrase)"),
            retry_after: retry_after.and_then(|seconds| seconds.parse().ok()),
            body: &answer.body,
        }
    }

    /// A refused proof on a machine with a wrong clock is most likely the clock's fault.
    fn mention_clock(&self, error: IssuerError) -> IssuerError {
        match (error, self.clock.offset_ms().and_then(describe_offset)) {
            (IssuerError::Refused { code, failure }, Some(offset)) => {
                IssuerError::Refused { code, failure: failure.detail(format!("this machine's clock is {offset}")) }
            }
            (error, _) => error,
        }
    }
}

/// "6 min behind vouch's", when the difference is worth a word.
#[must_use]
pub fn describe_offset(offset_ms: i64) -> Option<String> {
    const WORTH_A_WORD_MS: i64 = 30_000;
    let direction = if offset_ms > 0 { "ahead of" } else { "behind" };
    (offset_ms.abs() >= WORTH_A_WORD_MS)
        .then(|| format!("{} {direction} the issuer's", crate::wording::duration(offset_ms.abs() / 1_000)))
}

/// A `Date` header (RFC 9110 §5.6.7), which every server writes in its preferred form.
#[must_use]
pub fn parse_date(text: &str) -> Option<Timestamp> {
    static PARSER: rfc2822::DateTimeParser = rfc2822::DateTimeParser::new();
    PARSER.parse_timestamp(text).ok()
}

fn error_class(error: &serde_json::Error) -> &'static str {
    match error.classify() {
        serde_json::error::Category::Io | serde_json::error::Category::Eof => "the answer ends too early",
        serde_json::error::Category::Syntax => "the answer is not JSON",
        serde_json::error::Category::Data => "the answer lacks a member or has one of another type",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn reads_the_date_header_of_http() {
        let date = parse_date("Sat, 21 Nov 2026 09:30:00 GMT").unwrap();
        assert_eq!(date.to_string(), "2026-11-21T09:30:00Z");
        assert_eq!(parse_date("yesterday"), None);
    }

    #[test]
    fn a_clock_difference_is_said_from_half_a_minute_on() {
        assert_eq!(describe_offset(29_999), None);
        assert_eq!(describe_offset(-360_000).as_deref(), Some("6 min behind the issuer's"));
        assert_eq!(describe_offset(45_000).as_deref(), Some("45 s ahead of the issuer's"));
    }

    #[test]
    fn a_form_is_encoded() {
        let body = Body::form(&[("grant_type", "https://vouch.sh/x"), ("state", "a b&c")]);
        assert_eq!(body.bytes.as_slice(), b"grant_type=https%3A%2F%2Fvouch.sh%2Fx&state=a+b%26c");
    }
}
