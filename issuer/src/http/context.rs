//! What every handler knows of its request.

use std::net::IpAddr;

/// Put into the request's extensions by the outermost layer; taken by handlers with `Extension<RequestContext>`.
#[derive(Debug, Clone)]
pub struct RequestContext {
    /// Also answered as `X-Request-Id`.
    pub request_id: String,
    /// The client: the peer's address, or what a trusted proxy says.
    pub source: IpAddr,
}
