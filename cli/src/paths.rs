//! Where the program keeps things on this machine.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use crate::{
    env::{self, Variable},
    error::{Category, Failure},
};

/// How a variable is looked up; tests give their own.
pub type Lookup<'a> = &'a dyn Fn(&Variable) -> Option<OsString>;

/// Length of `sun_path` in `sockaddr_un` (unix(7)), with the terminating zero.
const LONGEST_SOCKET_PATH: usize = 108;

/// Folder of `config.toml`.
///
/// # Errors
/// When no variable names one and there is no home folder.
pub fn config_dir(lookup: Lookup<'_>) -> Result<PathBuf, Failure> {
    place(lookup, &env::VOUCH_CONFIG_DIR, &env::XDG_CONFIG_HOME, "vouch", ".config/vouch")
}

/// Folder of the agent's log.
///
/// # Errors
/// As [`config_dir`].
pub fn state_dir(lookup: Lookup<'_>) -> Result<PathBuf, Failure> {
    place(lookup, &env::VOUCH_STATE_DIR, &env::XDG_STATE_HOME, "vouch", ".local/state/vouch")
}

/// Folder of the agent's socket and lock.
///
/// # Errors
/// As [`config_dir`].
pub fn runtime_dir(lookup: Lookup<'_>) -> Result<PathBuf, Failure> {
    place(lookup, &env::VOUCH_RUNTIME_DIR, &env::XDG_RUNTIME_DIR, "vouch", ".local/state/vouch/run")
}

/// The agent's socket.
///
/// # Errors
/// As [`config_dir`], and when the path is longer than a socket's may be.
pub fn agent_socket(lookup: Lookup<'_>) -> Result<PathBuf, Failure> {
    let path = runtime_dir(lookup)?.join("agent.sock");
    if path.as_os_str().len() >= LONGEST_SOCKET_PATH {
        return Err(Failure::new(
            Category::Configuration,
            format!("{} is too long for a socket (at most {} bytes)", path.display(), LONGEST_SOCKET_PATH - 1),
        )
        .hint(format!("Set {} to a shorter folder", env::VOUCH_RUNTIME_DIR.name)));
    }
    Ok(path)
}

/// `~/PATH`.
///
/// # Errors
/// When there is no home folder.
pub fn in_home(lookup: Lookup<'_>, path: &str) -> Result<PathBuf, Failure> {
    let home = lookup(&env::HOME).map(PathBuf::from).or_else(std::env::home_dir).filter(|home| home.is_absolute());
    home.map(|home| home.join(path)).ok_or_else(|| {
        Failure::new(Category::Configuration, "this account has no home folder").hint("Set HOME to an absolute path")
    })
}

/// `path` as a person writes it, with `~` for the home folder.
#[must_use]
pub fn shorten(lookup: Lookup<'_>, path: &Path) -> String {
    let home = lookup(&env::HOME).map(PathBuf::from).or_else(std::env::home_dir);
    match home.as_deref().filter(|home| home.parent().is_some()).and_then(|home| path.strip_prefix(home).ok()) {
        Some(rest) => format!("~/{}", rest.display()),
        None => path.display().to_string(),
    }
}

fn place(lookup: Lookup<'_>, own: &Variable, xdg: &Variable, below: &str, home: &str) -> Result<PathBuf, Failure> {
    if let Some(folder) = lookup(own) {
        let folder = PathBuf::from(folder);
        return if folder.is_absolute() {
            Ok(folder)
        } else {
            let message = format!("{}={} is not an absolute path", own.name, folder.display());
            Err(Failure::new(Category::Configuration, message).hint("Give the whole path, from the slash on"))
        };
    }
    match lookup(xdg).map(PathBuf::from).filter(|folder| folder.is_absolute()) {
        Some(folder) => Ok(folder.join(below)),
        None => in_home(lookup, home),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn with<'a>(set: &'a [(&'a str, &'a str)]) -> impl Fn(&Variable) -> Option<OsString> + 'a {
        move |variable| set.iter().find(|(name, _)| *name == variable.name).map(|(_, value)| value.into())
    }

    #[test]
    fn our_own_variable_wins_then_xdg_then_home() {
        let home = ("HOME", "/home/alice");
        let xdg = ("XDG_CONFIG_HOME", "/xdg");
        let own = ("VOUCH_CONFIG_DIR", "/own");
        assert_eq!(config_dir(&with(&[home, xdg, own])).unwrap(), Path::new("/own"));
        assert_eq!(config_dir(&with(&[home, xdg])).unwrap(), Path::new("/xdg/vouch"));
        assert_eq!(config_dir(&with(&[home])).unwrap(), Path::new("/home/alice/.config/vouch"));
    }

    #[test]
    fn the_socket_falls_back_to_the_state_folder() {
        let home = ("HOME", "/home/alice");
        assert_eq!(
            agent_socket(&with(&[home, ("XDG_RUNTIME_DIR", "/run/user/1000")])).unwrap(),
            Path::new("/run/user/1000/vouch/agent.sock")
        );
        assert_eq!(agent_socket(&with(&[home])).unwrap(), Path::new("/home/alice/.local/state/vouch/run/agent.sock"));
    }

    #[test]
    fn a_relative_xdg_folder_is_ignored_and_a_relative_one_of_ours_is_refused() {
        let home = ("HOME", "/home/alice");
        assert_eq!(
            config_dir(&with(&[home, ("XDG_CONFIG_HOME", "x")])).unwrap(),
            Path::new("/home/alice/.config/vouch")
        );
        assert!(config_dir(&with(&[home, ("VOUCH_CONFIG_DIR", "x")])).is_err());
    }

    #[test]
    fn a_socket_path_that_the_kernel_would_refuse_is_named() {
        let long = format!("/{}", "x".repeat(110));
        let failure = agent_socket(&with(&[("VOUCH_RUNTIME_DIR", &long)])).unwrap_err();
        assert_eq!(failure.category, Category::Configuration);
        assert!(failure.message.contains("too long"), "{failure}");
    }

    #[test]
    fn a_path_below_home_is_shown_with_a_tilde() {
        let set = [("HOME", "/home/alice")];
        assert_eq!(shorten(&with(&set), Path::new("/home/alice/.aws/config")), "~/.aws/config");
        assert_eq!(shorten(&with(&set), Path::new("/etc/x")), "/etc/x");
    }
}
