//! AWS profiles: those vouch wrote, those that ask vouch, and what stands in their way.

use super::{Check, Show};
use crate::{
    agent::protocol::{AwsCredentials, AwsCredentialsRequest},
    aws_config::{
        document::{Document, Profile},
        file, process,
    },
    commands::setup_aws::{self, find_program},
    config::Config,
    console::plain,
    env::{self, Variable},
    error::{Category, Failure},
    hot_path,
    paths::Lookup,
    region,
};

const AREA: &str = "aws";

/// Looks at every profile that asks vouch, or tries the one named.
pub(super) fn check(profile: Option<&str>, show: Show<'_>) -> Vec<Check> {
    let read = file::config_path(&Variable::get).and_then(|path| Ok((file::read(&path)?, show(&path))));
    let (document, shown) = match read {
        Ok(read) => read,
        Err(failure) => return vec![Check::failed(AREA, &failure)],
    };
    if let Some(malformed) = document.malformed() {
        let finding = format!("{shown}: {malformed}; AWS tools cannot read the file");
        return vec![Check::problem(AREA, finding, "Correct that line")];
    }
    match profile {
        Some(name) => vec![attempt(&document, &shown, name)],
        None => {
            let surroundings = Surroundings {
                refused: &|request| setup_aws::ask(request).ok().map(|verdict| verdict.refusal),
                shadowed: &|name| file::has_static_keys(&Variable::get, name),
                starts: &|program| find_program(program, &Variable::get).is_some(),
            };
            let mut checks = judge(&document, &shown, &surroundings);
            checks.extend(judge_environment(&document, &shown, &Variable::get));
            checks
        }
    }
}

/// What a profile depends on outside of its file.
struct Surroundings<'a> {
    /// Why the issuer would refuse a request, if it would; `None` when it cannot be asked.
    refused: &'a dyn Fn(&AwsCredentialsRequest) -> Option<Option<String>>,
    shadowed: &'a dyn Fn(&str) -> bool,
    starts: &'a dyn Fn(&str) -> bool,
}

fn judge(document: &Document, file: &str, surroundings: &Surroundings<'_>) -> Vec<Check> {
    let asking: Vec<_> =
        document.profiles.iter().filter_map(|profile| Some((profile, profile.request.as_ref()?))).collect();
    if asking.is_empty() {
        let note = Check::note(AREA, format!("{file}: no profile asks vouch"));
        return vec![Check { next: Some("Add one: vouch setup aws --role ARN".to_owned()), ..note }];
    }
    let mut is_asked = true;
    let mut problems = Vec::new();
    for (profile, request) in &asking {
        // Whoever cannot be asked once is not asked again: each try may take as long as the network lets it.
        let refused = if is_asked { (surroundings.refused)(request) } else { None };
        is_asked &= refused.is_some();
        problems.extend(problem(document, file, profile, request, surroundings, refused.flatten().as_deref()));
    }
    let well = asking.len() - problems.len();
    if well > 0 {
        let profiles = if well == 1 { "profile is" } else { "profiles are" };
        let next = (!is_asked)
            .then(|| "The issuer could not be asked about their roles: sign in, or see vouch doctor issuer".to_owned());
        problems.insert(0, Check { next, ..Check::well(AREA, format!("{file}: {well} {profiles} set up")) });
    }
    problems
}

/// What this shell sets that AWS tools take before a profile, or instead of one.
fn judge_environment(document: &Document, file: &str, lookup: Lookup<'_>) -> Vec<Check> {
    let mut checks = Vec::new();
    if lookup(&env::AWS_ACCESS_KEY_ID).is_some() {
        let finding = "AWS_ACCESS_KEY_ID is set in this shell, and most AWS tools take it before any profile";
        let next = "Run: unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN";
        checks.push(Check::problem(AREA, finding, next));
    }
    let profile = lookup(&env::AWS_PROFILE).map(|name| name.to_string_lossy().into_owned());
    let is_missing = |name: &String| document.profile(name).is_none() && !file::has_static_keys(lookup, name);
    if let Some(name) = profile.filter(is_missing) {
        let finding = format!("AWS_PROFILE is {name}, which is no profile in {file}");
        checks.push(Check::problem(
            AREA,
            finding,
            "Correct or unset it, or add it: vouch setup aws --role ARN --profile NAME",
        ));
    }
    checks
}

fn problem(
    document: &Document,
    file: &str,
    profile: &Profile,
    request: &AwsCredentialsRequest,
    surroundings: &Surroundings<'_>,
    refusal: Option<&str>,
) -> Option<Check> {
    let name = &profile.name;
    if (surroundings.shadowed)(name) {
        let finding =
            format!("the AWS credentials file has static keys for profile {name}, which are used instead of vouch");
        return Some(Check::problem(AREA, finding, "Delete those keys, there and in AWS"));
    }
    let program = program_of(document, profile);
    if let Some(program) = program.filter(|program| !(surroundings.starts)(program)) {
        let finding = format!("{file}: profile {name} starts {program}, which is not there");
        return Some(Check::problem(AREA, finding, format!("Write it anew: {}", setup(profile, request))));
    }
    let finding = format!("{file}: the issuer refuses what profile {name} asks for: {}", plain(refusal?));
    let next = if profile.block.is_some() {
        format!("Ask an administrator for it, or remove it: vouch setup aws --remove --profile {name}")
    } else {
        "Ask an administrator for it, or see: vouch aws roles".to_owned()
    };
    Some(Check::problem(AREA, finding, next))
}

fn program_of(document: &Document, profile: &Profile) -> Option<String> {
    let line = document.bytes.get(profile.process.clone()?)?;
    let text = String::from_utf8_lossy(line);
    process::program(text.split_once('=')?.1)
}

fn setup(profile: &Profile, request: &AwsCredentialsRequest) -> String {
    let remove = if profile.block.is_some() {
        format!("vouch setup aws --remove --profile {} && ", profile.name)
    } else {
        String::new()
    };
    format!("{remove}vouch setup aws --role {} --profile {}", request.role, profile.name)
}

/// Gets credentials for one profile, to see where it fails.
fn attempt(document: &Document, file: &str, name: &str) -> Check {
    let Some(profile) = document.profile(name) else {
        return Check::problem(
            AREA,
            format!("{file} has no profile {name}"),
            "Add it: vouch setup aws --role ARN --profile NAME",
        );
    };
    let Some(request) = profile.request.clone() else {
        return Check::problem(
            AREA,
            format!("{file}: profile {name} does not ask vouch"),
            "Choose another name with vouch setup aws",
        );
    };
    let role = request.role.clone();
    let got = region::choose(request.region.as_deref(), &Variable::get, &request.role)
        .and_then(|region| hot_path::fetch(AwsCredentialsRequest { region, ..request }))
        .and_then(|json| {
            serde_json::from_slice::<AwsCredentials>(&json)
                .map_err(|_| Failure::new(Category::General, "the agent's answer is not one AWS tools understand"))
        });
    match got {
        Ok(credentials) => {
            Check::well(AREA, format!("profile {name} has credentials for {role} until {}", credentials.expiration))
        }
        Err(failure) => {
            let check = Check::failed(AREA, &Config::explain(failure));
            Check { finding: format!("profile {name}: {}", check.finding), ..check }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::cell::Cell;

    use super::{super::State, *};

    const DEV: &str = "arn:aws:iam::111111111111:role/vouch/VouchAccess";
    const OLD: &str = "arn:aws:iam::111111111111:role/vouch/Gone";

    fn document(profiles: &[(&str, &str)]) -> Document {
        let blocks = profiles.iter().map(|(name, role)| {
            format!("# >>> vouch: x\n[profile {name}]\ncredential_process = vouch credential aws --role {role}\n# <<< vouch\n")
        });
        Document::parse(blocks.collect::<String>().into_bytes()).unwrap()
    }

    fn judged(profiles: &[(&str, &str)], refused: &[&str], shadowed: bool, starts: bool) -> Vec<Check> {
        let why = |request: &AwsCredentialsRequest| {
            let is_refused = refused.contains(&request.role.to_string().as_str());
            Some(is_refused.then(|| "role vouch/Gone is not declared by AwsFederation vouch/acme".to_owned()))
        };
        let surroundings = Surroundings { refused: &why, shadowed: &|_| shadowed, starts: &|_| starts };
        judge(&document(profiles), "~/.aws/config", &surroundings)
    }

    #[test]
    fn a_role_that_the_issuer_refuses_is_a_problem_with_its_reason() {
        let checks = judged(&[("vouch-dev", DEV), ("vouch-old", OLD)], &[OLD], false, true);
        assert_eq!(checks.iter().map(|check| check.state).collect::<Vec<_>>(), [State::Well, State::Problem]);
        let text = checks.last().unwrap().rendered();
        assert!(text.contains("profile vouch-old asks for: role vouch/Gone is not declared by AwsFed"), "{text}");
        assert!(text.ends_with("vouch setup aws --remove --profile vouch-old"), "{text}");
    }

    #[test]
    fn an_issuer_that_cannot_be_asked_is_no_problem_and_is_not_asked_again() {
        let asked = Cell::new(0);
        let refused = |_: &AwsCredentialsRequest| {
            asked.set(asked.get() + 1);
            None
        };
        let surroundings = Surroundings { refused: &refused, shadowed: &|_| false, starts: &|_| true };
        let checks = judge(&document(&[("x", DEV), ("y", OLD)]), "~/.aws/config", &surroundings);
        assert_eq!((checks.len(), checks.first().unwrap().state), (1, State::Well));
        let next = checks.first().unwrap().next.as_ref().unwrap();
        assert!(next.contains("sign in, or see vouch doctor issuer"), "{next}");
        assert_eq!(asked.get(), 1);
    }

    #[test]
    fn static_keys_and_a_missing_program_are_problems() {
        assert!(judged(&[("x", DEV)], &[], true, true).first().unwrap().finding.contains("static keys"));
        assert!(
            judged(&[("x", DEV)], &[], false, false)
                .first()
                .unwrap()
                .finding
                .contains("starts vouch, which is not there")
        );
    }

    #[test]
    fn keys_and_a_missing_profile_in_the_shell_are_problems() {
        let set = |variables: &'static [(&str, &str)]| {
            let lookup = move |variable: &Variable| {
                variables.iter().find(|(name, _)| *name == variable.name).map(|(_, value)| value.into())
            };
            let checks = judge_environment(&document(&[("vouch-dev", DEV)]), "~/.aws/config", &lookup);
            checks.iter().map(Check::rendered).collect::<Vec<_>>().join("\n")
        };
        assert_eq!(set(&[("AWS_PROFILE", "vouch-dev")]), "");
        let text = set(&[("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"), ("AWS_PROFILE", "vouch-prod")]);
        assert!(text.contains("Run: unset AWS_ACCESS_KEY_ID") && !text.contains("AKIAEXAMPLE"), "{text}");
        assert!(text.contains("AWS_PROFILE is vouch-prod, which is no profile in ~/.aws/config"), "{text}");
    }

    #[test]
    fn a_file_without_profiles_of_ours_is_worth_a_note() {
        assert_eq!(judged(&[], &[], false, true).first().unwrap().state, State::Note);
    }
}
