//! What it takes to accept a foreign token: the rules of AssumeRoleWithWebIdentity up to the trust policy.
//!
//! The steps stand in the order in which AWS takes them, as far as recordings tell; each has a module with its texts.

pub mod claims;
pub mod documents;
pub mod jwk;
pub mod jwt;
pub mod keys;
pub mod roles_claim;
pub mod session_claims;
pub mod signature;
pub mod tampering;
pub mod times;

use jiff::Timestamp;

use crate::access::arn::RoleArn;
use crate::standin::Standin;
use crate::wire::Fault;
use crate::world::OidcProvider;
pub use claims::Identity;
pub use roles_claim::RolesClaim;
pub use session_claims::SessionClaims;

/// The text for a wrong signature and a wrong audience alike.
pub(crate) const NOT_VALIDATED: &str = "The web identity token provided could not be validated. See the AssumeRoleWithWebIdentity documentation for requirements.";

/// A token that was accepted.
#[derive(Debug, Clone, PartialEq)]
pub struct Verified {
    /// Whom it is about.
    pub identity: Identity,
    /// Tags and source identity for the session.
    pub session: SessionClaims,
    /// Whether the roles claim names the role.
    pub role_authorized_by_idp: bool,
    /// ARN of the provider that vouches for it.
    pub provider_arn: String,
    /// The provider's URL without scheme: the prefix of its condition keys.
    pub issuer: String,
}

/// Verifies a token for a role.
///
/// # Errors
/// `InvalidIdentityToken`, `ExpiredTokenException`, `IDPCommunicationError` or `InternalFailure`, in AWS's words.
pub async fn verify(standin: &Standin, token: &str, target: &RoleArn, now: Timestamp) -> Result<Verified, Fault> {
    let jwt = jwt::Jwt::parse(token)?;
    let issuer = claims::issuer(&jwt.claims)?;
    let provider = provider(standin, &target.account, issuer)?;
    let key = keys::find(standin, &provider, &jwt, now).await?;
    let identity = Identity::of(&jwt.claims)?;
    times::check(&jwt.claims, now)?;
    let session = SessionClaims::of(&jwt.claims)?;
    let roles = RolesClaim::of(&jwt.claims)?;
    if !provider.client_ids.contains(&identity.audience) {
        return Err(Fault::invalid_identity_token(NOT_VALIDATED));
    }
    signature::verify(&jwt, &key)?;
    let role_authorized_by_idp = roles.authorizes(&target.text)?;
    Ok(Verified { identity, session, role_authorized_by_idp, issuer: provider.url, provider_arn: provider.arn })
}

fn provider(standin: &Standin, account: &str, issuer: &str) -> Result<OidcProvider, Fault> {
    let world = standin.world();
    let provider = world
        .account(account)
        .and_then(|account| account.providers.values().find(|provider| provider.issuer() == issuer));
    provider.cloned().ok_or_else(|| {
        Fault::invalid_identity_token(format!("No OpenIDConnect provider found in your account for {issuer}"))
    })
}
