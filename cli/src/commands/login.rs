//! `vouch login`: one tap, and the agent holds a session.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{Timestamp, tz::TimeZone};
use vouch_issuer_api::session::SessionInfo;

use super::{
    desk::Desk,
    dialogue::{Agent, Dialogue},
};
use crate::{
    agent::client::Client,
    args::LoginArgs,
    ceremony::{Ceremony, Remembered, Signed},
    config::Config,
    console::{self, plain},
    error::Failure,
    wording,
};

/// Runs the command.
///
/// # Errors
/// Whatever kept the person from being signed in, ready to be shown.
pub fn run(args: &LoginArgs) -> Result<(), Failure> {
    let config = Config::require()?;
    // A script may run this to make sure; nobody has to sit at a terminal for that.
    if !args.force
        && let Some(mut agent) = Client::connect()?
        && let Some(session) = Dialogue(&mut agent).session_at(&config.issuer)?
    {
        console::note(&already(&session, Timestamp::now(), &TimeZone::system()));
        return Ok(());
    }
    let desk = Desk::open()?;
    let mut agent = Client::connect_or_start()?;
    let (session, credential_id) = log_in(&mut agent, &desk, &config)?;
    remember(&config, &session, credential_id);
    console::note(&welcome(&session, Timestamp::now(), &TimeZone::system()));
    Ok(())
}

pub(super) fn log_in(agent: &mut impl Agent, desk: &Desk, config: &Config) -> Result<(SessionInfo, String), Failure> {
    let mut agent = Dialogue(agent);
    let signed = sign(&mut agent, &mut desk.ceremony(), config)?;
    let credential_id = signed.assertion.id.clone();
    Ok((agent.log_in(&config.issuer, signed)?, credential_id))
}

/// An assertion over a fresh challenge of the configured issuer.
pub(super) fn sign<A: Agent>(
    agent: &mut Dialogue<'_, A>,
    ceremony: &mut Ceremony<'_>,
    config: &Config,
) -> Result<Signed, Failure> {
    let challenge = agent.login_challenge(&config.issuer)?;
    let remembered = Remembered {
        credential_id: config.credential_id.as_deref().and_then(|id| URL_SAFE_NO_PAD.decode(id).ok()),
        account: config.email.clone(),
    };
    let refetch = || agent.login_challenge(&config.issuer);
    Ok(ceremony.sign_in(&config.issuer, &remembered, challenge, refetch)?)
}

/// Writes down who signed in with what. The session is there whether or not that works.
fn remember(config: &Config, session: &SessionInfo, credential_id: String) {
    let now = Config {
        issuer: config.issuer.clone(),
        email: Some(session.email.clone()),
        credential_id: Some(credential_id),
    };
    if now != *config
        && let Err(failure) = now.save()
    {
        console::note(&format!("Note: {failure}"));
    }
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
