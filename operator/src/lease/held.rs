//! The proof that this process may write.
//!
//! Whoever writes takes a [`LeaseHeld`] and writes through its client: that client asks the clock before every request
//! and gives up on an answer that does not come, so that no request outlives the lease. The client that everything else
//! uses ([`read_only`]) refuses to write at all. Only the election makes a `LeaseHeld`.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use http::{Method, Request, Response};
use kube::{
    Client,
    client::{Body, ClientBuilder},
};
use tower::{BoxError, Service};

use super::{Tick, Ticker};

/// Nothing may be written any more. Nothing has been.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this replica does not hold the lease any more, so it must not write")]
pub struct LeaseLost;

/// Something tried to write without the lease: a mistake in this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} needs the lease; write through LeaseHeld::client")]
struct NeedsLease(&'static str);

/// No answer in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the API server did not answer within {0:?}")]
pub struct NoAnswer(pub Duration);

/// Until when the lease is held, in milliseconds since the machine started.
pub(super) struct Hold {
    until: AtomicU64,
    ticker: Arc<dyn Ticker>,
}

impl Hold {
    pub(super) fn new(ticker: Arc<dyn Ticker>) -> Self {
        Self { until: AtomicU64::new(0), ticker }
    }

    pub(super) fn extend(&self, until: Tick) {
        // Rounded down: a millisecond less is safe, one more is not.
        self.until.store(u64::try_from(until.as_millis()).unwrap_or(u64::MAX), Ordering::SeqCst);
    }

    pub(super) fn end(&self) {
        self.until.store(0, Ordering::SeqCst);
    }

    fn is_held(&self) -> bool {
        self.ticker.now() < Duration::from_millis(self.until.load(Ordering::SeqCst))
    }
}

/// Proof that this process holds the lease, asked anew at every use. Cloning it does not lengthen it.
#[derive(Clone)]
pub struct LeaseHeld {
    hold: Arc<Hold>,
    client: Client,
}

impl std::fmt::Debug for LeaseHeld {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LeaseHeld").field("held", &self.hold.is_held()).finish_non_exhaustive()
    }
}

impl LeaseHeld {
    pub(super) fn new(hold: Arc<Hold>, base: Client, request_timeout: Duration) -> Self {
        let namespace = base.default_namespace().to_owned();
        let gate = Gate { inner: base, rule: Rule::WhileHeld { hold: Arc::clone(&hold), request_timeout } };
        Self { hold, client: ClientBuilder::new(gate, namespace).build() }
    }

    /// The proof of a lease that is never lost.
    #[cfg(test)]
    pub(crate) fn for_tests(base: Client) -> Self {
        let hold = Arc::new(Hold::new(Arc::new(super::BootClock)));
        hold.extend(Tick::MAX);
        Self::new(hold, base, Duration::from_secs(5))
    }

    /// Whether the lease is held now.
    ///
    /// # Errors
    /// When it is not.
    pub fn check(&self) -> Result<(), LeaseLost> {
        if self.hold.is_held() { Ok(()) } else { Err(LeaseLost) }
    }

    /// The client to write with. It refuses every request once the lease is lost, and is not for watches.
    #[must_use]
    pub fn client(&self) -> Client {
        self.client.clone()
    }
}

/// A client for everybody else: it reads and watches, and refuses to write.
#[must_use]
pub fn read_only(base: Client) -> Client {
    let namespace = base.default_namespace().to_owned();
    ClientBuilder::new(Gate { inner: base, rule: Rule::ReadOnly }, namespace).build()
}

#[derive(Clone)]
enum Rule {
    ReadOnly,
    WhileHeld { hold: Arc<Hold>, request_timeout: Duration },
}

/// Lets requests through by a rule.
#[derive(Clone)]
struct Gate {
    inner: Client,
    rule: Rule,
}

impl Service<Request<Body>> for Gate {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let client = self.inner.clone();
        match &self.rule {
            Rule::ReadOnly => {
                if let Some(verb) = writing(request.method()) {
                    return Box::pin(async move { Err(NeedsLease(verb).into()) });
                }
                Box::pin(async move { Ok(client.send(request).await?) })
            }
            Rule::WhileHeld { hold, request_timeout } => {
                if !hold.is_held() {
                    return Box::pin(async { Err(LeaseLost.into()) });
                }
                let timeout = *request_timeout;
                Box::pin(async move {
                    let answer = tokio::time::timeout(timeout, client.send(request)).await;
                    Ok(answer.map_err(|_| NoAnswer(timeout))??)
                })
            }
        }
    }
}

fn writing(method: &Method) -> Option<&'static str> {
    match *method {
        Method::POST => Some("POST"),
        Method::PUT => Some("PUT"),
        Method::PATCH => Some("PATCH"),
        Method::DELETE => Some("DELETE"),
        _ => None,
    }
}
