//! A client: a DPoP key, the session it holds, and the requests it makes.

use axum::body::Body;
use http::{HeaderMap, Method, Request};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;
use vouch_issuer_api::{
    enroll::{AddKeyChallengeRequest, KeyInfo, RegisterKeyRequest, RegistrationChallenge},
    oauth::{ChallengeResponse, FIDO2_GRANT, TokenResponse},
    paths,
};
use webauthn_rs_proto::PublicKeyCredential;

use super::{
    authenticator::{ISSUER, SecurityKey},
    dpop::ProofKey,
    issuer::{Answer, TestIssuer},
};
use crate::{clock::Clock as _, identity::dpop::fresh_nonce};

pub(crate) struct Client<'a> {
    pub(crate) issuer: &'a TestIssuer,
    pub(crate) key: ProofKey,
    pub(crate) token: Option<String>,
    /// Claims that its proofs get wrong; `null` leaves one out.
    pub(crate) proof_changes: Value,
}

impl<'a> Client<'a> {
    pub(crate) fn new(issuer: &'a TestIssuer) -> Self {
        Self { issuer, key: ProofKey::generate(), token: None, proof_changes: json!({}) }
    }

    /// A client of a person who has just enrolled `key` and signed in with it.
    pub(crate) async fn signed_in(issuer: &'a TestIssuer, name: &str, key: &mut SecurityKey) -> Self {
        let mut client = Self::new(issuer);
        client.enroll(name, key).await;
        client.sign_in(key).await;
        client
    }

    pub(crate) fn proof(&self, method: &Method, path: &str) -> String {
        let now = self.issuer.clock.now();
        let mut claims = json!({
            "jti": Uuid::new_v4(), "htm": method.as_str(), "htu": format!("{ISSUER}{path}"), "iat": now.as_second(),
            "nonce": fresh_nonce(&self.issuer.issuer.secrets.load(), now),
        });
        if let Some(token) = &self.token {
            claims["ath"] = ProofKey::token_hash(token).into();
        }
        for (name, value) in self.proof_changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        self.key.sign(&json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": self.key.jwk()}), &claims)
    }

    pub(crate) fn headers(&self, method: &Method, path: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("dpop", self.proof(method, path).parse().unwrap());
        if let Some(token) = &self.token {
            headers.insert("authorization", format!("DPoP {token}").parse().unwrap());
        }
        headers
    }

    pub(crate) async fn call(&self, method: Method, path: &str, body: Value) -> Answer {
        let bare = path.split('?').next().unwrap();
        let mut request = Request::builder().method(method.clone()).uri(path);
        *request.headers_mut().unwrap() = self.headers(&method, bare);
        let body = match body {
            Value::Null => Body::empty(),
            body => {
                request = request.header("content-type", "application/json");
                Body::from(body.to_string())
            }
        };
        self.issuer.call(request.body(body).unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, Value::Null).await
    }

    pub(crate) async fn post(&self, path: &str, body: &impl Serialize) -> Answer {
        self.call(Method::POST, path, serde_json::to_value(body).unwrap()).await
    }

    pub(crate) async fn challenge(&self) -> ChallengeResponse {
        self.post(paths::FIDO2_CHALLENGE, &Value::Null).await.read()
    }

    pub(crate) async fn redeem(&self, state: &str, assertion: &PublicKeyCredential) -> Answer {
        let assertion = serde_json::to_string(assertion).unwrap();
        let form = [("grant_type", FIDO2_GRANT), ("state", state), ("assertion", &assertion)];
        self.form(&form).await
    }

    pub(crate) async fn form(&self, form: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(paths::TOKEN)
            .header("content-type", "application/x-www-form-urlencoded");
        request.headers_mut().unwrap().insert("dpop", self.proof(&Method::POST, paths::TOKEN).parse().unwrap());
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        self.issuer.call(request.body(Body::from(body)).unwrap()).await
    }

    /// Asks for a session, whatever comes of it.
    pub(crate) async fn try_sign_in(&mut self, key: &mut SecurityKey) -> Answer {
        self.token = None;
        let challenge = self.challenge().await;
        self.redeem(&challenge.state, &key.assert(&challenge.options)).await
    }

    pub(crate) async fn sign_in(&mut self, key: &mut SecurityKey) -> TokenResponse {
        let response: TokenResponse = self.try_sign_in(key).await.read();
        self.token = Some(response.access_token.clone());
        response
    }

    pub(crate) async fn offer(&self, code: &str) -> RegistrationChallenge {
        self.post(paths::ENROLL_CHALLENGE, &json!({"code": code})).await.read()
    }

    /// A fresh assertion by `key`, as proof that somebody is there.
    pub(crate) async fn tap(&self, key: &mut SecurityKey) -> AddKeyChallengeRequest {
        let challenge = self.challenge().await;
        AddKeyChallengeRequest { assertion: key.assert(&challenge.options), state: challenge.state }
    }

    /// Asks for a further key with a tap of `key`, whatever comes of it.
    pub(crate) async fn ask_for_key(&self, key: &mut SecurityKey) -> Answer {
        self.post(paths::KEYS_CHALLENGE, &self.tap(key).await).await
    }

    pub(crate) async fn register(&self, path: &str, offer: &RegistrationChallenge, key: &mut SecurityKey) -> Answer {
        let credential = key.register(&offer.options);
        self.post(path, &RegisterKeyRequest { state: offer.state.clone(), credential, name: None }).await
    }

    /// Invites a person and enrolls a key.
    pub(crate) async fn enroll(&self, name: &str, key: &mut SecurityKey) -> KeyInfo {
        let code = self.issuer.invite(name).await;
        let offer = self.offer(&code).await;
        self.register(paths::ENROLL, &offer, key).await.read()
    }
}
