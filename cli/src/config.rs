//! What the person set up on this machine: which issuer, and what is known of the key. Nothing in it is secret.

use std::{fs, io, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::{
    atomic_file,
    env::Variable,
    error::{Category, Failure},
    issuer_url::IssuerUrl,
    paths,
};

/// `config.toml`. `vouch enroll` writes it.
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
                return Err(Failure::new(Category::Configuration, format!("cannot read {}: {error}", path.display())));
            }
        };
        Self::parse(&text).map(Some).map_err(|why| {
            Failure::new(Category::Configuration, format!("{} is not valid: {why}", path.display()))
                .hint("Correct it, or delete it and run: vouch enroll URL --code CODE")
        })
    }

    /// Reads the file, which must exist.
    ///
    /// # Errors
    /// As [`Config::load`], and [`Category::Configuration`] when this machine is not set up.
    pub fn require() -> Result<Self, Failure> {
        Self::load()?.ok_or_else(|| {
            Failure::new(Category::Configuration, "this machine does not know your issuer yet")
                .hint("Run: vouch enroll URL --code CODE")
        })
    }

    /// Writes the file in one step, for its owner alone.
    ///
    /// # Errors
    /// [`Category::Configuration`] when it cannot be written; the old file is then untouched.
    pub fn save(&self) -> Result<(), Failure> {
        let path = Self::path()?;
        let failed = |why: &dyn std::fmt::Display| {
            Failure::new(Category::Configuration, format!("cannot write {}: {why}", path.display()))
        };
        let text = toml::to_string(self).map_err(|error| failed(&error))?;
        atomic_file::replace(&path, text.as_bytes(), 0o600).map_err(|error| failed(&error))
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

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
    fn a_wrong_file_is_explained_by_line() {
        let why = Config::parse("email = \"a\"\nissuer = \"https://vouch.example.com/\"\n").unwrap_err();
        assert!(why.starts_with("line 2: ") && why.contains("exactly `https://vouch.example.com`"), "{why}");
        let why = Config::parse("issuer = \"https://vouch.example.com\"\nisuer = 1\n").unwrap_err();
        assert!(why.starts_with("line 2: ") && why.contains("isuer"), "{why}");
    }
}
