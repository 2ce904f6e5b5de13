//! The one session of the agent: what it may do, how it ends, and what is left to say afterwards.

use std::sync::Arc;

use arc_swap::ArcSwap;
use futures::future::BoxFuture;
use jiff::Timestamp;
use tokio::sync::watch;
use vouch_issuer_api::{
    aws::{AwsTokenRequest, AwsTokenResponse},
    session::SessionInfo,
};

use super::{
    credentials::CredentialCache,
    issuer_client::{BoundToken, IssuerClient},
    issuer_error::IssuerError,
    protocol::{EndReason, EndedSession},
};
use crate::{
    clock::{Clock as _, SharedClock},
    error::Failure,
    wording,
};

/// The right to ask the issuer in a person's name.
pub struct Grant {
    /// Whom to ask.
    pub client: Arc<IssuerClient>,
    /// Proof of the right.
    pub bound: BoundToken,
    email: String,
    /// Set once, when the session is over.
    over: watch::Sender<Option<EndReason>>,
}

impl Grant {
    /// A session that has just begun.
    #[must_use]
    pub fn new(client: Arc<IssuerClient>, bound: BoundToken, info: &SessionInfo) -> Arc<Self> {
        Arc::new(Self { client, bound, email: info.email.clone(), over: watch::Sender::new(None) })
    }

    /// Passes an answer of the issuer on, and takes note when it means that the session is over.
    ///
    /// # Errors
    /// The issuer's.
    pub fn heed<T>(&self, answer: Result<T, IssuerError>) -> Result<T, IssuerError> {
        if let Some(words) = answer.as_ref().err().and_then(IssuerError::end_of_session) {
            self.finish(EndReason::Issuer { words: words.trim_end_matches('.').to_owned() });
        }
        answer
    }

    /// Ends the session for everybody who watches it. The first reason stays.
    pub fn finish(&self, reason: EndReason) {
        self.over.send_if_modified(|over| {
            let first = over.is_none();
            if first {
                *over = Some(reason);
            }
            first
        });
    }

    /// Waits until the session is over.
    pub async fn finished(&self) -> EndReason {
        let mut over = self.over.subscribe();
        let reason = over.wait_for(Option::is_some).await.ok().and_then(|reason| reason.clone());
        reason.unwrap_or(EndReason::SignedOut)
    }
}

/// [`Grant`] as the source of assertions.
pub struct GrantTokens(pub Arc<Grant>);

impl super::aws_source::Tokens for GrantTokens {
    fn aws_token(&self, request: AwsTokenRequest) -> BoxFuture<'static, Result<AwsTokenResponse, IssuerError>> {
        let grant = Arc::clone(&self.0);
        Box::pin(async move { grant.heed(grant.client.aws_token(&grant.bound, &request).await) })
    }

    fn issuer(&self) -> String {
        self.0.client.issuer().to_string()
    }

    fn person(&self) -> String {
        self.0.email.clone()
    }
}

/// A session and everything that ends with it.
pub struct Session {
    /// Who and until when.
    pub info: SessionInfo,
    /// What it may do.
    pub grant: Arc<Grant>,
    /// What it got from AWS.
    pub credentials: CredentialCache,
}

impl Session {
    /// Whether its time is over, by the issuer's clock.
    #[must_use]
    pub fn has_expired(&self) -> bool {
        self.grant.client.clock().now() >= self.info.expires_at
    }
}

/// Either a session, or what became of the last one.
#[derive(Default)]
pub struct Held {
    /// The session.
    pub session: Option<Arc<Session>>,
    /// The end of the last one.
    pub ended: Option<EndedSession>,
}

/// Holds the session. Readers take no lock.
pub struct Keeper {
    held: ArcSwap<Held>,
    clock: SharedClock,
}

impl Keeper {
    /// No session yet; `clock` tells how long ago one ended.
    #[must_use]
    pub fn new(clock: SharedClock) -> Self {
        Self { held: ArcSwap::default(), clock }
    }

    /// What is held now.
    #[must_use]
    pub fn held(&self) -> Arc<Held> {
        self.held.load_full()
    }

    /// The session.
    ///
    /// # Errors
    /// [`crate::error::Category::NotLoggedIn`] with the story of the last one, when there is none or its time is over.
    pub fn session(&self) -> Result<Arc<Session>, Failure> {
        let held = self.held.load();
        match &held.session {
            Some(session) if !session.has_expired() => Ok(Arc::clone(session)),
            Some(session) => {
                let now = session.grant.client.clock().now();
                self.end(session, EndReason::Expired);
                let ended = EndedSession { at: session.info.expires_at, reason: EndReason::Expired };
                Err(Failure::not_signed_in(Some(&story(&ended, now))))
            }
            None => {
                let story = held.ended.as_ref().map(|ended| story(ended, self.clock.now()));
                Err(Failure::not_signed_in(story.as_deref()))
            }
        }
    }

    /// Takes a session over; the one before is forgotten.
    pub fn begin(&self, session: Arc<Session>) {
        let before = self.held.swap(Arc::new(Held { session: Some(session), ended: None }));
        if let Some(before) = &before.session {
            before.grant.finish(EndReason::Replaced);
        }
    }

    /// Forgets `session` with all its credentials, unless another has taken its place.
    pub fn end(&self, session: &Arc<Session>, reason: EndReason) {
        let at = match reason {
            EndReason::Expired => session.info.expires_at,
            _ => session.grant.client.clock().now(),
        };
        session.grant.finish(reason.clone());
        let ended = Arc::new(Held { session: None, ended: Some(EndedSession { at, reason }) });
        self.held.rcu(|held| match &held.session {
            Some(current) if Arc::ptr_eq(current, session) => Arc::clone(&ended),
            _ => Arc::clone(held),
        });
    }
}

/// How a session ended, in the words of a parenthesis.
#[must_use]
pub fn story(ended: &EndedSession, now: Timestamp) -> String {
    let ago = wording::ago(now, ended.at);
    match &ended.reason {
        EndReason::Expired | EndReason::Replaced => format!("your session ended {ago}"),
        EndReason::SignedOut => format!("you signed out {ago}"),
        EndReason::Issuer { words } => format!("your session was ended {ago}: {words}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use zeroize::Zeroizing;

    use super::*;
    use crate::{
        agent::{aws_source::AwsSource, dpop::DpopKey, sts::AwsSts},
        clock::{IssuerClock, SystemClock},
        network::{self, Trust},
    };

    fn session() -> Arc<Session> {
        let clock: SharedClock = Arc::new(SystemClock);
        let http = network::clients(&Trust::default()).unwrap();
        let issuer = "https://vouch.example.com".parse().unwrap();
        let client = IssuerClient::new(issuer, http.clone(), IssuerClock::new(Arc::clone(&clock)));
        let info = SessionInfo {
            user_id: uuid::Uuid::nil(),
            email: "alice@example.com".to_owned(),
            organization: "Example Inc".to_owned(),
            signed_in_at: "2026-11-21T09:42:11Z".parse().unwrap(),
            expires_at: "9999-01-01T00:00:00Z".parse().unwrap(),
            key_id: "9f86d081884c7d65".to_owned(),
            key_name: "YubiKey 5".to_owned(),
        };
        let bound = BoundToken { token: Zeroizing::new("token".to_owned()), key: DpopKey::generate().unwrap() };
        let grant = Grant::new(client, bound, &info);
        let sts = AwsSts::new(http.calls, None, Arc::clone(&clock));
        let source = AwsSource::new(Arc::new(GrantTokens(Arc::clone(&grant))), Arc::new(sts));
        Arc::new(Session { info, grant, credentials: CredentialCache::new(Arc::new(source), clock) })
    }

    #[tokio::test]
    async fn who_watches_a_session_that_is_replaced_hears_of_it() {
        let keeper = Keeper::new(Arc::new(SystemClock));
        let (first, second) = (session(), session());
        keeper.begin(Arc::clone(&first));
        let watcher = tokio::spawn({
            let first = Arc::clone(&first);
            async move { first.grant.finished().await }
        });
        keeper.begin(Arc::clone(&second));
        let bound = std::time::Duration::from_secs(10);
        assert_eq!(tokio::time::timeout(bound, watcher).await.unwrap().unwrap(), EndReason::Replaced);
        assert!(Arc::ptr_eq(&keeper.session().unwrap(), &second));
    }

    #[test]
    fn the_end_of_a_session_is_told_by_its_reason() {
        let now: Timestamp = "2026-11-21T17:54:11Z".parse().unwrap();
        let told = |reason| story(&EndedSession { at: "2026-11-21T17:42:11Z".parse().unwrap(), reason }, now);
        assert_eq!(told(EndReason::Expired), "your session ended 12 minutes ago");
        assert_eq!(told(EndReason::SignedOut), "you signed out 12 minutes ago");
        let words = "alice@example.com was disabled".to_owned();
        assert_eq!(
            told(EndReason::Issuer { words }),
            "your session was ended 12 minutes ago: alice@example.com was disabled"
        );
    }
}
