//! `vouch keys`: the person's own keys.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{Timestamp, tz::TimeZone};
use serde_json::json;
use vouch_issuer_api::enroll::{KeyInfo, KeyList};

use super::{
    desk::Desk,
    dialogue::{self, Agent, Dialogue},
    enroll::settle,
    login,
};
use crate::{
    agent::client::Client,
    args::{KeysCommand, Output},
    config::Config,
    console::{self, plain},
    error::{Category, Failure},
    prompt::{Confirmation, Notice},
    table, wording,
};

/// Names are cut by nobody, so they must be short (`RegisterKeyRequest::name`).
const LONGEST_NAME: usize = 64;

/// Runs the command.
///
/// # Errors
/// Whatever kept it from its end, ready to be shown.
pub fn run(command: &KeysCommand) -> Result<(), Failure> {
    // Everything here needs a session, and an agent that is only now started has none.
    let mut agent = Client::connect()?.ok_or_else(|| Failure::not_signed_in(None))?;
    match command {
        KeysCommand::List(output) => {
            let keys = Dialogue(&mut agent).keys()?;
            if output.json() {
                console::print_json(&KeyList { keys })
            } else {
                console::print(&rendered(&keys, Timestamp::now(), &TimeZone::system()))
            }
        }
        KeysCommand::Add { name, output } => {
            let name = name.as_deref().map(valid_name).transpose()?;
            let config = Config::require()?;
            require_session(&mut agent, &config)?;
            let key = add(&mut agent, &Desk::open()?, &config, name)?;
            console::note(&format!("Enrolled \"{}\". Any of your keys signs you in.", plain(&key.name)));
            answer(*output, &json!({ "key": key }))
        }
        KeysCommand::Rename { id, name, output } => {
            let name = valid_name(name)?;
            let mut agent = Dialogue(&mut agent);
            let keys = agent.keys()?;
            let key = find(&keys, id)?;
            agent.rename_key(&key.id, &name)?;
            console::note(&format!("Renamed \"{}\" to \"{name}\".", plain(&key.name)));
            answer(*output, &json!({ "key": KeyInfo { name, ..key.clone() } }))
        }
        KeysCommand::Remove { id, allow_last, output } => {
            let config = Config::require()?;
            require_session(&mut agent, &config)?;
            let keys = Dialogue(&mut agent).keys()?;
            let key = removable(&keys, id, *allow_last)?;
            let desk = Desk::open()?;
            // A tap confirms it, so the person is told what for.
            desk.prompter().tell(&Notice::RemovingKey { name: key.name.clone(), current: key.current });
            remove(&mut agent, &desk, &config, key, *allow_last)?;
            console::note(&farewell(key));
            // Who does not have that key at hand is told how.
            console::note(&clean_up(Some(&desk).filter(|desk| desk.has_key_of_model(key.aaguid)), key));
            answer(*output, &json!({ "removed": key }))
        }
    }
}

fn answer(output: Output, answer: &serde_json::Value) -> Result<(), Failure> {
    if output.json() { console::print_json(answer) } else { Ok(()) }
}

pub(super) fn require_session(agent: &mut impl Agent, config: &Config) -> Result<(), Failure> {
    match Dialogue(agent).session_at(&config.issuer)? {
        Some(_) => Ok(()),
        None => Err(Failure::not_signed_in(None)),
    }
}

/// A tap of a key the person has, then the new one.
pub(super) fn add(
    agent: &mut impl Agent,
    desk: &Desk,
    config: &Config,
    name: Option<String>,
) -> Result<KeyInfo, Failure> {
    let mut agent = Dialogue(agent);
    let mut ceremony = desk.ceremony();
    desk.prompter().tell(&Notice::TwoKeysNeeded);
    let signed = login::sign(&mut agent, &mut ceremony, config)?;
    let challenge = agent.add_key_challenge(signed)?;
    let new = ceremony.register(&config.issuer, &challenge)?;
    let answer = agent.add_key(dialogue::register_request(&challenge, new.credential.clone(), name));
    settle(&ceremony, new, answer)?
}

/// The key a person wants to remove, before anybody touches one for nothing: the issuer keeps the last one, too.
pub(super) fn removable<'a>(keys: &'a [KeyInfo], wanted: &str, allow_last: bool) -> Result<&'a KeyInfo, Failure> {
    let key = find(keys, wanted)?;
    if keys.len() == 1 && !allow_last {
        return Err(Failure::new(Category::Denied, "this is the last security key of your account")
            .hint("Enroll another key first, or remove it with `--allow-last`."));
    }
    Ok(key)
}

/// A tap of a key the person has, which may be the one that goes.
pub(super) fn remove(
    agent: &mut impl Agent,
    desk: &Desk,
    config: &Config,
    key: &KeyInfo,
    allow_last: bool,
) -> Result<(), Failure> {
    let mut agent = Dialogue(agent);
    let signed = login::sign(&mut agent, &mut desk.ceremony(), config)?;
    agent.remove_key(&key.id, signed, allow_last)
}

/// The key a person means: by its id, the start of it, or its exact name.
pub(super) fn find<'a>(keys: &'a [KeyInfo], wanted: &str) -> Result<&'a KeyInfo, Failure> {
    let lower = wanted.to_ascii_lowercase();
    let matches: Vec<_> = match keys.iter().find(|key| key.id == lower) {
        Some(key) => vec![key],
        None => {
            keys.iter().filter(|key| key.name == wanted || (!lower.is_empty() && key.id.starts_with(&lower))).collect()
        }
    };
    match matches.as_slice() {
        [key] => Ok(key),
        [] => Err(Failure::new(Category::Usage, format!("you have no key `{}`", plain(wanted)))
            .hint("The ids are in: vouch keys list")),
        several => {
            let ids: Vec<_> = several.iter().map(|key| key.id.as_str()).collect();
            Err(Failure::new(Category::Usage, format!("`{}` may be {}", plain(wanted), ids.join(" or ")))
                .hint("Give more of the id."))
        }
    }
}

/// A name as the issuer takes it.
pub(super) fn valid_name(name: &str) -> Result<String, Failure> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        return Err(Failure::new(
            Category::Usage,
            format!("a key's name has 1 to {LONGEST_NAME} printable characters"),
        )
        .hint("Choose another name."));
    }
    Ok(name.to_owned())
}

fn farewell(key: &KeyInfo) -> String {
    let name = plain(&key.name);
    let session = if key.current { " The session it began has ended." } else { "" };
    format!("Removed \"{name}\".{session}")
}

/// Deletes what is left on the key itself, if the person wants to; says what has become of it.
pub(super) fn clean_up(desk: Option<&Desk>, key: &KeyInfo) -> String {
    let id = URL_SAFE_NO_PAD.decode(&key.credential_id).ok().filter(|id| !id.is_empty());
    let (Some(desk), Some(id)) = (desk, &id) else { return left_over(id.as_deref()) };
    match desk.prompter().confirm(Confirmation::DeleteCredential) {
        Ok(true) => match desk.ceremony().forget(id) {
            Ok(()) => "Its credential is deleted from the security key as well.".to_owned(),
            Err(error) => {
                let why = Failure::from(error).message;
                format!("Its credential could not be deleted from the key: {why}. {}", left_over(Some(id)))
            }
        },
        Ok(false) | Err(_) => left_over(Some(id)),
    }
}

/// How the person deletes it, by the start of its id as ykman shows it.
fn left_over(id: Option<&[u8]>) -> String {
    const SHOWN_BYTES: usize = 4;
    let start: String = id.unwrap_or_default().iter().take(SHOWN_BYTES).map(|byte| format!("{byte:02x}")).collect();
    let command = if start.is_empty() { "list".to_owned() } else { format!("delete {start}") };
    format!(
        "Its credential stays on the security key itself, where it is worth nothing and takes a place; to delete it: \
         ykman fido credentials {command}"
    )
}

pub(super) fn rendered(keys: &[KeyInfo], now: Timestamp, zone: &TimeZone) -> String {
    let header = ["ID", "NAME", "ENROLLED", "LAST USED"].map(str::to_owned);
    let rows = keys.iter().map(|key| {
        let used = key.last_used_at.map_or_else(|| "never".to_owned(), |at| wording::ago(now, at));
        let current = if key.current { " (this session)" } else { "" };
        let enrolled = wording::moment(key.created_at, now, zone);
        [key.id.clone(), plain(&key.name), enrolled, format!("{used}{current}")]
    });
    table::aligned(std::iter::once(header).chain(rows))
}
