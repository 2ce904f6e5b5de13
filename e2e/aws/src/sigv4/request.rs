//! What a request claims about its signature, from the `Authorization` header or the query of a presigned URL.

use http::HeaderMap;
use http::request::Parts;
use jiff::Timestamp;
use url::form_urlencoded;

use super::canonical::{canonical_request, sha256};
use crate::wire::Fault;
use crate::wire::encoding::parse_basic_time;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Where the signature travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// In the `Authorization` header.
    Header,
    /// In the query: a presigned URL.
    Query,
}

/// `AKID/20150830/us-east-1/sts/aws4_request`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// The access key id.
    pub access_key_id: String,
    /// The day, as `20150830`.
    pub date: String,
    /// The region.
    pub region: String,
    /// The service.
    pub service: String,
}

/// A request that carries a signature, not yet verified.
#[derive(Debug, Clone)]
pub struct SignedRequest {
    /// Key and scope.
    pub credential: Credential,
    /// Where the signature was.
    pub placement: Placement,
    /// The session token, when one was sent.
    pub token: Option<String>,
    pub(super) time: Timestamp,
    pub(super) time_text: String,
    pub(super) signature: String,
    canonical: String,
}

/// The claim in either placement, as texts.
struct Claim {
    credential: String,
    signed_headers: String,
    signature: String,
    time: String,
    token: Option<String>,
    placement: Placement,
}

impl SignedRequest {
    /// Reads the signature of a request; `None` when it has none.
    ///
    /// # Errors
    /// `IncompleteSignature` when a part is missing or malformed, `SignatureDoesNotMatch` when `host` is not signed.
    pub fn read(parts: &Parts, body: &[u8]) -> Result<Option<Self>, Fault> {
        let query = parts.uri.query().unwrap_or_default();
        let Some(claim) = Claim::find(&parts.headers, query)? else { return Ok(None) };
        let credential = Credential::parse(&claim.credential)?;
        let time = parse_basic_time(&claim.time).ok_or_else(|| {
            incomplete(format!(
                "Date must be in ISO-8601 'basic format'. Got '{}'. See http://en.wikipedia.org/wiki/ISO_8601",
                claim.time
            ))
        })?;
        let signed: Vec<String> = claim.signed_headers.split(';').map(str::to_ascii_lowercase).collect();
        if !signed.iter().any(|name| name == "host") {
            return Err(super::mismatch("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."));
        }
        let payload = sha256(body);
        if let Some(declared) = header(&parts.headers, "x-amz-content-sha256")
            && declared != payload
        {
            return Err(super::mismatch(
                "The value passed in for x-amz-content-sha256 does not match the SHA-256 of the request payload.",
            ));
        }
        let canonical =
            canonical_request(parts.method.as_str(), parts.uri.path(), query, &parts.headers, &signed, &payload);
        Ok(Some(Self {
            credential,
            placement: claim.placement,
            token: claim.token,
            time,
            time_text: claim.time,
            signature: claim.signature,
            canonical,
        }))
    }

    pub(super) fn string_to_sign(&self) -> String {
        let Credential { date, region, service, .. } = &self.credential;
        format!(
            "{ALGORITHM}\n{}\n{date}/{region}/{service}/aws4_request\n{}",
            self.time_text,
            sha256(self.canonical.as_bytes())
        )
    }
}

impl Claim {
    fn find(headers: &HeaderMap, query: &str) -> Result<Option<Self>, Fault> {
        if let Some(authorization) = header(headers, "authorization") {
            return Self::from_header(&authorization, headers).map(Some);
        }
        let parameter = |name: &str| {
            form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
        };
        let Some(algorithm) = parameter("X-Amz-Algorithm") else { return Ok(None) };
        require_algorithm(&algorithm)?;
        let required = |name: &str| {
            parameter(name).ok_or_else(|| {
                incomplete(format!(
                    "AWS query-string parameters must include '{name}'. Re-examine the query-string parameters."
                ))
            })
        };
        Ok(Some(Self {
            credential: required("X-Amz-Credential")?,
            signed_headers: required("X-Amz-SignedHeaders")?,
            signature: required("X-Amz-Signature")?,
            time: required("X-Amz-Date")?,
            token: parameter("X-Amz-Security-Token"),
            placement: Placement::Query,
        }))
    }

    fn from_header(authorization: &str, headers: &HeaderMap) -> Result<Self, Fault> {
        let (algorithm, rest) = authorization.split_once(' ').unwrap_or((authorization, ""));
        require_algorithm(algorithm)?;
        let field = |name: &str| {
            rest.split(',')
                .find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('=').map(str::to_owned))
                .ok_or_else(|| {
                    incomplete(format!("Authorization header requires '{name}' parameter. Authorization={algorithm}"))
                })
        };
        let time = header(headers, "x-amz-date").ok_or_else(|| {
            incomplete(
                "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.".to_owned(),
            )
        })?;
        Ok(Self {
            credential: field("Credential")?,
            signed_headers: field("SignedHeaders")?,
            signature: field("Signature")?,
            time,
            token: header(headers, "x-amz-security-token"),
            placement: Placement::Header,
        })
    }
}

impl Credential {
    fn parse(text: &str) -> Result<Self, Fault> {
        let parts: Vec<&str> = text.split('/').collect();
        match parts.as_slice() {
            [id, date, region, service, "aws4_request"] => Ok(Self {
                access_key_id: (*id).to_owned(),
                date: (*date).to_owned(),
                region: (*region).to_owned(),
                service: (*service).to_owned(),
            }),
            _ => Err(incomplete(format!(
                "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{text}'"
            ))),
        }
    }
}

fn require_algorithm(algorithm: &str) -> Result<(), Fault> {
    if algorithm == ALGORITHM { Ok(()) } else { Err(incomplete(format!("Unsupported AWS 'algorithm': '{algorithm}'"))) }
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_owned())
}

fn incomplete(message: String) -> Fault {
    Fault::new("IncompleteSignature", 400, message)
}
