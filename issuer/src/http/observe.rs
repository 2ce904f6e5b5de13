//! The outermost layer: gives every request an id and a source address, every refusal its body and its count, and
//! every answer its headers.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use axum::{
    body::Body,
    extract::{ConnectInfo, MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use vouch_issuer_api::error::{ErrorBody, ErrorCode};

use super::{
    context::{RequestContext, RequestId},
    error::ApiError,
    proxy,
};
use crate::state::SharedIssuer;

/// Label of requests that match no route.
const NO_ROUTE: &str = "none";

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Sent with every answer. The issuer serves JSON only: nothing of it may be framed, run or sniffed.
const SECURITY_HEADERS: [(HeaderName, HeaderValue); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000")),
];

/// What the layer needs.
#[derive(Debug)]
pub(super) struct Observer {
    issuer: SharedIssuer,
    /// The path of the issuer's URL; empty for most.
    prefix: String,
    /// The patterns that may become labels.
    routes: Vec<&'static str>,
    ids: RequestIds,
}

impl Observer {
    /// An observer of the routes with these patterns, under `prefix`.
    #[must_use]
    pub(super) fn new(issuer: SharedIssuer, prefix: String, routes: Vec<&'static str>) -> Arc<Self> {
        Arc::new(Self { issuer, prefix, routes, ids: RequestIds::new() })
    }

    fn route(&self, request: &Request) -> &'static str {
        let matched = request.extensions().get::<MatchedPath>();
        let matched = matched.and_then(|path| path.as_str().strip_prefix(self.prefix.as_str()));
        self.routes.iter().copied().find(|route| Some(*route) == matched).unwrap_or(NO_ROUTE)
    }
}

/// Unique ids without a system call per request: a random start of the process and a running number.
#[derive(Debug)]
struct RequestIds {
    process: u32,
    next: AtomicU64,
}

impl RequestIds {
    fn new() -> Self {
        let (process, ..) = uuid::Uuid::new_v4().as_fields();
        Self { process, next: AtomicU64::new(1) }
    }

    fn next(&self) -> RequestId {
        RequestId { process: self.process, number: self.next.fetch_add(1, Ordering::Relaxed) }
    }
}

/// The layer, for `axum::middleware::from_fn_with_state`.
pub(super) async fn observe(State(observer): State<Arc<Observer>>, mut request: Request, next: Next) -> Response {
    let began = Instant::now();
    let route = observer.route(&request);
    let method = method_label(request.method());
    let request_id = observer.ids.next();
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let peer = peer.map_or(IpAddr::from([0, 0, 0, 0]), |ConnectInfo(peer)| peer.ip());
    let source = proxy::client(peer, request.headers(), &observer.issuer.config.load().trusted_proxies);
    request.extensions_mut().insert(RequestContext { request_id, source });

    let mut response = next.run(request).await;

    if response.status().is_client_error() || response.status().is_server_error() {
        response = explained(&observer.issuer, response, request_id);
    }
    let headers = response.headers_mut();
    headers.reserve(SECURITY_HEADERS.len() + 2);
    for (name, value) in SECURITY_HEADERS {
        headers.insert(name, value);
    }
    if let Ok(id) = HeaderValue::try_from(request_id.to_string()) {
        headers.insert(REQUEST_ID, id);
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    let status = response.status().as_u16();
    observer.issuer.metrics.request(route, method, status, began.elapsed());
    tracing::debug!(%request_id, method, route, status, %source, "answered");
    response
}

/// Counts a refusal and gives it its final body, whoever refused: a handler, an extractor or the router.
fn explained(issuer: &SharedIssuer, response: Response, request_id: RequestId) -> Response {
    let (mut parts, _) = response.into_parts();
    let error = parts.extensions.remove::<ApiError>().unwrap_or_else(|| {
        let error = described(parts.status);
        add_headers(&mut parts.headers, error.clone().into_response().headers());
        error
    });
    issuer.metrics.refused(error.code);
    if parts.status.is_server_error() {
        tracing::warn!(%request_id, code = %error.code, description = error.description, "refused");
    }
    let body = ErrorBody {
        error: error.code,
        error_description: error.description,
        hint: error.hint,
        request_id: Some(request_id.to_string()),
    };
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, serde_json::to_vec(&body).map_or_else(|_| Body::empty(), Body::from))
}

fn add_headers(headers: &mut HeaderMap, more: &HeaderMap) {
    for (name, value) in more {
        headers.insert(name, value.clone());
    }
}

/// A refusal by the framework, as one of ours.
fn described(status: StatusCode) -> ApiError {
    let (code, description) = match status {
        StatusCode::NOT_FOUND => (ErrorCode::NotFound, "There is nothing at this address."),
        StatusCode::METHOD_NOT_ALLOWED => (ErrorCode::InvalidRequest, "This address does not take that method."),
        StatusCode::PAYLOAD_TOO_LARGE => (ErrorCode::InvalidRequest, "The request is too large."),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            (ErrorCode::InvalidRequest, "The request's content type is not the one expected here.")
        }
        status if status.is_client_error() => (ErrorCode::InvalidRequest, "The request is malformed."),
        _ => (ErrorCode::ServerError, "The issuer failed."),
    };
    ApiError::new(code, description)
}

/// The method as a label; only those that the issuer knows.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => "OTHER",
    }
}
