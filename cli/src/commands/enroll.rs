//! `vouch enroll`: the first key, by invite.

use std::io::{self, BufRead, IsTerminal as _};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;
use vouch_issuer_api::{
    enroll::{KeyInfo, RegistrationChallenge},
    invite,
};
use zeroize::Zeroizing;

use super::{
    desk::Desk,
    dialogue::{self, Agent, Dialogue, Invitation},
    issuer_choice::Agreed,
    keys,
};
use crate::{
    agent::client::{self, Client},
    args::EnrollArgs,
    ceremony::{Ceremony, NewKey},
    config::{Config, Snapshot},
    console::{self, plain},
    error::{Category, Failure},
    file_failure::words,
    issuer_url::IssuerUrl,
    prompt::{Notice, TextQuestion},
};

/// More than any invite code has, in bytes.
const LONGEST_CODE: usize = 256;

/// How often a person may type a code. Who guesses is slowed down by the issuer.
const CODE_ATTEMPTS: usize = 3;

/// Runs the command.
///
/// # Errors
/// Whatever kept the key from being enrolled, ready to be shown.
pub fn run(args: &EnrollArgs) -> Result<(), Failure> {
    let name = args.name.as_deref().map(keys::valid_name).transpose()?;
    let earlier = Snapshot::take()?;
    let (desk, agreed) = Agreed::on(&args.url, args.replace)?;
    let mut agent = Client::connect_or_start()?;
    // The code is worth a key to whoever gets it, so it goes to nobody but an issuer.
    Dialogue(&mut agent).check_issuer(&args.url).map_err(nothing_happened)?;
    let stdin = io::stdin();
    let script = (!stdin.is_terminal()).then(|| stdin.lock());
    let pending = match given_code(args.code.as_deref(), script)? {
        Some(code) => begin(&mut agent, &desk, &args.url, &code)?,
        None => begin_with_typed_code(&mut agent, &desk, &args.url)?,
    };
    // Before the issuer is told, which uses up the invite: wherever this process ends from here on, and whatever the
    // issuer answers, this machine can sign in with a key that is enrolled.
    if let Err(failure) = agreed.save(&pending.config(&args.url)) {
        pending.discard();
        return Err(
            failure.hint("Nothing is enrolled and the invite is not used up. Make room for the file, and try again.")
        );
    }
    match pending.complete(&mut agent, &args.url, name) {
        Ok(Enrolled { challenge, outcome }) => {
            agreed.say_what_is_kept();
            let key = outcome?;
            console::note(&congratulation(&challenge, &key));
            if args.output.json() {
                console::print_json(&json!({ "email": challenge.email, "key": key }))
            } else {
                Ok(())
            }
        }
        Err(refusal) => {
            if let Err(failure) = earlier.restore() {
                console::note(&format!("Note: {failure}"));
            }
            Err(refusal)
        }
    }
}

/// What came of it.
pub(super) struct Enrolled {
    challenge: RegistrationChallenge,
    /// The issuer's answer; a failure that leaves open whether it knows the key.
    pub(super) outcome: Result<KeyInfo, Failure>,
}

/// A credential on the key that the issuer has not been told of.
pub(super) struct Pending<'desk> {
    ceremony: Ceremony<'desk>,
    challenge: RegistrationChallenge,
    new: NewKey,
}

/// The code that needs nobody to type it: as it was given, else from a script's standard input.
pub(super) fn given_code(
    given: Option<&str>,
    script: Option<impl BufRead>,
) -> Result<Option<Zeroizing<String>>, Failure> {
    let code = match given {
        Some(code) => Some(Zeroizing::new(code.trim().to_owned())),
        None => script.map(first_line).transpose()?.filter(|line| !line.is_empty()),
    };
    if let Some(why) = code.as_ref().and_then(|code| invite::parse(code).err()) {
        return Err(Failure::new(Category::Usage, why.to_string()).hint("Use the code as your administrator gave it"));
    }
    Ok(code)
}

fn first_line(script: impl BufRead) -> Result<Zeroizing<String>, Failure> {
    let mut line = Zeroizing::new(String::with_capacity(LONGEST_CODE));
    let limit = u64::try_from(LONGEST_CODE).unwrap_or(u64::MAX);
    script.take(limit).read_line(&mut line).map_err(|error| {
        Failure::new(Category::Usage, format!("cannot read the invite code from standard input: {}", words(&error)))
            .hint("Run the command in a terminal, which asks for it.")
    })?;
    Ok(Zeroizing::new(line.trim().to_owned()))
}

/// As [`begin`], with the code the person types, who may mistype it. Neither key nor PIN is asked for before the issuer
/// knows the code.
pub(super) fn begin_with_typed_code<'desk>(
    agent: &mut impl Agent,
    desk: &'desk Desk,
    issuer: &IssuerUrl,
) -> Result<Pending<'desk>, Failure> {
    let mut wrong = None;
    for _ in 0..CODE_ATTEMPTS {
        if let Some(Failure { message, .. }) = &wrong {
            desk.prompter().tell(&Notice::WrongCode { why: message.clone() });
        }
        let code = desk.prompter().ask_text(TextQuestion::InviteCode)?;
        if let Err(why) = invite::parse(&code) {
            wrong = Some(Failure::new(Category::Usage, why.to_string()).hint("Ask your administrator for the code"));
            continue;
        }
        match Dialogue(agent).enroll_challenge(issuer, &code).map_err(nothing_happened)? {
            Invitation::Accepted(challenge) => return make(desk, issuer, *challenge),
            Invitation::Unknown(failure) => wrong = Some(failure),
        }
    }
    Err(wrong.unwrap_or_else(client::incompatible))
}

/// Makes a credential for whoever the invite is for.
pub(super) fn begin<'desk>(
    agent: &mut impl Agent,
    desk: &'desk Desk,
    issuer: &IssuerUrl,
    code: &str,
) -> Result<Pending<'desk>, Failure> {
    match Dialogue(agent).enroll_challenge(issuer, code).map_err(nothing_happened)? {
        Invitation::Accepted(challenge) => make(desk, issuer, *challenge),
        Invitation::Unknown(failure) => Err(failure),
    }
}

fn make<'desk>(
    desk: &'desk Desk,
    issuer: &IssuerUrl,
    challenge: RegistrationChallenge,
) -> Result<Pending<'desk>, Failure> {
    console::note(&format!(
        "Enrolling {} at {} ({}).",
        plain(&challenge.email),
        issuer.authority(),
        plain(&challenge.organization)
    ));
    let mut ceremony = desk.ceremony();
    let new = ceremony.register(issuer, &challenge)?;
    Ok(Pending { ceremony, challenge, new })
}

/// Who is not enrolled has no session to lose with the agent.
fn nothing_happened(failure: Failure) -> Failure {
    match failure.category {
        Category::NotLoggedIn => {
            Failure { category: Category::General, ..failure }.hint("Nothing is enrolled yet. Run this command again.")
        }
        _ => failure,
    }
}

impl Pending<'_> {
    /// What this machine needs to sign in with the new key.
    pub(super) fn config(&self, issuer: &IssuerUrl) -> Config {
        Config {
            issuer: issuer.clone(),
            email: Some(self.challenge.email.clone()),
            credential_id: Some(URL_SAFE_NO_PAD.encode(&self.new.credential.raw_id)),
        }
    }

    fn discard(self) {
        self.ceremony.discard(self.new);
    }

    /// Tells the issuer.
    ///
    /// # Errors
    /// As [`settle`].
    pub(super) fn complete(
        self,
        agent: &mut impl Agent,
        issuer: &IssuerUrl,
        name: Option<String>,
    ) -> Result<Enrolled, Failure> {
        let Self { ceremony, challenge, new } = self;
        let request = dialogue::register_request(&challenge, new.credential.clone(), name);
        let outcome = settle(&ceremony, new, Dialogue(agent).enroll(issuer, request))?;
        Ok(Enrolled { challenge, outcome })
    }
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
