//! `/oauth`: a challenge for a security key, and the session that its assertion is traded for.

use axum::{
    Json,
    extract::{Extension, FromRequest as _, Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use serde::Deserialize;
use vouch_issuer_api::{
    error::ErrorCode,
    oauth::{ChallengeResponse, FIDO2_GRANT, TokenResponse},
};
use webauthn_rs_proto::PublicKeyCredential;

use super::{
    attempt::Attempt,
    authenticate::{take, verify_proof},
    body::FormBody,
    context::RequestContext,
    error::ApiError,
};
use crate::{
    audit::Action,
    config::Config,
    identity::{
        dpop::Proof,
        login::{self, Answered},
        refusal::Refusal,
        session::SessionClaims,
        webauthn::RelyingParty,
    },
    state::{Issuer, SharedIssuer},
};

/// [`vouch_issuer_api::oauth::TokenRequest`], before it is known which grant it is.
#[derive(Deserialize)]
pub(super) struct TokenForm {
    grant_type: String,
    state: Option<String>,
    assertion: Option<String>,
}

/// `POST /oauth/fido2/challenge`. Anybody may ask; nothing is written.
pub async fn challenge(State(issuer): State<SharedIssuer>) -> Result<Json<ChallengeResponse>, ApiError> {
    let config = issuer.config.load_full();
    let party = relying_party(&config)?;
    Ok(Json(login::challenge(&party, &issuer.secrets.load(), issuer.clock.now())?))
}

/// `POST /oauth/token` (RFC 6749 §3.2) with a DPoP proof (RFC 9449 §5).
pub async fn token(
    State(issuer): State<SharedIssuer>,
    Extension(context): Extension<RequestContext>,
    request: Request,
) -> Result<Json<TokenResponse>, TokenRefusal> {
    let (parts, body) = request.into_parts();
    let proof = verify_proof(&issuer, &issuer.config.load(), &parts, None, issuer.clock.now())?;
    let FormBody(form) = FormBody::from_request(Request::from_parts(parts, body), &()).await?;
    let (state, assertion) = fido2_grant(form)?;
    let mut attempt = Attempt::begin(&issuer, Action::Login, &context).await?;
    // As they are now: the body may have been on its way for a while.
    let (now, config) = (attempt.now(), issuer.config.load_full());
    match sign_in(&issuer, &config, &proof, &state, &assertion, &mut attempt, now).await {
        Ok(response) => {
            attempt.done();
            Ok(Json(response))
        }
        Err(error) => Err(attempt.refused(error).into()),
    }
}

fn fido2_grant(form: TokenForm) -> Result<(String, PublicKeyCredential), ApiError> {
    if form.grant_type != FIDO2_GRANT {
        return Err(ApiError::new(
            ErrorCode::UnsupportedGrantType,
            format!("The only grant type here is {FIDO2_GRANT}."),
        ));
    }
    let missing = |name| ApiError::new(ErrorCode::InvalidRequest, format!("The parameter {name} is missing."));
    let state = form.state.ok_or_else(|| missing("state"))?;
    let assertion = form.assertion.ok_or_else(|| missing("assertion"))?;
    let assertion = serde_json::from_str(&assertion).map_err(|error| {
        ApiError::new(ErrorCode::InvalidRequest, format!("The parameter assertion is no PublicKeyCredential: {error}."))
    })?;
    Ok((state, assertion))
}

async fn sign_in(
    issuer: &Issuer,
    config: &Config,
    proof: &Proof,
    state: &str,
    assertion: &PublicKeyCredential,
    attempt: &mut Attempt<'_>,
    now: Timestamp,
) -> Result<TokenResponse, ApiError> {
    let challenge = login::open_challenge(&issuer.secrets.load(), state, now)?;
    let owner = login::owner(&*issuer.store, assertion).await?;
    attempt.of(&owner.user);
    // Asked first: without a signer the assertion would be consumed for nothing.
    let signer = issuer.keys.signer()?;
    let party = relying_party(config)?;
    let answered =
        Answered { party: &party, organization: &config.organization, challenge: &challenge, assertion, now };
    let signed_in = answered.consume(&*issuer.store, owner).await?;
    attempt.with(&signed_in.key);
    issuer.limits.account(signed_in.user.id)?;
    take(issuer, proof, now)?;
    let claims = SessionClaims::begin(
        signed_in.user.id,
        &signed_in.key.id,
        proof.thumbprint.clone(),
        signed_in.at,
        config.session_lifetime,
    );
    let access_token = claims.sign(&signer, config.url.as_str())?;
    Ok(TokenResponse {
        access_token,
        token_type: "DPoP".to_owned(),
        expires_in: u64::try_from(claims.expires_at.duration_since(now).as_secs()).unwrap_or_default(),
        session: claims.info(&signed_in.user, &signed_in.key, &config.organization.name),
    })
}

pub(super) fn relying_party(config: &Config) -> Result<RelyingParty, Refusal> {
    Ok(RelyingParty::new(&config.url, &config.organization.name)?)
}

/// A refusal of the token endpoint: 400 where resources answer 401, for there is no token to challenge yet
/// (RFC 6749 §5.2, RFC 9449 §8).
#[derive(Debug)]
pub struct TokenRefusal(ApiError);

impl From<ApiError> for TokenRefusal {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

impl IntoResponse for TokenRefusal {
    fn into_response(self) -> Response {
        let mut response = self.0.into_response();
        if response.status() == StatusCode::UNAUTHORIZED {
            *response.status_mut() = StatusCode::BAD_REQUEST;
            response.headers_mut().remove(header::WWW_AUTHENTICATE);
        }
        response
    }
}
