//! The screen: a line for each issuer and each of its signing keys, then what is wrong with an arrow to the next step. Pure.

use std::fmt;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::ResourceExt as _;
use serde::Serialize;
use vouch_crds::{issuer::VouchIssuer, names::condition};
use vouch_issuer::admin::moment;

use super::{
    findings::{Finding, findings},
    gather::{Gathered, People},
    operator,
};
use crate::{
    plugin::keys::{IssuerKeys, KeyRow, KeyTable},
    status::find,
};

/// What `status` shows.
#[derive(Debug, Serialize)]
pub struct Screen {
    /// Where.
    pub namespace: String,
    /// Whether nothing is wrong, as far as may be seen. What cannot be read is not healthy.
    pub healthy: bool,
    /// By name.
    pub issuers: Vec<IssuerLine>,
    /// Absent when they may not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub people: Option<PeopleLine>,
    /// The worst first.
    pub findings: Vec<Finding>,
    /// What could not be read, and why.
    pub unknown: Vec<String>,
    #[serde(skip)]
    now: Timestamp,
}

/// What `status --all-namespaces` shows.
#[derive(Debug, Serialize)]
pub struct Screens {
    /// Whether every namespace is, and nothing is wrong with the whole cluster.
    pub healthy: bool,
    /// What is not of one namespace.
    pub findings: Vec<Finding>,
    /// What of the whole cluster could not be read, and why.
    pub unknown: Vec<String>,
    /// By name.
    pub namespaces: Vec<Screen>,
}

impl Screens {
    /// Of namespaces, and of the operators that act in them.
    #[must_use]
    pub fn of(namespaces: Vec<Screen>, operators: Option<&[Lease]>, unknown: Vec<String>, now: Timestamp) -> Self {
        let findings: Vec<Finding> = operators.and_then(|leases| operator::absence(leases, now)).into_iter().collect();
        let healthy = findings.is_empty() && namespaces.iter().all(|screen| screen.healthy);
        Self { healthy, findings, unknown, namespaces }
    }
}

impl fmt::Display for Screens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.findings.iter().try_for_each(|finding| finding.fmt(f))?;
        self.unknown.iter().try_for_each(|unknown| writeln!(f, "? {unknown}"))?;
        let above = !self.findings.is_empty() || !self.unknown.is_empty();
        for (number, screen) in self.namespaces.iter().enumerate() {
            let between = if above || number > 0 { "\n" } else { "" };
            write!(f, "{between}Namespace {}\n{screen}", screen.namespace)?;
        }
        Ok(())
    }
}

/// An issuer.
#[derive(Debug, Serialize)]
pub struct IssuerLine {
    /// The VouchIssuer.
    pub name: String,
    /// The `iss`.
    pub url: String,
    /// `True`, `False` or `Unknown`.
    pub ready: String,
    /// Pods that serve and pods wanted, such as `3/3`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<String>,
    /// Published keys, active first.
    pub keys: Vec<KeyRow>,
    /// When the next key begins to sign.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_rotation: Option<Timestamp>,
    /// Since the pods started; absent when it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused_logins: Option<u64>,
}

/// The people of a namespace.
#[derive(Debug, Serialize)]
pub struct PeopleLine {
    /// All of them.
    pub count: usize,
    /// Neither disabled, nor with a key.
    pub never_enrolled: usize,
    /// Those who cannot sign in.
    pub disabled: usize,
}

impl Screen {
    /// Of what is known.
    #[must_use]
    pub fn of(gathered: &Gathered, now: Timestamp) -> Self {
        let findings = findings(gathered, now);
        let mut issuers: Vec<_> = gathered.issuers.iter().map(|issuer| line(issuer, gathered, now)).collect();
        issuers.sort_by(|a, b| a.name.cmp(&b.name));
        Self {
            namespace: gathered.namespace.clone(),
            healthy: gathered.unreadable.is_empty() && !findings.iter().any(|finding| finding.wrong),
            issuers,
            people: gathered.people.as_ref().map(PeopleLine::of),
            findings,
            unknown: [gathered.unreadable.as_slice(), &gathered.unknown].concat(),
            now,
        }
    }
}

impl PeopleLine {
    const fn of(people: &People) -> Self {
        Self { count: people.count, never_enrolled: people.never_enrolled, disabled: people.disabled }
    }
}

fn line(issuer: &VouchIssuer, gathered: &Gathered, now: Timestamp) -> IssuerLine {
    let name = issuer.name_any();
    let status = issuer.status.clone().unwrap_or_default();
    let table = KeyTable::of(&IssuerKeys::from(issuer), now);
    let ready = find(&status.conditions, condition::READY).map_or("Unknown", |ready| ready.status.as_str()).to_owned();
    let refused = gathered.refused_logins.iter().find(|(of, _)| *of == name).map(|(_, count)| *count);
    IssuerLine {
        url: issuer.spec.url.clone(),
        ready,
        replicas: status.replicas,
        keys: table.keys,
        next_rotation: table.next_rotation,
        refused_logins: refused,
        name,
    }
}

impl fmt::Display for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.issuers.iter().map(|issuer| issuer.name.len()).max().unwrap_or_default().max(9);
        for issuer in &self.issuers {
            writeln!(f, "{:width$}  {}", issuer.name, self.parts(issuer).join(" · "))?;
            issuer.keys.iter().try_for_each(|key| self.write_key(key, f))?;
        }
        self.findings.iter().try_for_each(|finding| finding.fmt(f))?;
        self.unknown.iter().try_for_each(|unknown| writeln!(f, "? {unknown}"))?;
        if self.findings.is_empty() && self.unknown.is_empty() {
            writeln!(f, "Everything is as declared.")
        } else {
            Ok(())
        }
    }
}

impl Screen {
    fn parts(&self, issuer: &IssuerLine) -> Vec<String> {
        let mut parts = vec![issuer.url.clone()];
        parts.extend(issuer.replicas.as_ref().map(|replicas| format!("{replicas} ready")));
        parts.push(counted(issuer.keys.len() as u64, "key"));
        // A namespace has one issuer; the people are not another's.
        parts.extend(self.people.as_ref().filter(|_| self.issuers.len() == 1).map(people));
        parts.extend(
            issuer.refused_logins.map(|count| format!("{} since the pods started", counted(count, "refused login"))),
        );
        parts
    }

    /// The whole id, as `revoke-key` takes it.
    fn write_key(&self, key: &KeyRow, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (state, word) = match key.state {
            "active" => ("Active", "until"),
            "next" => ("Next", "from"),
            _ => ("Retired", "until"),
        };
        write!(f, "  {state:7}  {}  {}", key.kid, key.algorithm.as_str())?;
        match &key.next {
            Some(next) => writeln!(f, "  {word} {}", moment(next.at, self.now)),
            None => writeln!(f),
        }
    }
}

fn people(line: &PeopleLine) -> String {
    let mut text = match line.count {
        1 => "1 person".to_owned(),
        count => format!("{count} people"),
    };
    for (count, what) in [(line.never_enrolled, "never enrolled"), (line.disabled, "disabled")] {
        if count > 0 {
            text.push_str(&format!(", {count} {what}"));
        }
    }
    text
}

fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
