//! What the agent does for each request.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;
use tokio::sync::Notify;
use vouch_issuer_api::{
    aws::{AwsRoleList, AwsRolesQuery},
    error::ErrorCode,
};
use webauthn_rs_proto::PublicKeyCredential;
use zeroize::Zeroizing;

use super::{
    aws_source::AwsSource,
    connection::Answer,
    credentials::CredentialCache,
    dpop::DpopKey,
    issuer_client::{BoundToken, IssuerClient},
    issuer_error::IssuerError,
    protocol::{AgentStatus, EndReason, Reply, Request, Response},
    session::{Grant, GrantTokens, Keeper, Session},
    sts::{AwsSts, private_endpoint},
    watch,
};
use crate::{
    clock::{Clock, IssuerClock, SharedClock},
    error::{Category, Failure},
    issuer_url::IssuerUrl,
    network::{self, Clients, Trust},
    overrides::Override,
};

/// What the agent took from its environment when it started.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Certificate authorities.
    pub trust: Trust,
    /// STS endpoint instead of the regional one.
    pub sts_endpoint: Option<String>,
    /// What the environment changes, to show.
    pub overrides: Vec<Override>,
}

/// The agent.
pub struct Agent {
    settings: Settings,
    clock: SharedClock,
    started_at: Timestamp,
    keeper: Arc<Keeper>,
    http: Mutex<Option<Clients>>,
    issuers: Mutex<HashMap<IssuerUrl, Arc<IssuerClient>>>,
    stop: Notify,
}

type Outcome = Result<Reply, Failure>;

impl Agent {
    /// An agent without a session.
    #[must_use]
    pub fn new(settings: Settings, clock: SharedClock) -> Arc<Self> {
        Arc::new(Self {
            settings,
            started_at: clock.now(),
            keeper: Arc::new(Keeper::new(Arc::clone(&clock))),
            clock,
            http: Mutex::default(),
            issuers: Mutex::default(),
            stop: Notify::new(),
        })
    }

    /// Waits until a client asks the agent to end.
    pub async fn stopped(&self) {
        self.stop.notified().await;
    }

    /// Does what is asked and says how it went.
    pub async fn answer(&self, request: Request) -> Answer {
        if let Request::AwsCredentials(request) = &request {
            let session = match self.keeper.session() {
                Ok(session) => session,
                Err(failure) => return Answer::Response(Response::Err(failure)),
            };
            return match session.credentials.get(request).await {
                Ok(ready) => Answer::Prepared(ready),
                Err(failure) => Answer::Response(Response::Err(failure)),
            };
        }
        Answer::Response(match self.handle(request).await {
            Ok(reply) => Response::Ok(reply),
            Err(failure) => Response::Err(failure),
        })
    }

    async fn handle(&self, request: Request) -> Outcome {
        match request {
            Request::Status => Ok(Reply::Status(Box::new(self.status()))),
            Request::Stop => {
                self.stop.notify_one();
                Ok(Reply::Done)
            }
            Request::CheckIssuer { issuer } => self.check_issuer(&issuer).await,
            Request::LoginChallenge { issuer } => {
                // Before anybody touches a key for nothing.
                self.sts_endpoint()?;
                let challenge = self.issuer(&issuer)?.login_challenge().await.map_err(IssuerError::into_failure)?;
                Ok(Reply::LoginChallenge(Box::new(challenge)))
            }
            Request::Login { issuer, state, assertion } => self.login(&issuer, &state, &assertion).await,
            Request::Logout { everywhere } => self.logout(everywhere).await,
            Request::EnrollChallenge { issuer, code } => match self.issuer(&issuer)?.enroll_challenge(code).await {
                Ok(challenge) => Ok(Reply::Registration(Box::new(challenge))),
                Err(IssuerError::Refused { code: ErrorCode::InviteUnknown, failure }) => {
                    Ok(Reply::UnknownInvite(failure))
                }
                Err(error) => Err(error.into_failure()),
            },
            Request::Enroll { issuer, registration } => {
                let key = self.issuer(&issuer)?.enroll(&registration).await.map_err(IssuerError::into_failure)?;
                Ok(Reply::Key(key))
            }
            request => self.with_session(request).await,
        }
    }

    /// The requests that need a session.
    async fn with_session(&self, request: Request) -> Outcome {
        let session = self.keeper.session()?;
        let Grant { client, bound, .. } = &*session.grant;
        let reply = match request {
            Request::AddKeyChallenge(request) => client
                .add_key_challenge(bound, &request)
                .await
                .map(|challenge| Reply::Registration(Box::new(challenge))),
            Request::AddKey(registration) => client.add_key(bound, &registration).await.map(Reply::Key),
            Request::Keys => client.keys(bound).await.map(|keys| Reply::Keys { keys }),
            Request::RenameKey { id, name } => client.rename_key(bound, &id, name).await.map(|()| Reply::Done),
            Request::RemoveKey { id, removal } => client.remove_key(bound, &id, &removal).await.map(|()| Reply::Done),
            Request::AwsRoles => client.aws_roles(bound, &AwsRolesQuery::default()).await.map(listed),
            Request::CheckAwsRole { role, via } => {
                client.aws_roles(bound, &AwsRolesQuery { role: Some(role), via }).await.map(listed)
            }
            _ => return Err(Failure::new(Category::General, "the agent has no use for that request")),
        };
        session.grant.heed(reply).map_err(IssuerError::into_failure)
    }

    fn sts_endpoint(&self) -> Result<Option<String>, Failure> {
        self.settings.sts_endpoint.as_deref().map(private_endpoint).transpose()
    }

    async fn check_issuer(&self, url: &str) -> Outcome {
        let said = match self.issuer(url)?.discovery().await.map_err(IssuerError::into_failure) {
            Ok(discovery) => discovery.issuer,
            Err(failure) if failure.category == Category::Network => return Err(failure),
            Err(failure) => {
                let stranger =
                    Failure::new(Category::Configuration, format!("{url} does not answer as an issuer does"));
                let stranger = stranger.hint("Check the URL, port and path included, with whoever gave it to you");
                return Err(failure.details.into_iter().fold(stranger.detail(failure.message), Failure::detail));
            }
        };
        if said == url {
            return Ok(Reply::Done);
        }
        Err(Failure::new(Category::Configuration, format!("what answers at {url} calls itself {said}"))
            .hint("Use the exact URL your administrator gave you, or show this to them"))
    }

    async fn login(&self, issuer: &str, state: &str, assertion: &PublicKeyCredential) -> Outcome {
        let sts_endpoint = self.sts_endpoint()?;
        let client = self.issuer(issuer)?;
        let key = DpopKey::generate().map_err(|error| Failure::new(Category::General, error.to_string()))?;
        let response = match client.login(state, assertion, &key).await {
            Ok(response) => response,
            Err(IssuerError::Refused { code: ErrorCode::KeyUnknown, failure }) => {
                return Ok(Reply::UnknownKey(failure));
            }
            Err(error) => return Err(error.into_failure()),
        };
        if !response.token_type.eq_ignore_ascii_case("DPoP") {
            // RFC 9449 §5: anything else would be a token that whoever copies it can use.
            return Err(Failure::new(
                Category::Denied,
                "the issuer gave a session token that is not bound to this machine",
            )
            .hint("Tell whoever runs the issuer"));
        }
        let bound = BoundToken { token: Zeroizing::new(response.access_token), key };
        let info = response.session;
        let grant = Grant::new(Arc::clone(&client), bound, &info);
        let clock: SharedClock = Arc::new(ClockOf(Arc::clone(&client)));
        let sts = AwsSts::new(self.http()?.calls, sts_endpoint, Arc::clone(&clock));
        let source = AwsSource::new(Arc::new(GrantTokens(Arc::clone(&grant))), Arc::new(sts));
        let credentials = CredentialCache::new(Arc::new(source), clock);
        let session = Arc::new(Session { info: info.clone(), grant, credentials });
        self.keeper.begin(Arc::clone(&session));
        tokio::spawn(watch::stay_with(Arc::clone(&self.keeper), session));
        tracing::info!(email = %info.email, until = %info.expires_at, "session");
        Ok(Reply::Session(info))
    }

    async fn logout(&self, everywhere: bool) -> Outcome {
        let session = match self.keeper.session() {
            Ok(session) => session,
            // Nothing to forget is as good as forgotten; but other machines can only be reached with a session.
            Err(failure) if everywhere => return Err(failure),
            Err(_) => return Ok(Reply::Done),
        };
        if everywhere {
            let Grant { client, bound, .. } = &*session.grant;
            client.end_all_sessions(bound).await.map_err(IssuerError::into_failure)?;
        }
        self.keeper.end(&session, EndReason::SignedOut);
        Ok(Reply::Done)
    }

    fn status(&self) -> AgentStatus {
        // Notices a session whose time is over before it is shown.
        let session = self.keeper.session().ok();
        let offset = |client: &Arc<IssuerClient>| client.clock().offset_ms();
        AgentStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            started_at: self.started_at,
            issuer: session.as_ref().map(|session| session.grant.client.issuer().to_string()),
            session: session.as_ref().map(|session| session.info.clone()),
            ended: self.keeper.held().ended.clone(),
            credentials: session.as_ref().map(|session| session.credentials.list()).unwrap_or_default(),
            clock_offset_ms: session
                .as_ref()
                .and_then(|session| offset(&session.grant.client))
                .or_else(|| self.issuers.lock().unwrap_or_else(PoisonError::into_inner).values().find_map(offset)),
            overrides: self.settings.overrides.clone(),
        }
    }

    fn issuer(&self, url: &str) -> Result<Arc<IssuerClient>, Failure> {
        let url: IssuerUrl = url.parse().map_err(|error: crate::issuer_url::IssuerUrlError| {
            Failure::new(Category::Configuration, error.to_string())
        })?;
        let http = self.http()?;
        let mut issuers = self.issuers.lock().unwrap_or_else(PoisonError::into_inner);
        let client = issuers
            .entry(url)
            .or_insert_with_key(|url| IssuerClient::new(url.clone(), http, IssuerClock::new(Arc::clone(&self.clock))));
        Ok(Arc::clone(client))
    }

    /// The HTTP clients, made when they are first needed: the trust store takes a while to read.
    fn http(&self) -> Result<Clients, Failure> {
        let mut http = self.http.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(clients) = http.as_ref() {
            return Ok(clients.clone());
        }
        let clients = network::clients(&self.settings.trust)?;
        *http = Some(clients.clone());
        Ok(clients)
    }
}

fn listed(list: AwsRoleList) -> Reply {
    Reply::AwsRoles { roles: list.roles, refusal: list.refusal }
}

/// An issuer's time, from its client.
struct ClockOf(Arc<IssuerClient>);

impl Clock for ClockOf {
    fn now(&self) -> Timestamp {
        self.0.clock().now()
    }
}
