//! What the commands about keys and sessions ask the agent, with the answers they expect.

use vouch_issuer_api::{
    enroll::{AddKeyChallengeRequest, KeyInfo, RegisterKeyRequest, RegistrationChallenge, RemoveKeyRequest},
    oauth::ChallengeResponse,
    session::SessionInfo,
};
use webauthn_rs_proto::RegisterPublicKeyCredential;

use crate::{
    agent::{
        client::{self, Client},
        protocol::{AgentStatus, Reply, Request},
    },
    ceremony::Signed,
    error::Failure,
    issuer_url::IssuerUrl,
};

/// Whoever answers requests; tests put an issuer in memory here.
pub(super) trait Agent {
    /// Sends a request and waits for what came of it.
    ///
    /// # Errors
    /// Why it was not done.
    fn call(&mut self, request: Request) -> Result<Reply, Failure>;
}

impl Agent for Client {
    fn call(&mut self, request: Request) -> Result<Reply, Failure> {
        Self::call(self, request)
    }
}

/// What an assertion brought.
pub(super) enum LogIn {
    /// A session.
    Session(SessionInfo),
    /// Nothing, and another key may do.
    UnknownKey(Failure),
}

/// What an invite code brought.
pub(super) enum Invitation {
    /// What the new credential is to be like.
    Accepted(Box<RegistrationChallenge>),
    /// Nothing, and another code may do.
    Unknown(Failure),
}

/// The requests by name.
pub(super) struct Dialogue<'a, A: Agent>(pub(super) &'a mut A);

impl<A: Agent> Dialogue<'_, A> {
    pub(super) fn status(&mut self) -> Result<AgentStatus, Failure> {
        match self.0.call(Request::Status)? {
            Reply::Status(status) => Ok(*status),
            _ => Err(client::incompatible()),
        }
    }

    /// The session, if the agent holds one of this issuer.
    pub(super) fn session_at(&mut self, issuer: &IssuerUrl) -> Result<Option<SessionInfo>, Failure> {
        let status = self.status()?;
        Ok(status.session.filter(|_| status.issuer.as_deref() == Some(issuer.as_str())))
    }

    /// Makes sure that an issuer is what it is called.
    pub(super) fn check_issuer(&mut self, issuer: &IssuerUrl) -> Result<(), Failure> {
        done(&self.0.call(Request::CheckIssuer { issuer: issuer.to_string() })?)
    }

    pub(super) fn login_challenge(&mut self, issuer: &IssuerUrl) -> Result<ChallengeResponse, Failure> {
        match self.0.call(Request::LoginChallenge { issuer: issuer.to_string() })? {
            Reply::LoginChallenge(challenge) => Ok(*challenge),
            _ => Err(client::incompatible()),
        }
    }

    pub(super) fn log_in(&mut self, issuer: &IssuerUrl, signed: Signed) -> Result<LogIn, Failure> {
        let assertion = Box::new(signed.assertion);
        match self.0.call(Request::Login { issuer: issuer.to_string(), state: signed.state, assertion })? {
            Reply::Session(session) => Ok(LogIn::Session(session)),
            Reply::UnknownKey(failure) => Ok(LogIn::UnknownKey(failure)),
            _ => Err(client::incompatible()),
        }
    }

    pub(super) fn enroll_challenge(&mut self, issuer: &IssuerUrl, code: &str) -> Result<Invitation, Failure> {
        match self.0.call(Request::EnrollChallenge { issuer: issuer.to_string(), code: code.to_owned() })? {
            Reply::UnknownInvite(failure) => Ok(Invitation::Unknown(failure)),
            reply => registration(reply).map(|challenge| Invitation::Accepted(Box::new(challenge))),
        }
    }

    pub(super) fn enroll(&mut self, issuer: &IssuerUrl, registration: RegisterKeyRequest) -> Result<KeyInfo, Failure> {
        key(self.0.call(Request::Enroll { issuer: issuer.to_string(), registration: Box::new(registration) })?)
    }

    pub(super) fn add_key_challenge(&mut self, signed: Signed) -> Result<RegistrationChallenge, Failure> {
        let request = AddKeyChallengeRequest { state: signed.state, assertion: signed.assertion };
        registration(self.0.call(Request::AddKeyChallenge(Box::new(request)))?)
    }

    pub(super) fn add_key(&mut self, registration: RegisterKeyRequest) -> Result<KeyInfo, Failure> {
        key(self.0.call(Request::AddKey(Box::new(registration)))?)
    }

    pub(super) fn keys(&mut self) -> Result<Vec<KeyInfo>, Failure> {
        match self.0.call(Request::Keys)? {
            Reply::Keys { keys } => Ok(keys),
            _ => Err(client::incompatible()),
        }
    }

    pub(super) fn rename_key(&mut self, id: &str, name: &str) -> Result<(), Failure> {
        done(&self.0.call(Request::RenameKey { id: id.to_owned(), name: name.to_owned() })?)
    }

    pub(super) fn remove_key(&mut self, id: &str, signed: Signed, allow_last: bool) -> Result<(), Failure> {
        let removal = RemoveKeyRequest { state: signed.state, assertion: signed.assertion, allow_last };
        done(&self.0.call(Request::RemoveKey { id: id.to_owned(), removal: Box::new(removal) })?)
    }
}

/// The body that registers a new credential.
pub(super) fn register_request(
    challenge: &RegistrationChallenge,
    credential: RegisterPublicKeyCredential,
    name: Option<String>,
) -> RegisterKeyRequest {
    RegisterKeyRequest { state: challenge.state.clone(), credential, name }
}

fn registration(reply: Reply) -> Result<RegistrationChallenge, Failure> {
    match reply {
        Reply::Registration(challenge) => Ok(*challenge),
        _ => Err(client::incompatible()),
    }
}

fn key(reply: Reply) -> Result<KeyInfo, Failure> {
    match reply {
        Reply::Key(key) => Ok(key),
        _ => Err(client::incompatible()),
    }
}

fn done(reply: &Reply) -> Result<(), Failure> {
    match reply {
        Reply::Done => Ok(()),
        _ => Err(client::incompatible()),
    }
}
