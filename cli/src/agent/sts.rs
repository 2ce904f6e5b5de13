//! The two calls to AWS STS: `AssumeRoleWithWebIdentity` for the first role of a chain, `AssumeRole` for the rest.
//!
//! Session tags and source identity travel in the web-identity token and are inherited from there; passing them again
//! would make AWS refuse the call.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use aws_sdk_sts::{
    Client,
    config::{BehaviorVersion, Credentials, Region, StalledStreamProtectionConfig, timeout::TimeoutConfig},
    error::{ProvideErrorMetadata, SdkError},
    operation::RequestId,
};
use aws_smithy_async::{rt::sleep::TokioSleep, time::TimeSource};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::retry::RetryConfig;
use futures::future::BoxFuture;
use jiff::Timestamp;
use vouch_iam::arn::RoleArn;
use vouch_issuer_api::shown::without_userinfo;
use zeroize::Zeroizing;

use super::sts_http::SharedClient;
use crate::{
    clock::SharedClock,
    env,
    error::{Category, Failure},
    network,
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(20);

/// Checks an endpoint that is to replace the regional ones. Assertions and credentials go there, so it has to be reached
/// over TLS, or not leave this machine; whoever can set a variable in one shell must not read them on the way.
///
/// # Errors
/// When it is no such URL.
pub fn private_endpoint(text: &str) -> Result<String, Failure> {
    let url = url::Url::parse(text).ok();
    let is_loopback = |url: &url::Url| match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    };
    if url.is_some_and(|url| url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url))) {
        return Ok(text.to_owned());
    }
    let variable = env::AWS_ENDPOINT_URL_STS.name;
    Err(Failure::new(
        Category::Configuration,
        format!("{variable} is `{}`, which is not an https URL", without_userinfo(text)),
    )
    .hint("Correct or unset it, then run: vouch agent stop, and: vouch login"))
}

/// Temporary credentials of one role session.
#[derive(Clone)]
pub struct RoleSession {
    /// `ASIA…`.
    pub access_key_id: String,
    /// Secret.
    pub secret_access_key: Zeroizing<String>,
    /// Secret.
    pub session_token: Zeroizing<String>,
    /// AWS's time.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for RoleSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RoleSession")
            .field("access_key_id", &self.access_key_id)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// What every call needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assume {
    /// The role.
    pub role: RoleArn,
    /// `RoleSessionName`.
    pub session_name: String,
    /// `DurationSeconds`.
    pub duration: u32,
    /// Whose endpoint is asked.
    pub region: String,
}

/// Why STS gave no credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StsError {
    /// It answered with an error.
    Refused {
        /// `AccessDenied`, `InvalidIdentityToken`, …
        code: String,
        /// AWS's text.
        message: String,
        /// HTTP status.
        status: u16,
        /// For AWS support.
        request_id: Option<String>,
    },
    /// It was not reached, or its answer made no sense; the causes, outermost first.
    Unreachable(Vec<String>),
}

/// The calls, as a trait so that the chain can be tested without AWS.
pub trait Sts: Send + Sync + 'static {
    /// The first role: the token proves who asks.
    fn with_web_identity(
        &self,
        assume: Assume,
        token: Zeroizing<String>,
    ) -> BoxFuture<'static, Result<RoleSession, StsError>>;

    /// A further role, with the session of the one before.
    fn with_role(&self, assume: Assume, hub: RoleSession) -> BoxFuture<'static, Result<RoleSession, StsError>>;
}

/// STS through the SDK.
#[derive(Clone)]
pub struct AwsSts {
    http: SharedClient,
    endpoint: Option<String>,
    clock: SharedClock,
}

impl AwsSts {
    /// `endpoint` replaces the regional one; `clock` dates the signatures.
    #[must_use]
    pub const fn new(http: reqwest::Client, endpoint: Option<String>, clock: SharedClock) -> Self {
        Self { http: SharedClient(http), endpoint, clock }
    }

    /// Retries belong to the chain, which knows what is worth one.
    fn client(&self, region: String, credentials: Option<Credentials>) -> Client {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .build();
        let mut config = aws_sdk_sts::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region))
            .http_client(self.http.clone())
            .sleep_impl(TokioSleep::new())
            .time_source(SigningTime(Arc::clone(&self.clock)))
            .timeout_config(timeouts)
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .retry_config(RetryConfig::disabled());
        config.set_endpoint_url(self.endpoint.clone());
        if let Some(credentials) = credentials {
            config = config.credentials_provider(credentials);
        }
        Client::from_conf(config.build())
    }
}

impl Sts for AwsSts {
    fn with_web_identity(
        &self,
        assume: Assume,
        token: Zeroizing<String>,
    ) -> BoxFuture<'static, Result<RoleSession, StsError>> {
        let client = self.client(assume.region, None);
        Box::pin(async move {
            let answer = client
                .assume_role_with_web_identity()
                .role_arn(assume.role.to_string())
                .role_session_name(assume.session_name)
                .web_identity_token(token.as_str())
                .duration_seconds(seconds(assume.duration))
                .send()
                .await
                .map_err(|error| sts_error(&error))?;
            role_session(answer.credentials)
        })
    }

    fn with_role(&self, assume: Assume, hub: RoleSession) -> BoxFuture<'static, Result<RoleSession, StsError>> {
        let credentials = Credentials::new(
            hub.access_key_id,
            hub.secret_access_key.as_str(),
            Some(hub.session_token.to_string()),
            None,
            "hub",
        );
        let client = self.client(assume.region, Some(credentials));
        Box::pin(async move {
            let answer = client
                .assume_role()
                .role_arn(assume.role.to_string())
                .role_session_name(assume.session_name)
                .duration_seconds(seconds(assume.duration))
                .send()
                .await
                .map_err(|error| sts_error(&error))?;
            role_session(answer.credentials)
        })
    }
}

fn seconds(duration: u32) -> i32 {
    i32::try_from(duration).unwrap_or(i32::MAX)
}

fn role_session(credentials: Option<aws_sdk_sts::types::Credentials>) -> Result<RoleSession, StsError> {
    let senseless = |what: &str| StsError::Unreachable(vec![format!("the answer of STS has no {what}")]);
    let credentials = credentials.ok_or_else(|| senseless("credentials"))?;
    let expires_at =
        Timestamp::from_second(credentials.expiration.secs()).map_err(|_| senseless("usable expiration"))?;
    Ok(RoleSession {
        access_key_id: credentials.access_key_id,
        secret_access_key: Zeroizing::new(credentials.secret_access_key),
        session_token: Zeroizing::new(credentials.session_token),
        expires_at,
    })
}

fn sts_error<E>(error: &SdkError<E, HttpResponse>) -> StsError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let status = error.raw_response().map_or(0, |response| response.status().as_u16());
    let request_id = error.request_id().map(str::to_owned);
    match error.as_service_error().and_then(|service| Some((service.code()?, service.message().unwrap_or_default()))) {
        Some((code, message)) => {
            StsError::Refused { code: code.to_owned(), message: message.to_owned(), status, request_id }
        }
        None => StsError::Unreachable(network::causes(error).collect()),
    }
}

/// Dates signatures by the issuer's clock, so that a wrong clock on this machine does not make AWS refuse them.
#[derive(Clone)]
struct SigningTime(SharedClock);

impl std::fmt::Debug for SigningTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningTime")
    }
}

impl TimeSource for SigningTime {
    fn now(&self) -> SystemTime {
        self.0.now().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assertions_leave_this_machine_over_tls_only() {
        for fine in
            ["https://sts.vpce.example.com", "http://127.0.0.1:4566/", "http://[::1]:4566", "http://localhost:1"]
        {
            assert_eq!(private_endpoint(fine).as_deref(), Ok(fine));
        }
        for wrong in
            ["http://sts.example.com", "http://localhost.example.com", "ftp://127.0.0.1", "sts.example.com", ""]
        {
            let failure = private_endpoint(wrong).map_err(|failure| failure.category);
            assert_eq!(failure, Err(Category::Configuration), "{wrong}");
        }
        let secret = private_endpoint("http://alice:secret@sts.example.com").map_err(|failure| failure.message);
        assert!(secret.as_ref().is_err_and(|told| told.contains("`http://…@sts.example.com`")), "{secret:?}");
    }
}
