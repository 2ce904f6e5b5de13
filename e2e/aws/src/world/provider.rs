//! OIDC identity providers.

use jiff::Timestamp;

use super::tags::Tags;

/// An OIDC identity provider of an account. Trust policies name it by ARN, so one created anew is the same to them.
#[derive(Debug, Clone)]
pub struct OidcProvider {
    /// ARN: `arn:PARTITION:iam::ACCOUNT:oidc-provider/URL`.
    pub arn: String,
    /// The issuer without `https://`; it is also the prefix of condition keys.
    pub url: String,
    /// Accepted audiences, in order.
    pub client_ids: Vec<String>,
    /// SHA-1 thumbprints of certificates, lower case.
    pub thumbprints: Vec<String>,
    /// When it was created.
    pub created: Timestamp,
    /// Tags, keys with regard to case.
    pub tags: Tags,
}

impl OidcProvider {
    /// The `iss` of tokens it stands for.
    #[must_use]
    pub fn issuer(&self) -> String {
        format!("https://{}", self.url)
    }
}
