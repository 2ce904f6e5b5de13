//! What the API server said no to.
//!
//! Every request passes here, so that a refusal can be told as the right that is missing, whatever became of the error on
//! its way through libraries.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use http::{Request, Response, StatusCode};
use kube::client::{AuthError, Body};
use tower::{BoxError, Layer, Service};

use crate::{api::path::Target, credentials, kubeconfig::ServerFault, proxy};

/// A right, as a rule of RBAC has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// `get`, `list`, `patch`…
    pub verb: String,
    /// `""` is the core group.
    pub group: String,
    /// With a subresource behind a slash.
    pub resource: String,
    /// The object, when it is about one.
    pub name: Option<String>,
    /// The namespace, unless it is about all.
    pub namespace: Option<String>,
}

impl Rule {
    /// The right that a request needs.
    fn of<B>(request: &Request<B>) -> Self {
        let Target { verb, group, resource, namespace, name } = Target::of(request);
        Self { verb: verb.to_owned(), group, resource, name, namespace }
    }
}

/// As YAML, on one line, and as narrow as it can be: an object that is made has no name yet, and people have names of their
/// own.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { verb, group, resource, name, .. } = self;
        let group = if group.is_empty() { "\"\"" } else { group };
        write!(f, "{{apiGroups: [{group}], resources: [{resource}], ")?;
        if let Some(name) = name.as_ref().filter(|_| resource == "secrets") {
            write!(f, "resourceNames: [{name}], ")?;
        }
        write!(f, "verbs: [{verb}]}}")
    }
}

/// Why the API server did not do it, where it is not about the object that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Whoever asks may not.
    Denied(Rule),
    /// It does not know who asks.
    Unauthenticated,
    /// There are no credentials to ask with: what makes them failed, with these words.
    NoCredentials(String),
    /// It cannot be reached, for this reason.
    Unreachable(String),
    /// It cannot be reached, because its URL is not right.
    Misaddressed(ServerFault),
}

/// The last refusal; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Refusals(Arc<Mutex<Option<Refusal>>>);

impl Refusals {
    /// Takes the last refusal, if there is one since the last time.
    #[must_use]
    pub fn take(&self) -> Option<Refusal> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn note(&self, refusal: Refusal) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(refusal);
    }
}

impl<S> Layer<S> for Refusals {
    type Service = Listening<S>;

    fn layer(&self, inner: S) -> Listening<S> {
        Listening { inner, refusals: self.clone() }
    }
}

/// A service whose refusals are noted.
#[derive(Debug, Clone)]
pub struct Listening<S> {
    inner: S,
    refusals: Refusals,
}

impl<S, B> Service<Request<Body>> for Listening<S>
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
        let rule = Rule::of(&request);
        let refusals = self.refusals.clone();
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await;
            match &answer {
                Ok(response) if response.status() == StatusCode::FORBIDDEN => refusals.note(Refusal::Denied(rule)),
                Ok(response) if response.status() == StatusCode::UNAUTHORIZED => {
                    refusals.note(Refusal::Unauthenticated);
                }
                Ok(response) => {
                    if let Some(fault) = ServerFault::shown_by_answer(response) {
                        refusals.note(Refusal::Misaddressed(fault));
                    }
                }
                Err(error) => refusals.note(unanswered(&**error)),
            }
            answer
        })
    }
}

/// Why a request got no answer.
fn unanswered(error: &(dyn std::error::Error + 'static)) -> Refusal {
    let chain = std::iter::successors(Some(error), |&error| error.source());
    let auth = chain.clone().find_map(|error| {
        let direct = error.downcast_ref::<AuthError>();
        direct.or_else(|| match error.downcast_ref::<kube::Error>() {
            Some(kube::Error::Auth(auth)) => Some(auth),
            _ => None,
        })
    });
    if let Some(error) = auth {
        return Refusal::NoCredentials(credentials::fault(error));
    }
    // A proxy that answers without TLS says nothing about the server.
    if let Some(why) = chain.clone().find_map(proxy::fault) {
        return Refusal::Unreachable(why);
    }
    match chain.clone().find_map(ServerFault::shown_by) {
        Some(fault) => Refusal::Misaddressed(fault),
        None => Refusal::Unreachable(chain.last().map(ToString::to_string).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use kube::{Config, client::ClientBuilder};

    use super::*;
    use crate::kubeconfig::tests::{OF_GO_WITHOUT_TLS, saying};

    fn rule(method: &str, uri: &str) -> Rule {
        Rule::of(&Request::builder().method(method).uri(uri).body(()).unwrap())
    }

    fn right(verb: &str, group: &str, resource: &str, name: Option<&str>, namespace: Option<&str>) -> Rule {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Rule {
            verb: verb.into(),
            group: group.into(),
            resource: resource.into(),
            name: owned(name),
            namespace: owned(namespace),
        }
    }

    #[tokio::test]
    async fn a_server_that_takes_nothing_but_tls_is_out_of_reach_without() {
        let server = format!("http://{}", saying(OF_GO_WITHOUT_TLS).await);
        let refusals = Refusals::default();
        let builder = ClientBuilder::try_from(Config::new(server.parse().unwrap())).unwrap();
        assert!(builder.with_layer(&refusals).build().apiserver_version().await.is_err());
        let refusal = refusals.take();
        assert_eq!(refusal, Some(Refusal::Misaddressed(ServerFault::WantsTls)));
    }

    #[test]
    fn a_request_is_told_as_the_right_it_needs() {
        let people = "/apis/vouch.sh/v1alpha1/namespaces/vouch/vouchusers";
        assert_eq!(rule("GET", people), right("list", "vouch.sh", "vouchusers", None, Some("vouch")));
        assert_eq!(
            rule("PATCH", &format!("{people}/alice/status")),
            right("patch", "vouch.sh", "vouchusers/status", Some("alice"), Some("vouch"))
        );
        assert_eq!(
            rule("GET", "/api/v1/namespaces/vouch/secrets/vouch-root-secret"),
            right("get", "", "secrets", Some("vouch-root-secret"), Some("vouch"))
        );
        assert_eq!(
            rule("GET", "/apis/vouch.sh/v1alpha1/vouchissuers"),
            right("list", "vouch.sh", "vouchissuers", None, None)
        );
    }

    #[test]
    fn a_right_reads_as_a_rule_that_can_be_pasted_and_is_as_narrow_as_it_can_be() {
        let secret = right("get", "", "secrets", Some("vouch-root-secret"), Some("vouch"));
        let narrow = r#"{apiGroups: [""], resources: [secrets], resourceNames: [vouch-root-secret], verbs: [get]}"#;
        assert_eq!(secret.to_string(), narrow);
        let person = right("patch", "vouch.sh", "vouchusers/status", Some("alice"), Some("vouch"));
        assert_eq!(person.to_string(), "{apiGroups: [vouch.sh], resources: [vouchusers/status], verbs: [patch]}");
    }
}
