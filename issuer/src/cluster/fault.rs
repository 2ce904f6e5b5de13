//! What the API server answers, in words for people.

use kube::runtime::watcher;

/// The API server has taken a request and says nothing, or not all of it.
#[derive(Debug, thiserror::Error)]
#[error("the API server does not answer")]
pub(super) struct NoAnswer;

/// One sentence. The library shows whole answers as debug text; what people need is the API server's message.
#[must_use]
pub fn describe(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if status.code == 403 => {
            format!("{}; give the service account the role that the operator makes for it", status.message)
        }
        kube::Error::Api(status) if status.message.is_empty() => {
            format!("the API server answered {} {}", status.code, status.reason)
        }
        kube::Error::Api(status) => status.message.clone(),
        kube::Error::Service(error) if error.is::<NoAnswer>() => NoAnswer.to_string(),
        kube::Error::Service(_) | kube::Error::HyperError(_) => "the API server cannot be reached".to_owned(),
        kube::Error::SerdeError(error) => format!("the API server's answer cannot be read ({error})"),
        other => other.to_string(),
    }
}

/// The same for what ends a watch.
#[must_use]
pub fn describe_watch(error: &watcher::Error) -> String {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => describe(error),
        watcher::Error::WatchError(status) => status.message.clone(),
        watcher::Error::NoResourceVersion => "the API server's answer has no resource version".to_owned(),
    }
}
