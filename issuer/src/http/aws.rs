//! `/v1/aws`: an assertion for one role, and the roles a person may take.

use axum::{
    Json,
    extract::{Extension, State},
};
use jiff::Timestamp;
use vouch_issuer_api::{
    aws::{AwsRoleList, AwsRolesQuery, AwsTokenRequest, AwsTokenResponse},
    error::ErrorCode,
};

use super::{
    attempt::Attempt,
    authenticate::{Session, SessionWith},
    body::Parameters,
    context::RequestContext,
    error::ApiError,
};
use crate::{
    audit::Action,
    aws::{
        assertion::{self, Assertion, AssertionPolicy, Hardware},
        authorize::{AuthorizedRole, Person, RoleRefusal},
    },
    state::{Issuer, SharedIssuer},
};

/// `POST /v1/aws/token`: an assertion for the first role of the chain that leads to the one asked for.
pub async fn token(
    State(issuer): State<SharedIssuer>,
    Extension(context): Extension<RequestContext>,
    SessionWith { session, body: request }: SessionWith<AwsTokenRequest>,
) -> Result<Json<AwsTokenResponse>, ApiError> {
    let mut attempt = Attempt::begin(&issuer, Action::Minted, &context).await?;
    let now = attempt.now();
    attempt.of(&session.stored.user);
    let event = attempt.event();
    event.key_id = Some(session.key.id.clone());
    event.aaguid = session.key.aaguid;
    event.role = Some(request.role.clone());
    event.aud = Some(session.config.url.to_string());
    match mint(&issuer, &session, &request, now) {
        Ok((kid, role, assertion)) => {
            let event = attempt.event();
            event.kid = Some(kid);
            event.jti = Some(assertion.jti);
            attempt.done();
            Ok(Json(AwsTokenResponse {
                web_identity_token: assertion.token,
                expires_at: assertion.expires_at,
                chain: role.chain(),
                session_name: session.stored.user.email.to_string(),
            }))
        }
        Err(error) => Err(attempt.refused(error)),
    }
}

/// The assertion, with the key that signed it and the proof that its person may have it.
fn mint(
    issuer: &Issuer,
    session: &Session,
    request: &AwsTokenRequest,
    now: Timestamp,
) -> Result<(String, AuthorizedRole, Assertion), ApiError> {
    let user = &session.stored.user;
    let person = Person { email: &user.email, groups: &user.groups };
    let role = issuer.catalogue.load().authorize(&person, &request.role, request.via.as_ref())?;
    let signer = issuer.keys.signer()?;
    let policy = AssertionPolicy {
        issuer: session.config.url.as_str(),
        lifetime: session.config.aws.token_lifetime,
        tag_keys: session.config.aws.session_tag_keys,
    };
    let hardware = Hardware { attested: session.key.attested, aaguid: session.key.aaguid };
    let assertion = assertion::mint(&signer, &policy, &role, hardware, now)?;
    Ok((signer.kid().to_string(), role, assertion))
}

/// `GET /v1/aws/roles`: the caller's part of the catalogue, and what would keep the caller from a role of their choice.
pub async fn roles(
    State(issuer): State<SharedIssuer>,
    Parameters(query): Parameters<AwsRolesQuery>,
    session: Session,
) -> Json<AwsRoleList> {
    let user = &session.stored.user;
    let person = Person { email: &user.email, groups: &user.groups };
    let catalogue = issuer.catalogue.load();
    let refusal = query.role.and_then(|role| catalogue.authorize(&person, &role, query.via.as_ref()).err());
    Json(AwsRoleList { roles: catalogue.roles_for(&person), refusal: refusal.map(|refusal| refusal.to_string()) })
}

impl From<RoleRefusal> for ApiError {
    fn from(refusal: RoleRefusal) -> Self {
        Self::new(ErrorCode::RoleNotAllowed, format!("{refusal}."))
            .hint("Ask an administrator, or run: vouch aws roles")
    }
}
