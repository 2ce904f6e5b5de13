//! The way to the API server: every request is counted, there are no more of them than allowed, and an outage is told once.
//!
//! Nothing is tried again in here: whoever asked decides, knowing whether the lease is still held.

pub mod outage;
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
    config::Kubeconfig,
};
use tower::{BoxError, Layer, Service};
use vouch_issuer::cluster::CONNECT_TIMEOUT;

use self::{outage::Outage, path::Target};
use crate::{failure, metrics::Metrics, proxy};

/// How long a connection may say nothing while something is awaited from it. An API server sends bookmarks over a silent watch
/// about once a minute; whoever says less is gone without having said so, and a pass would wait for it for ever.
const SILENCE: Duration = Duration::from_secs(75);

/// How many requests may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestRate {
    /// On average, in one second.
    pub per_second: NonZeroU32,
    /// At once.
    pub burst: NonZeroU32,
}

/// What every client of the process tells what it sees.
#[derive(Clone, Default)]
pub struct Instruments {
    /// Counts requests.
    pub metrics: Arc<Metrics>,
    /// Knows whether the API server is away.
    pub outage: Arc<Outage>,
}

/// A client that counts its requests, notes whether the API server is there, and holds requests back to a rate when one is
/// given. It waits for no answer for ever.
///
/// # Errors
/// When the configuration names certificates or tokens that cannot be used.
pub fn connect(
    mut config: Config,
    instruments: &Instruments,
    rate: Option<RequestRate>,
) -> Result<Client, kube::Error> {
    config.default_retry = false;
    config.read_timeout = Some(SILENCE);
    config.reset_reader_on_write = true;
    let limiter =
        rate.map(|rate| Arc::new(RateLimiter::direct(Quota::per_second(rate.per_second).allow_burst(rate.burst))));
    let meter = Meter { instruments: instruments.clone(), limiter };
    Ok(ClientBuilder::try_from(config)?.with_layer(&meter).build())
}

/// Where the program talks to: the cluster it runs in, or the one that `kubectl` would talk to.
///
/// # Errors
/// When there is neither.
pub async fn configuration() -> Result<Config, kube::Error> {
    let mut config = Config::infer().await.map_err(kube::Error::InferConfig)?;
    // A pod reaches the cluster it is in without a proxy: only with a kubeconfig has the library chosen one.
    if config.proxy_url.is_some()
        && let Ok(kubeconfig) = Kubeconfig::read()
    {
        proxy::choose(&mut config, &kubeconfig, None).map_err(kube::Error::InferKubeconfig)?;
    }
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    Ok(config)
}

#[derive(Clone)]
struct Meter {
    instruments: Instruments,
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
            let Instruments { metrics, outage } = &meter.instruments;
            metrics.requested(target.verb, &target.resource, code, took);
            match &answer {
                Err(error) => outage.failed(&failure::chain(error.as_ref())),
                Ok(answer) if failure::is_from_a_gateway(code) => outage.failed(&answer.status()),
                Ok(_) => outage.answered(),
            }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use axum::{Router, http::StatusCode};
    use k8s_openapi::api::core::v1::Pod;
    use kube::Api;
    use tokio::net::TcpListener;

    use super::*;

    /// Whether the API server counts as away after it has answered so, or when nobody listens.
    async fn is_away(answer: Option<StatusCode>) -> bool {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        match answer {
            Some(status) => {
                let server = Router::new().fallback(async move || status);
                drop(tokio::spawn(async move { axum::serve(listener, server).await }));
            }
            None => drop(listener),
        }
        let instruments = Instruments::default();
        let client = connect(Config::new(url.parse().unwrap()), &instruments, None).unwrap();
        assert!(Api::<Pod>::namespaced(client, "vouch").get("a").await.is_err());
        instruments.outage.is_on()
    }

    /// From the request on, time goes by at once when nothing else can happen.
    #[tokio::test]
    async fn an_api_server_that_takes_a_request_and_says_nothing_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut config = Config::new(format!("http://{}", listener.local_addr().unwrap()).parse().unwrap());
        config.connect_timeout = None;
        let client = connect(config, &Instruments::default(), None).unwrap();
        let silent = async {
            let (connection, _) = listener.accept().await.unwrap();
            connection.readable().await.unwrap();
            tokio::time::pause();
            connection
        };
        let began = tokio::time::Instant::now();
        let pods = Api::<Pod>::namespaced(client, "vouch");
        let asked = async { tokio::time::timeout(SILENCE * 10, pods.get("a")).await };
        let (answer, _connection) = tokio::join!(asked, silent);
        assert!(failure::is_outage(&answer.expect("it waits for ever").unwrap_err()));
        assert!(began.elapsed() < SILENCE * 2, "{:?}", began.elapsed());
    }

    #[tokio::test]
    async fn an_api_server_is_away_when_nobody_answers_and_not_when_it_refuses() {
        assert!(is_away(None).await);
        assert!(is_away(Some(StatusCode::BAD_GATEWAY)).await);
        assert!(!is_away(Some(StatusCode::FORBIDDEN)).await);
        assert!(!is_away(Some(StatusCode::INTERNAL_SERVER_ERROR)).await);
    }
}
