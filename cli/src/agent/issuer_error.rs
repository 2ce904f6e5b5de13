//! What the issuer's refusals mean to a person, and what they mean to the session.

use vouch_issuer_api::error::{ErrorBody, ErrorCode};

use crate::error::{Category, Failure};

/// Why the issuer did not do it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IssuerError {
    /// It said no, in the words of the contract.
    Refused {
        /// What kind of refusal.
        code: ErrorCode,
        /// The same for a person.
        failure: Failure,
    },
    /// It was not reached, or what answered is no issuer.
    Failed(Failure),
}

impl IssuerError {
    /// The failure to show.
    #[must_use]
    pub fn into_failure(self) -> Failure {
        match self {
            Self::Refused { failure, .. } | Self::Failed(failure) => failure,
        }
    }

    /// Why the session is over, when that is what the refusal means.
    #[must_use]
    pub fn end_of_session(&self) -> Option<&str> {
        match self {
            Self::Refused {
                code: ErrorCode::InvalidToken | ErrorCode::SessionEnded | ErrorCode::UserDisabled,
                failure,
            } => Some(&failure.message),
            _ => None,
        }
    }

    /// Whether the same request may succeed a moment later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Refused { code, .. } => matches!(code, ErrorCode::Unavailable | ErrorCode::ServerError),
            Self::Failed(failure) => failure.category == Category::Network,
        }
    }
}

/// An answer that was not a success.
#[derive(Debug, Clone, Copy)]
pub struct Refusal<'a> {
    /// The issuer, as messages call it.
    pub issuer: &'a str,
    /// HTTP status.
    pub status: u16,
    /// Its standard phrase.
    pub phrase: &'a str,
    /// Seconds, of `Retry-After`.
    pub retry_after: Option<u64>,
    /// The body.
    pub body: &'a [u8],
}

impl Refusal<'_> {
    /// Reads the contract's error body; anything else did not come from an issuer.
    #[must_use]
    pub fn read(&self) -> IssuerError {
        let Ok(body) = serde_json::from_slice::<ErrorBody>(self.body) else {
            return IssuerError::Failed(self.stranger());
        };
        let ErrorBody { error: code, error_description, hint, request_id } = body;
        let mut failure = Failure::new(category(code), error_description);
        failure.hint = hint.or_else(|| self.default_hint(code));
        failure = failure.detail(format!("{} answered {} {code}", self.issuer, self.status));
        if let Some(id) = request_id {
            failure = failure.detail(format!("request id {id}"));
        }
        IssuerError::Refused { code, failure }
    }

    fn default_hint(&self, code: ErrorCode) -> Option<String> {
        let hint = match code {
            ErrorCode::InvalidToken | ErrorCode::SessionEnded | ErrorCode::InvalidGrant => "Run: vouch login",
            ErrorCode::RoleNotAllowed => "Ask an administrator, or run: vouch aws roles",
            ErrorCode::UserDisabled | ErrorCode::InvitesOff => "Ask an administrator",
            ErrorCode::Unavailable | ErrorCode::ServerError | ErrorCode::Conflict => "Try again in a minute",
            ErrorCode::RateLimited => return Some(self.wait()),
            _ => return None,
        };
        Some(hint.to_owned())
    }

    fn wait(&self) -> String {
        self.retry_after
            .map_or_else(|| "Try again in a minute".to_owned(), |seconds| format!("Try again in {seconds} s"))
    }

    /// A proxy, a load balancer without its issuer, or another server altogether.
    fn stranger(&self) -> Failure {
        let Self { issuer, status, phrase, .. } = self;
        let failure = match status {
            429 => Failure::new(Category::Network, format!("{issuer} has too many requests now")).hint(self.wait()),
            502..=504 => Failure::new(Category::Network, format!("{issuer} is down, or something between is"))
                .hint("Try again in a minute; if it stays so, tell whoever runs it"),
            300..=399 => {
                Failure::new(Category::Configuration, format!("{issuer} sends requests elsewhere; an issuer does not"))
                    .hint("Check the issuer's URL (vouch status shows it); a proxy may want you to sign in to it")
            }
            _ => Failure::new(Category::Configuration, format!("{issuer} does not answer as an issuer does"))
                .hint("Check the issuer's URL (vouch status shows it), and run: vouch doctor issuer"),
        };
        failure.detail(format!("{issuer} answered {status} {phrase}, without the error body of an issuer"))
    }
}

fn category(code: ErrorCode) -> Category {
    match code {
        ErrorCode::InvalidToken | ErrorCode::SessionEnded => Category::NotLoggedIn,
        ErrorCode::InvalidGrant
        | ErrorCode::InviteUnknown
        | ErrorCode::InviteUsed
        | ErrorCode::InviteExpired
        | ErrorCode::InvitesOff
        | ErrorCode::KeyNotAccepted
        | ErrorCode::KeyAlreadyEnrolled
        | ErrorCode::KeyUnknown
        | ErrorCode::LastKey
        | ErrorCode::UserDisabled
        | ErrorCode::RoleNotAllowed => Category::Denied,
        ErrorCode::RateLimited | ErrorCode::Unavailable | ErrorCode::ServerError => Category::Network,
        ErrorCode::InvalidRequest
        | ErrorCode::UnsupportedGrantType
        | ErrorCode::InvalidDpopProof
        | ErrorCode::UseDpopNonce
        | ErrorCode::NotFound
        | ErrorCode::Conflict => Category::General,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, body: &str) -> IssuerError {
        Refusal { issuer: "vouch.example.com", status, phrase: "Phrase", retry_after: Some(7), body: body.as_bytes() }
            .read()
    }

    #[test]
    fn the_issuers_own_words_and_hint_are_kept() {
        let error = refusal(
            403,
            r#"{"error":"role_not_allowed","error_description":"alice@example.com may not use it.","hint":"Ask bob.","request_id":"r1"}"#,
        );
        assert_eq!(error.end_of_session(), None);
        let failure = error.into_failure();
        assert_eq!(failure.render(false), "vouch: alice@example.com may not use it. Ask bob.");
        assert_eq!((failure.category, failure.details.len()), (Category::Denied, 2));
    }

    #[test]
    fn whoever_has_an_invite_that_is_taken_no_more_is_sent_to_an_administrator() {
        let body = r#"{"error":"invites_off","error_description":"This issuer takes no invites any more."}"#;
        let error = refusal(403, body);
        assert_eq!(error.end_of_session(), None);
        let failure = error.into_failure();
        assert_eq!(failure.render(false), "vouch: This issuer takes no invites any more. Ask an administrator");
        assert_eq!(failure.category, Category::Denied);
    }

    #[test]
    fn only_three_refusals_end_the_session() {
        for (code, ends) in [
            ("session_ended", true),
            ("invalid_token", true),
            ("user_disabled", true),
            ("role_not_allowed", false),
            ("unavailable", false),
            ("invalid_dpop_proof", false),
            ("rate_limited", false),
        ] {
            let error = refusal(401, &format!(r#"{{"error":"{code}","error_description":"Words."}}"#));
            assert_eq!(error.end_of_session().is_some(), ends, "{code}");
        }
    }

    #[test]
    fn a_proxys_page_is_not_taken_for_an_answer_of_the_issuer() {
        for (status, category) in
            [(502, Category::Network), (302, Category::Configuration), (404, Category::Configuration)]
        {
            let error = refusal(status, "<html>Bad Gateway</html>");
            assert_eq!(error.end_of_session(), None);
            let failure = error.into_failure();
            assert_eq!(failure.category, category);
            assert!(!failure.message.contains(&status.to_string()), "no bare status code: {failure}");
            assert!(failure.details.iter().any(|line| line.contains(&status.to_string())));
        }
    }

    #[test]
    fn an_assertion_that_is_refused_is_a_no_and_leaves_the_session_alone() {
        let error =
            refusal(400, r#"{"error":"invalid_grant","error_description":"The key was copied.","hint":"Tell."}"#);
        assert_eq!(error.end_of_session(), None);
        assert_eq!(error.into_failure().category, Category::Denied);
    }

    #[test]
    fn a_code_of_a_newer_issuer_is_a_stranger_and_keeps_the_session() {
        let error = refusal(401, r#"{"error":"brand_new","error_description":"Words."}"#);
        assert!(matches!(error, IssuerError::Failed(_)));
    }

    #[test]
    fn a_rate_limit_says_when_to_come_back() {
        let failure =
            refusal(429, r#"{"error":"rate_limited","error_description":"Too many requests."}"#).into_failure();
        assert_eq!(failure.hint.as_deref(), Some("Try again in 7 s"));
    }
}
