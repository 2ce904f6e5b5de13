//! What the person set up on this machine: which issuer, and what is known of the key. Nothing in it is secret.

use std::{fs, io, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::{
    atomic_file,
    env::{self, Variable},
    error::{Category, Failure},
    file_failure::cannot,
    issuer_url::IssuerUrl,
    paths,
};

/// `config.toml`. `vouch enroll` and `vouch login` write it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The issuer the person is enrolled at. The WebAuthn origin comes from here and from nowhere else.
    pub issuer: IssuerUrl,
    /// Who enrolled, to show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// base64url of the credential last used here, to tell keys apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_id: Option<String>,
}

impl Config {
    /// Where the file is.
    ///
    /// # Errors
    /// As [`paths::config_dir`].
    pub fn path() -> Result<PathBuf, Failure> {
        Ok(paths::config_dir(&Variable::get)?.join("config.toml"))
    }

    /// Reads the file; `None` when there is none.
    ///
    /// # Errors
    /// [`Category::Configuration`] when it cannot be read or is wrong, naming the place.
    pub fn load() -> Result<Option<Self>, Failure> {
        let path = Self::path()?;
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(cannot("read", &path, &env::VOUCH_CONFIG_DIR, &error));
            }
        };
        Self::parse(&text).map(Some).map_err(|why| {
            Failure::new(Category::Configuration, format!("{} is not valid: {why}", path.display()))
                .hint("Correct it, or move it away and run: vouch login URL")
        })
    }

    /// Reads the file, which must exist.
    ///
    /// # Errors
    /// As [`Config::load`], and [`Category::Configuration`] when this machine is not set up.
    pub fn require() -> Result<Self, Failure> {
        Self::load()?.ok_or_else(Self::missing)
    }

    fn missing() -> Failure {
        Failure::new(Category::Configuration, "this machine does not know your issuer yet")
            .hint("Run: vouch enroll URL, or with a key that is enrolled already: vouch login URL")
    }

    /// `failure` with advice that leads somewhere: without an issuer, advice to sign in would lead to another failure. Where
    /// nothing is known but that nobody is signed in, the missing issuer is why.
    #[must_use]
    pub fn explain(failure: Failure) -> Failure {
        Self::explained(failure, || Self::load().is_ok_and(|config| config.is_none()))
    }

    fn explained(failure: Failure, is_missing: impl FnOnce() -> bool) -> Failure {
        if failure.category != Category::NotLoggedIn || !is_missing() {
            return failure;
        }
        let missing = Self::missing();
        if failure == Failure::not_signed_in(None) { missing } else { Failure { hint: missing.hint, ..failure } }
    }

    /// Writes the file in one step, for its owner alone.
    ///
    /// # Errors
    /// [`Category::Configuration`] when it cannot be written; the old file is then untouched.
    pub fn save(&self) -> Result<(), Failure> {
        let path = Self::path()?;
        let failed = |error: &io::Error| cannot("write", &path, &env::VOUCH_CONFIG_DIR, error);
        let text = toml::to_string(self).map_err(|error| failed(&io::Error::other(error)))?;
        atomic_file::replace(&path, text.as_bytes(), 0o600).map_err(|error| failed(&error))
    }

    /// Where [`Config::keep`] keeps it: another name for every issuer.
    ///
    /// # Errors
    /// As [`Config::path`].
    pub fn kept_path(&self) -> Result<PathBuf, Failure> {
        Ok(Self::path()?.with_file_name(self.kept_name()))
    }

    /// Keeps the file as it is under a name of its issuer, beside it. What is kept of the same issuer from before is
    /// replaced.
    ///
    /// # Errors
    /// [`Category::Configuration`] when there is no such file or the copy cannot be written.
    pub fn keep(&self) -> Result<(), Failure> {
        let (path, kept) = (Self::path()?, self.kept_path()?);
        let copied = fs::read(&path).and_then(|bytes| atomic_file::replace(&kept, &bytes, 0o600));
        copied.map_err(|error| cannot("keep the configuration of now as", &kept, &env::VOUCH_CONFIG_DIR, &error))
    }

    /// `config.vouch.example.com.toml`.
    fn kept_name(&self) -> String {
        let issuer = self.issuer.as_str().trim_start_matches("https://");
        let fits = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        let slug: String = issuer.chars().map(|c| if fits(c) { c } else { '_' }).collect();
        format!("config.{slug}.toml")
    }

    /// The first line of what is wrong, with its place.
    fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| {
            let line = error.span().map(|span| text.bytes().take(span.start).filter(|byte| *byte == b'\n').count() + 1);
            match line {
                Some(line) => format!("line {line}: {}", error.message()),
                None => error.message().to_owned(),
            }
        })
    }
}

/// The file as it was at one moment, to bring it back.
#[derive(Debug)]
pub struct Snapshot {
    path: PathBuf,
    bytes: Option<Vec<u8>>,
}

impl Snapshot {
    /// Reads the file, valid or not.
    ///
    /// # Errors
    /// [`Category::Configuration`] when it is there and cannot be read.
    pub fn take() -> Result<Self, Failure> {
        Self::of(Config::path()?)
    }

    fn of(path: PathBuf) -> Result<Self, Failure> {
        let bytes = match fs::read(&path) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                return Err(cannot("read", &path, &env::VOUCH_CONFIG_DIR, &error));
            }
        };
        Ok(Self { path, bytes })
    }

    /// Makes the file what it was; one that was not there is removed.
    ///
    /// # Errors
    /// [`Category::Configuration`] when it cannot be written.
    pub fn restore(&self) -> Result<(), Failure> {
        let done = match &self.bytes {
            Some(bytes) => atomic_file::replace(&self.path, bytes, 0o600),
            None => match fs::remove_file(&self.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            },
        };
        done.map_err(|error| cannot("bring back", &self.path, &env::VOUCH_CONFIG_DIR, &error))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use super::*;
    use crate::agent::client;

    #[test]
    fn what_is_written_is_read_back() {
        let config = Config {
            issuer: "https://vouch.example.com".parse().unwrap(),
            email: Some("alice@example.com".to_owned()),
            credential_id: None,
        };
        let text = toml::to_string(&config).unwrap();
        assert_eq!(text, "issuer = \"https://vouch.example.com\"\nemail = \"alice@example.com\"\n");
        assert_eq!(Config::parse(&text).unwrap(), config);
    }

    #[test]
    fn what_is_kept_of_an_issuer_has_a_name_without_folders() {
        for (issuer, name) in [
            ("https://vouch.example.com", "config.vouch.example.com.toml"),
            ("https://localhost:8443/team", "config.localhost_8443_team.toml"),
        ] {
            let issuer = issuer.parse().unwrap();
            assert_eq!(Config { issuer, email: None, credential_id: None }.kept_name(), name);
        }
    }

    #[test]
    fn a_snapshot_brings_back_what_was_there_and_removes_what_was_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        let none = Snapshot::of(path.clone()).unwrap();
        fs::write(&path, "not even valid").unwrap();
        let some = Snapshot::of(path.clone()).unwrap();
        fs::write(&path, "issuer = \"https://vouch.example.com\"\n").unwrap();
        some.restore().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"not even valid");
        none.restore().unwrap();
        assert!(!path.exists());
        none.restore().unwrap();
    }

    #[test]
    fn who_has_no_issuer_is_told_what_happened_and_not_merely_to_sign_in() {
        let explained = Config::explained(Failure::not_signed_in(None), || true);
        assert!(explained.render(false).contains("Run: vouch enroll URL"), "{explained}");
        assert_eq!(explained.category, Category::Configuration);
        let died = client::no_answer(&io::ErrorKind::UnexpectedEof.into(), Duration::from_secs(60));
        let explained = Config::explained(died.clone(), || true);
        assert_eq!((explained.category, &explained.message), (died.category, &died.message));
        assert!(explained.render(false).contains("vouch login URL"), "{explained}");
        for failure in [Failure::not_signed_in(None), Failure::new(Category::Denied, "no")] {
            let is_missing = failure.category == Category::Denied;
            assert_eq!(Config::explained(failure.clone(), || is_missing), failure);
        }
    }

    #[test]
    fn a_wrong_file_is_explained_by_line() {
        let why = Config::parse("email = \"a\"\nissuer = \"https://vouch.example.com/\"\n").unwrap_err();
        assert!(why.starts_with("line 2: ") && why.contains("exactly `https://vouch.example.com`"), "{why}");
        let why = Config::parse("issuer = \"https://vouch.example.com\"\nisuer = 1\n").unwrap_err();
        assert!(why.starts_with("line 2: ") && why.contains("isuer"), "{why}");
    }
}
