//! The relying party of WebAuthn.
//!
//! It turns answers of security keys into verified facts and knows nothing of people, stores or HTTP. User verification
//! is required in every ceremony; there is no way to ask for less.

mod acceptance;
mod anchors;
mod evidence;
mod fault;

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde::Deserialize;
use url::Url;
use webauthn_rs::{
    Webauthn, WebauthnBuilder,
    prelude::{
        AuthenticationResult, CreationChallengeResponse, Credential, Passkey, PasskeyRegistration, PublicKeyCredential,
        RegisterPublicKeyCredential, RequestChallengeResponse,
    },
};
use webauthn_rs_proto::{AttestationConveyancePreference, AttestationFormat, ResidentKeyRequirement};

pub use acceptance::{Acceptance, Accepted};
pub use anchors::{TrustAnchors, UnreadableAnchor};
pub use evidence::{Evidence, RegistrationFault};
pub use fault::KeyFault;
pub use webauthn_rs::prelude::DiscoverableAuthentication;

use crate::{
    config::url::IssuerUrl,
    store::record::{CredentialId, UserRecord},
};

/// How long a person has for a ceremony: PIN, touch, and finding the key.
pub const CEREMONY_LIFETIME: Duration = Duration::from_secs(300);

/// The issuer as a relying party.
#[derive(Debug)]
pub struct RelyingParty {
    webauthn: Webauthn,
}

/// A credential that verified and is accepted.
#[derive(Debug, Clone)]
pub struct AcceptedCredential {
    /// What later assertions are verified with.
    pub passkey: Passkey,
    /// What was found out about the key.
    pub accepted: Accepted,
}

impl RelyingParty {
    /// The relying-party id is the issuer's host, the only origin is the issuer's.
    ///
    /// # Errors
    /// Only [`KeyFault::Internal`]: the host of an issuer is a domain name.
    pub fn new(issuer: &IssuerUrl, organization: &str) -> Result<Self, KeyFault> {
        let origin = Url::parse(issuer.origin()).map_err(|_| KeyFault::Internal)?;
        let builder = WebauthnBuilder::new(issuer.host(), &origin)?.rp_name(organization).timeout(CEREMONY_LIFETIME);
        Ok(Self { webauthn: builder.build()? })
    }

    /// A challenge that any resident credential of this relying party may answer.
    ///
    /// # Errors
    /// Only [`KeyFault::Internal`].
    pub fn start_assertion(&self) -> Result<(RequestChallengeResponse, DiscoverableAuthentication), KeyFault> {
        let (mut options, state) = self.webauthn.start_discoverable_authentication()?;
        // Conditional mediation is a browser's autofill, which this is not.
        options.mediation = None;
        Ok((options, state))
    }

    /// Verifies an assertion by an enrolled key: challenge, origin, relying party, presence, verification, signature
    /// and counter. Whose key it is, and whether the challenge was used before, the caller decides.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn verify_assertion(
        &self,
        assertion: &PublicKeyCredential,
        state: DiscoverableAuthentication,
        passkey: &Passkey,
    ) -> Result<AuthenticationResult, KeyFault> {
        check_client_data(&assertion.response.client_data_json)?;
        let result = self.webauthn.finish_discoverable_authentication_v2(assertion, state, passkey)?;
        // The library has refused that already. Everything here rests on it, so it is asked once more.
        if !result.user_verified() {
            return Err(KeyFault::UserNotVerified);
        }
        Ok(result)
    }

    /// Options for a resident credential of this person, on a key that holds none of theirs yet.
    ///
    /// # Errors
    /// Only [`KeyFault::Internal`].
    pub fn start_registration(
        &self,
        user: &UserRecord,
        acceptance: &Acceptance,
    ) -> Result<(CreationChallengeResponse, PasskeyRegistration), KeyFault> {
        let email = user.email.as_str();
        let exclude = user.keys.iter().map(|key| key.passkey.cred_id().clone()).collect();
        let (mut options, state) = self.webauthn.start_passkey_registration(user.id.0, email, email, Some(exclude))?;
        let request = &mut options.public_key;
        if let Some(selection) = &mut request.authenticator_selection {
            selection.resident_key = Some(ResidentKeyRequirement::Required);
            selection.require_resident_key = true;
        }
        if acceptance.requires_attestation() {
            request.attestation = Some(AttestationConveyancePreference::Direct);
            request.attestation_formats = Some(vec![AttestationFormat::Packed, AttestationFormat::Tpm]);
            let protection = request.extensions.as_mut().and_then(|extensions| extensions.cred_protect.as_mut());
            if let Some(protection) = protection {
                protection.enforce_credential_protection_policy = Some(true);
            }
        }
        Ok((options, state))
    }

    /// Verifies a new credential and judges it by what is accepted now.
    ///
    /// # Errors
    /// What is wrong with it, or why it is not accepted and what it has shown of its maker.
    pub fn verify_registration(
        &self,
        credential: &RegisterPublicKeyCredential,
        state: &PasskeyRegistration,
        acceptance: &Acceptance,
        now: Timestamp,
    ) -> Result<AcceptedCredential, RegistrationFault> {
        check_client_data(&credential.response.client_data_json)?;
        let passkey = self.webauthn.finish_passkey_registration(credential, state).map_err(KeyFault::from)?;
        let credential = Credential::from(passkey);
        let accepted = acceptance.judge(&credential).map_err(|fault| {
            let evidence = acceptance.evidence(&credential, now);
            tracing::warn!(
                aaguid = ?evidence.aaguid,
                attested_by = ?evidence.issuer,
                cause = ?evidence.cause,
                "security key refused: {fault}"
            );
            RegistrationFault { fault, evidence: Some(evidence) }
        })?;
        Ok(AcceptedCredential { passkey: Passkey::from(credential), accepted })
    }
}

/// A credential id as the store keeps it.
#[must_use]
pub fn credential_id(raw: &[u8]) -> CredentialId {
    CredentialId(URL_SAFE_NO_PAD.encode(raw))
}

#[derive(Deserialize)]
struct Embedding {
    #[serde(rename = "crossOrigin", default)]
    cross_origin: Option<bool>,
    #[serde(rename = "topOrigin", default)]
    top_origin: Option<serde_json::Value>,
}

/// Refuses a ceremony inside somebody else's page (WebAuthn Level 3 §13.4.9), which the library does not look at in
/// assertions.
fn check_client_data(json: &[u8]) -> Result<(), KeyFault> {
    match serde_json::from_slice(json) {
        Ok(Embedding { cross_origin: None | Some(false), top_origin: None }) => Ok(()),
        Ok(_) => Err(KeyFault::Origin),
        Err(_) => Err(KeyFault::Malformed),
    }
}

#[cfg(test)]
mod tests;
