//! `vouch setup aws`: a profile that gets its credentials from vouch, and its removal.

use std::path::{Path, PathBuf};

use serde_json::json;
use vouch_iam::arn::RoleArn;
use vouch_issuer_api::aws::AwsRole;

use crate::{
    agent::{
        client::{self, Client},
        protocol::{AwsCredentialsRequest, Reply, Request},
    },
    args::SetupAwsArgs,
    aws_config::{
        edit::{self, Change, Edited, Wanted},
        file,
    },
    config::Config,
    console::{self, plain},
    env::{self, Variable},
    error::{Category, Failure},
    paths::{self, Lookup},
    region,
};

/// Runs the command.
///
/// # Errors
/// [`Category::Usage`] for options that do not fit together, [`Category::Configuration`] when the file cannot or must
/// not be changed.
pub fn run(args: &SetupAwsArgs) -> Result<(), Failure> {
    let lookup: Lookup<'_> = &Variable::get;
    let path = file::config_path(lookup)?;
    let shown = paths::shorten(lookup, &path);
    // A preview changes nothing, not even a lock file.
    let _lock = if args.diff { None } else { Some(file::lock()?) };
    let document = file::read(&path)?;
    if let Some(malformed) = document.malformed().filter(|_| !args.remove) {
        return Err(Failure::new(
            Category::Configuration,
            format!("{shown}: {malformed}; AWS tools cannot read the file"),
        )
        .hint("Correct that line, and try again"));
    }
    let wanted = args.role.as_ref().map(|role| request(args, role)).transpose()?;
    let edited = match &wanted {
        Some(request) if !args.remove => {
            let name = args.profile.as_deref().map(profile_name).transpose()?;
            let program = program(std::env::current_exe().ok().as_deref(), lookup);
            let wanted = Wanted { name, request: request.clone(), program };
            edit::add(&document, &wanted, &|name| file::has_static_keys(lookup, name))?
        }
        request => edit::remove(&document, args.profile.as_deref(), request.as_ref())?,
    };
    if args.diff {
        let diff = file::diff(&shown, &document.bytes, &edited.bytes);
        if args.output.json() {
            return console::print_json(&json!({ "file": path, "profiles": edited.profiles, "diff": diff }));
        }
        return if diff.is_empty() { Ok(()) } else { console::print(diff.trim_end()) };
    }
    if edited.bytes != document.bytes {
        file::replace(&path, &document.bytes, &edited.bytes)?;
    }
    let asked =
        wanted.as_ref().filter(|_| !args.remove).map(|request| (request, ask(request).map_err(Config::explain)));
    console::note(&match &asked {
        Some((request, verdict)) => said_of_profile(&edited, &shown, request, verdict.as_ref()),
        None => said_of_removal(&edited, &shown),
    });
    if args.output.json() {
        let refusal = asked.and_then(|(_, verdict)| verdict.ok()?.refusal);
        let Edited { profiles, change, .. } = edited;
        return console::print_json(
            &json!({ "file": path, "change": change, "profiles": profiles, "refusal": refusal }),
        );
    }
    Ok(())
}

fn request(args: &SetupAwsArgs, role: &RoleArn) -> Result<AwsCredentialsRequest, Failure> {
    if let Some(via) = args.via.as_ref().filter(|via| via.partition() != role.partition()) {
        let message = format!("hub {via} is in another AWS partition than role {role}, and no role reaches across");
        return Err(Failure::new(Category::Usage, message).hint("Name a hub in the role's own partition"));
    }
    // Only the option counts here: the region of the moment is no part of a profile.
    let region = region::choose(args.region.as_deref(), &|_| None, role)?;
    Ok(AwsCredentialsRequest { role: role.clone(), via: args.via.clone(), duration: None, region })
}

/// A name that needs no quotes in the file or on a command line.
fn profile_name(name: &str) -> Result<String, Failure> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.+=,@/".contains(c);
    if (1..=128).contains(&name.len()) && name.chars().all(fits) && !name.starts_with('-') {
        return Ok(name.to_owned());
    }
    Err(Failure::new(Category::Usage, format!("`{}` cannot be the name of a profile", name.escape_debug()))
        .hint("Use letters, digits and -_.+=,@/"))
}

/// `vouch` when that name finds this very program, else where it is: SDKs start it without asking a person.
fn program(own: Option<&Path>, lookup: Lookup<'_>) -> String {
    let own = own.map(|path| path.canonicalize().unwrap_or_else(|_| path.to_owned()));
    let found = find_program("vouch", lookup).and_then(|path| path.canonicalize().ok());
    match own {
        Some(own) if found.as_ref() != Some(&own) => own.display().to_string(),
        _ => "vouch".to_owned(),
    }
}

/// The file a shell would start.
pub(super) fn find_program(name: &str, lookup: Lookup<'_>) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    let is_program = |path: &PathBuf| {
        path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
    };
    if name.contains('/') {
        return Some(PathBuf::from(name)).filter(is_program);
    }
    let path = lookup(&env::PATH)?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(is_program)
}

/// What the issuer makes of a role.
#[derive(Debug)]
pub(super) struct Verdict {
    /// The roles it lists for the person.
    roles: Vec<AwsRole>,
    /// Why it would refuse this one.
    pub(super) refusal: Option<String>,
}

/// Asks the issuer, when somebody is signed in. Setting up needs no session, so nothing is lost without.
///
/// # Errors
/// What is missing to ask it, or why it does not answer.
pub(super) fn ask(request: &AwsCredentialsRequest) -> Result<Verdict, Failure> {
    let mut client = Client::connect()?.ok_or_else(|| Failure::not_signed_in(None))?;
    match client.call(Request::CheckAwsRole { role: request.role.clone(), via: request.via.clone() })? {
        Reply::AwsRoles { roles, refusal } => Ok(Verdict { roles, refusal }),
        _ => Err(client::incompatible()),
    }
}

/// How the role is reached, in the words of a parenthesis; `None` when that is not known.
fn reached(request: &AwsCredentialsRequest, verdict: &Verdict) -> String {
    if let Some(via) = &request.via {
        return format!("reached through {via}");
    }
    match verdict.roles.iter().find(|listed| listed.role == request.role).map(|listed| &listed.via) {
        Some(Some(hub)) => format!("reached through the hub {}", hub.account()),
        Some(None) => "assumed directly".to_owned(),
        None => "no federation governs its account, so the role's trust policy decides".to_owned(),
    }
}

fn said_of_profile(
    edited: &Edited,
    file: &str,
    request: &AwsCredentialsRequest,
    verdict: Result<&Verdict, &Failure>,
) -> String {
    let name = edited.profiles.join(", ");
    let refusal = verdict.ok().and_then(|verdict| verdict.refusal.as_ref());
    let how = match verdict {
        Ok(verdict) => Some(reached(request, verdict)),
        Err(_) => request.via.as_ref().map(|via| format!("reached through {via}")),
    };
    let reached = how.filter(|_| refusal.is_none()).map(|how| format!(" ({how})")).unwrap_or_default();
    let done = match edited.change {
        Change::Unchanged => format!("Profile {name} in {file} is set up already{reached}."),
        Change::Changed => format!("Changed profile {name} in {file}{reached}."),
        Change::Added | Change::Removed => format!("Added profile {name} to {file}{reached}."),
    };
    match refusal {
        Some(why) => format!(
            "{done} But the issuer refuses it to you: {}. Ask an administrator, or see: vouch aws roles",
            plain(why)
        ),
        None => {
            let missing = verdict.err().and_then(missing);
            let first = missing.map_or_else(|| "Try".to_owned(), |missing| format!("But {missing}. Then try"));
            format!("{done} {first}: aws sts get-caller-identity --profile {name}")
        }
    }
}

/// What the profile cannot work without: an issuer, or a session. Whether a network that failed works again shows by itself.
fn missing(failure: &Failure) -> Option<String> {
    let is_missing = matches!(failure.category, Category::NotLoggedIn | Category::Configuration);
    let hint = failure.hint.as_ref().filter(|_| is_missing)?;
    Some(format!("{}. {}", plain(&failure.message), plain(hint.trim_end_matches('.'))))
}

fn said_of_removal(edited: &Edited, file: &str) -> String {
    match edited.profiles.as_slice() {
        [] => format!("No profile in {file} was added by vouch; nothing to remove."),
        [name] => format!("Removed profile {name} from {file}."),
        names => format!("Removed profiles {} from {file}.", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;
    use crate::args::Output;

    const DEV: &str = "arn:aws:iam::111111111111:role/vouch/VouchAccess";
    const HUB: &str = "arn:aws:iam::999999999999:role/vouch/VouchAccess";

    fn args() -> SetupAwsArgs {
        SetupAwsArgs {
            role: None,
            profile: None,
            region: None,
            via: None,
            diff: false,
            remove: false,
            output: Output::default(),
        }
    }

    #[test]
    fn region_and_hub_must_be_in_the_roles_partition() {
        let role: RoleArn = DEV.parse().unwrap();
        let bad_region = SetupAwsArgs { region: Some("cn-north-1".to_owned()), ..args() };
        assert_eq!(request(&bad_region, &role).unwrap_err().category, Category::Usage);
        let via = Some("arn:aws-cn:iam::999999999999:role/Hub".parse().unwrap());
        assert_eq!(request(&SetupAwsArgs { via, ..args() }, &role).unwrap_err().category, Category::Usage);
    }

    #[test]
    fn a_profile_name_that_would_break_the_file_is_refused() {
        assert_eq!(profile_name("vouch-dev").unwrap(), "vouch-dev");
        for name in ["", "a]b", "a b", "a\nb", "-x", "ä"] {
            assert_eq!(profile_name(name).unwrap_err().category, Category::Usage, "{name:?}");
        }
    }

    #[test]
    fn the_program_is_named_by_its_path_unless_its_name_finds_it() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("vouch");
        fs::write(&own, "").unwrap();
        fs::set_permissions(&own, fs::Permissions::from_mode(0o755)).unwrap();
        let path = folder.path().as_os_str().to_owned();
        let on_path = move |variable: &Variable| (variable.name == "PATH").then(|| path.clone());
        assert_eq!(program(Some(&own), &on_path), "vouch");
        assert_eq!(program(Some(&own), &|_| None), own.canonicalize().unwrap().display().to_string());
        let other = folder.path().join("other");
        fs::write(&other, "").unwrap();
        assert_eq!(program(Some(&other), &on_path), other.canonicalize().unwrap().display().to_string());
    }

    fn said(listed: Option<Option<&str>>, refusal: Option<&str>) -> String {
        let wanted = request(&args(), &DEV.parse().unwrap()).unwrap();
        let role = |via: Option<&str>| AwsRole {
            role: DEV.parse().unwrap(),
            federation: "vouch/acme".to_owned(),
            via: via.map(|hub| hub.parse().unwrap()),
            max_session_seconds: 3600,
        };
        let verdict = Verdict { roles: listed.map(role).into_iter().collect(), refusal: refusal.map(str::to_owned) };
        let edited = Edited { bytes: Vec::new(), profiles: vec!["vouch-dev".to_owned()], change: Change::Added };
        said_of_profile(&edited, "~/.aws/config", &wanted, Ok(&verdict))
    }

    #[test]
    fn what_is_missing_is_said_before_what_to_try() {
        let wanted = request(&args(), &DEV.parse().unwrap()).unwrap();
        let edited = Edited { bytes: Vec::new(), profiles: vec!["vouch-dev".to_owned()], change: Change::Added };
        let said = |failure| said_of_profile(&edited, "~/.aws/config", &wanted, Err(&failure));
        assert_eq!(
            said(Failure::not_signed_in(None)),
            "Added profile vouch-dev to ~/.aws/config. But you are not signed in. Run: vouch login. Then try: aws sts \
             get-caller-identity --profile vouch-dev"
        );
        let away = said(Failure::new(Category::Network, "no answer").hint("Try again"));
        assert!(away.ends_with("~/.aws/config. Try: aws sts get-caller-identity --profile vouch-dev"), "{away}");
    }

    #[test]
    fn what_is_known_of_the_way_is_said() {
        assert_eq!(
            said(Some(Some(HUB)), None),
            "Added profile vouch-dev to ~/.aws/config (reached through the hub 999999999999). \
             Try: aws sts get-caller-identity --profile vouch-dev"
        );
        assert!(said(Some(None), None).contains("(assumed directly)"));
        assert!(said(None, None).contains("(no federation governs its account, so the role's trust policy decides)"));
    }

    #[test]
    fn a_role_that_will_be_refused_is_said_with_the_issuers_reason() {
        assert_eq!(
            said(None, Some("role Other in account 111111111111 is not declared by AwsFederation acme")),
            "Added profile vouch-dev to ~/.aws/config. But the issuer refuses it to you: role Other in account \
             111111111111 is not declared by AwsFederation acme. Ask an administrator, or see: vouch aws roles"
        );
    }
}
