//! What the environment changes, so that it can be seen: a forgotten variable explains more failures than any bug.
//!
//! Variables that merely tell where a home folder is are left out; those that lead requests, trust or files elsewhere
//! are not. A password in a proxy's URL is never shown.

use std::ffi::OsString;

use serde::{Deserialize, Serialize};
use vouch_issuer_api::shown::without_userinfo;

use crate::env::{self, Variable};

/// The variables, each with its other spellings.
const WATCHED: &[(&Variable, &[&str])] = &[
    (&env::VOUCH_CONFIG_DIR, &[]),
    (&env::VOUCH_RUNTIME_DIR, &[]),
    (&env::VOUCH_STATE_DIR, &[]),
    (&env::VOUCH_CA_BUNDLE, &[]),
    (&env::AWS_CA_BUNDLE, &[]),
    (&env::SSL_CERT_FILE, &[]),
    (&env::SSL_CERT_DIR, &[]),
    (&env::HTTPS_PROXY, &["https_proxy", "ALL_PROXY", "all_proxy"]),
    (&env::NO_PROXY, &["no_proxy"]),
    (&env::AWS_REGION, &[]),
    (&env::AWS_DEFAULT_REGION, &[]),
    (&env::AWS_CONFIG_FILE, &[]),
    (&env::AWS_SHARED_CREDENTIALS_FILE, &[]),
    (&env::AWS_ENDPOINT_URL_STS, &[]),
    (&env::VOUCH_TIMEOUT, &[]),
    (&env::VOUCH_LOG, &[]),
];

/// A variable that is set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    /// Its name, as it is spelt in the environment.
    pub name: String,
    /// Its value, without what is secret in it.
    pub value: String,
}

/// Whose environment is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// A command.
    Command,
    /// The agent, which keeps the environment it was started with.
    Agent,
}

/// Every watched variable that `reader` reads and that is set to something.
#[must_use]
pub fn in_effect(reader: Reader, lookup: &dyn Fn(&str) -> Option<OsString>) -> Vec<Override> {
    let read = |variable: &Variable| reader == Reader::Command || variable.is_read_by_agent();
    let names = WATCHED
        .iter()
        .filter(|(variable, _)| read(variable))
        .flat_map(|(variable, others)| std::iter::once(&variable.name).chain(*others));
    let set = |name: &&str| {
        let value = lookup(name).filter(|value| !value.is_empty())?;
        Some(Override { name: (*name).to_owned(), value: without_userinfo(&value.to_string_lossy()) })
    };
    names.filter_map(set).collect()
}

/// Whether a name is one of those a proxy is given by.
#[must_use]
pub fn is_proxy(name: &str) -> bool {
    WATCHED.iter().any(|(variable, others)| {
        variable.name == env::HTTPS_PROXY.name && (variable.name == name || others.contains(&name))
    })
}

/// Whether a variable changes what the agent does.
fn concerns_agent(name: &str) -> bool {
    let named = |(variable, others): &&(&Variable, &[&str])| variable.name == name || others.contains(&name);
    // Where the agent listens and logs is settled: this command has found it.
    let is_place = [env::VOUCH_RUNTIME_DIR.name, env::VOUCH_STATE_DIR.name, env::VOUCH_LOG.name].contains(&name);
    !is_place && WATCHED.iter().find(named).is_some_and(|(variable, _)| variable.is_read_by_agent())
}

/// The names of what is set in one of the two environments alone, or differently, as it concerns the agent.
#[must_use]
pub fn differences(here: &[Override], agent: &[Override]) -> Vec<String> {
    let only_there = agent.iter().filter(|other| concerns_agent(&other.name) && !here.contains(other));
    let mut names: Vec<_> = unheard_by_agent(here, agent).into_iter().map(|own| own.name).collect();
    names.extend(only_there.map(|other| other.name.clone()));
    names.sort();
    names.dedup();
    names
}

/// What differs between the environment of this command and the one the agent was started with, as it concerns the agent.
#[must_use]
pub fn unheard_by_agent(here: &[Override], agent: &[Override]) -> Vec<Override> {
    here.iter().filter(|own| concerns_agent(&own.name) && !agent.contains(own)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set<'a>(variables: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<OsString> + 'a {
        move |name| variables.iter().find(|(given, _)| *given == name).map(|(_, value)| value.into())
    }

    fn lines(overrides: &[Override]) -> Vec<String> {
        overrides.iter().map(|given| format!("{}={}", given.name, given.value)).collect()
    }

    const ENVIRONMENT: &[(&str, &str)] = &[
        ("HOME", "/home/alice"),
        ("PATH", "/bin"),
        ("VOUCH_CONFIG_DIR", "/own"),
        ("https_proxy", "http://alice:s3cret@proxy.example.com:3128"),
        ("AWS_ENDPOINT_URL_STS", "https://sts.example.com"),
        ("VOUCH_LOG", ""),
    ];

    #[test]
    fn what_leads_elsewhere_is_shown_in_every_spelling_and_what_is_always_set_is_not() {
        let shown = lines(&in_effect(Reader::Command, &set(ENVIRONMENT)));
        let proxy = "https_proxy=http://…@proxy.example.com:3128";
        assert_eq!(shown, ["VOUCH_CONFIG_DIR=/own", proxy, "AWS_ENDPOINT_URL_STS=https://sts.example.com"]);
        let agent = lines(&in_effect(Reader::Agent, &set(ENVIRONMENT)));
        assert_eq!(agent, [proxy, "AWS_ENDPOINT_URL_STS=https://sts.example.com"]);
    }

    #[test]
    fn a_variable_the_running_agent_has_not_heard_of_is_noticed() {
        let here = in_effect(Reader::Command, &set(ENVIRONMENT));
        let unheard = unheard_by_agent(&here, &[]);
        assert_eq!(lines(&unheard).len(), 2, "{unheard:?}");
        assert_eq!(unheard_by_agent(&here, &in_effect(Reader::Agent, &set(ENVIRONMENT))), []);
        let moved = [("VOUCH_RUNTIME_DIR", "/run/own"), ("AWS_REGION", "eu-west-1")];
        assert_eq!(unheard_by_agent(&in_effect(Reader::Command, &set(&moved)), &[]), []);
    }

    #[test]
    fn environments_differ_in_what_either_has_alone_or_otherwise() {
        let here = in_effect(Reader::Agent, &set(&[("HTTPS_PROXY", "http://a.example.com"), ("VOUCH_LOG", "trace")]));
        let there = in_effect(
            Reader::Agent,
            &set(&[("HTTPS_PROXY", "http://b.example.com"), ("AWS_ENDPOINT_URL_STS", "https://sts.example.com")]),
        );
        assert_eq!(differences(&here, &there), ["AWS_ENDPOINT_URL_STS", "HTTPS_PROXY"]);
        assert_eq!(differences(&here, &here), [""; 0]);
    }
}
