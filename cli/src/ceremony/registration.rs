//! Registering a key: a resident credential with attestation, as the issuer's options ask.
//!
//! A key keeps a credential that the issuer then refuses, and offers it at every sign-in. So what can be known is
//! checked before the key is asked, and what was made in vain is deleted again.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::Uuid;
use vouch_issuer_api::enroll::RegistrationChallenge;
use webauthn_rs_proto::{
    AuthenticatorAttestationResponseRaw, AuthenticatorTransport, CredProps, CredentialProtectionPolicy,
    PublicKeyCredentialCreationOptions, RegisterPublicKeyCredential, RegistrationExtensionsClientOutputs,
    ResidentKeyRequirement,
};

use super::{
    Ceremony, CeremonyError, Chosen,
    client_data::{self, Operation},
    pin::Purpose,
    relying_party,
};
use crate::{
    interrupt::Shield,
    issuer_url::IssuerUrl,
    prompt::{Notice, Wanted, WrongKey},
    security_key::{Attestation, GetAssertion, Info, KeyError, MakeCredential, Verification},
};

/// COSE number of ES256, the one algorithm every FIDO2 key has.
const ES256: i64 = -7;

/// What a request holds beside its list of credentials: hashes, names, the proof of the PIN. In bytes.
const REQUEST_WITHOUT_LIST: usize = 450;

/// What CBOR puts around one credential id, in bytes.
const ENTRY_OVERHEAD: usize = 24;

/// A credential that is on the key and not yet known to the issuer. Ctrl-C waits until that is settled.
pub struct NewKey {
    /// What goes to the issuer.
    pub credential: RegisterPublicKeyCredential,
    /// What the key calls itself.
    pub product: String,
    chosen: Chosen,
    proof: Verification,
    _shield: Shield,
}

impl Ceremony<'_> {
    /// Makes a credential on a key that the issuer accepts and that is not enrolled yet.
    ///
    /// # Errors
    /// [`CeremonyError::ForeignRelyingParty`] and [`CeremonyError::Options`] before anything is asked of a key or a
    /// person. After an error no new credential is on the key.
    pub fn register(&mut self, issuer: &IssuerUrl, challenge: &RegistrationChallenge) -> Result<NewKey, CeremonyError> {
        let shield = self.interrupt.shield();
        let options = &challenge.options.public_key;
        relying_party::check(issuer, &options.rp.id)?;
        check_options(options)?;
        self.wanted = if challenge.first_key { Wanted::Any } else { Wanted::New };
        let ((made, proof), chosen) = self.with_key(|ceremony, chosen| {
            fit(&chosen.info, options, &challenge.accepted_aaguids).map_err(CeremonyError::WrongKey)?;
            let proof = ceremony.unlock(chosen, Purpose::Register)?;
            ceremony.make(chosen, proof, issuer, options)
        })?;
        let client_data = client_data::collect(Operation::Create, &options.challenge, issuer);
        Ok(NewKey {
            credential: credential(made, client_data, wants_resident_key(options)),
            product: chosen.device.product.clone(),
            chosen,
            proof,
            _shield: shield,
        })
    }

    /// Deletes a credential that the issuer refused, and says so.
    pub fn discard(&self, new: NewKey) {
        let id = new.credential.raw_id;
        let deleted = match new.proof {
            Verification::Pin(pin) => self.ask(&new.chosen.key, move |key| key.delete_credential(&id, &pin)).is_ok(),
            Verification::BuiltIn => false,
        };
        self.prompter.tell(if deleted { &Notice::OrphanDeleted } else { &Notice::OrphanLeft });
    }

    fn make(
        &self,
        chosen: &Chosen,
        proof: Verification,
        issuer: &IssuerUrl,
        options: &PublicKeyCredentialCreationOptions,
    ) -> Result<(Attestation, Verification), CeremonyError> {
        let enrolled: Vec<_> =
            options.exclude_credentials.iter().flatten().map(|credential| credential.id.clone()).collect();
        let extensions = options.extensions.as_ref();
        let request = MakeCredential {
            client_data: client_data::collect(Operation::Create, &options.challenge, issuer),
            rp_id: issuer.host().to_owned(),
            user_id: options.user.id.clone(),
            user_name: options.user.name.clone(),
            user_display_name: options.user.display_name.clone(),
            exclude: self.exclude_list(chosen, &proof, issuer, &enrolled)?,
            resident: wants_resident_key(options),
            uv_required: wants_uv_always(options),
            hmac_secret: extensions.and_then(|extensions| extensions.hmac_create_secret) == Some(true),
        };
        match self.ask_for_touch(chosen, proof, move |key, proof| key.make_credential(&request, proof)) {
            Err(CeremonyError::Key(KeyError::Excluded)) => Err(CeremonyError::WrongKey(WrongKey::AlreadyEnrolled)),
            outcome => outcome,
        }
    }

    /// The part of the exclude list that goes to the key; longer ones are looked up beforehand, a part at a time.
    ///
    /// The list is never shortened without looking: a key that holds a credential of this person replaces it silently.
    fn exclude_list(
        &self,
        chosen: &Chosen,
        proof: &Verification,
        issuer: &IssuerUrl,
        enrolled: &[Vec<u8>],
    ) -> Result<Vec<Vec<u8>>, CeremonyError> {
        let mut parts = portions(enrolled, chosen.info.max_list, chosen.info.max_message);
        let last = parts.pop().unwrap_or_default();
        for part in parts {
            let request =
                GetAssertion { client_data: Vec::new(), rp_id: issuer.host().to_owned(), allow: part, silent: true };
            let proof = proof.clone();
            match self.ask(&chosen.key, move |key| key.get_assertions(&request, &proof)) {
                Ok(_) => return Err(CeremonyError::WrongKey(WrongKey::AlreadyEnrolled)),
                Err(CeremonyError::Key(KeyError::NoCredentials)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(last)
    }
}

/// What no key can help with.
fn check_options(options: &PublicKeyCredentialCreationOptions) -> Result<(), CeremonyError> {
    if !options.pub_key_cred_params.iter().any(|wanted| wanted.alg == ES256 && wanted.type_ == "public-key") {
        return Err(CeremonyError::Options("it does not take ES256 keys"));
    }
    if !(1..=64).contains(&options.user.id.len()) {
        return Err(CeremonyError::Options("it names no valid user handle"));
    }
    Ok(())
}

/// Whether the issuer will take this key, so far as the key can tell.
fn fit(info: &Info, options: &PublicKeyCredentialCreationOptions, accepted: &[Uuid]) -> Result<(), WrongKey> {
    if !accepted.is_empty() && !accepted.contains(&info.aaguid) {
        return Err(WrongKey::ModelNotAccepted);
    }
    let capable =
        (info.resident_keys || !wants_resident_key(options)) && (info.cred_protect || !wants_uv_always(options));
    if capable { Ok(()) } else { Err(WrongKey::NotCapable) }
}

fn wants_resident_key(options: &PublicKeyCredentialCreationOptions) -> bool {
    options.authenticator_selection.as_ref().is_some_and(|selection| {
        selection.require_resident_key || selection.resident_key == Some(ResidentKeyRequirement::Required)
    })
}

fn wants_uv_always(options: &PublicKeyCredentialCreationOptions) -> bool {
    let asked = options.extensions.as_ref().and_then(|extensions| extensions.cred_protect.as_ref());
    asked
        .is_some_and(|asked| asked.credential_protection_policy == CredentialProtectionPolicy::UserVerificationRequired)
}

/// Cuts a list of credential ids into parts that a key takes in one request.
fn portions(ids: &[Vec<u8>], max_list: usize, max_message: usize) -> Vec<Vec<Vec<u8>>> {
    let room = max_message.saturating_sub(REQUEST_WITHOUT_LIST);
    let mut parts: Vec<Vec<Vec<u8>>> = Vec::new();
    let mut used = 0;
    for id in ids {
        let size = id.len() + ENTRY_OVERHEAD;
        match parts.last_mut() {
            Some(part) if part.len() < max_list && used + size <= room => {
                part.push(id.clone());
                used += size;
            }
            _ => {
                parts.push(vec![id.clone()]);
                used = size;
            }
        }
    }
    parts
}

/// As WebAuthn Level 3 §5.1.3 has it.
fn credential(made: Attestation, client_data: Vec<u8>, resident: bool) -> RegisterPublicKeyCredential {
    RegisterPublicKeyCredential {
        id: URL_SAFE_NO_PAD.encode(&made.credential_id),
        raw_id: made.credential_id,
        response: AuthenticatorAttestationResponseRaw {
            attestation_object: made.attestation_object,
            client_data_json: client_data,
            transports: Some(vec![AuthenticatorTransport::Usb]),
        },
        type_: "public-key".to_owned(),
        extensions: RegistrationExtensionsClientOutputs {
            cred_props: Some(CredProps { rk: Some(resident) }),
            ..RegistrationExtensionsClientOutputs::default()
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_exclude_list_is_cut_and_nothing_is_lost() {
        let ids: Vec<Vec<u8>> = (0..20_u8).map(|n| vec![n; 64]).collect();
        let by_count = portions(&ids, 8, 4096);
        assert_eq!(by_count.iter().map(Vec::len).collect::<Vec<_>>(), [8, 8, 4]);
        assert_eq!(by_count.concat(), ids);
        let by_size = portions(&ids, 8, 1024);
        assert_eq!(by_size.iter().map(Vec::len).collect::<Vec<_>>(), [6, 6, 6, 2]);
        assert_eq!(by_size.concat(), ids);
        assert_eq!(portions(&[], 8, 1024), Vec::<Vec<Vec<u8>>>::new());
        assert_eq!(portions(&[vec![0; 900]], 8, 1024).len(), 1);
    }
}
