//! What requests are called, so that the one at which the operator dies is the same in every run.
//!
//! Requests that go side by side come in any order, so a request is not known by its number but by what it asks for, and
//! by how often the same has been asked for since the process began.

use std::{collections::BTreeMap, fmt};

use axum::http::{Method, Uri};

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sort {
    /// The lease: asked for in the background, for ever.
    Election,
    /// Answered for as long as the process lives.
    Watch,
    /// It changes nothing.
    Read,
    /// It changes something.
    Write,
}

/// A request of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    /// What is asked for, such as `POST /api/v1/namespaces/*/secrets`.
    what: String,
    /// The how manyeth of these it is.
    ordinal: usize,
    pub(crate) sort: Sort,
}

impl Call {
    pub(crate) fn is_first(&self) -> bool {
        self.ordinal == 1
    }

    pub(crate) fn changes(&self) -> bool {
        self.sort == Sort::Write || self.sort == Sort::Election && !self.what.starts_with("GET")
    }

    /// Whether it is one of the named resource, whichever way it is asked for.
    pub(crate) fn is_about(&self, resource: &str) -> bool {
        self.what.contains(&format!("/{resource}"))
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.what, self.ordinal)
    }
}

/// The requests of a process, in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    counts: BTreeMap<String, usize>,
    all: Vec<Call>,
}

impl Calls {
    pub(crate) fn note(&mut self, method: &Method, uri: &Uri, namespace: &str) -> Call {
        let watches = uri.query().is_some_and(|query| query.split('&').any(|pair| pair == "watch=true"));
        let path = uri.path().replace(&format!("/{namespace}/"), "/*/");
        // An event has a name of its own.
        let path = path.split_once("/events/").map_or(path.clone(), |(events, _)| format!("{events}/events/*"));
        let sort = match *method {
            _ if path.contains("/leases") => Sort::Election,
            Method::GET if watches => Sort::Watch,
            Method::GET => Sort::Read,
            _ => Sort::Write,
        };
        let verb = if watches { "WATCH" } else { method.as_str() };
        let what = format!("{verb} {path}");
        let count = self.counts.entry(what.clone()).or_default();
        *count += 1;
        let call = Call { what, ordinal: *count, sort };
        self.all.push(call.clone());
        call
    }

    pub(crate) fn all(&self) -> &[Call] {
        &self.all
    }
}

#[test]
fn a_request_is_known_by_what_it_asks_for_and_how_often_that_was_asked() {
    let mut calls = Calls::default();
    let mut name = |method: Method, uri: &str| calls.note(&method, &uri.parse().unwrap(), "crash-1").to_string();
    assert_eq!(name(Method::POST, "/api/v1/namespaces/crash-1/secrets"), "POST /api/v1/namespaces/*/secrets (1)");
    assert_eq!(name(Method::POST, "/api/v1/namespaces/crash-1/secrets"), "POST /api/v1/namespaces/*/secrets (2)");
    assert_eq!(name(Method::GET, "/api/v1/namespaces/crash-1/secrets?a=1"), "GET /api/v1/namespaces/*/secrets (1)");
    assert_eq!(
        name(Method::GET, "/api/v1/namespaces/crash-1/secrets?a=1&watch=true"),
        "WATCH /api/v1/namespaces/*/secrets (1)"
    );
    assert_eq!(
        name(Method::PATCH, "/apis/events.k8s.io/v1/namespaces/crash-1/events/vouch.1a2b"),
        "PATCH /apis/events.k8s.io/v1/namespaces/*/events/* (1)"
    );
}
