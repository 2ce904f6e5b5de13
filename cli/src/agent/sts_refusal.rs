//! What an error of STS means to a person: which hop, what is missing and where, what to do.
//!
//! AWS tells some causes apart by text alone; those texts are constants here, as recorded from AWS.

use vouch_iam::arn::RoleArn;

use super::sts::StsError;
use crate::{
    error::{Category, Failure},
    network::UNREACHED,
};

/// AWS could not fetch the signing keys. Also seen for a moment when the fetch hiccups.
const NO_VERIFICATION_KEY: &str = "Couldn't retrieve verification key from your identity provider";
const NO_PROVIDER: &str = "No OpenIDConnect provider found in your account";
const BAD_TOKEN: &str = "could not be validated";
const ROLE_NOT_IN_TOKEN: &str = "role ARN is not present in the roles claim";
const TOO_LONG: &str = "exceeds the MaxSessionDuration";
const CHAIN_TOO_LONG: &str = "1 hour session limit for roles assumed by role chaining";

/// One step of a chain.
#[derive(Debug, Clone, Copy)]
pub struct Hop<'a> {
    /// The role whose session asks; `None` for the first step.
    pub from: Option<&'a RoleArn>,
    /// The role asked for.
    pub to: &'a RoleArn,
    /// Whose token it is.
    pub issuer: &'a str,
    /// Who asks.
    pub person: &'a str,
    /// `DurationSeconds`.
    pub duration: u32,
    /// Whose endpoint was asked.
    pub region: &'a str,
}

/// Whether the same call may succeed a moment later. A refusal of a policy is not: a wait would only hide it.
#[must_use]
pub fn is_transient(error: &StsError) -> bool {
    match error {
        StsError::Unreachable(_) => true,
        StsError::Refused { code, message, status, .. } => {
            *status >= 500
                || *status == 429
                || matches!(
                    code.as_str(),
                    "IDPCommunicationError" | "Throttling" | "ThrottlingException" | "RequestLimitExceeded"
                )
                || (code == "InvalidIdentityToken" && message.contains(NO_VERIFICATION_KEY))
        }
    }
}

impl Hop<'_> {
    /// The failure to show.
    #[must_use]
    pub fn explain(&self, error: &StsError) -> Failure {
        match error {
            StsError::Unreachable(causes) => {
                let failure =
                    Failure::new(Category::Network, format!("cannot reach AWS STS in {}", self.region)).hint(UNREACHED);
                causes.iter().fold(failure, |failure, cause| failure.detail(cause.as_str()))
            }
            StsError::Refused { code, message, status, request_id } => {
                let failure = self.refused(code, message, *status).detail(format!("AWS: {code}: {message}"));
                match request_id {
                    Some(id) => failure.detail(format!("AWS request id {id}")),
                    None => failure,
                }
            }
        }
    }

    fn refused(&self, code: &str, message: &str, status: u16) -> Failure {
        match code {
            "AccessDenied" | "AccessDeniedException" => self.denied(message),
            "InvalidIdentityToken" | "IDPCommunicationError" | "IDPRejectedClaim" => self.bad_token(message),
            "ExpiredTokenException" | "ExpiredToken" => {
                Failure::new(Category::Denied, format!("the token for {} was too old when AWS got it", self.target()))
                    .hint(format!(
                        "The clock of {} is slow by minutes, or something held the request up: vouch doctor issuer",
                        self.issuer
                    ))
            }
            "RequestExpired" | "SignatureDoesNotMatch" => Failure::new(
                Category::Denied,
                format!("AWS does not take the signature of the request for {}", self.target()),
            )
            .hint("Most often this machine's clock is wrong: vouch doctor issuer"),
            "PackedPolicyTooLarge" | "PackedPolicyTooLargeException" => Failure::new(
                Category::Denied,
                format!("the session tags are too large for AWS to carry into {}", self.target()),
            )
            .hint("Ask whoever runs the issuer to set sessionTagKeys to Prefixed or Plain"),
            "RegionDisabledException" => {
                let message =
                    format!("STS is not activated for account {} in region {}", self.to.account(), self.region);
                Failure::new(Category::Configuration, message).hint("Name another region with --region")
            }
            "ValidationError" if message.contains(TOO_LONG) => {
                let message = format!("{} does not allow sessions of {} s", self.target(), self.duration);
                Failure::new(Category::Denied, message)
                    .hint("Ask for less with --duration, or have the role's maximum raised")
            }
            "ValidationError" if message.contains(CHAIN_TOO_LONG) => chained_too_long(self.duration),
            _ if status >= 500 || status == 429 => {
                Failure::new(Category::Network, format!("AWS STS in {} cannot answer now", self.region))
                    .hint("Try again in a minute")
            }
            _ => Failure::new(Category::Denied, format!("AWS refused {}: {message}", self.target())).hint(DOCTOR),
        }
    }

    /// A policy said no. `message` names the action, and since 2021 often the kind of policy.
    fn denied(&self, message: &str) -> Failure {
        let action = ["sts:TagSession", "sts:SetSourceIdentity"].into_iter().find(|action| message.contains(action));
        let forbidden = [
            ("service control policy", "a service control policy of the organisation"),
            ("resource control policy", "a resource control policy of the organisation"),
            ("permissions boundary", "a permissions boundary"),
        ]
        .into_iter()
        .find(|(text, _)| message.contains("explicit deny") && message.contains(text));
        let sentence = match (self.from, forbidden) {
            (_, Some((_, policy))) => format!("AWS refused {}: {policy} denies it", self.step()),
            (None, None) => match action {
                Some(action) => format!("AWS refused {}: its trust policy lacks {action}", self.step()),
                None => format!(
                    "AWS refused {}: its trust policy does not let {} in, or there is no such role",
                    self.step(),
                    self.person
                ),
            },
            (Some(_), None) => self.denied_hop(action, message),
        };
        Failure::new(Category::Denied, sentence).hint(DOCTOR)
    }

    /// The hub may not, or the spoke does not let it: AWS asks both for every one of the three actions.
    fn denied_hop(&self, action: Option<&str>, message: &str) -> String {
        let side = if message.contains("no identity-based policy") {
            "The hub's permissions policy lacks"
        } else if message.contains("no resource-based policy") {
            "The spoke's trust policy lacks"
        } else {
            "The spoke's trust policy or the hub's permissions policy lacks"
        };
        let missing = action.unwrap_or("sts:AssumeRole");
        let more =
            if action.is_none() { format!(" for {}, or there is no such role", self.person) } else { String::new() };
        format!("AWS refused {}: not authorized to perform {missing}. {side} {missing}{more}", self.step())
    }

    /// AWS did not accept the token itself.
    fn bad_token(&self, message: &str) -> Failure {
        let (account, issuer) = (self.to.account(), self.issuer);
        let denied = |message: String| Failure::new(Category::Denied, message);
        if message.contains(NO_PROVIDER) {
            denied(format!("account {account} has no OIDC provider for {issuer}"))
                .hint(format!("Its administrator creates one with URL and client id {issuer}"))
        } else if message.contains(NO_VERIFICATION_KEY) {
            denied(format!("AWS has not got the key of {issuer} that signed the token, and cannot fetch it"))
                .hint(UNKNOWN_KEY)
        } else if message.contains(ROLE_NOT_IN_TOKEN) {
            denied(format!("the token was issued for another role than {}", self.target())).hint(DOCTOR)
        } else if message.contains(BAD_TOKEN) {
            let message =
                format!("AWS does not accept the audience or the signature of the token for account {account}");
            denied(message).hint(format!(
                "Its OIDC provider must have exactly {issuer} as client id, with https:// and without a slash at the end; \
                 if it has, the token was changed on its way: vouch doctor issuer"
            ))
        } else {
            denied(format!("AWS does not accept the token for account {account}: {message}")).hint(DOCTOR)
        }
    }

    fn step(&self) -> String {
        match self.from {
            Some(hub) => format!("the second step, from hub {hub} to {}", self.to),
            None => self.target(),
        }
    }

    fn target(&self) -> String {
        format!("role {}", self.to)
    }
}

/// The same text of AWS for two causes: keys that were replaced at once, and an issuer that cannot be reached.
const UNKNOWN_KEY: &str = "After an emergency rotation AWS keeps the keys it has for a while: try again later. Otherwise \
                           the issuer must be reachable from the internet with a publicly trusted certificate: \
                           vouch doctor issuer";

const DOCTOR: &str = "Details: vouch doctor --profile NAME";

/// More than an hour through a hub.
#[must_use]
pub fn chained_too_long(duration: u32) -> Failure {
    let message = format!("{duration} s is too long: AWS gives roles that are reached through a hub at most 3600 s");
    Failure::new(Category::Usage, message).hint("Leave out --duration, or ask for at most 3600")
}

#[cfg(test)]
#[path = "sts_refusal_tests.rs"]
mod tests;
