//! The words of every notice and question.

use super::{Choice, Confirmation, Notice, PinQuestion, TextQuestion, Wanted, WrongKey};
use crate::security_key::pin::{MAX_BYTES, PinLength};

/// How much a line wants to be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    /// The person has to do something now.
    Action,
    /// Something is not as it should be.
    Warning,
    /// It worked.
    Good,
}

/// What a notice says.
pub(super) fn notice(notice: &Notice) -> (String, Tone) {
    let (text, tone) = match notice {
        Notice::InsertKey(wanted) => (insert(*wanted).to_owned(), Tone::Action),
        Notice::KeyFound { name } => (clean(name), Tone::Plain),
        Notice::SeveralKeys { count } => {
            (format!("{} keys are plugged in; touch the one to use.", number(*count)), Tone::Action)
        }
        Notice::WrongCode { why } => (format!("{}. Once more:", clean(why).trim_end_matches('.')), Tone::Warning),
        Notice::Busy => ("Another program is using the key; waiting for it…".to_owned(), Tone::Warning),
        Notice::TouchKey => ("Touch your key now.".to_owned(), Tone::Action),
        Notice::Touched => ("✓".to_owned(), Tone::Good),
        Notice::PinLength(PinLength::TooShort { min }) => {
            (format!("A PIN of this key has at least {min} characters. The key was not asked."), Tone::Warning)
        }
        Notice::PinLength(PinLength::TooLong) => {
            (format!("A PIN has at most {MAX_BYTES} bytes. The key was not asked."), Tone::Warning)
        }
        Notice::WrongPin { tries_left } => (wrong_pin(*tries_left), Tone::Warning),
        Notice::Reinsert => {
            ("Three wrong tries in a row: remove the key and insert it again.".to_owned(), Tone::Action)
        }
        Notice::PinChangeForced => {
            ("The PIN of this key must be changed before it can be used.".to_owned(), Tone::Warning)
        }
        Notice::PinRules { min } => (
            format!(
                "A PIN has {min} to {MAX_BYTES} characters; letters count too. It unlocks this key everywhere, and \
                 8 wrong tries in all block it: then only a reset helps, which deletes every account on the key."
            ),
            Tone::Plain,
        ),
        Notice::PinsDiffer => ("The two PINs differ. Once more:".to_owned(), Tone::Warning),
        Notice::PinRefused => (
            "The key does not take this PIN: too short, too simple, or the old one. Another one:".to_owned(),
            Tone::Warning,
        ),
        Notice::PinSet => ("The PIN is set.".to_owned(), Tone::Good),
        Notice::PinChanged => ("The PIN is changed.".to_owned(), Tone::Good),
        Notice::FingerprintNotRecognised => ("The fingerprint was not recognised.".to_owned(), Tone::Warning),
        Notice::UnknownKey { name, issuer } => (
            format!(
                "The key {} is not enrolled at {issuer} (any more). Use another one, or press Ctrl-C.",
                clean(name)
            ),
            Tone::Warning,
        ),
        Notice::WrongKey(why) => (wrong_key(*why).to_owned(), Tone::Warning),
        Notice::OrphanDeleted => {
            ("The credential that was just made has been deleted from the key.".to_owned(), Tone::Plain)
        }
        Notice::OrphanLeft => (
            "The credential that was just made could not be deleted; it stays on the key and is worth nothing \
             (to delete it: ykman fido credentials list)."
                .to_owned(),
            Tone::Warning,
        ),
        Notice::TwoKeysNeeded => ("First a tap of a key you have, then the new one.".to_owned(), Tone::Plain),
        Notice::RemovingKey { name, current } => {
            let session = if *current { ", and the session it began ends" } else { "" };
            (format!("The key \"{}\" will not sign you in any more{session}.", clean(name)), Tone::Warning)
        }
        Notice::OtherIssuer { issuer, email } => (other_issuer(issuer, email.as_deref()), Tone::Warning),
    };
    (text, tone)
}

fn other_issuer(issuer: &str, email: Option<&str>) -> String {
    let person = email.map(|email| format!(" ({})", clean(email))).unwrap_or_default();
    format!(
        "This machine is set up for {}{person}, and for one issuer at a time. If you switch, your session there ends, and \
         your AWS profiles ask the new issuer; the configuration of now is kept beside the new one.",
        clean(issuer)
    )
}

fn insert(wanted: Wanted) -> &'static str {
    match wanted {
        Wanted::Any | Wanted::Enrolled => "Insert your security key…",
        Wanted::Another => "Insert another security key…",
        Wanted::New => "Insert the new security key (the other one may stay)…",
    }
}

fn wrong_pin(tries_left: u32) -> String {
    match tries_left {
        0 => "Wrong PIN. No tries left.".to_owned(),
        1 => "Wrong PIN. 1 try left: the next wrong one blocks it, and then only a reset helps, which empties the key."
            .to_owned(),
        2 | 3 => format!(
            "Wrong PIN. {tries_left} tries left; then the PIN is blocked, and only a reset helps, which empties the key."
        ),
        _ => format!("Wrong PIN. {tries_left} tries left; after 3 wrong tries in a row, remove and reinsert the key."),
    }
}

fn wrong_key(why: WrongKey) -> &'static str {
    match why {
        WrongKey::NotEnrolled => {
            "That key is not enrolled for you here. Touch another one, or press Ctrl-C. To enroll it: vouch keys add on a \
             machine where you are signed in, or vouch enroll URL with an invite."
        }
        WrongKey::AlreadyEnrolled => "That key is enrolled for you already. Use the other one, or press Ctrl-C.",
        WrongKey::ModelNotAccepted => {
            "Your organisation does not accept keys of this model. Use another one, or press Ctrl-C."
        }
        WrongKey::NotTheRemoved => "That key does not hold it. Use the one it is on, or press Ctrl-C.",
        WrongKey::NotCapable => {
            "That key cannot store protected credentials (FIDO2 with a PIN is needed). Use another one, or press Ctrl-C."
        }
    }
}

/// The text in front of the cursor.
pub(super) fn pin_question(question: PinQuestion) -> String {
    match question {
        PinQuestion::Current { tries_left: 1 } => "PIN (1 try left): ".to_owned(),
        PinQuestion::Current { tries_left } => format!("PIN ({tries_left} tries left): "),
        PinQuestion::New => "New PIN: ".to_owned(),
        PinQuestion::Repeat => "New PIN again: ".to_owned(),
    }
}

/// The text in front of the cursor.
pub(super) const fn text_question(question: TextQuestion) -> &'static str {
    match question {
        TextQuestion::InviteCode => "Invite code: ",
    }
}

/// The text in front of the cursor.
pub(super) const fn confirmation(question: Confirmation) -> &'static str {
    match question {
        Confirmation::SetPin => "This key has no PIN yet, and needs one. Set it now? [Y/n] ",
        Confirmation::SwitchIssuer => "Switch? [y/N] ",
        Confirmation::DeleteCredential => {
            "If that key is plugged in, its credential can be deleted from it, too (with its PIN). Delete it? [y/N] "
        }
    }
}

/// The heading of a choice.
pub(super) fn choice(question: Choice) -> &'static str {
    match question {
        Choice::Key => "Several keys are plugged in. Which one?",
        Choice::Account => "This key holds several accounts. Which one?",
    }
}

/// Text of a key or a server, without what could steer a terminal.
pub(super) fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

fn number(count: usize) -> String {
    match count {
        2 => "Two".to_owned(),
        3 => "Three".to_owned(),
        4 => "Four".to_owned(),
        count => count.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(of: &Notice) -> String {
        notice(of).0
    }

    #[test]
    fn a_wrong_pin_says_how_many_tries_are_left_and_what_follows() {
        assert_eq!(
            text(&Notice::WrongPin { tries_left: 7 }),
            "Wrong PIN. 7 tries left; after 3 wrong tries in a row, remove and reinsert the key."
        );
        assert!(text(&Notice::WrongPin { tries_left: 3 }).contains("only a reset helps"));
        assert!(text(&Notice::WrongPin { tries_left: 1 }).contains("1 try left"));
    }

    #[test]
    fn several_keys_are_counted_in_words() {
        assert_eq!(text(&Notice::SeveralKeys { count: 2 }), "Two keys are plugged in; touch the one to use.");
        assert!(text(&Notice::SeveralKeys { count: 5 }).starts_with("5 keys"));
    }

    #[test]
    fn a_key_cannot_steer_the_terminal_by_its_name() {
        assert_eq!(text(&Notice::KeyFound { name: "A\u{1b}]0;x\u{7}\r\nB\u{9b}C".into() }), "A]0;xBC");
    }

    #[test]
    fn the_rules_of_a_pin_are_told_before_it_is_chosen() {
        let rules = text(&Notice::PinRules { min: 6 });
        assert!(rules.contains("6 to 63") && rules.contains("8 wrong tries"), "{rules}");
    }
}
