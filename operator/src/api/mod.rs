//! The way to the API server: every request is counted, and there are no more of them than allowed.
//!
//! Nothing is tried again in here: whoever asked decides, knowing whether the lease is still held.

pub(crate) mod path;

use std::{
    future::Future,
    num::NonZeroU32,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter, clock::Clock as _};
use http::{Request, Response};
use kube::{
    Client, Config,
    client::{Body, ClientBuilder},
};
use tower::{BoxError, Layer, Service};

use self::path::Target;
use crate::metrics::Metrics;

/// How many requests may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestRate {
    /// On average, in one second.
    pub per_second: NonZeroU32,
    /// At once.
    pub burst: NonZeroU32,
}

/// A client that counts its requests, and holds them back to a rate when one is given.
///
/// # Errors
/// When the configuration names certificates or tokens that cannot be used.
pub fn connect(mut config: Config, metrics: Arc<Metrics>, rate: Option<RequestRate>) -> Result<Client, kube::Error> {
    config.default_retry = false;
    let limiter =
        rate.map(|rate| Arc::new(RateLimiter::direct(Quota::per_second(rate.per_second).allow_burst(rate.burst))));
    Ok(ClientBuilder::try_from(config)?.with_layer(&Meter { metrics, limiter }).build())
}

/// Where the program talks to: the cluster it runs in, or the one that `kubectl` would talk to.
///
/// # Errors
/// When there is neither.
pub async fn configuration() -> Result<Config, kube::Error> {
    Config::infer().await.map_err(kube::Error::InferConfig)
}

#[derive(Clone)]
struct Meter {
    metrics: Arc<Metrics>,
    limiter: Option<Arc<DefaultDirectRateLimiter>>,
}

impl<S> Layer<S> for Meter {
    type Service = Metered<S>;

    fn layer(&self, inner: S) -> Metered<S> {
        Metered { inner, meter: self.clone() }
    }
}

/// A service whose requests are counted and held back.
#[derive(Clone)]
struct Metered<S> {
    inner: S,
    meter: Meter,
}

impl<S, B> Service<Request<Body>> for Metered<S>
where
    S: Service<Request<Body>, Response = Response<B>, Error = BoxError> + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
{
    type Response = Response<B>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<B>, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let target = Target::of(&request);
        let meter = self.meter.clone();
        // The request is made now and sent when it is first polled, which is after its turn has come.
        let answer = self.inner.call(request);
        Box::pin(async move {
            if let Some(limiter) = &meter.limiter {
                turn(limiter).await;
            }
            let started = Instant::now();
            let answer = answer.await;
            let code = answer.as_ref().map_or(0, |answer| answer.status().as_u16());
            let took = (!target.is_watch()).then(|| started.elapsed());
            meter.metrics.requested(target.verb, &target.resource, code, took);
            answer
        })
    }
}

/// Waits for this request's turn.
async fn turn(limiter: &DefaultDirectRateLimiter) {
    while let Err(early) = limiter.check() {
        let wait = early.wait_time_from(governor::clock::DefaultClock::default().now());
        tokio::time::sleep(wait.max(Duration::from_millis(1))).await;
    }
}
