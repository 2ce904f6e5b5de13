//! The person's own configuration, and the environment that may lead elsewhere.

use super::{Check, Show};
use crate::{
    agent::{client, sts::private_endpoint},
    config::Config,
    env,
    error::Failure,
    overrides::{self, Override, Reader},
};

const AREA: &str = "config";

/// What is set up on this machine, and what its environment changes.
pub(super) fn check(known: &Result<Config, Failure>, show: Show<'_>) -> Vec<Check> {
    let mut checks = vec![match (known, Config::path()) {
        (Ok(config), Ok(path)) => {
            let person = config.email.as_ref().map(|email| format!(" ({email})")).unwrap_or_default();
            Check::well(AREA, format!("{}: {}{person}", show(&path), config.issuer))
        }
        (Err(failure), _) => Check::failed(AREA, failure),
        (Ok(_), Err(failure)) => Check::failed(AREA, &failure),
    }];
    checks.extend(judge_environment(&overrides::in_effect(Reader::Command, &|name| std::env::var_os(name))));
    checks
}

fn judge_environment(given: &[Override]) -> Vec<Check> {
    let mut checks = Vec::new();
    if given.is_empty() {
        checks.push(Check::well("environment", "no variable leads vouch elsewhere"));
    } else {
        let list: Vec<_> = given.iter().map(|given| format!("{}={}", given.name, given.value)).collect();
        checks.push(Check::note("environment", list.join(", ")));
    }
    checks.extend(given.iter().filter_map(problem));
    checks
}

/// A value that is not used as it was meant. What is wrong with certificate files and proxies is found by their use.
fn problem(given: &Override) -> Option<Check> {
    let Override { name, value } = given;
    if *name == env::AWS_ENDPOINT_URL_STS.name {
        return private_endpoint(value).err().map(|failure| Check::failed("environment", &failure));
    }
    if *name == env::VOUCH_TIMEOUT.name && client::timeout_of(value).is_none() {
        let finding = format!("{name}={value} is not a number of seconds from 1 to 600, so it is not used");
        return Some(Check::problem("environment", finding, "Correct or unset it"));
    }
    if overrides::is_proxy(name)
        && value.contains("://")
        && !value.starts_with("http://")
        && !value.starts_with("https://")
    {
        let finding = format!("{name}={value} is no proxy vouch can use, so it is not used");
        return Some(Check::problem("environment", finding, "Name one such as http://proxy.example.com:3128"));
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{super::State, *};

    fn judged(name: &str, value: &str) -> Vec<Check> {
        judge_environment(&[Override { name: name.to_owned(), value: value.to_owned() }])
    }

    #[test]
    fn a_variable_in_effect_is_noted_and_one_that_is_not_used_as_meant_is_a_problem() {
        let fine = judged("VOUCH_TIMEOUT", "90");
        assert_eq!(fine, [Check::note("environment", "VOUCH_TIMEOUT=90")]);
        let checks = judged("VOUCH_TIMEOUT", "soon");
        assert!(checks.last().unwrap().finding.contains("from 1 to 600"), "{checks:?}");
        let checks = judged("AWS_ENDPOINT_URL_STS", "http://sts.example.com");
        assert_eq!(checks.iter().map(|check| check.state).collect::<Vec<_>>(), [State::Note, State::Problem]);
        let checks = judged("https_proxy", "socks5://proxy.example.com");
        assert!(checks.last().unwrap().finding.contains("no proxy vouch can use"), "{checks:?}");
        assert_eq!(judge_environment(&[]).first().unwrap().state, State::Well);
    }
}
