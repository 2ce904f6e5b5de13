//! One line of the audit trail for everything that was tried, whether it happened or not.

use jiff::Timestamp;

use super::{context::RequestContext, error::ApiError};
use crate::{
    audit::{Action, Event, Room},
    state::Issuer,
    store::record::{EnrolledKey, UserRecord},
};

/// Something that a caller tries. It begins when there is room for its line; what takes a right away begins in any case. It
/// ends with [`Attempt::done`] or [`Attempt::refused`], and is on the trail then.
pub(super) struct Attempt<'a> {
    issuer: &'a Issuer,
    event: Event,
    room: Option<Room<'a>>,
    now: Timestamp,
}

impl<'a> Attempt<'a> {
    /// # Errors
    /// `unavailable` when the action would grant something and no line of it would be written.
    pub(super) async fn begin(issuer: &'a Issuer, action: Action, context: &RequestContext) -> Result<Self, ApiError> {
        let room = issuer.audit.room_for(action).await?;
        let (source, request_id) = (Some(context.source), Some(context.request_id.to_string()));
        let event = Event { source, request_id, ..Event::new(action) };
        Ok(Self { issuer, event, room, now: issuer.clock.now() })
    }

    /// When it began; the time on its line.
    pub(super) const fn now(&self) -> Timestamp {
        self.now
    }

    /// Whom it concerns.
    pub(super) fn of(&mut self, user: &UserRecord) {
        self.event.user_id = Some(user.id);
        self.event.email = Some(user.email.clone());
    }

    /// Which security key it concerns.
    pub(super) fn with(&mut self, key: &EnrolledKey) {
        self.event.key_id = Some(key.id.clone());
        self.event.aaguid = key.aaguid;
    }

    /// Which security key it names.
    pub(super) fn naming(&mut self, key_id: &str) {
        self.event.key_id = Some(key_id.to_owned());
    }

    /// What else the line should say.
    pub(super) fn event(&mut self) -> &mut Event {
        &mut self.event
    }

    pub(super) fn done(self) {
        self.issuer.audit.record_in(self.room, self.now, &self.event);
    }

    pub(super) fn refused(mut self, error: impl Into<ApiError>) -> ApiError {
        let error = error.into();
        self.event.refused = Some(error.code);
        self.event.detail = Some(error.description.clone());
        self.done();
        error
    }
}
