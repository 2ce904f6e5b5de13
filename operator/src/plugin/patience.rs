//! An API server that is away for a moment: one that starts, or that asks for patience. Whoever runs a command waits a few
//! seconds for it, and reads what it has said only when that was not enough.
//!
//! It never repeats what may have been done: a request that was not heard, or that was turned away, is sent again whatever it
//! is; one of unknown outcome only when it reads. A proxy says 503 also of what it has passed on, and the second time a change
//! would find its own first time: a conflict, and then nothing left to do.

use std::{
    error::Error,
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http::{Request, Response, StatusCode, header::RETRY_AFTER};
use kube::client::Body;
use tower::{BoxError, retry::Policy};

use super::progress::Waiting;
use crate::api::path::Target;

/// For how long a command waits in all. A person is there, and a wrong context must not look like a hanging program.
const LONGEST: Duration = Duration::from_secs(5);
/// From one try to the next, unless the API server says when.
const PAUSE: Duration = Duration::from_millis(400);
/// From one look at whether it is time to say something to the next.
const GLANCE: Duration = Duration::from_millis(200);

/// What is left of the patience of one command; clones share it.
#[derive(Debug, Clone)]
pub struct Patience(Arc<Mutex<Left>>);

#[derive(Debug)]
struct Left {
    time: Duration,
    waiting: Waiting,
}

impl Default for Patience {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Left { time: LONGEST, waiting: Waiting::default() })))
    }
}

impl Patience {
    /// Takes a pause from what is left; a longer one than that would be in vain.
    fn spend(&self, pause: Duration) -> Option<Duration> {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        left.time = left.time.checked_sub(pause)?;
        Some(pause)
    }

    fn tell(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).waiting.tell("Waiting for the API server.");
    }

    async fn wait(self, pause: Duration) {
        let end = tokio::time::Instant::now() + pause;
        while tokio::time::Instant::now() < end {
            self.tell();
            tokio::time::sleep(GLANCE.min(end - tokio::time::Instant::now())).await;
        }
    }
}

impl<B> Policy<Request<Body>, Response<B>, BoxError> for Patience {
    type Future = Pin<Box<dyn Future<Output = ()> + Send>>;

    fn retry(
        &mut self,
        request: &mut Request<Body>,
        outcome: &mut Result<Response<B>, BoxError>,
    ) -> Option<Self::Future> {
        let pause = self.spend(pause(&Target::of(request), outcome)?)?;
        Some(Box::pin(self.clone().wait(pause)))
    }

    fn clone_request(&mut self, request: &Request<Body>) -> Option<Request<Body>> {
        let mut copy = Request::new(request.body().try_clone()?);
        *copy.method_mut() = request.method().clone();
        *copy.uri_mut() = request.uri().clone();
        *copy.version_mut() = request.version();
        *copy.headers_mut() = request.headers().clone();
        *copy.extensions_mut() = request.extensions().clone();
        Some(copy)
    }
}

/// How long to wait before the request is sent again, if it may be.
fn pause<B>(target: &Target, outcome: &Result<Response<B>, BoxError>) -> Option<Duration> {
    let answer = match outcome {
        Ok(answer) => answer,
        Err(error) => return was_refused(&**error).then_some(PAUSE),
    };
    let repeats = match answer.status() {
        StatusCode::TOO_MANY_REQUESTS => true,
        // Of a pod behind a proxy nothing is known but that it is not there.
        StatusCode::SERVICE_UNAVAILABLE => {
            ["get", "list", "watch"].contains(&target.verb) && !target.resource.ends_with("/proxy")
        }
        _ => false,
    };
    let asked = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    repeats.then(|| asked.map_or(PAUSE, |seconds| Duration::from_secs(seconds).max(PAUSE)))
}

/// Whether nobody listened, so that nothing was sent.
fn was_refused(error: &(dyn Error + 'static)) -> bool {
    std::iter::successors(Some(error), |&error| error.source())
        .filter_map(|error| error.downcast_ref::<io::Error>())
        .any(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    const PEOPLE: &str = "/apis/vouch.sh/v1alpha1/namespaces/vouch/vouchusers";

    fn answer(status: u16, after: Option<&str>) -> Result<Response<()>, BoxError> {
        let answer = Response::builder().status(status);
        Ok(after.into_iter().fold(answer, |answer, after| answer.header(RETRY_AFTER, after)).body(()).unwrap())
    }

    fn refused() -> Result<Response<()>, BoxError> {
        Err(io::Error::from(io::ErrorKind::ConnectionRefused).into())
    }

    fn paused(method: &str, path: &str, outcome: &Result<Response<()>, BoxError>) -> Option<Duration> {
        let request = Request::builder().method(method).uri(path).body(()).unwrap();
        pause(&Target::of(&request), outcome)
    }

    #[test]
    fn what_was_not_done_is_sent_again_and_what_may_have_been_only_where_it_reads() {
        let busy = answer(429, None);
        let away = answer(503, None);
        for (method, unclear) in [("GET", true), ("PATCH", false), ("POST", false), ("DELETE", false), ("PUT", false)] {
            assert_eq!(paused(method, PEOPLE, &busy), Some(PAUSE), "{method}");
            assert_eq!(paused(method, PEOPLE, &refused()), Some(PAUSE), "{method}");
            assert_eq!(paused(method, PEOPLE, &away).is_some(), unclear, "{method}");
        }
        let pod = "/api/v1/namespaces/vouch/pods/vouch-1:9090/proxy/metrics";
        assert_eq!(paused("GET", pod, &away), None, "the pod is away, not the API server");
        for other in [answer(200, None), answer(403, None), answer(409, None), answer(500, Some("1"))] {
            assert_eq!(paused("GET", PEOPLE, &other), None, "{other:?}");
        }
    }

    #[test]
    fn a_command_waits_as_long_as_it_is_asked_to_and_not_longer_than_it_may() {
        let tries = |after: &str| {
            let mut patience = Patience::default();
            let mut request = Request::get(PEOPLE).body(Body::empty()).unwrap();
            (0..100).take_while(|_| patience.retry(&mut request, &mut answer(429, Some(after))).is_some()).count()
        };
        assert_eq!(paused("GET", PEOPLE, &answer(429, Some("2"))), Some(Duration::from_secs(2)));
        assert_eq!((tries("1"), tries("2"), tries("6")), (5, 2, 0));
        assert_eq!(tries("0"), 12, "an API server that is in no hurry is not asked without a pause");
    }
}
