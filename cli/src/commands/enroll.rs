//! `vouch enroll`: the first key, by invite.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use vouch_issuer_api::enroll::{KeyInfo, RegistrationChallenge};

use super::{
    desk::Desk,
    dialogue::{self, Agent, Dialogue},
    keys,
};
use crate::{
    agent::client::Client,
    args::EnrollArgs,
    ceremony::{Ceremony, NewKey},
    config::Config,
    console::{self, plain},
    error::{Category, Failure},
    issuer_url::IssuerUrl,
};

/// What came of it.
pub(super) struct Enrolled {
    challenge: RegistrationChallenge,
    pub(super) credential_id: String,
    /// The issuer's answer; a failure that leaves open whether it knows the key.
    pub(super) outcome: Result<KeyInfo, Failure>,
}

/// Runs the command.
///
/// # Errors
/// Whatever kept the key from being enrolled, ready to be shown.
pub fn run(args: &EnrollArgs) -> Result<(), Failure> {
    let name = args.name.as_deref().map(keys::valid_name).transpose()?;
    let desk = Desk::open()?;
    let mut agent = Client::connect_or_start()?;
    let enrolled = enroll(&mut agent, &desk, &args.url, &args.code, name)?;
    let config = Config {
        issuer: args.url.clone(),
        email: Some(enrolled.challenge.email.clone()),
        credential_id: Some(enrolled.credential_id),
    };
    // Also when it is not known whether the issuer has the key: a sign-in will tell.
    let saved = config.save();
    let key = enrolled.outcome?;
    console::note(&congratulation(&enrolled.challenge, &key));
    saved.map_err(|failure| failure.detail("the key is enrolled; only this machine does not remember the issuer"))
}

pub(super) fn enroll(
    agent: &mut impl Agent,
    desk: &Desk,
    issuer: &IssuerUrl,
    code: &str,
    name: Option<String>,
) -> Result<Enrolled, Failure> {
    let mut agent = Dialogue(agent);
    let challenge = agent.enroll_challenge(issuer, code)?;
    console::note(&format!(
        "Enrolling {} at {} ({}).",
        plain(&challenge.email),
        issuer.authority(),
        plain(&challenge.organization)
    ));
    let mut ceremony = desk.ceremony();
    let new = ceremony.register(issuer, &challenge)?;
    let credential_id = URL_SAFE_NO_PAD.encode(&new.credential.raw_id);
    let answer = agent.enroll(issuer, dialogue::register_request(&challenge, new.credential.clone(), name));
    let outcome = settle(&ceremony, new, answer)?;
    Ok(Enrolled { challenge, credential_id, outcome })
}

/// Leaves the key as the issuer's answer wants it: a credential that was refused is deleted again.
///
/// A refusal is an error; the inner one is a failure that leaves open whether the issuer knows the key, and then the
/// credential stays: deleting one that is enrolled would lock the person out.
pub(super) fn settle(
    ceremony: &Ceremony<'_>,
    new: NewKey,
    answer: Result<KeyInfo, Failure>,
) -> Result<Result<KeyInfo, Failure>, Failure> {
    match answer {
        Ok(key) => Ok(Ok(key)),
        Err(refusal) if refusal.category == Category::Denied => {
            ceremony.discard(new);
            Err(refusal)
        }
        Err(mut failure) => {
            failure.details.extend(failure.hint.take());
            failure.message =
                format!("{}; whether the key was enrolled is not known", failure.message.trim_end_matches(['.', '!']));
            Ok(Err(failure.hint(
                "Run: vouch login. If that key is not enrolled, run this command again: it replaces what the key has now.",
            )))
        }
    }
}

fn congratulation(challenge: &RegistrationChallenge, key: &KeyInfo) -> String {
    let name = plain(&key.name);
    if challenge.first_key {
        format!("Enrolled \"{name}\" as your first key. Sign in: vouch login. Add a spare soon: vouch keys add")
    } else {
        format!("Enrolled \"{name}\".")
    }
}
