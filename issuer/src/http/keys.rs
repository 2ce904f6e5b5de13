//! `/v1/keys`: a person's own security keys.

use axum::{
    Json,
    extract::{Extension, Path, State},
    http::StatusCode,
};
use vouch_issuer_api::enroll::{
    AddKeyChallengeRequest, KeyInfo, KeyList, RegisterKeyRequest, RegistrationChallenge, RemoveKeyQuery,
    RenameKeyRequest,
};

use super::{
    attempt::Attempt,
    authenticate::Session,
    body::{JsonBody, Parameters},
    context::RequestContext,
    error::ApiError,
};
use crate::{
    audit::Action,
    identity::{
        enrollment::Registrar,
        keys::{self, key_info},
        login,
        refusal::Refusal,
    },
    state::SharedIssuer,
};

/// `GET /v1/keys`.
pub async fn list(session: Session) -> Json<KeyList> {
    let keys = session.stored.user.keys.iter().map(|key| key_info(key, &session.key.id)).collect();
    Json(KeyList { keys })
}

/// `POST /v1/keys/challenge`. The session alone is not enough: a fresh assertion by a key of the same person is
/// consumed, so that an unattended machine enrolls nothing.
pub async fn challenge(
    State(issuer): State<SharedIssuer>,
    Extension(context): Extension<RequestContext>,
    session: Session,
    JsonBody(request): JsonBody<AddKeyChallengeRequest>,
) -> Result<Json<RegistrationChallenge>, ApiError> {
    let now = issuer.clock.now();
    let mut attempt = Attempt::new(&issuer, Action::KeyAdded, &context, now);
    attempt.of(&session.stored.user);
    let outcome: Result<RegistrationChallenge, Refusal> = async {
        let open = login::open_challenge(&issuer.secrets, &request.state, now)?;
        let owner = login::owner(&*issuer.store, &request.assertion).await?;
        if owner.user.id != session.claims.user {
            return Err(Refusal::ForeignKey);
        }
        let registrar = Registrar::new(&session.config, &issuer.secrets)?;
        let (party, organization) = (&registrar.party, &session.config.organization);
        let signed_in =
            login::consume(&*issuer.store, party, organization, owner, &open, &request.assertion, now).await?;
        registrar.offer_for_assertion(&signed_in.user, now)
    }
    .await;
    outcome.map(Json).map_err(|refusal| attempt.refused(refusal))
}

/// `POST /v1/keys`.
pub async fn register(
    State(issuer): State<SharedIssuer>,
    Extension(context): Extension<RequestContext>,
    session: Session,
    JsonBody(request): JsonBody<RegisterKeyRequest>,
) -> Result<Json<KeyInfo>, ApiError> {
    let now = issuer.clock.now();
    let mut attempt = Attempt::new(&issuer, Action::KeyAdded, &context, now);
    attempt.of(&session.stored.user);
    let outcome = async {
        let registrar = Registrar::new(&session.config, &issuer.secrets)?;
        let open = registrar.open_additional_key(&request.state, now)?;
        registrar.register(&*issuer.store, session.stored.clone(), &open, &request, now).await
    };
    match outcome.await {
        Ok((_, key)) => {
            attempt.with(&key);
            attempt.done();
            Ok(Json(key_info(&key, &session.key.id)))
        }
        Err(refusal) => Err(attempt.refused(refusal)),
    }
}

/// `PATCH /v1/keys/{id}`.
pub async fn rename(
    State(issuer): State<SharedIssuer>,
    Extension(context): Extension<RequestContext>,
    Path(id): Path<String>,
    session: Session,
    JsonBody(request): JsonBody<RenameKeyRequest>,
) -> Result<Json<KeyInfo>, ApiError> {
    let mut attempt = Attempt::new(&issuer, Action::KeyRenamed, &context, issuer.clock.now());
    attempt.of(&session.stored.user);
    attempt.naming(&id);
    match keys::rename(&*issuer.store, session.stored, &id, &request.name).await {
        Ok(key) => {
            attempt.with(&key);
            attempt.done();
            Ok(Json(key_info(&key, &session.key.id)))
        }
        Err(refusal) => Err(attempt.refused(refusal)),
    }
}

/// `DELETE /v1/keys/{id}`.
pub async fn remove(
    State(issuer): State<SharedIssuer>,
    Extension(context): Extension<RequestContext>,
    Path(id): Path<String>,
    session: Session,
    Parameters(query): Parameters<RemoveKeyQuery>,
) -> Result<StatusCode, ApiError> {
    let mut attempt = Attempt::new(&issuer, Action::KeyRemoved, &context, issuer.clock.now());
    attempt.of(&session.stored.user);
    attempt.naming(&id);
    match keys::remove(&*issuer.store, session.stored, &id, query.allow_last).await {
        Ok(key) => {
            attempt.with(&key);
            attempt.done();
            Ok(StatusCode::NO_CONTENT)
        }
        Err(refusal) => Err(attempt.refused(refusal)),
    }
}
