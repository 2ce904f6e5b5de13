//! The canonical request: the one spelling of a request that both sides hash.

use aws_lc_rs::digest::{SHA256, digest};
use http::HeaderMap;
use url::form_urlencoded;

use crate::wire::encoding::{hex, uri_encode};

/// SHA-256 in hexadecimal.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hex(digest(&SHA256, bytes).as_ref())
}

/// The canonical request of a method, raw path, raw query, headers and payload.
#[must_use]
pub fn canonical_request(
    method: &str,
    path: &str,
    query: &str,
    headers: &HeaderMap,
    signed: &[String],
    payload_hash: &str,
) -> String {
    let mut text = format!("{method}\n{}\n{}\n", canonical_path(path), canonical_query(query));
    for name in signed {
        text.push_str(&format!("{name}:{}\n", canonical_header(headers, name)));
    }
    text.push_str(&format!("\n{}\n{payload_hash}", signed.join(";")));
    text
}

/// Normalises a path (RFC 3986 dot segments, no double slashes) and encodes each segment once more than it came.
fn canonical_path(path: &str) -> String {
    let mut segments: Vec<String> = Vec::new();
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        match segment {
            "." => {}
            ".." => {
                segments.pop();
            }
            segment => segments.push(uri_encode(segment)),
        }
    }
    let trailing = if path.ends_with('/') && !segments.is_empty() { "/" } else { "" };
    format!("/{}{trailing}", segments.join("/"))
}

/// Parameters encoded, sorted by name and value, without the signature itself.
fn canonical_query(query: &str) -> String {
    let mut pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes())
        .filter(|(name, _)| name != "X-Amz-Signature")
        .map(|(name, value)| (uri_encode(&name), uri_encode(&value)))
        .collect();
    pairs.sort();
    pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// All values of a header, trimmed, inner spaces collapsed, joined by commas.
fn canonical_header(headers: &HeaderMap, name: &str) -> String {
    let values = headers.get_all(name).iter().map(|value| {
        let text = String::from_utf8_lossy(value.as_bytes());
        text.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
    });
    values.collect::<Vec<_>>().join(",")
}
