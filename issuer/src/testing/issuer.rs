//! A whole issuer on a database of its own, with a clock that stands still until it is told.

use std::{
    collections::BTreeSet,
    io::Write,
    net::SocketAddr,
    num::NonZeroU32,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    extract::{ConnectInfo, Request},
    http::{HeaderMap, StatusCode},
};
use jiff::Timestamp;
use serde_json::Value;
use tower::ServiceExt as _;
use vouch_keyring::{Algorithm, KeyPolicy, KeyPolicySettings};

use super::authenticator::ISSUER;
use crate::{
    audit::Audit,
    clock::Clock,
    config::{
        AuthenticatorPolicy, Authenticators, AwsSettings, Config, Enrollment, Organization, RateLimit, RateLimits,
        SessionTagKeys, UngovernedAccounts,
    },
    database::Database,
    http::{error::ApiError, router::public},
    identity::{invite::InviteCode, refusal::Refusal, secrets::Secrets},
    keys::{KeyService, change},
    metrics::Metrics,
    state::{Issuer, Parts, SharedIssuer},
    store::{
        Stored,
        conformance::person,
        record::{Invite, UserRecord},
        sqlite::SqliteStore,
    },
};

/// Stands still until it is told.
pub(crate) struct TestClock(Mutex<Timestamp>);

impl TestClock {
    pub(crate) fn advance(&self, by: Duration) {
        let mut now = self.0.lock().unwrap();
        *now = now.checked_add(by).unwrap();
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

#[derive(Clone, Default)]
struct Trail(Arc<Mutex<Vec<u8>>>);

impl Write for Trail {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    /// The code of a refusal.
    pub(crate) fn error(&self) -> &str {
        assert!(!self.status.is_success(), "{self:?}");
        self.body["error"].as_str().unwrap_or_else(|| panic!("{self:?}"))
    }

    /// Whether it is this refusal and no other of the same code.
    pub(crate) fn is(&self, refusal: Refusal) -> bool {
        let expected = ApiError::from(refusal);
        self.error() == expected.code.as_str() && self.body["error_description"] == expected.description
    }

    /// The body of a success.
    pub(crate) fn read<T: serde::de::DeserializeOwned>(self) -> T {
        assert!(self.status.is_success(), "{self:?}");
        serde_json::from_value(self.body).unwrap()
    }
}

pub(crate) struct TestIssuer {
    pub(crate) issuer: SharedIssuer,
    pub(crate) clock: Arc<TestClock>,
    router: Router,
    trail: Trail,
    directory: tempfile::TempDir,
}

impl TestIssuer {
    /// Accepts any security key.
    pub(crate) async fn new() -> Self {
        Self::configured(|_| {}).await
    }

    pub(crate) async fn configured(change: impl FnOnce(&mut Config)) -> Self {
        let trail = Trail::default();
        Self::made(change, trail.clone(), Box::new(trail)).await
    }

    /// Writes its trail to `out`; [`Self::trail`] stays empty.
    pub(crate) async fn with_trail(out: Box<dyn Write + Send>) -> Self {
        Self::made(|_| {}, Trail::default(), out).await
    }

    async fn made(change: impl FnOnce(&mut Config), trail: Trail, out: Box<dyn Write + Send>) -> Self {
        let clock = Arc::new(TestClock(Mutex::new("2026-11-21T09:00:00.25Z".parse().unwrap())));
        let directory = tempfile::tempdir().unwrap();
        let database = Database::create(&directory.path().join("vouch.db")).unwrap();
        let mut config = config();
        change(&mut config);
        change::initialize(&database, &config.key_policy, clock.now()).await.unwrap();
        let parts = Parts {
            clock: Arc::<TestClock>::clone(&clock),
            keys: KeyService::load(Arc::new(database.clone()), config.key_policy.clone(), clock.now()).await.unwrap(),
            config,
            secrets: Secrets::create(&database).await.unwrap(),
            store: Arc::new(SqliteStore::new(database)),
            audit: Audit::to(out),
            metrics: Metrics::new(),
        };
        let issuer = Arc::new(Issuer::new(parts));
        let router = public(Arc::clone(&issuer));
        Self { issuer, clock, router, trail, directory }
    }

    /// The same records through another handle, as another process has them.
    pub(crate) fn other_store(&self) -> SqliteStore {
        SqliteStore::new(Database::open(&self.directory.path().join("vouch.db")).unwrap())
    }

    /// Invites `name@example.com` for a day.
    pub(crate) async fn invite(&self, name: &str) -> String {
        let code = InviteCode::generate().unwrap();
        let expires_at = self.clock.now().checked_add(Duration::from_secs(86_400)).unwrap();
        let invite = Some(Invite { hash: code.hash(&self.issuer.secrets.load()), expires_at, used_at: None });
        let user = UserRecord { invite, ..person(name) };
        match self.issuer.store.user_by_email(&user.email).await.unwrap() {
            None => drop(self.issuer.store.create(&user).await.unwrap()),
            Some(_) => self.change(name, |known| known.invite.clone_from(&user.invite)).await,
        }
        code.reveal().to_string()
    }

    pub(crate) async fn stored(&self, name: &str) -> Stored {
        let email = format!("{name}@example.com").parse().unwrap();
        self.issuer.store.user_by_email(&email).await.unwrap().unwrap()
    }

    pub(crate) async fn user(&self, name: &str) -> UserRecord {
        self.stored(name).await.user
    }

    /// Changes a record as an administrator does.
    pub(crate) async fn change(&self, name: &str, change: impl FnOnce(&mut UserRecord)) {
        let stored = self.stored(name).await;
        let mut next = stored.user.clone();
        change(&mut next);
        self.issuer.store.replace(&stored, &next).await.unwrap();
    }

    pub(crate) async fn call(&self, mut request: Request) -> Answer {
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([192, 0, 2, 1], 50_000))));
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// Every line of the audit trail.
    pub(crate) fn trail(&self) -> Vec<Value> {
        let settled = || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(self.issuer.audit.written()).unwrap();
        };
        std::thread::scope(|scope| scope.spawn(settled).join()).unwrap();
        let bytes = self.trail.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The last line of the audit trail: action, refusal and e-mail.
    pub(crate) fn last_event(&self) -> (String, Option<String>, Option<String>) {
        let line = self.trail().pop().expect("something is on the trail");
        let text = |name: &str| line[name].as_str().map(str::to_owned);
        (text("action").unwrap(), text("refused"), text("email"))
    }
}

/// A configuration for tests: any key, eight hours.
pub(crate) fn config() -> Config {
    let hour = Duration::from_secs(3600);
    let limit = RateLimit { requests_per_minute: NonZeroU32::new(600).unwrap(), burst: NonZeroU32::new(200).unwrap() };
    Config {
        name: "vouch".to_owned(),
        namespace: None,
        url: ISSUER.parse().unwrap(),
        organization: Organization { name: "Example".to_owned(), email_domains: vec!["example.com".parse().unwrap()] },
        session_lifetime: 8 * hour,
        key_policy: KeyPolicy::new(KeyPolicySettings {
            algorithms: BTreeSet::from([Algorithm::Es256]),
            rotation_period: 720 * hour,
            publish_lead: 24 * hour,
            retain_retired: 24 * hour,
            max_token_lifetime: 8 * hour,
        })
        .unwrap(),
        jwks_max_age: Duration::from_secs(60),
        authenticators: Authenticators { policy: AuthenticatorPolicy::Any, allowed_aaguids: Vec::new() },
        enrollment: Enrollment { invites: true, invite_lifetime: 24 * hour },
        aws: AwsSettings {
            token_lifetime: Duration::from_secs(60),
            ungoverned_accounts: UngovernedAccounts::Allow,
            session_tag_keys: SessionTagKeys::Both,
        },
        rate_limits: RateLimits { per_client: limit, per_user: limit },
        trusted_proxies: Vec::new(),
        federations: Vec::new(),
        users: Vec::new(),
        clients: Vec::new(),
        unknown: Vec::new(),
    }
}
