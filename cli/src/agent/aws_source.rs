//! From a session to AWS credentials: an assertion of the issuer for one role, then the chain of roles it names.
//!
//! The issuer is asked every time, because only it knows groups and who is disabled; the session of a hub is shared by
//! all roles behind it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::future::BoxFuture;
use jiff::SignedDuration;
use tokio::{sync::Mutex as AsyncMutex, time::timeout};
use vouch_iam::arn::RoleArn;
use vouch_issuer_api::aws::{AwsTokenRequest, AwsTokenResponse};
use zeroize::Zeroizing;

use super::{
    backoff::with_retries,
    credentials::{CredentialSource, Obtained},
    issuer_error::IssuerError,
    protocol::{AwsCredentials, AwsCredentialsRequest},
    sts::{Assume, RoleSession, Sts, StsError},
    sts_refusal::{self, Hop, chained_too_long, short},
};
use crate::{
    clock::SharedClock,
    error::{Category, Failure},
};

/// What AWS gives when nothing is asked for, and the most it gives to a role reached through another.
const HOUR_SECONDS: u32 = 3600;

/// Ends before the client gives up, so that the person learns why.
const LONGEST: Duration = Duration::from_secs(50);

/// A hub session with less than this left is not begun with.
const HUB_RESERVE: SignedDuration = SignedDuration::from_secs(60);

/// Where assertions come from.
pub trait Tokens: Send + Sync + 'static {
    /// An assertion for one role.
    fn aws_token(&self, request: AwsTokenRequest) -> BoxFuture<'static, Result<AwsTokenResponse, IssuerError>>;

    /// The issuer's URL, for messages.
    fn issuer(&self) -> String;

    /// Whose session it is, for messages.
    fn person(&self) -> String;
}

type HubCell = Arc<AsyncMutex<Option<RoleSession>>>;

/// The source of one session.
pub struct AwsSource {
    tokens: Arc<dyn Tokens>,
    sts: Arc<dyn Sts>,
    clock: SharedClock,
    hubs: Arc<Mutex<HashMap<RoleArn, HubCell>>>,
}

impl AwsSource {
    /// A source with no hub session yet.
    #[must_use]
    pub fn new(tokens: Arc<dyn Tokens>, sts: Arc<dyn Sts>, clock: SharedClock) -> Self {
        Self { tokens, sts, clock, hubs: Arc::default() }
    }
}

impl CredentialSource for AwsSource {
    fn obtain(&self, request: AwsCredentialsRequest) -> BoxFuture<'static, Result<Obtained, Failure>> {
        let walk = Walk {
            tokens: Arc::clone(&self.tokens),
            sts: Arc::clone(&self.sts),
            clock: Arc::clone(&self.clock),
            hubs: Arc::clone(&self.hubs),
        };
        Box::pin(async move {
            match timeout(LONGEST, walk.run(request)).await {
                Ok(done) => done,
                Err(_) => Err(Failure::new(Category::Network, "the issuer and AWS took too long").hint("Try again")),
            }
        })
    }
}

/// One way through the chain.
struct Walk {
    tokens: Arc<dyn Tokens>,
    sts: Arc<dyn Sts>,
    clock: SharedClock,
    hubs: Arc<Mutex<HashMap<RoleArn, HubCell>>>,
}

/// What the issuer granted, checked against what was asked.
#[derive(Debug, Clone)]
struct Route {
    first: RoleArn,
    rest: Vec<RoleArn>,
    session_name: String,
    duration: u32,
    region: String,
    token: Zeroizing<String>,
}

impl Route {
    fn check(request: &AwsCredentialsRequest, granted: AwsTokenResponse) -> Result<Self, Failure> {
        let AwsTokenResponse { web_identity_token, chain, session_name, .. } = granted;
        let token = Zeroizing::new(web_identity_token);
        let wrong = |what: &str| {
            Failure::new(Category::General, format!("the issuer's answer for role {} {what}", short(&request.role)))
                .hint("Tell whoever runs the issuer")
        };
        let mut rest = chain;
        if rest.is_empty() {
            return Err(wrong("names no role"));
        }
        let first = rest.remove(0);
        if rest.last().unwrap_or(&first) != &request.role {
            return Err(wrong("is for another role"));
        }
        if rest.iter().any(|role| role.partition() != first.partition()) {
            return Err(wrong("crosses from one AWS partition to another"));
        }
        let duration = request.duration.unwrap_or(HOUR_SECONDS);
        if !rest.is_empty() && duration > HOUR_SECONDS {
            return Err(chained_too_long(duration));
        }
        let region = request.region.clone().unwrap_or_else(|| first.partition().default_region().to_owned());
        Ok(Self { first, rest, session_name, duration, region, token })
    }

    fn assume(&self, role: &RoleArn, duration: u32) -> Assume {
        Assume { role: role.clone(), session_name: self.session_name.clone(), duration, region: self.region.clone() }
    }

    /// Through a hub, the hub itself is taken for the usual hour, so that others can share it.
    const fn first_duration(&self) -> u32 {
        if self.rest.is_empty() { self.duration } else { HOUR_SECONDS }
    }
}

impl Walk {
    async fn run(self, request: AwsCredentialsRequest) -> Result<Obtained, Failure> {
        let asked = AwsTokenRequest { role: request.role.clone(), via: request.via.clone() };
        let granted = with_retries(IssuerError::is_transient, || self.tokens.aws_token(asked.clone()))
            .await
            .map_err(IssuerError::into_failure)?;
        let route = Route::check(&request, granted)?;
        let session = match route.rest.as_slice() {
            [] => self.first_step(&route).await?,
            rest => self.through_hub(&route, rest).await?,
        };
        let chain: Vec<_> = std::iter::once(route.first).chain(route.rest).collect();
        tracing::info!(role = %request.role, hops = chain.len(), until = %session.expires_at, "credentials");
        Ok(Obtained { credentials: credentials(session), chain })
    }

    async fn first_step(&self, route: &Route) -> Result<RoleSession, Failure> {
        let assume = route.assume(&route.first, route.first_duration());
        with_retries(sts_refusal::is_transient, || self.sts.with_web_identity(assume.clone(), route.token.clone()))
            .await
            .map_err(|error| self.explain(route, None, &route.first, &error))
    }

    async fn through_hub(&self, route: &Route, rest: &[RoleArn]) -> Result<RoleSession, Failure> {
        let hub = self.hub(&route.first);
        let (held, fresh) = self.hub_session(&hub, route).await?;
        match self.further_steps(route, rest, held).await {
            Err((_, error)) if !fresh && sts_refusal::is_stale_hub(&error) => {
                *hub.lock().await = None;
                let (held, _) = self.hub_session(&hub, route).await?;
                self.further_steps(route, rest, held).await
            }
            done => done,
        }
        .map_err(|(step, error)| {
            let from = step.checked_sub(1).and_then(|before| rest.get(before)).unwrap_or(&route.first);
            self.explain(route, Some(from), rest.get(step).unwrap_or(&route.first), &error)
        })
    }

    /// The session of the hub and whether it is new. Those who come meanwhile wait and find it.
    async fn hub_session(&self, hub: &HubCell, route: &Route) -> Result<(RoleSession, bool), Failure> {
        let mut held = hub.lock().await;
        let now = self.clock.now();
        if let Some(session) = held.as_ref().filter(|session| now.duration_until(session.expires_at) > HUB_RESERVE) {
            return Ok((session.clone(), false));
        }
        let session = self.first_step(route).await?;
        *held = Some(session.clone());
        Ok((session, true))
    }

    /// Assumes `rest` one after the other; an error comes with the index of its role.
    async fn further_steps(
        &self,
        route: &Route,
        rest: &[RoleArn],
        mut session: RoleSession,
    ) -> Result<RoleSession, (usize, StsError)> {
        for (step, role) in rest.iter().enumerate() {
            let assume = route.assume(role, route.duration);
            session = with_retries(sts_refusal::is_transient, || self.sts.with_role(assume.clone(), session.clone()))
                .await
                .map_err(|error| (step, error))?;
        }
        Ok(session)
    }

    fn hub(&self, role: &RoleArn) -> HubCell {
        let mut hubs = self.hubs.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(hubs.entry(role.clone()).or_default())
    }

    fn explain(&self, route: &Route, from: Option<&RoleArn>, to: &RoleArn, error: &StsError) -> Failure {
        let (issuer, person) = (self.tokens.issuer(), self.tokens.person());
        Hop { from, to, issuer: &issuer, person: &person, duration: route.duration, region: &route.region }
            .explain(error)
    }
}

fn credentials(session: RoleSession) -> AwsCredentials {
    AwsCredentials {
        version: 1,
        access_key_id: session.access_key_id,
        secret_access_key: session.secret_access_key.to_string(),
        session_token: session.session_token.to_string(),
        expiration: session.expires_at,
    }
}

#[cfg(test)]
#[path = "aws_source_tests.rs"]
mod tests;
