//! `vouch setup aws`: a profile that gets its credentials from vouch, and its removal.

use std::path::{Path, PathBuf};

use vouch_iam::arn::RoleArn;
use vouch_issuer_api::aws::AwsRole;

use crate::{
    agent::{
        client::Client,
        protocol::{AwsCredentialsRequest, Reply, Request},
        sts_refusal::short,
    },
    args::SetupAwsArgs,
    aws_config::{
        edit::{self, Change, Edited, Wanted},
        file,
    },
    console,
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
        return if diff.is_empty() { Ok(()) } else { console::print(diff.trim_end()) };
    }
    if edited.bytes != document.bytes {
        file::replace(&path, &document.bytes, &edited.bytes)?;
    }
    console::note(&match &wanted {
        Some(request) if !args.remove => said_of_profile(&edited, &shown, &reached(request, &catalogue())),
        _ => said_of_removal(&edited, &shown),
    });
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

/// The roles the issuer lists, when somebody is signed in. Setting up needs no session, so nothing is lost without.
fn catalogue() -> Option<Vec<AwsRole>> {
    let mut client = Client::connect().ok()??;
    match client.call(Request::AwsRoles) {
        Ok(Reply::AwsRoles { roles }) => Some(roles),
        _ => None,
    }
}

/// How the role is reached, in the words of a parenthesis.
fn reached(request: &AwsCredentialsRequest, catalogue: &Option<Vec<AwsRole>>) -> Option<String> {
    if let Some(via) = &request.via {
        return Some(format!("reached through {}", short(via)));
    }
    let roles = catalogue.as_ref()?;
    Some(match roles.iter().find(|listed| listed.role == request.role).map(|listed| &listed.via) {
        Some(Some(hub)) => format!("reached through the hub {}", hub.account()),
        Some(None) => "assumed directly".to_owned(),
        None => "not in your catalogue, so account and trust policy decide".to_owned(),
    })
}

fn said_of_profile(edited: &Edited, file: &str, reached: &Option<String>) -> String {
    let name = edited.profiles.join(", ");
    let reached = reached.as_ref().map(|how| format!(" ({how})")).unwrap_or_default();
    let done = match edited.change {
        Change::Unchanged => format!("Profile {name} in {file} is set up already{reached}."),
        Change::Changed => format!("Changed profile {name} in {file}{reached}."),
        Change::Added | Change::Removed => format!("Added profile {name} to {file}{reached}."),
    };
    format!("{done} Try: aws sts get-caller-identity --profile {name}")
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

    const DEV: &str = "arn:aws:iam::111111111111:role/vouch/VouchAccess";
    const HUB: &str = "arn:aws:iam::999999999999:role/vouch/VouchAccess";

    fn args() -> SetupAwsArgs {
        SetupAwsArgs { role: None, profile: None, region: None, via: None, diff: false, remove: false }
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

    #[test]
    fn what_is_known_of_the_way_is_said() {
        let wanted = request(&args(), &DEV.parse().unwrap()).unwrap();
        let listed = |via: Option<&str>| {
            Some(vec![AwsRole {
                role: DEV.parse().unwrap(),
                federation: "vouch/acme".to_owned(),
                via: via.map(|hub| hub.parse().unwrap()),
                max_session_seconds: 3600,
            }])
        };
        assert_eq!(reached(&wanted, &listed(Some(HUB))).as_deref(), Some("reached through the hub 999999999999"));
        assert_eq!(reached(&wanted, &listed(None)).as_deref(), Some("assumed directly"));
        assert_eq!(reached(&wanted, &None), None);
        let edited = Edited { bytes: Vec::new(), profiles: vec!["vouch-dev".to_owned()], change: Change::Added };
        assert_eq!(
            said_of_profile(&edited, "~/.aws/config", &reached(&wanted, &listed(Some(HUB)))),
            "Added profile vouch-dev to ~/.aws/config (reached through the hub 999999999999). \
             Try: aws sts get-caller-identity --profile vouch-dev"
        );
    }
}
