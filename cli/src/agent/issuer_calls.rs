//! Every call of the contract, with its path and its types.

use http::Method;
use serde::Deserialize;
use vouch_issuer_api::{
    aws::{AwsRoleList, AwsRolesQuery, AwsTokenRequest, AwsTokenResponse},
    enroll::{
        AddKeyChallengeRequest, EnrollChallengeRequest, KeyInfo, KeyList, RegisterKeyRequest, RegistrationChallenge,
        RemoveKeyRequest, RenameKeyRequest,
    },
    oauth::{ChallengeResponse, FIDO2_GRANT, TokenResponse},
    paths,
};
use webauthn_rs_proto::PublicKeyCredential;

use super::{
    dpop::DpopKey,
    issuer_client::{Body, BoundToken, Call, IssuerClient, Proof},
    issuer_error::IssuerError,
};
use crate::error::{Category, Failure};

/// The part of OpenID Connect Discovery 1.0 §3 that is judged here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Discovery {
    /// The issuer's own idea of its URL.
    pub issuer: String,
    /// Where its keys are.
    pub jwks_uri: String,
}

type Answer<T> = Result<T, IssuerError>;

impl IssuerClient {
    /// What the issuer says of itself.
    ///
    /// # Errors
    /// As [`IssuerClient::send`]; so all below.
    pub async fn discovery(&self) -> Answer<Discovery> {
        self.fetch(Call::new(Method::GET, paths::DISCOVERY, None, Proof::None)).await
    }

    /// A challenge to sign in.
    pub async fn login_challenge(&self) -> Answer<ChallengeResponse> {
        self.fetch(Call::new(Method::POST, paths::FIDO2_CHALLENGE, None, Proof::None)).await
    }

    /// Trades an assertion for a session bound to `key`.
    pub async fn login(&self, state: &str, assertion: &PublicKeyCredential, key: &DpopKey) -> Answer<TokenResponse> {
        let assertion = serde_json::to_string(assertion).map_err(|error| {
            IssuerError::Failed(Failure::new(Category::General, format!("the key's answer has no JSON form: {error}")))
        })?;
        let form = Body::form(&[("grant_type", FIDO2_GRANT), ("state", state), ("assertion", &assertion)]);
        self.fetch(Call::new(Method::POST, paths::TOKEN, Some(form), Proof::Key(key))).await
    }

    /// Trades an invite code for creation options.
    pub async fn enroll_challenge(&self, code: String) -> Answer<RegistrationChallenge> {
        let body = Body::json(&EnrollChallengeRequest { code })?;
        self.fetch(Call::new(Method::POST, paths::ENROLL_CHALLENGE, Some(body), Proof::None)).await
    }

    /// Registers the first key.
    pub async fn enroll(&self, registration: &RegisterKeyRequest) -> Answer<KeyInfo> {
        let body = Body::json(registration)?;
        self.fetch(Call::new(Method::POST, paths::ENROLL, Some(body), Proof::None)).await
    }

    /// Trades an assertion for creation options of a further key.
    pub async fn add_key_challenge(
        &self,
        session: &BoundToken,
        request: &AddKeyChallengeRequest,
    ) -> Answer<RegistrationChallenge> {
        let body = Body::json(request)?;
        self.fetch(Call::new(Method::POST, paths::KEYS_CHALLENGE, Some(body), Proof::Session(session))).await
    }

    /// Registers a further key.
    pub async fn add_key(&self, session: &BoundToken, registration: &RegisterKeyRequest) -> Answer<KeyInfo> {
        let body = Body::json(registration)?;
        self.fetch(Call::new(Method::POST, paths::KEYS, Some(body), Proof::Session(session))).await
    }

    /// Own keys.
    pub async fn keys(&self, session: &BoundToken) -> Answer<Vec<KeyInfo>> {
        let list: KeyList = self.fetch(Call::new(Method::GET, paths::KEYS, None, Proof::Session(session))).await?;
        Ok(list.keys)
    }

    /// Renames a key.
    pub async fn rename_key(&self, session: &BoundToken, id: &str, name: String) -> Answer<()> {
        let path = key_path(paths::KEY, id)?;
        let body = Body::json(&RenameKeyRequest { name })?;
        self.send(Call::new(Method::PATCH, &path, Some(body), Proof::Session(session))).await.map(drop)
    }

    /// Trades an assertion for the removal of a key.
    pub async fn remove_key(&self, session: &BoundToken, id: &str, removal: &RemoveKeyRequest) -> Answer<()> {
        let path = key_path(paths::KEY_REMOVAL, id)?;
        let body = Body::json(removal)?;
        self.send(Call::new(Method::POST, &path, Some(body), Proof::Session(session))).await.map(drop)
    }

    /// Ends every session of this person.
    pub async fn end_all_sessions(&self, session: &BoundToken) -> Answer<()> {
        self.send(Call::new(Method::DELETE, paths::SESSION, None, Proof::Session(session))).await.map(drop)
    }

    /// Waits up to `seconds` for the session to end; `Ok` means that it goes on.
    pub async fn watch_session(&self, session: &BoundToken, seconds: u32) -> Answer<()> {
        const SLACK_SECONDS: u32 = 15;
        let path = format!("{}?timeout={seconds}", paths::SESSION_WATCH);
        let mut call = Call::new(Method::GET, &path, None, Proof::Session(session));
        call.timeout = std::time::Duration::from_secs(u64::from(seconds + SLACK_SECONDS));
        call.held_open = true;
        self.send(call).await.map(drop)
    }

    /// An assertion for one role.
    pub async fn aws_token(&self, session: &BoundToken, request: &AwsTokenRequest) -> Answer<AwsTokenResponse> {
        let body = Body::json(request)?;
        self.fetch(Call::new(Method::POST, paths::AWS_TOKEN, Some(body), Proof::Session(session))).await
    }

    /// The roles the person may take, and what would keep them from the one in `query`.
    pub async fn aws_roles(&self, session: &BoundToken, query: &AwsRolesQuery) -> Answer<AwsRoleList> {
        let path = roles_path(query);
        self.fetch(Call::new(Method::GET, &path, None, Proof::Session(session))).await
    }
}

fn roles_path(query: &AwsRolesQuery) -> String {
    let named = [("role", &query.role), ("via", &query.via)];
    let pairs: Vec<_> = named.into_iter().filter_map(|(name, role)| Some((name, role.as_ref()?.to_string()))).collect();
    if pairs.is_empty() {
        return paths::AWS_ROLES.to_owned();
    }
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    format!("{}?{query}", paths::AWS_ROLES)
}

/// A path about one key. An id that is not hexadecimal never reaches the URL.
fn key_path(pattern: &str, id: &str) -> Answer<String> {
    if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let failure = Failure::new(Category::Usage, format!("`{id}` is not a key's id")).hint("Run: vouch keys list");
        return Err(IssuerError::Failed(failure));
    }
    Ok(pattern.replace("{id}", id))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_role_to_ask_about_is_encoded_in_the_query() {
        assert_eq!(roles_path(&AwsRolesQuery::default()), "/v1/aws/roles");
        let role = Some("arn:aws:iam::111111111111:role/a+b".parse().unwrap());
        let path = roles_path(&AwsRolesQuery { role, via: None });
        assert_eq!(path, "/v1/aws/roles?role=arn%3Aaws%3Aiam%3A%3A111111111111%3Arole%2Fa%2Bb");
    }

    #[test]
    fn a_key_id_cannot_lead_to_another_path() {
        assert_eq!(key_path(paths::KEY, "00ffa41f00ffa41f").unwrap(), "/v1/keys/00ffa41f00ffa41f");
        for id in ["", "../session", "a/b", "a?b", "%2e", "é"] {
            assert!(key_path(paths::KEY, id).is_err(), "{id}");
        }
    }
}
