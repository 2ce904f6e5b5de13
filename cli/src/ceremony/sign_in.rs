//! Signing in: an assertion over the issuer's challenge, by whichever key and account the person has here.

use std::time::{Duration, Instant};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use vouch_issuer_api::oauth::ChallengeResponse;
use webauthn_rs_proto::{AuthenticatorAssertionResponseRaw, PublicKeyCredential};

use super::{
    Ceremony, CeremonyError, Chosen, Rejected,
    client_data::{self, Operation},
    pin::Purpose,
    relying_party,
};
use crate::{
    error::Failure,
    issuer_url::IssuerUrl,
    prompt::{Choice, Notice, Wanted, WrongKey},
    security_key::{Assertion, GetAssertion, KeyError, Verification},
};

/// What is known of the account from earlier; decides among several on one key.
#[derive(Debug, Clone, Default)]
pub struct Remembered {
    /// The credential last used.
    pub credential_id: Option<Vec<u8>>,
    /// The account's name.
    pub account: Option<String>,
}

/// What goes to the issuer.
#[derive(Debug, Clone)]
pub struct Signed {
    /// [`ChallengeResponse::state`] of the challenge that was signed.
    pub state: String,
    /// The assertion.
    pub assertion: PublicKeyCredential,
}

/// A challenge and when it was fetched.
struct Fresh {
    response: ChallengeResponse,
    since: Instant,
}

impl Fresh {
    fn is_old(&self) -> bool {
        self.since.elapsed() > Duration::from_secs(u64::from(self.response.expires_in)) / 2
    }
}

impl Ceremony<'_> {
    /// Lets a key sign `challenge`. One that has grown old while the person looked for the key is fetched anew.
    ///
    /// # Errors
    /// [`CeremonyError::ForeignRelyingParty`] before anything is asked of a key or a person.
    pub fn sign_in(
        &mut self,
        issuer: &IssuerUrl,
        remembered: &Remembered,
        challenge: ChallengeResponse,
        mut refetch: impl FnMut() -> Result<ChallengeResponse, Failure>,
    ) -> Result<Signed, CeremonyError> {
        let _shield = self.interrupt.shield();
        relying_party::check(issuer, &challenge.options.public_key.rp_id)?;
        // After a key that the issuer does not know, another one.
        if self.wanted != Wanted::Another {
            self.wanted = Wanted::Enrolled;
        }
        let mut challenge = Fresh { response: challenge, since: Instant::now() };
        let (signed, chosen) = self.with_key(|ceremony, chosen| {
            let proof = ceremony.unlock(chosen, Purpose::SignIn)?;
            let account = ceremony.account(chosen, &proof, issuer, remembered, &challenge.response)?;
            if challenge.is_old() {
                challenge = Fresh { response: refetch()?, since: Instant::now() };
                relying_party::check(issuer, &challenge.response.options.public_key.rp_id)?;
            }
            ceremony.sign(chosen, proof, issuer, remembered, account, &challenge.response)
        })?;
        // A key that has just signed is not the one that is added next.
        self.rejected.push(chosen.into());
        Ok(signed)
    }

    /// Says that the issuer does not know the key that has just signed. The next one is another.
    pub fn signer_is_unknown(&mut self, issuer: &IssuerUrl) {
        let name = self.rejected.last().map(Rejected::product).unwrap_or_default().to_owned();
        self.prompter.tell(&Notice::UnknownKey { name, issuer: issuer.authority().to_owned() });
        self.wanted = Wanted::Another;
    }

    /// Which account of the key signs, where that is known before the touch.
    fn account(
        &self,
        chosen: &Chosen,
        proof: &Verification,
        issuer: &IssuerUrl,
        remembered: &Remembered,
        challenge: &ChallengeResponse,
    ) -> Result<Option<Assertion>, CeremonyError> {
        // A sensor would want a finger for this, too.
        if matches!(proof, Verification::BuiltIn) {
            return Ok(None);
        }
        // No client data, so that nothing any server takes comes of it.
        let request = GetAssertion {
            client_data: Vec::new(),
            rp_id: issuer.host().to_owned(),
            allow: allowed(challenge),
            silent: true,
        };
        let proof = proof.clone();
        match self.ask(&chosen.key, move |key| key.get_assertions(&request, &proof)) {
            // Only one: asked for without naming it, the key also tells whose it is.
            Ok(accounts) if accounts.len() <= 1 => Ok(None),
            Ok(accounts) => self.pick(accounts, remembered),
            Err(CeremonyError::Key(KeyError::NoCredentials)) => Err(CeremonyError::WrongKey(WrongKey::NotEnrolled)),
            // A key that cannot look without a touch tells its accounts with the touch.
            Err(CeremonyError::Key(KeyError::Unsupported(_) | KeyError::Status(_) | KeyError::NotTouched)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The only account, the remembered one, or the one the person names.
    fn pick(&self, accounts: Vec<Assertion>, remembered: &Remembered) -> Result<Option<Assertion>, CeremonyError> {
        if accounts.len() <= 1 {
            return Ok(accounts.into_iter().next());
        }
        let by_id = |account: &Assertion| remembered.credential_id.as_ref() == Some(&account.credential_id);
        let by_name = |account: &Assertion| remembered.account.as_ref() == Some(&account.user_name);
        let known = accounts.iter().position(by_id).or_else(|| accounts.iter().position(by_name));
        let index = match known {
            Some(index) => index,
            None => {
                let names: Vec<_> = accounts.iter().map(|account| account.user_name.clone()).collect();
                self.prompter.choose(Choice::Account, &names)?
            }
        };
        Ok(accounts.into_iter().nth(index))
    }

    fn sign(
        &self,
        chosen: &Chosen,
        proof: Verification,
        issuer: &IssuerUrl,
        remembered: &Remembered,
        account: Option<Assertion>,
        challenge: &ChallengeResponse,
    ) -> Result<Signed, CeremonyError> {
        let client_data = client_data::collect(Operation::Get, &challenge.options.public_key.challenge, issuer);
        let request = GetAssertion {
            client_data: client_data.clone(),
            rp_id: issuer.host().to_owned(),
            allow: account.as_ref().map_or_else(|| allowed(challenge), |account| vec![account.credential_id.clone()]),
            silent: false,
        };
        let signed = self.ask_for_touch(chosen, proof, move |key, proof| key.get_assertions(&request, proof));
        let (assertions, _) = match signed {
            Err(CeremonyError::Key(KeyError::NoCredentials)) => {
                return Err(CeremonyError::WrongKey(WrongKey::NotEnrolled));
            }
            other => other?,
        };
        let mut assertion = self.pick(assertions, remembered)?.ok_or(KeyError::Garbled)?;
        if let Some(account) = account {
            // Keys may leave the user out when they are told which credential to use.
            if assertion.user_handle.is_empty() {
                assertion.user_handle = account.user_handle;
            }
        }
        Ok(Signed { state: challenge.state.clone(), assertion: credential(assertion, client_data) })
    }
}

fn allowed(challenge: &ChallengeResponse) -> Vec<Vec<u8>> {
    challenge.options.public_key.allow_credentials.iter().map(|allowed| allowed.id.clone()).collect()
}

/// As WebAuthn Level 3 §5.1.4.1 has it.
fn credential(assertion: Assertion, client_data: Vec<u8>) -> PublicKeyCredential {
    PublicKeyCredential {
        id: URL_SAFE_NO_PAD.encode(&assertion.credential_id),
        raw_id: assertion.credential_id,
        response: AuthenticatorAssertionResponseRaw {
            authenticator_data: assertion.authenticator_data,
            client_data_json: client_data,
            signature: assertion.signature,
            user_handle: (!assertion.user_handle.is_empty()).then_some(assertion.user_handle),
        },
        extensions: webauthn_rs_proto::AuthenticationExtensionsClientOutputs::default(),
        type_: "public-key".to_owned(),
    }
}
