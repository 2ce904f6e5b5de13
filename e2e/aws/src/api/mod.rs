//! One AWS call, from request to answer.

pub mod authenticate;
pub mod trace;

use std::time::Duration;

use http::{Response, StatusCode};
use hyper::body::Bytes;
use jiff::Timestamp;

use crate::endpoint::{self, Endpoint, Service};
use crate::knobs::Injected;
use crate::standin::Standin;
use crate::wire::{Fault, Node, Params, xml};
use crate::world::Caller;
use crate::{iam, sts};
pub use trace::Trace;

/// A request as it came out of TLS.
#[derive(Debug)]
pub struct RawRequest {
    /// Method, URI and headers.
    pub parts: http::request::Parts,
    /// Body.
    pub body: Bytes,
    /// The host the client asked the proxy for.
    pub host: String,
}

/// What an action answers: nothing, or the members of its result.
pub type Outcome = Result<Option<Vec<Node>>, Fault>;

/// One call, authenticated.
#[derive(Debug)]
pub struct Call<'a> {
    /// The stand-in.
    pub standin: &'a Standin,
    /// Service, region, partition.
    pub endpoint: Endpoint,
    /// The action.
    pub action: String,
    /// Its parameters.
    pub params: Params,
    /// The time at which everything in this call happens.
    pub now: Timestamp,
    /// Who calls.
    pub caller: Caller,
    /// `User-Agent`.
    pub user_agent: Option<String>,
}

/// Clients reach the proxy over loopback only.
pub const SOURCE_IP: &str = "127.0.0.1";

/// Answers a request.
pub async fn answer(standin: &Standin, request: &RawRequest) -> Response<Bytes> {
    let request_id = uuid::Uuid::new_v4().to_string();
    let Some(endpoint) = endpoint::resolve(&request.host) else {
        return respond(404, format!("The stand-in does not offer {}.\n", request.host), &request_id, standin.now());
    };
    let service = endpoint.service;
    let params = Params::parse(request.parts.uri.query().unwrap_or_default(), form_body(request));
    let action = params.get("Action").unwrap_or_default().to_owned();
    let (delay, injected) = {
        let mut knobs = standin.knobs();
        (knobs.delay_of(&action), knobs.take_fault(&action))
    };
    if delay > 0 {
        tokio::time::sleep(Duration::from_millis(delay)).await;
    }
    let user_agent = request
        .parts
        .headers
        .get(http::header::USER_AGENT)
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let mut call =
        Call { standin, endpoint, action, params, now: standin.now(), caller: Caller::Anonymous, user_agent };
    let mut trace = Trace::default();
    let now = call.now;
    let outcome = match injected {
        Some(Injected::Throttle) => Err(Fault::throttled()),
        Some(Injected::Fail) => Err(Fault::internal("We encountered an internal error. Please try again.")),
        None => run(&mut call, request, &mut trace).await,
    };
    for record in trace.records(&call, request, &outcome, &request_id) {
        standin.calls().push(record);
    }
    match outcome {
        Ok(result) => {
            respond(200, xml::success(service, &call.action, result.as_deref(), &request_id), &request_id, now)
        }
        Err(fault) => respond(fault.status, xml::failure(service, &fault, &request_id), &request_id, now),
    }
}

async fn run(call: &mut Call<'_>, request: &RawRequest, trace: &mut Trace) -> Outcome {
    if !sts::is_unsigned(call.endpoint.service, &call.action) {
        call.caller = authenticate::authenticate(call, request)?;
    }
    if call.params.get("Version").is_some_and(|version| version != call.endpoint.service.version())
        || call.action.is_empty()
    {
        return Err(unknown_action(call));
    }
    match call.endpoint.service {
        Service::Sts => sts::call(call, trace).await,
        Service::Iam => iam::call(call).await,
    }
}

/// The error for an action that does not exist.
#[must_use]
pub fn unknown_action(call: &Call<'_>) -> Fault {
    let version = call.params.get("Version").unwrap_or("NO_VERSION_SPECIFIED");
    Fault::new("InvalidAction", 400, format!("Could not find operation {} for version {version}", call.action))
}

fn form_body(request: &RawRequest) -> &[u8] {
    let form = request
        .parts
        .headers
        .get(http::header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
    if form { &request.body } else { &[] }
}

/// `Date` is the stand-in's, so that a client that corrects its clock by it does as it would with AWS.
fn respond(status: u16, body: String, request_id: &str, now: Timestamp) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("text/xml"));
    let date = now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    for (name, value) in [("x-amzn-requestid", request_id), ("date", &date)] {
        if let Ok(value) = http::HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    response
}
