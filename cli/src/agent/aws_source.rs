//! From a session to AWS credentials: an assertion of the issuer for one role, then the chain of roles it names.
//!
//! The issuer is asked every time, because only it knows groups and who is disabled. A session of a hub serves one chain
//! and is forgotten: the issuer tags it with the role it is meant for, and no other role has to accept it.

use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;
use tokio::time::timeout;
use vouch_iam::arn::RoleArn;
use vouch_issuer_api::aws::{AwsTokenRequest, AwsTokenResponse};
use zeroize::Zeroizing;

use super::{
    backoff::with_retries,
    credentials::{CredentialSource, Obtained},
    issuer_error::IssuerError,
    protocol::{AwsCredentials, AwsCredentialsRequest},
    sts::{Assume, RoleSession, Sts, StsError},
    sts_refusal::{self, Hop, chained_too_long},
};
use crate::error::{Category, Failure};

/// What AWS gives when nothing is asked for, and the most it gives to a role reached through another.
const HOUR_SECONDS: u32 = 3600;

/// Ends before the client gives up, so that the person learns why.
const LONGEST: Duration = Duration::from_secs(50);

/// How long the session of a hub lives: the shortest AWS grants, for it is used at once and once.
const HUB_SECONDS: u32 = 900;

/// Where assertions come from.
pub trait Tokens: Send + Sync + 'static {
    /// An assertion for one role.
    fn aws_token(&self, request: AwsTokenRequest) -> BoxFuture<'static, Result<AwsTokenResponse, IssuerError>>;

    /// The issuer's URL, for messages.
    fn issuer(&self) -> String;

    /// Whose session it is, for messages.
    fn person(&self) -> String;
}

/// The source of one session.
#[derive(Clone)]
pub struct AwsSource {
    tokens: Arc<dyn Tokens>,
    sts: Arc<dyn Sts>,
}

impl AwsSource {
    /// A source of credentials for the person the tokens are about.
    #[must_use]
    pub fn new(tokens: Arc<dyn Tokens>, sts: Arc<dyn Sts>) -> Self {
        Self { tokens, sts }
    }
}

impl CredentialSource for AwsSource {
    fn obtain(&self, request: AwsCredentialsRequest) -> BoxFuture<'static, Result<Obtained, Failure>> {
        let source = self.clone();
        Box::pin(async move {
            match timeout(LONGEST, source.walk(request)).await {
                Ok(done) => done,
                Err(_) => Err(Failure::new(Category::Network, "the issuer and AWS took too long").hint("Try again")),
            }
        })
    }
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
            Failure::new(Category::General, format!("the issuer's answer for role {} {what}", request.role))
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

    const fn first_duration(&self) -> u32 {
        if self.rest.is_empty() { self.duration } else { HUB_SECONDS }
    }
}

impl AwsSource {
    async fn walk(&self, request: AwsCredentialsRequest) -> Result<Obtained, Failure> {
        let asked = AwsTokenRequest { role: request.role.clone(), via: request.via.clone() };
        let granted = with_retries(IssuerError::is_transient, || self.tokens.aws_token(asked.clone()))
            .await
            .map_err(IssuerError::into_failure)?;
        let route = Route::check(&request, granted)?;
        let mut session = self.first_step(&route).await?;
        let mut from = &route.first;
        for to in &route.rest {
            session = self.further_step(&route, from, to, session).await?;
            from = to;
        }
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

    async fn further_step(
        &self,
        route: &Route,
        from: &RoleArn,
        to: &RoleArn,
        session: RoleSession,
    ) -> Result<RoleSession, Failure> {
        let assume = route.assume(to, route.duration);
        with_retries(sts_refusal::is_transient, || self.sts.with_role(assume.clone(), session.clone()))
            .await
            .map_err(|error| self.explain(route, Some(from), to, &error))
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
