//! The session: who am I, and until when.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Answer of `GET /v1/session` and part of the token response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionInfo {
    /// Opaque and stable; the WebAuthn user handle.
    pub user_id: Uuid,
    /// The verified e-mail.
    pub email: String,
    /// The organisation's name, to show.
    pub organization: String,
    /// When the key was tapped.
    pub signed_in_at: Timestamp,
    /// When the session ends by itself.
    pub expires_at: Timestamp,
    /// [`crate::enroll::KeyInfo::id`] of the key that was tapped.
    pub key_id: String,
    /// Its name.
    pub key_name: String,
}

/// Query of `GET /v1/session/watch`. A session that goes on is answered as by `GET /v1/session` once the time has passed;
/// one that ends, at once and with [`crate::error::ErrorCode::SessionEnded`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchQuery {
    /// Seconds to hold the request open while nothing happens; the issuer caps it at 55.
    #[serde(default = "WatchQuery::default_timeout")]
    pub timeout: u32,
}

impl WatchQuery {
    const fn default_timeout() -> u32 {
        30
    }
}
