//! `/v1/enroll`: an invite is traded for a first key.

use axum::{
    Json,
    extract::{Extension, State},
};
use vouch_issuer_api::enroll::{EnrollChallengeRequest, KeyInfo, RegisterKeyRequest, RegistrationChallenge};

use super::{attempt::Attempt, body::JsonBody, context::RequestContext, error::ApiError};
use crate::{
    audit::Action,
    identity::{
        enrollment::{Registrar, invited, registrant},
        keys::key_info,
        refusal::Refusal,
    },
    state::SharedIssuer,
    store::record::EnrolledKey,
};

/// `POST /v1/enroll/challenge`. The code is the identity; nothing is written.
pub async fn challenge(
    State(issuer): State<SharedIssuer>,
    Extension(context): Extension<RequestContext>,
    JsonBody(request): JsonBody<EnrollChallengeRequest>,
) -> Result<Json<RegistrationChallenge>, ApiError> {
    let mut attempt = Attempt::begin(&issuer, Action::Enrolled, &context).await?;
    let now = attempt.now();
    let config = issuer.config.load_full();
    let outcome = async {
        let secrets = issuer.secrets.load_full();
        let invited = invited(&*issuer.store, &secrets, &request.code).await?;
        attempt.of(&invited.user);
        Registrar::new(&config, &secrets)?.offer_for_invite(&invited.user, now)
    };
    match outcome.await {
        // Not on the trail yet: nothing has happened.
        Ok(challenge) => Ok(Json(challenge)),
        Err(refusal) => Err(attempt.refused(refusal)),
    }
}

/// `POST /v1/enroll`. The invite is used up and the key is enrolled in one step, or neither.
pub async fn register(
    State(issuer): State<SharedIssuer>,
    Extension(context): Extension<RequestContext>,
    JsonBody(request): JsonBody<RegisterKeyRequest>,
) -> Result<Json<KeyInfo>, ApiError> {
    let mut attempt = Attempt::begin(&issuer, Action::Enrolled, &context).await?;
    let now = attempt.now();
    let config = issuer.config.load_full();
    let outcome: Result<EnrolledKey, Refusal> = async {
        let secrets = issuer.secrets.load_full();
        let registrar = Registrar::new(&config, &secrets)?;
        let open = registrar.open_enrollment(&request.state, now)?;
        let owner = registrant(&*issuer.store, &open).await?;
        attempt.of(&owner.user);
        let (_, key) = registrar.register(&*issuer.store, owner, &open, &request, now).await?;
        Ok(key)
    }
    .await;
    match outcome {
        Ok(key) => {
            attempt.with(&key);
            attempt.done();
            Ok(Json(key_info(&key, "")))
        }
        Err(refusal) => Err(attempt.refused(refusal)),
    }
}
