//! What every handler knows of its request.

use std::{fmt, net::IpAddr};

/// Put into the request's extensions by the outermost layer; taken by handlers with `Extension<RequestContext>`.
#[derive(Debug, Clone, Copy)]
pub struct RequestContext {
    /// Also answered as `X-Request-Id`.
    pub request_id: RequestId,
    /// The client: the peer's address, or what a trusted proxy says.
    pub source: IpAddr,
}

/// Names one request among those of all processes: `1f0a33c2-00002a`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestId {
    /// Drawn when the process began.
    pub process: u32,
    /// Counted from one.
    pub number: u64,
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}-{:06x}", self.process, self.number)
    }
}
