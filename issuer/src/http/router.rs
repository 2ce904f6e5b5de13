//! The public routes, in one table. The router is built from it, and so are the tests that try every route without
//! a token, with a foreign one, an expired one and a wrong proof.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    handler::Handler,
    http::{HeaderMap, Method},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{MethodFilter, MethodRouter, on},
};
use vouch_issuer_api::{error::ErrorCode, paths};

use super::{
    authenticate::{supply_nonce, supply_time},
    aws,
    context::RequestContext,
    discovery, enroll,
    error::ApiError,
    keys, oauth,
    observe::{Observer, observe},
    session,
};
use crate::state::SharedIssuer;

/// The largest request body: an attestation with its chain has 4 KiB, a little more in base64url and JSON.
const BODY_LIMIT: usize = 64 * 1024;

/// Time for a request to be answered. The store may be waiting for another process.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// What a caller must show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Public documents: nothing, at any rate.
    Document,
    /// Nothing, but not too often.
    Open,
    /// A DPoP proof (RFC 9449 §5).
    Proof,
    /// A session token with its DPoP proof (RFC 9449 §7).
    Session,
}

/// A route of the public listener.
#[derive(Debug, Clone)]
pub struct Route {
    /// `GET` answers `HEAD`, too.
    pub method: Method,
    /// In axum's syntax, under the path of the issuer's URL.
    pub path: &'static str,
    /// What a caller must show.
    pub access: Access,
    handler: MethodRouter<SharedIssuer>,
}

fn route<H, T>(method: Method, path: &'static str, access: Access, handler: H) -> Route
where
    H: Handler<T, SharedIssuer>,
    T: 'static,
{
    let filter = MethodFilter::try_from(method.clone()).unwrap_or(MethodFilter::GET);
    Route { method, path, access, handler: on(filter, handler) }
}

/// Every public route.
#[must_use]
pub fn routes() -> Vec<Route> {
    use Access::{Document, Open, Proof, Session};
    const GET: Method = Method::GET;
    const POST: Method = Method::POST;
    vec![
        route(GET, paths::DISCOVERY, Document, discovery::configuration),
        route(GET, paths::JWKS, Document, discovery::jwks),
        route(POST, paths::FIDO2_CHALLENGE, Open, oauth::challenge),
        route(POST, paths::TOKEN, Proof, oauth::token),
        route(POST, paths::ENROLL_CHALLENGE, Open, enroll::challenge),
        route(POST, paths::ENROLL, Open, enroll::register),
        route(POST, paths::KEYS_CHALLENGE, Session, keys::challenge),
        route(GET, paths::KEYS, Session, keys::list),
        route(POST, paths::KEYS, Session, keys::register),
        route(Method::PATCH, paths::KEY, Session, keys::rename),
        route(POST, paths::KEY_REMOVAL, Session, keys::remove),
        route(GET, paths::SESSION, Session, session::show),
        route(Method::DELETE, paths::SESSION, Session, session::end_all),
        route(GET, paths::SESSION_WATCH, Session, session::watch),
        route(POST, paths::AWS_TOKEN, Session, aws::token),
        route(GET, paths::AWS_ROLES, Session, aws::roles),
    ]
}

/// The public surface, under the path of the issuer's URL.
pub fn public(issuer: SharedIssuer) -> Router {
    let prefix = issuer.config.load().url.path().to_owned();
    let routes = routes();
    let patterns = routes.iter().map(|route| route.path).collect();
    let mut router = Router::new();
    for Route { path, access, handler, .. } in routes {
        if access == Access::Document {
            router = router.route(path, handler);
            continue;
        }
        let guard = Guard {
            issuer: Arc::clone(&issuer),
            looks_at_proofs: access != Access::Open,
            held_open: path == paths::SESSION_WATCH,
        };
        router = router.route(path, handler.layer(from_fn_with_state(Arc::new(guard), guarded)));
    }
    let routes = if prefix.is_empty() { router } else { Router::new().nest(&prefix, router) };
    routes
        .fallback(nothing_here)
        .method_not_allowed_fallback(other_methods_only)
        .layer(from_fn_with_state(Observer::new(Arc::clone(&issuer), prefix, patterns), observe))
        .with_state(issuer)
}

/// What stands before every handler that is more than a document. One layer does it all: each layer of its own would
/// cost every request several allocations.
struct Guard {
    issuer: SharedIssuer,
    looks_at_proofs: bool,
    held_open: bool,
}

async fn guarded(State(guard): State<Arc<Guard>>, mut request: Request, next: Next) -> Response {
    if let Err(refusal) = guard.admit(&request) {
        return refusal.into_response();
    }
    DefaultBodyLimit::max(BODY_LIMIT).apply(&mut request);
    let answer = next.run(request);
    let mut response = if guard.held_open { answer.await } else { bounded(answer).await };
    supply_time(&guard.issuer, &mut response);
    if guard.looks_at_proofs {
        supply_nonce(&guard.issuer, &mut response);
    }
    response
}

impl Guard {
    fn admit(&self, request: &Request) -> Result<(), ApiError> {
        if is_of_a_web_page(request.headers()) {
            return Err(ApiError::new(ErrorCode::InvalidRequest, "Web pages have no business here."));
        }
        let context = request.extensions().get::<RequestContext>();
        let context = context.ok_or_else(|| ApiError::new(ErrorCode::ServerError, "The issuer failed."))?;
        self.issuer.limits.client(context.source)
    }
}

/// Browsers say so of every request that a page makes, and pages cannot prevent it (W3C Fetch Metadata §2.1). They learn
/// nothing here in any case, but one page in one browser must not use up the budget of the office around it.
fn is_of_a_web_page(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|site| site != "none")
}

async fn bounded(answer: impl Future<Output = Response>) -> Response {
    match tokio::time::timeout(REQUEST_TIMEOUT, answer).await {
        Ok(response) => response,
        Err(_) => ApiError::new(ErrorCode::Unavailable, "The issuer took too long.").hint("Try again.").into_response(),
    }
}

async fn nothing_here() -> ApiError {
    ApiError::new(ErrorCode::NotFound, "There is nothing at this address.")
}

async fn other_methods_only() -> Response {
    axum::http::StatusCode::METHOD_NOT_ALLOWED.into_response()
}

#[cfg(test)]
mod tests;
