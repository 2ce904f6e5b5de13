//! A person's session that a test holds itself, where an agent would be too slow: thousands of requests, each to the pod
//! that is meant.
//!
//! The token is signed with the issuer's own key, as the Secret has it, so that nobody has to touch a security key. A pod
//! cannot tell it from others, and verifies all of it.

use std::{collections::BTreeSet, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::{SignedDuration, Timestamp};
use reqwest::{Method, blocking::Client, header};
use serde_json::Value;
use vouch_crds::names::{port, signing_keys};
use vouch_issuer::{identity::session::SessionClaims, store::record::UserId};
use vouch_issuer_api::paths;
use vouch_keyring::{Algorithm, KeyPolicy, KeyPolicySettings, KeySet};

use super::{pod::Pod, site::Site};
use crate::{
    manifest::{ISSUER_HOST, ISSUER_URL},
    proof::ProofKey,
    wait::PATIENCE,
};

/// The shortest lifetime that an issuer can allow, so that none cuts it.
const LIFETIME: Duration = Duration::from_secs(300);

/// A session at one pod.
#[derive(Debug)]
pub struct Session {
    http: Client,
    key: ProofKey,
    token: String,
    nonce: Option<String>,
    clock: SignedDuration,
}

impl Session {
    /// No session yet; requests go to the pod, over one connection.
    ///
    /// # Panics
    /// When the pod has no address.
    #[must_use]
    pub fn at(site: &Site<'_>, pod: &Pod) -> Self {
        let http = site.trusting(Client::builder()).no_proxy().resolve(ISSUER_HOST, pod.public());
        let http = http.timeout(PATIENCE).build().unwrap();
        Self { http, key: ProofKey::new(), token: String::new(), nonce: None, clock: SignedDuration::ZERO }
    }

    /// Lets whoever holds the session live at another time than this machine.
    pub fn set_clock(&mut self, clock: SignedDuration) {
        self.clock = clock;
    }

    /// Begins one for a person, given the Secret with the signing keys and the `VouchUser`.
    ///
    /// # Panics
    /// When either is not what the product writes.
    pub fn begin(&mut self, secret: &Value, person: &Value) {
        let signer = key_set_of(secret).signer(Algorithm::Es256, &policy()).unwrap();
        let status = &person["status"];
        let id: UserId = serde_json::from_value(status["id"].clone()).unwrap();
        let key = status["keys"][0]["id"].as_str().unwrap();
        // As a pod does it: nobody's session begins before the last of theirs were ended.
        let valid_from = status["sessionsValidFrom"].as_str().and_then(|moment| moment.parse().ok());
        let began_at = valid_from.map_or(self.now(), |moment: Timestamp| moment.max(self.now()));
        let claims = SessionClaims::begin(id, key, self.key.thumbprint(), began_at, LIFETIME);
        self.token = claims.sign(&signer, ISSUER_URL).unwrap();
    }

    /// Asks whether the session goes on; the code of the refusal when it does not.
    ///
    /// # Errors
    /// The refusal.
    ///
    /// # Panics
    /// When there is no answer.
    pub fn check(&mut self) -> Result<(), String> {
        self.ask(&Method::GET, paths::SESSION, None).map(drop)
    }

    /// A token for AWS.
    ///
    /// # Errors
    /// The code of the refusal.
    ///
    /// # Panics
    /// When there is no answer.
    pub fn mint(&mut self, role: &str) -> Result<String, String> {
        let answer = self.ask(&Method::POST, paths::AWS_TOKEN, Some(&serde_json::json!({"role": role})))?;
        Ok(answer["web_identity_token"].as_str().unwrap().to_owned())
    }

    /// The key set as the pod publishes it.
    ///
    /// # Panics
    /// When there is no answer.
    #[must_use]
    pub fn key_set(&self) -> Value {
        self.http.get(url_at_pod(paths::JWKS)).send().unwrap().error_for_status().unwrap().json().unwrap()
    }

    fn now(&self) -> Timestamp {
        Timestamp::now() + self.clock
    }

    fn ask(&mut self, method: &Method, path: &str, body: Option<&Value>) -> Result<Value, String> {
        loop {
            let asked_with = self.nonce.clone();
            // What is proved is the URL that people use.
            let url = format!("{ISSUER_URL}{path}");
            let proof = self.key.prove_at(self.now(), method.as_str(), &url, asked_with.as_deref(), Some(&self.token));
            let request = self.http.request(method.clone(), url_at_pod(path)).header("dpop", proof);
            let request = request.header(header::AUTHORIZATION, format!("DPoP {}", self.token));
            let answer = body.into_iter().fold(request, |request, body| request.json(body)).send().unwrap();
            let fresh = answer.headers().get("dpop-nonce").and_then(|nonce| nonce.to_str().ok()).map(str::to_owned);
            self.nonce = fresh.or_else(|| asked_with.clone());
            let accepted = answer.status().is_success();
            let answer: Value = answer.json().unwrap();
            match answer["error"].as_str() {
                _ if accepted => return Ok(answer),
                Some("use_dpop_nonce") if self.nonce != asked_with => {}
                code => return Err(code.unwrap_or_default().to_owned()),
            }
        }
    }
}

/// The ids of the keys that a Secret publishes.
///
/// # Panics
/// When it is not what the product writes.
#[must_use]
pub fn key_ids_of(secret: &Value) -> BTreeSet<String> {
    key_set_of(secret).keys().iter().map(|key| key.kid().to_string()).collect()
}

fn key_set_of(secret: &Value) -> KeySet {
    let document = secret["data"][signing_keys::DATA_KEY].as_str().unwrap();
    KeySet::from_json(STANDARD.decode(document).unwrap()).unwrap()
}

fn url_at_pod(path: &str) -> String {
    format!("https://{ISSUER_HOST}:{}{path}", port::PUBLIC)
}

/// Only what a key set says when it has no key that signs depends on it.
fn policy() -> KeyPolicy {
    let hour = Duration::from_secs(3600);
    let settings = KeyPolicySettings {
        algorithms: [Algorithm::Es256].into(),
        rotation_period: hour,
        publish_lead: hour,
        retain_retired: hour,
        max_token_lifetime: hour,
    };
    KeyPolicy::new(settings).unwrap()
}
