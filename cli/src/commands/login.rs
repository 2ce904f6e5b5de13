//! `vouch login`: one tap, and the agent holds a session.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{Timestamp, tz::TimeZone};
use serde_json::json;
use vouch_issuer_api::session::SessionInfo;

use super::{
    desk::Desk,
    dialogue::{Agent, Dialogue, LogIn},
    issuer_choice::Agreed,
};
use crate::{
    agent::client::Client,
    args::LoginArgs,
    ceremony::{Ceremony, CeremonyError, Remembered, Signed},
    config::Config,
    console::{self, plain},
    error::Failure,
    issuer_url::IssuerUrl,
    wording,
};

/// Runs the command.
///
/// # Errors
/// Whatever kept the person from being signed in, ready to be shown.
pub fn run(args: &LoginArgs) -> Result<(), Failure> {
    let session = match &args.url {
        None => again(&Config::require()?, args.force)?,
        Some(url) => match Config::load()?.filter(|config| config.issuer == *url) {
            Some(config) => again(&config, args.force)?,
            None => first(url, args.replace)?,
        },
    };
    if args.output.json() { console::print_json(&json!({ "session": session })) } else { Ok(()) }
}

/// At the issuer this machine is set up for.
fn again(config: &Config, force: bool) -> Result<SessionInfo, Failure> {
    // A script may run this to make sure; nobody has to sit at a terminal for that.
    if !force
        && let Some(mut agent) = Client::connect()?
        && let Some(session) = Dialogue(&mut agent).session_at(&config.issuer)?
    {
        console::note(&already(&session, Timestamp::now(), &TimeZone::system()));
        return Ok(session);
    }
    let desk = Desk::open()?;
    let mut agent = Client::connect_or_start()?;
    let (session, credential_id) = log_in(&mut agent, &desk, config)?;
    let now = configuration(&config.issuer, &session, credential_id);
    // The session is there whether or not that works.
    if now != *config
        && let Err(failure) = now.save()
    {
        console::note(&format!("Note: {failure}"));
    }
    console::note(&welcome(&session, Timestamp::now(), &TimeZone::system()));
    Ok(session)
}

/// On a machine that does not know the issuer: the key does, and names its owner.
fn first(url: &IssuerUrl, replace: bool) -> Result<SessionInfo, Failure> {
    let (desk, agreed) = Agreed::on(url, replace)?;
    let mut agent = Client::connect_or_start()?;
    Dialogue(&mut agent).check_issuer(url)?;
    let unknown = Config { issuer: url.clone(), email: None, credential_id: None };
    let (session, credential_id) = log_in(&mut agent, &desk, &unknown)?;
    console::note(&welcome(&session, Timestamp::now(), &TimeZone::system()));
    agreed
        .save(&configuration(url, &session, credential_id))
        .map_err(|failure| failure.hint("You are signed in, but this machine does not remember the issuer."))?;
    agreed.say_what_is_kept();
    Ok(session)
}

pub(super) fn log_in(agent: &mut impl Agent, desk: &Desk, config: &Config) -> Result<(SessionInfo, String), Failure> {
    let mut agent = Dialogue(agent);
    let mut ceremony = desk.ceremony();
    let mut refusal = None;
    loop {
        let signed = match (sign(&mut agent, &mut ceremony, config), refusal) {
            // There is no other key, so it ends with what was wrong with the one there was.
            (Err(CeremonyError::NoKey(_)), Some(refusal)) => return Err(refusal),
            (signed, _) => signed?,
        };
        let credential_id = signed.assertion.id.clone();
        match agent.log_in(&config.issuer, signed)? {
            LogIn::Session(session) => return Ok((session, credential_id)),
            LogIn::UnknownKey(failure) => {
                ceremony.signer_is_unknown(&config.issuer);
                refusal = Some(failure);
            }
        }
    }
}

/// An assertion over a fresh challenge of the configured issuer.
pub(super) fn sign<A: Agent>(
    agent: &mut Dialogue<'_, A>,
    ceremony: &mut Ceremony<'_>,
    config: &Config,
) -> Result<Signed, CeremonyError> {
    let challenge = agent.login_challenge(&config.issuer)?;
    let remembered = Remembered {
        credential_id: config.credential_id.as_deref().and_then(|id| URL_SAFE_NO_PAD.decode(id).ok()),
        account: config.email.clone(),
    };
    let refetch = || agent.login_challenge(&config.issuer);
    ceremony.sign_in(&config.issuer, &remembered, challenge, refetch)
}

/// Who signed in with what.
fn configuration(issuer: &IssuerUrl, session: &SessionInfo, credential_id: String) -> Config {
    Config { issuer: issuer.clone(), email: Some(session.email.clone()), credential_id: Some(credential_id) }
}

/// `Signed in as alice@example.com until 17:42 (8 h).`
pub(super) fn welcome(session: &SessionInfo, now: Timestamp, zone: &TimeZone) -> String {
    let seconds = session.expires_at.as_second() - session.signed_in_at.as_second();
    format!(
        "Signed in as {} until {} ({}).",
        plain(&session.email),
        wording::moment(session.expires_at, now, zone),
        wording::duration(seconds)
    )
}

pub(super) fn already(session: &SessionInfo, now: Timestamp, zone: &TimeZone) -> String {
    format!(
        "You are signed in as {} until {} ({} left). To renew: vouch login --force",
        plain(&session.email),
        wording::moment(session.expires_at, now, zone),
        wording::duration(session.expires_at.as_second() - now.as_second())
    )
}
