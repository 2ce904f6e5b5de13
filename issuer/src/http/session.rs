//! `/v1/session`: who am I, has my session ended, end them all.

use std::time::Duration;

use axum::{
    Json,
    extract::{Extension, State},
    http::StatusCode,
};
use vouch_issuer_api::session::{SessionInfo, WatchQuery};

use super::{
    attempt::Attempt,
    authenticate::{Session, ended},
    body::Parameters,
    context::RequestContext,
    error::ApiError,
};
use crate::{
    audit::Action,
    identity::{keys, session::Ended},
    state::SharedIssuer,
};

/// The longest time a request is held open, in seconds: below the idle timeout of common load balancers.
const MAX_WATCH: u32 = 55;

/// `GET /v1/session`.
pub async fn show(session: Session) -> Result<Json<SessionInfo>, ApiError> {
    info(&session).map(Json)
}

/// `DELETE /v1/session`: ends every session of this person.
pub async fn end_all(
    State(issuer): State<SharedIssuer>,
    Extension(context): Extension<RequestContext>,
    session: Session,
) -> Result<StatusCode, ApiError> {
    let mut attempt = Attempt::begin(&issuer, Action::LoggedOutEverywhere, &context).await?;
    let now = attempt.now();
    attempt.of(&session.stored.user);
    match keys::end_sessions(&*issuer.store, session.stored, now).await {
        Ok(()) => {
            attempt.done();
            Ok(StatusCode::NO_CONTENT)
        }
        Err(refusal) => Err(attempt.refused(refusal)),
    }
}

/// `GET /v1/session/watch`: held open until the session ends (`session_ended`), expires (`invalid_token`), the time has
/// passed or the issuer goes away (the session, as `GET /v1/session` answers).
pub async fn watch(
    State(issuer): State<SharedIssuer>,
    Parameters(query): Parameters<WatchQuery>,
    session: Session,
) -> Result<Json<SessionInfo>, ApiError> {
    // Subscribed before record and configuration are read again: no change falls between the two.
    let (mut changes, mut configured) = (issuer.store.changes(), issuer.configured.subscribe());
    let patience = tokio::time::sleep(Duration::from_secs(query.timeout.min(MAX_WATCH).into()));
    tokio::pin!(patience);
    loop {
        let session = session.clone().refreshed(&issuer).await?;
        let left = session.claims.expires_at.duration_since(issuer.clock.now());
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return info(&session).map(Json) },
            Ok(()) = configured.changed() => {}
            () = tokio::time::sleep(Duration::try_from(left).unwrap_or_default()) => {}
            () = issuer.lifecycle.until_draining() => return info(&session).map(Json),
            () = &mut patience => return info(&session).map(Json),
        }
    }
}

fn info(session: &Session) -> Result<SessionInfo, ApiError> {
    let user = &session.stored.user;
    let key = user.key(&session.key.id).ok_or_else(|| ended(Ended::KeyRemoved))?;
    Ok(session.claims.info(user, key, &session.config.organization.name))
}
