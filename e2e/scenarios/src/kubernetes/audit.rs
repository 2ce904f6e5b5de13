//! The audit log of the API server: who wrote what, when, and whether it was taken. It is complete when a client has its
//! answer (`blocking-strict`).

use serde_json::Value;

/// Entries in the order in which they were answered.
#[derive(Debug, Clone)]
pub struct Audit(Vec<Entry>);

/// One request.
#[derive(Debug, Clone)]
pub struct Entry(Value);

impl Audit {
    /// These events.
    #[must_use]
    pub fn of(events: Vec<Value>) -> Self {
        Self(events.into_iter().map(Entry).collect())
    }

    /// How many there are: a mark in time.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What was written after a mark by a user, or by anybody whose name begins so.
    #[must_use]
    pub fn writes_since(&self, mark: usize, user: &str) -> Vec<&Entry> {
        self.0.iter().skip(mark).filter(|entry| entry.is_write() && entry.user().starts_with(user)).collect()
    }
}

impl Entry {
    /// Whose it was, such as `system:serviceaccount:NAMESPACE:NAME`.
    #[must_use]
    pub fn user(&self) -> &str {
        self.text("/user/username")
    }

    /// The pod of a service account.
    #[must_use]
    pub fn pod(&self) -> &str {
        self.text("/user/extra/authentication.kubernetes.io~1pod-name/0")
    }

    /// The plural of the kind, such as `leases`, and the subresource.
    #[must_use]
    pub fn resource(&self) -> String {
        match self.text("/objectRef/subresource") {
            "" => self.text("/objectRef/resource").to_owned(),
            subresource => format!("{}/{subresource}", self.text("/objectRef/resource")),
        }
    }

    /// The namespace.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.text("/objectRef/namespace")
    }

    /// The object's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.text("/objectRef/name")
    }

    /// Whether it was taken.
    #[must_use]
    pub fn was_taken(&self) -> bool {
        self.0.pointer("/responseStatus/code").and_then(Value::as_u64).is_some_and(|code| code < 300)
    }

    /// What was sent, of the kinds of which the log keeps it.
    #[must_use]
    pub fn sent(&self, pointer: &str) -> &str {
        self.0.pointer("/requestObject").and_then(|sent| sent.pointer(pointer)).and_then(Value::as_str).unwrap_or("")
    }

    fn is_write(&self) -> bool {
        ["create", "update", "patch", "delete", "deletecollection"].contains(&self.text("/verb"))
    }

    fn text(&self, pointer: &str) -> &str {
        self.0.pointer(pointer).and_then(Value::as_str).unwrap_or("")
    }
}

impl std::fmt::Display for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (verb, code) = (self.text("/verb"), &self.0["responseStatus"]["code"]);
        let (at, pod) = (self.text("/requestReceivedTimestamp"), self.pod());
        write!(f, "{at} {pod} {verb} {} {}/{}: {code}", self.resource(), self.namespace(), self.name())
    }
}

/// Entries, one in each line.
#[must_use]
pub fn lines(entries: &[&Entry]) -> String {
    entries.iter().map(|entry| format!("{entry}\n")).collect()
}
