//! A person who has signed in, and the requests of their agent.
//!
//! A sign-in needs a security key, and only what comes after it is measured here: the person's record and the session
//! token are made by the issuer's own library, with the issuer's own signing key. The issuer cannot tell them from others,
//! and verifies all of it.

use std::{net::SocketAddr, sync::Arc};

use aws_lc_rs::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde_json::json;
use vouch_issuer::{
    config::{self, Config},
    database::Database,
    identity::session::SessionClaims,
    keys::KeyService,
    store::{Store as _, record::UserRecord, sqlite::SqliteStore},
};
use vouch_issuer_api::{aws::AwsTokenResponse, paths};

use crate::{
    BenchError,
    http::{Answer, Caller, Connection, connect, get},
    issuer::{ISSUER_URL, Place},
};

const ROLE: &str = "arn:aws:iam::111111111111:role/vouch/VouchAccess";

/// Asks for an assertion again and again, each time with a fresh proof, as RFC 9449 has it.
pub struct Person {
    key: EcdsaKeyPair,
    random: SystemRandom,
    /// The encoded header of every proof.
    header: String,
    token: String,
    token_hash: String,
    nonce: String,
    requests: u64,
}

impl Person {
    /// Signs a person in at a place that nobody serves yet.
    ///
    /// # Errors
    /// When the place cannot be read or written.
    pub fn signed_in(place: &Place) -> Result<Self, BenchError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(BenchError::failed("starting a runtime"))?;
        Self::with_token(|thumbprint| runtime.block_on(session_token(place, thumbprint)))
    }

    /// With a key of their own, and the session token that `token` makes for its thumbprint.
    ///
    /// # Errors
    /// When there can be no key, or no token.
    pub fn with_token(token: impl FnOnce(String) -> Result<String, BenchError>) -> Result<Self, BenchError> {
        let key =
            EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(BenchError::failed("making a key"))?;
        // SEC 1 §2.3.3, uncompressed: a byte 4, then both coordinates.
        let point = key.public_key().as_ref();
        let coordinate = |from: usize| URL_SAFE_NO_PAD.encode(point.get(from..from + 32).unwrap_or_default());
        let (x, y) = (coordinate(1), coordinate(33));
        // RFC 7638 §3.2.
        let members = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        let header = format!(r#"{{"typ":"dpop+jwt","alg":"ES256","jwk":{members}}}"#);
        let token = token(hash(&members))?;
        Ok(Self {
            key,
            random: SystemRandom::new(),
            header: URL_SAFE_NO_PAD.encode(header),
            token_hash: hash(&token),
            token,
            nonce: String::new(),
            requests: 0,
        })
    }

    /// Gets the first nonce from the issuer that serves the place, and then one assertion.
    ///
    /// # Errors
    /// When the issuer does not answer as it should.
    pub fn meet(&mut self, issuer: SocketAddr) -> Result<AwsTokenResponse, BenchError> {
        let mut connection = Connection::new(connect(issuer)?);
        // Refused for want of everything; every refusal brings a nonce.
        connection.send(&get(paths::AWS_ROLES))?;
        self.take_nonce(&connection.receive()?);
        connection.send(&self.request()?)?;
        let answer = connection.receive()?.succeeded()?;
        serde_json::from_slice(&answer.body).map_err(BenchError::failed("reading an assertion"))
    }

    /// Remembers the nonce of an answer for the next proof.
    pub fn take_nonce(&mut self, answer: &Answer) {
        if let Some(nonce) = answer.header("dpop-nonce")
            && nonce != self.nonce
        {
            nonce.clone_into(&mut self.nonce);
        }
    }

    fn proof(&mut self) -> Result<String, BenchError> {
        self.requests += 1;
        let claims = format!(
            r#"{{"jti":"0198c1a2-7b3c-4d5e-8f60-{:012x}","htm":"POST","htu":"{ISSUER_URL}{}","iat":{},"nonce":"{}","ath":"{}"}}"#,
            self.requests,
            paths::AWS_TOKEN,
            Timestamp::now().as_second(),
            self.nonce,
            self.token_hash,
        );
        let signed = format!("{}.{}", self.header, URL_SAFE_NO_PAD.encode(claims));
        let signature =
            self.key.sign(&self.random, signed.as_bytes()).map_err(BenchError::failed("signing a proof"))?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

impl Caller for Person {
    fn request(&mut self) -> Result<Vec<u8>, BenchError> {
        let (proof, body) = (self.proof()?, format!(r#"{{"role":"{ROLE}"}}"#));
        let head = format!(
            "POST {} HTTP/1.1\r\nhost: vouch.example.com\r\nauthorization: DPoP {}\r\ndpop: {proof}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            paths::AWS_TOKEN,
            self.token,
            body.len(),
        );
        Ok([head, body].concat().into_bytes())
    }

    fn answered(&mut self, answer: Answer) -> Result<(), BenchError> {
        self.take_nonce(&answer);
        answer.succeeded().map(drop)
    }
}

fn hash(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}

/// Stores a person and begins a session bound to the DPoP key of this thumbprint.
async fn session_token(place: &Place, thumbprint: String) -> Result<String, BenchError> {
    let now = Timestamp::now();
    let Config { key_policy, session_lifetime, .. } =
        config::load(&place.manifest()).map_err(BenchError::failed("reading the manifest"))?;
    let database = Database::open(&place.database()).map_err(BenchError::failed("opening the database"))?;
    let user = record(0, now)?;
    let stored = SqliteStore::new(database.clone()).create(&user).await;
    stored.map_err(BenchError::failed("storing a person"))?;
    let keys = KeyService::load(Arc::new(database), key_policy, now).await;
    let keys = keys.map_err(BenchError::failed("reading the signing keys"))?;
    let signer = keys.signer().map_err(BenchError::failed("choosing a signing key"))?;
    let session = SessionClaims::begin(user.id, KEY_ID, thumbprint, now, session_lifetime);
    session.sign(&signer, ISSUER_URL).map_err(BenchError::failed("signing a session token"))
}

/// The id of everybody's only security key.
pub const KEY_ID: &str = "0123456789abcdef";

/// The address of one person of many.
#[must_use]
pub fn email(number: u32) -> String {
    format!("person{number}@example.com")
}

/// One person of many, with one security key, whose maker was verified.
///
/// # Errors
/// Never: the record is one that a store can hold.
pub fn record(number: u32, now: Timestamp) -> Result<UserRecord, BenchError> {
    let credential = URL_SAFE_NO_PAD.encode(format!("credential {number:021}"));
    let passkey = json!({"cred": {
        "cred_id": credential,
        "cred": {"type_": "ES256", "key": {"EC_EC2": {
            "curve": "SECP256R1",
            "x": "wn5_bfwXgxX8Bt9jLP6MG-YRXgWFHGgpkEWrlaEayPM",
            "y": "j3u3nBiyFfh1n6JFqzS8_Bo7Bi9nXBM6dWf5ANsIX8Q",
        }}},
        "counter": 1, "transports": null, "user_verified": true, "backup_eligible": false, "backup_state": false,
        "registration_policy": "required",
        "extensions": {"cred_protect": {"Set": "userVerificationRequired"}, "hmac_create_secret": "NotRequested",
            "appid": "NotRequested", "cred_props": "Ignored"},
        "attestation": {"data": "None", "metadata": "None"}, "attestation_format": "none",
    }});
    let record = json!({
        "id": format!("0198c1a2-7b3c-4d5e-8f60-{number:012x}"),
        "email": email(number),
        "groups": ["developers"],
        "created_at": now,
        "sessions_valid_from": now,
        "keys": [{
            "id": KEY_ID,
            "credential_id": credential,
            "name": "blue",
            "aaguid": "2fc0579f-8113-47ea-b116-bb5a8db9202a",
            "attested": true,
            "created_at": now,
            "last_used_at": now,
            "passkey": passkey,
        }],
    });
    serde_json::from_value(record).map_err(BenchError::failed("making a person"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_person_is_one_that_a_store_can_hold() {
        let record = record(7, Timestamp::now()).unwrap();
        assert!(record.key(KEY_ID).unwrap().attested);
        assert_eq!(record.email.as_str(), "person7@example.com");
    }
}
