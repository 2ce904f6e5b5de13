//! `vouch doctor`: what is well on this machine, what is not, and what to do about it.
//!
//! Gathering touches the network, the key and files; judging is plain functions of what was gathered.

mod aws;
mod config;
mod issuer;
mod machine;

use std::path::Path;

use serde::Serialize;
use serde_json::json;

use crate::{
    args::{DoctorArea, DoctorArgs},
    config::Config,
    console,
    env::Variable,
    error::{Category, Failure},
    paths,
};

/// How a path is written in a finding.
type Show<'a> = &'a dyn Fn(&Path) -> String;

/// Runs the command. The exit code says whether there is a problem.
///
/// # Errors
/// When stdout cannot be written. What is wrong with the machine is an answer, not an error.
pub fn run(args: &DoctorArgs) -> Result<u8, Failure> {
    let area = args.area.or_else(|| args.profile.is_some().then_some(DoctorArea::Aws));
    let wanted = |candidates: &[DoctorArea]| area.is_none_or(|area| candidates.contains(&area));
    let json = args.output.json();
    // Programs cannot follow a tilde.
    let show = |path: &Path| if json { path.display().to_string() } else { paths::shorten(&Variable::get, path) };
    let mut checks = Vec::new();
    let known = Config::require();
    if wanted(&[DoctorArea::Config, DoctorArea::Environment]) {
        checks.extend(config::check(&known, &show));
    }
    if wanted(&[DoctorArea::Issuer]) {
        match &known {
            Ok(config) => checks.extend(issuer::check(&config.issuer)),
            Err(failure) if area.is_some() => checks.push(Check::failed("config", failure)),
            Err(_) => {}
        }
    }
    if wanted(&[DoctorArea::Security]) {
        checks.extend(machine::security_keys());
    }
    if wanted(&[DoctorArea::Agent, DoctorArea::Session]) {
        checks.extend(machine::agent(known.as_ref().ok()));
    }
    if wanted(&[DoctorArea::Aws]) {
        checks.extend(aws::check(args.profile.as_deref(), &show));
    }
    match area {
        Some(DoctorArea::Environment) => checks.retain(|check| check.area == "environment"),
        Some(DoctorArea::Session) => checks.retain(|check| check.area == "session"),
        _ => {}
    }
    if json {
        console::print_json(&json!({ "checks": checks }))?;
    } else {
        console::print(&rendered(&checks))?;
    }
    let is_well = checks.iter().all(|check| check.state != State::Problem);
    Ok(if is_well { 0 } else { Category::General.exit_code() })
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// As it should be.
    Well,
    /// Worth knowing.
    Note,
    /// Something to do.
    Problem,
}

/// One line of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Check {
    area: &'static str,
    state: State,
    /// What was found.
    finding: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    /// A line that belongs to it, to be copied as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    copy: Option<String>,
    /// Causes and request ids.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    details: Vec<String>,
}

impl Check {
    fn new(area: &'static str, state: State, finding: impl Into<String>) -> Self {
        Self { area, state, finding: finding.into(), next: None, copy: None, details: Vec::new() }
    }

    fn well(area: &'static str, finding: impl Into<String>) -> Self {
        Self::new(area, State::Well, finding)
    }

    fn note(area: &'static str, finding: impl Into<String>) -> Self {
        Self::new(area, State::Note, finding)
    }

    fn problem(area: &'static str, finding: impl Into<String>, next: impl Into<String>) -> Self {
        Self { next: Some(next.into()), ..Self::new(area, State::Problem, finding) }
    }

    fn failed(area: &'static str, failure: &Failure) -> Self {
        // Advice to run this very command would lead in a circle.
        let next = failure.hint.clone().filter(|hint| !hint.contains("vouch doctor"));
        let (copy, details) = (failure.copy.clone(), failure.details.clone());
        Self { next, copy, details, ..Self::new(area, State::Problem, failure.message.clone()) }
    }

    /// What the area is called in a sentence. Programs, and the command line, have its plain name.
    fn label(&self) -> &'static str {
        if self.area == "security" { "security key" } else { self.area }
    }

    fn rendered(&self) -> String {
        let mark = match self.state {
            State::Well => '✓',
            State::Note => '·',
            State::Problem => '✗',
        };
        let mut text = format!("{mark} {:<12} {}", self.label(), self.finding);
        if let Some(next) = &self.next {
            if !text.ends_with(['.', '!', '?']) {
                text.push('.');
            }
            text.push(' ');
            text.push_str(next);
        }
        for detail in self.copy.iter().chain(&self.details) {
            text.push_str("\n                 ");
            text.push_str(detail);
        }
        text
    }
}

fn rendered(checks: &[Check]) -> String {
    checks.iter().map(Check::rendered).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_a_mark_an_area_a_finding_and_a_next_step() {
        let checks = [
            Check::well("agent", "socket /run/user/1000/vouch/agent.sock, mode 0600"),
            Check::note("session", "nobody is signed in"),
            Check::well("security", "1 key found"),
            Check::problem(
                "aws",
                "profile vouch-old is ours",
                "Remove it: vouch setup aws --remove --profile vouch-old",
            ),
        ];
        let expected = "\
✓ agent        socket /run/user/1000/vouch/agent.sock, mode 0600
· session      nobody is signed in
✓ security key 1 key found
✗ aws          profile vouch-old is ours. Remove it: vouch setup aws --remove --profile vouch-old";
        assert_eq!(rendered(&checks), expected);
    }

    #[test]
    fn advice_to_run_the_doctor_is_not_given_by_the_doctor() {
        let failure =
            Failure::new(Category::Denied, "AWS refused it").hint("Details: vouch doctor --profile NAME").detail("r-1");
        let check = Check::failed("aws", &failure);
        assert_eq!((check.next, check.details.len()), (None, 1));
    }
}
