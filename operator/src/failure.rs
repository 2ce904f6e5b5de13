//! What kind of failure something is, and when to try again.
//!
//! Four categories, the same in logs, events and metrics. A failure is sorted by its type and the API server's status,
//! never by its text.

use std::{
    collections::HashMap,
    error::Error,
    hash::Hash,
    iter,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use http::Uri;
use hyper_util::client::legacy;
use kube::client::AuthError;
use vouch_issuer_api::shown::without_userinfo;

use crate::{
    credentials,
    kubeconfig::{self, NamedBy, ServerFault},
    proxy,
};

/// What helps against a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Category {
    /// A change of the object, or of what judges it: trying again soon would fail again.
    Invalid,
    /// Reading again: somebody else was faster. Not an error.
    Conflict,
    /// Patience: the API server asked for it.
    Throttled,
    /// Time.
    Transient,
}

impl Category {
    /// The word for logs, metrics and events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "Invalid",
            Self::Conflict => "Conflict",
            Self::Throttled => "Throttled",
            Self::Transient => "Transient",
        }
    }

    /// The category of an answer of the API server, or of the lack of one.
    #[must_use]
    pub fn of(error: &kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => match status.code {
                409 => Self::Conflict,
                429 => Self::Throttled,
                400 | 413 | 415 | 422 => Self::Invalid,
                _ => Self::Transient,
            },
            kube::Error::BuildRequest(_) => Self::Invalid,
            _ => Self::Transient,
        }
    }
}

/// Whether somebody else has written the object meanwhile.
#[must_use]
pub fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 409)
}

/// Whether the object, or its whole kind, does not exist.
#[must_use]
pub fn is_not_found(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
}

/// Whether nobody is there to answer, or nobody who can.
#[must_use]
pub fn is_outage(error: &kube::Error) -> bool {
    is_lost(error) || matches!(error, kube::Error::Api(status) if is_from_a_gateway(status.code))
}

/// Whether what stands before an API server says with this status that nobody is behind it. A 500 is an answer: somebody must
/// look at what it says.
#[must_use]
pub const fn is_from_a_gateway(code: u16) -> bool {
    matches!(code, 502..=504)
}

/// Whether nothing was said about the object: the connection was lost, or the API server asked for patience.
#[must_use]
pub fn is_silence(error: &kube::Error) -> bool {
    is_lost(error) || matches!(error, kube::Error::Api(status) if status.code == 429)
}

/// Whether the connection ended, or never was.
fn is_lost(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Service(_) | kube::Error::HyperError(_) | kube::Error::ReadEvents(_))
}

const UNREACHED: &str = "the API server cannot be reached";

/// A failure with its causes, as one sentence for people.
#[must_use]
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    for error in iter::successors(Some(error), |error| cause_of(*error)).filter(|error| !says_nothing(*error)) {
        let next = sentence(error);
        if !text.ends_with(&next) {
            text.push_str(if text.is_empty() { "" } else { ": " });
            text.push_str(&next);
        }
    }
    text
}

/// The client says of a request at which step it failed; the cause says why.
fn says_nothing(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<legacy::Error>().is_some_and(|error| error.source().is_some())
}

/// The status below an answer says the same once more, and so does what is below a missing configuration or a proxy's fault.
/// What is below missing credentials can quote one.
fn cause_of<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    let kube = error.downcast_ref::<kube::Error>();
    use kube::Error::{Api, Auth, InferConfig, InferKubeconfig};
    let is_whole =
        matches!(kube, Some(Api(_) | Auth(_) | InferConfig(_) | InferKubeconfig(_))) || error.is::<AuthError>();
    error.source().filter(|_| !is_whole && proxy::fault(error).is_none())
}

/// kube shows the whole status as debug text; what people need is the message.
fn sentence(error: &(dyn Error + 'static)) -> String {
    if let Some(error) = error.downcast_ref() {
        return without_credentials(error);
    }
    if let Some(fault) = ServerFault::shown_by(error) {
        let (answered, told) = (error.is::<kube::Error>(), fault.told(NamedBy::usual()));
        return if answered { format!("{UNREACHED}: {told}") } else { told.to_owned() };
    }
    match error.downcast_ref::<kube::Error>() {
        Some(kube::Error::Api(status)) if !status.message.is_empty() => status.message.clone(),
        Some(kube::Error::Api(status)) => format!("the API server answered {} {}", status.code, status.reason),
        Some(kube::Error::InferConfig(error)) => {
            let why = error.source().and_then(|source| source.downcast_ref());
            let why = why.map(|why| kubeconfig::fault(why, &kubeconfig::usual())).unwrap_or_default();
            without_configuration(kubeconfig::is_for_a_token(), &why)
        }
        Some(kube::Error::InferKubeconfig(error)) => kubeconfig::fault(error, &kubeconfig::usual()),
        Some(kube::Error::Auth(error)) => without_credentials(error),
        Some(kube::Error::ProxyProtocolUnsupported { proxy_url }) => through_another_proxy(proxy_url),
        Some(kube::Error::Service(_) | kube::Error::HyperError(_)) => UNREACHED.to_owned(),
        _ => proxy::fault(error).unwrap_or_else(|| error.to_string()),
    }
}

/// A pod whose token cannot be read has no use for the kubeconfig that is looked for before.
fn without_configuration(is_for_a_token: bool, why: &str) -> String {
    if is_for_a_token {
        let missing =
            "the token of the service account is not mounted in the pod; set automountServiceAccountToken: true";
        return missing.to_owned();
    }
    format!("run it in a cluster, where `helm install` puts it, or name a kubeconfig in KUBECONFIG: {why}")
}

fn without_credentials(error: &AuthError) -> String {
    format!("there are no credentials for the API server: {}", credentials::fault(error))
}

/// The URL of a proxy may have a password, and the library quotes it.
fn through_another_proxy(proxy: &Uri) -> String {
    format!(
        "it leads through the proxy {}, and a proxy begins with http://, https:// or socks5://. Correct proxy-url in the \
         kubeconfig, or HTTPS_PROXY",
        without_userinfo(proxy.to_string().trim_end_matches('/'))
    )
}

/// The first wait after a transient failure.
const FIRST: Duration = Duration::from_secs(1);
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(300);
/// The wait after the API server asked for patience without saying how long.
const PATIENCE: Duration = Duration::from_secs(30);
/// The wait before reading again after a conflict.
const BREATH: Duration = Duration::from_millis(50);

/// How long to wait before the next try: never longer than five minutes, whatever has failed, because the same pass looks
/// after signing keys, and because what refuses an object may change and wake nobody, as an admission policy does.
/// `failures` counts the transient failures in a row before this one; `jitter` is from 0 to 1 and keeps many objects from
/// trying at the same moment.
#[must_use]
pub fn delay(category: Category, failures: u32, jitter: f64) -> Duration {
    let spread = |shortest: Duration| shortest.mul_f64(1.0 + jitter.clamp(0.0, 1.0)).min(LONGEST);
    match category {
        Category::Invalid => spread(LONGEST / 2),
        Category::Conflict => spread(BREATH),
        Category::Throttled => spread(PATIENCE),
        Category::Transient => {
            let doubled = FIRST.saturating_mul(2_u32.saturating_pow(failures.min(16)));
            spread(doubled.min(LONGEST / 2))
        }
    }
}

/// How often in a row something has failed, for each object. Conflicts do not count.
#[derive(Debug)]
pub struct Retries<K>(Mutex<HashMap<K, u32>>);

impl<K> Default for Retries<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash> Retries<K> {
    /// Notes a failure and says how long to wait.
    pub fn failed(&self, object: K, category: Category, jitter: f64) -> Duration {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match category {
            Category::Transient => {
                let count = counts.entry(object).or_default();
                let wait = delay(category, *count, jitter);
                *count = count.saturating_add(1);
                wait
            }
            other => delay(other, 0, jitter),
        }
    }

    /// Forgets the failures of an object.
    pub fn succeeded(&self, object: &K) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(object);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use kube::core::Status;
    use proptest::prelude::*;

    use super::*;

    fn answer(code: u16) -> kube::Error {
        kube::Error::Api(Box::new(Status { code, message: "the answer".into(), ..Status::default() }))
    }

    #[test]
    fn the_category_follows_the_status_of_the_answer() {
        for (code, category) in [
            (409, Category::Conflict),
            (429, Category::Throttled),
            (422, Category::Invalid),
            (403, Category::Transient),
            (500, Category::Transient),
            (503, Category::Transient),
        ] {
            assert_eq!(Category::of(&answer(code)), category, "{code}");
        }
    }

    #[test]
    fn an_answer_that_says_no_is_no_outage() {
        for (code, away) in [(403, false), (404, false), (410, false), (429, false), (500, false), (503, true)] {
            assert_eq!(is_outage(&answer(code)), away, "{code}");
        }
        assert!(is_outage(&kube::Error::Service("nobody listens".into())));
        let unreadable = serde_json::from_str::<()>("{").unwrap_err();
        assert!(!is_outage(&kube::Error::SerdeError(unreadable)), "somebody must look at that object");
    }

    #[test]
    fn a_failure_is_told_in_the_words_of_the_api_server() {
        #[derive(Debug, thiserror::Error)]
        #[error("Deployment vouch cannot be written")]
        struct Outer(#[source] kube::Error);
        assert_eq!(chain(&Outer(answer(403))), "Deployment vouch cannot be written: the answer");
    }

    #[test]
    fn a_pod_without_a_token_is_not_told_to_run_in_a_cluster() {
        let told = without_configuration(true, "the kubeconfig ~/.kube/config cannot be read");
        assert!(told.contains("automountServiceAccountToken") && !told.contains("kubeconfig"), "{told}");
        assert!(without_configuration(false, "it is gone").ends_with("in KUBECONFIG: it is gone"));
    }

    #[test]
    fn what_a_program_that_makes_credentials_wrote_is_not_told() {
        let parse = || AuthError::AuthExecParse(Box::new(serde_saphyr::from_str::<u8>("SUPERSECRET").unwrap_err()));
        assert!(parse().to_string().contains("SUPERSECRET"), "the library quotes it");
        let told =
            "there are no credentials for the API server: the program that makes credentials wrote something else";
        assert_eq!(chain(&kube::Error::Auth(parse())), told);
        let renewed = kube::Error::Service(Box::new(parse()));
        assert_eq!(chain(&renewed), format!("the API server cannot be reached: {told}"));
    }

    #[test]
    fn an_invalid_object_is_looked_at_again_although_nothing_has_changed() {
        assert_eq!(delay(Category::Invalid, 0, 0.0), Duration::from_secs(150));
    }

    #[test]
    fn a_conflict_is_tried_again_at_once_and_not_counted() {
        let retries = Retries::default();
        for _ in 0..10 {
            assert!(retries.failed("a", Category::Conflict, 1.0) <= Duration::from_millis(100));
        }
        assert_eq!(retries.failed("a", Category::Transient, 0.0), Duration::from_secs(1));
    }

    #[test]
    fn failures_in_a_row_wait_longer_until_one_success() {
        let retries = Retries::default();
        let waits: Vec<u64> = (0..12).map(|_| retries.failed("a", Category::Transient, 1.0).as_secs()).collect();
        assert_eq!(waits, [2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300, 300]);
        retries.succeeded(&"a");
        assert_eq!(retries.failed("a", Category::Transient, 1.0), Duration::from_secs(2));
    }

    proptest! {
        #[test]
        fn no_wait_is_longer_than_five_minutes(failures: u32, jitter in -1.0_f64..2.0) {
            for category in [Category::Invalid, Category::Conflict, Category::Throttled, Category::Transient] {
                prop_assert!(delay(category, failures, jitter) <= Duration::from_secs(300));
            }
        }
    }
}
