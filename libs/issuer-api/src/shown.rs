//! How what people typed is shown to them: never with a password.

#[cfg(feature = "clap")]
use std::error::Error as _;

#[cfg(feature = "clap")]
use clap::error::ContextValue;

/// A text that was given as a URL, without the user and the password that may stand in it:
/// `https://alice:secret@vouch.example.com` as `https://…@vouch.example.com`. A text that is no URL may hold a password in any
/// place before its last `@`.
#[must_use]
pub fn without_userinfo(text: &str) -> String {
    let (scheme, rest) = split_scheme(text);
    let Some((before, place)) = rest.rsplit_once('@') else {
        return text.to_owned();
    };
    // A path may have an @ as well.
    let is_path = scheme.is_empty() && !before.contains(':') && before.contains(['/', '?', '#']);
    if is_path { text.to_owned() } else { format!("{scheme}…@{place}") }
}

/// The scheme of a URL with `://`, and the rest (RFC 3986 §3.1); no scheme where there is none.
fn split_scheme(text: &str) -> (&str, &str) {
    let (scheme, rest) = text.find("://").map_or(("", text), |end| text.split_at(end + "://".len()));
    let name = scheme.strip_suffix("://").unwrap_or_default();
    let is_scheme = name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    if is_scheme { (scheme, rest) } else { ("", text) }
}

/// A refusal of a command line, which repeats words of it, without the passwords in them, wherever on the line they stand. A
/// word that is an e-mail address or an ARN is left as it is.
#[cfg(feature = "clap")]
#[must_use]
pub fn without_passwords(mut refusal: clap::Error) -> clap::Error {
    let of_word = |word: &str| {
        let before = word.rsplit_once('@').map(|(before, _)| before);
        let has_password = before.is_some_and(|before| before.contains(':') && !before.starts_with("arn:"));
        has_password.then(|| without_userinfo(word))
    };
    let all: Vec<_> = refusal.context().map(|(kind, value)| (kind, value.clone())).collect();
    // Whoever read the word may repeat it as well.
    let reasons = refusal.source().map(ToString::to_string).unwrap_or_default();
    let is_repeated = |value: &ContextValue| match value {
        ContextValue::String(word) => of_word(word).is_some() && reasons.contains(word.as_str()),
        _ => false,
    };
    if all.iter().any(|(_, value)| is_repeated(value)) {
        refusal = clap::Error::new(refusal.kind());
    }
    for (kind, value) in all {
        let shown = match &value {
            ContextValue::String(word) => of_word(word).map(ContextValue::String),
            // Advice that repeats the word in the midst of a sentence is of no use without it.
            _ => of_word(&value.to_string()).map(|_| ContextValue::None),
        };
        let _ = refusal.insert(kind, shown.unwrap_or(value));
    }
    refusal
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn neither_user_nor_password_is_shown_wherever_the_text_breaks_the_form_of_a_url() {
        for (text, shown) in [
            ("https://alice:secret@vouch.example.com/eu", "https://…@vouch.example.com/eu"),
            ("https://alice@vouch.example.com", "https://…@vouch.example.com"),
            ("https://alice:s/e?c#ret@vouch.example.com", "https://…@vouch.example.com"),
            ("http://alice:p@ss@proxy.example.com:3128/", "http://…@proxy.example.com:3128/"),
            ("alice:secret@proxy.example.com:3128", "…@proxy.example.com:3128"),
            ("alice:s/ecret@vouch.example.com", "…@vouch.example.com"),
            ("https:alice:secret@vouch.example.com", "…@vouch.example.com"),
            ("alice:se://cret@vouch.example.com", "…@vouch.example.com"),
            ("://alice:secret@vouch.example.com", "…@vouch.example.com"),
            ("--url=https://alice:secret@vouch.example.com", "…@vouch.example.com"),
        ] {
            assert_eq!(without_userinfo(text), shown);
        }
    }

    #[test]
    fn a_text_without_either_is_shown_as_it_is() {
        for text in ["https://vouch.example.com/eu", "vouch.example.com", "", "/home/alice@work/vouch"] {
            assert_eq!(without_userinfo(text), text);
        }
    }

    #[cfg(feature = "clap")]
    #[test]
    fn no_word_of_a_command_line_is_repeated_with_a_password() {
        let line = || {
            let number = clap::Arg::new("number").long("number").value_parser(clap::value_parser!(u8));
            let refused = |word: &str| Err::<String, _>(format!("`{word}` is no name"));
            let name = clap::Arg::new("name").long("name").value_parser(refused);
            clap::Command::new("program").args([number, name]).subcommand(clap::Command::new("act"))
        };
        let told = |words: &[&str]| {
            let refusal = line().try_get_matches_from([&["program"], words].concat()).unwrap_err();
            without_passwords(refusal).to_string()
        };
        for word in ["https://alice:secret@vouch", "alice:se cret@vouch", "https://alice:se'cret@vouch"] {
            let option = format!("--number={word}");
            let unknown = format!("--{word}");
            let named = told(&["--name", word]);
            assert!(named.contains("…@vouch") && !named.contains("alice") && !named.contains("cret"), "{named}");
            for words in [&[word][..], &["act", word], &["--number", word], &[&option], &[&unknown], &["act", &unknown]]
            {
                let told = told(words);
                assert!(
                    told.contains("…@vouch") && !told.contains("alice") && !told.contains("cret"),
                    "{words:?}: {told}"
                );
            }
        }
        for harmless in ["alice@example.com", "arn:aws:sts::111111111111:assumed-role/dev/alice@example.com"] {
            for words in [&[harmless][..], &["--name", harmless]] {
                assert!(told(words).contains(&format!("'{harmless}'")), "{}", told(words));
            }
            assert!(told(&["--name", harmless]).contains(&format!("`{harmless}` is no name")));
        }
    }
}
