//! Which issuer this machine is for. It is one at a time, and it is never changed without being asked for.

use super::desk::Desk;
use crate::{
    config::Config,
    console,
    env::Variable,
    error::{Category, Failure},
    issuer_url::IssuerUrl,
    paths,
    prompt::{Confirmation, Notice, Prompter},
};

/// That this machine may be set up for an issuer.
pub(super) struct Agreed {
    /// The configuration of another issuer that will be replaced.
    earlier: Option<Config>,
}

impl Agreed {
    /// Opens the desk, and asks there when `issuer` is another than the configured one.
    ///
    /// # Errors
    /// [`Category::Configuration`] when another issuer is configured and nobody agreed, be it at a terminal or by
    /// `replace`, and when the file cannot be read.
    pub(super) fn on(issuer: &IssuerUrl, replace: bool) -> Result<(Desk, Self), Failure> {
        let earlier = Config::load()?.filter(|config| config.issuer != *issuer);
        let desk = match Desk::open() {
            Ok(desk) => desk,
            Err(failure) => {
                return Err(earlier.filter(|_| !replace).map_or(failure, |earlier| occupied(&earlier, issuer)));
            }
        };
        if let Some(earlier) = earlier.as_ref().filter(|_| !replace) {
            agree(desk.prompter(), earlier)?;
        }
        Ok((desk, Self { earlier }))
    }

    /// Writes the new configuration; what it replaces of another issuer is kept beside it.
    ///
    /// # Errors
    /// When either cannot be written; the old file is then untouched.
    pub(super) fn save(&self, config: &Config) -> Result<(), Failure> {
        if let Some(earlier) = &self.earlier {
            earlier.keep()?;
        }
        config.save()
    }

    /// Says where the configuration that was replaced is, if one was.
    pub(super) fn say_what_is_kept(&self) {
        let Some(earlier) = &self.earlier else { return };
        if let Ok(kept) = earlier.kept_path() {
            let kept = paths::shorten(&Variable::get, &kept);
            console::note(&format!("The configuration for {} is kept as {kept}.", earlier.issuer));
        }
    }
}

pub(super) fn agree(person: &dyn Prompter, earlier: &Config) -> Result<(), Failure> {
    person.tell(&Notice::OtherIssuer { issuer: earlier.issuer.to_string(), email: earlier.email.clone() });
    if person.confirm(Confirmation::SwitchIssuer)? {
        return Ok(());
    }
    let message = format!("nothing was changed; this machine stays set up for {}", earlier.issuer);
    Err(Failure::new(Category::Configuration, message))
}

fn occupied(earlier: &Config, issuer: &IssuerUrl) -> Failure {
    let person = earlier.email.as_ref().map(|email| format!(" ({email})")).unwrap_or_default();
    let message = format!("this machine is set up for {}{person}, and for one issuer at a time", earlier.issuer);
    Failure::new(Category::Configuration, message).hint(format!(
        "To switch to {issuer}, run the command in a terminal, or add --replace; the configuration of now is kept"
    ))
}
