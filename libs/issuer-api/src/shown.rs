//! How what people typed is shown to them: never with a password.

/// A text that was given as a URL, without the user and the password that may stand in it:
/// `https://alice:secret@vouch.example.com` as `https://…@vouch.example.com`. A text that is no URL may hold a password in any
/// place before its last `@`.
#[must_use]
pub fn without_userinfo(text: &str) -> String {
    let (scheme, rest) = text.find("://").map_or(("", text), |end| text.split_at(end + "://".len()));
    let Some((before, place)) = rest.rsplit_once('@') else {
        return text.to_owned();
    };
    // A path may have an @ as well.
    let is_path = scheme.is_empty() && !before.contains(':') && before.contains(['/', '?', '#']);
    if is_path { text.to_owned() } else { format!("{scheme}…@{place}") }
}

#[cfg(test)]
mod tests {
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
}
