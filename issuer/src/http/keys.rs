//! `/v1/keys`: a person's own security keys.

use axum::{
    Json,
    extract::{Extension, Path, State},
    http::StatusCode,
};
use vouch_issuer_api::enroll::{
    AddKeyChallengeRequest, KeyInfo, KeyList, RegisterKeyRequest, RegistrationChallenge, RemoveKeyRequest,
    RenameKeyRequest,
};
use webauthn_rs_proto::PublicKeyCredential;

use super::{
    attempt::Attempt,
    authenticate::{Session, SessionWith},
    context::RequestContext,
    error::ApiError,
    oauth::relying_party,
};
use crate::{
    audit::Action,
    identity::{
        enrollment::Registrar,
        keys::{self, key_info},
        login::{self, Answered},
        refusal::Refusal,
    },
    state::{Issuer, SharedIssuer},
    store::Stored,
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
    SessionWith { session, body: request }: SessionWith<AddKeyChallengeRequest>,
) -> Result<Json<RegistrationChallenge>, ApiError> {
    let mut attempt = Attempt::begin(&issuer, Action::KeyAdded, &context).await?;
    let now = attempt.now();
    attempt.of(&session.stored.user);
    let outcome: Result<RegistrationChallenge, Refusal> = async {
        let secrets = issuer.secrets.load_full();
        let open = login::open_challenge(&secrets, &request.state, now)?;
        let owner = owner_of(&issuer, &session, &request.assertion).await?;
        let registrar = Registrar::new(&session.config, &secrets)?;
        let answered = Answered {
            party: &registrar.party,
            organization: &session.config.organization,
            challenge: &open,
            assertion: &request.assertion,
            now,
        };
        let signed_in = answered.consume(&*issuer.store, owner).await?;
        registrar.offer_for_assertion(&signed_in.user, &signed_in.key, now)
    }
    .await;
    outcome.map(Json).map_err(|refusal| attempt.refused(refusal))
}

/// The record of the session's person, found by the key that made an assertion: a key of somebody else is refused.
async fn owner_of(issuer: &Issuer, session: &Session, assertion: &PublicKeyCredential) -> Result<Stored, Refusal> {
    let owner = login::owner(&*issuer.store, assertion).await?;
    if owner.user.id == session.claims.user { Ok(owner) } else { Err(Refusal::ForeignKey) }
}

/// `POST /v1/keys`.
pub async fn register(
    State(issuer): State<SharedIssuer>,
    Extension(context): Extension<RequestContext>,
    SessionWith { session, body: request }: SessionWith<RegisterKeyRequest>,
) -> Result<Json<KeyInfo>, ApiError> {
    let mut attempt = Attempt::begin(&issuer, Action::KeyAdded, &context).await?;
    let now = attempt.now();
    attempt.of(&session.stored.user);
    let outcome = async {
        let secrets = issuer.secrets.load_full();
        let registrar = Registrar::new(&session.config, &secrets)?;
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
    SessionWith { session, body: request }: SessionWith<RenameKeyRequest>,
) -> Result<Json<KeyInfo>, ApiError> {
    let mut attempt = Attempt::begin(&issuer, Action::KeyRenamed, &context).await?;
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

/// `POST /v1/keys/{id}/removal`. As for a further key, the session alone is not enough.
pub async fn remove(
    State(issuer): State<SharedIssuer>,
    Extension(context): Extension<RequestContext>,
    Path(id): Path<String>,
    SessionWith { session, body: request }: SessionWith<RemoveKeyRequest>,
) -> Result<StatusCode, ApiError> {
    let mut attempt = Attempt::begin(&issuer, Action::KeyRemoved, &context).await?;
    let now = attempt.now();
    attempt.of(&session.stored.user);
    attempt.naming(&id);
    let outcome = async {
        let open = login::open_challenge(&issuer.secrets.load(), &request.state, now)?;
        let owner = owner_of(&issuer, &session, &request.assertion).await?;
        let answered = Answered {
            party: &relying_party(&session.config)?,
            organization: &session.config.organization,
            challenge: &open,
            assertion: &request.assertion,
            now,
        };
        keys::remove(&*issuer.store, owner, &answered, &id, request.allow_last).await
    };
    match outcome.await {
        Ok(key) => {
            attempt.with(&key);
            attempt.done();
            Ok(StatusCode::NO_CONTENT)
        }
        Err(refusal) => Err(attempt.refused(refusal)),
    }
}
