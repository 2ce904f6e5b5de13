//! The FIDO2 challenge and the token endpoint.

use serde::{Deserialize, Serialize};
use webauthn_rs_proto::RequestChallengeResponse;

use crate::session::SessionInfo;

/// `grant_type` of the FIDO2 assertion grant, an absolute URI as RFC 6749 §4.5 asks of extension grants.
pub const FIDO2_GRANT: &str = "https://vouch.sh/oauth/grant-type/fido2-assertion";

/// Answer of `POST /oauth/fido2/challenge` (no body in the request).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChallengeResponse {
    /// WebAuthn Level 3 §5.5. The allow list is empty: any resident credential of this relying party will do.
    pub options: RequestChallengeResponse,
    /// Sealed by the issuer; comes back unread with the assertion.
    pub state: String,
    /// Seconds until `state` is worthless.
    pub expires_in: u32,
}

/// Form of `POST /oauth/token`. The `DPoP` header carries a proof (RFC 9449 §4) whose key the session is bound to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TokenRequest {
    /// [`FIDO2_GRANT`].
    pub grant_type: String,
    /// [`ChallengeResponse::state`].
    pub state: String,
    /// A WebAuthn `PublicKeyCredential` as JSON.
    pub assertion: String,
}

/// Answer of `POST /oauth/token`.
#[derive(Clone, Serialize, Deserialize)]
pub struct TokenResponse {
    /// The session token. Only worth something together with the DPoP key.
    pub access_token: String,
    /// Always `DPoP` (RFC 9449 §5).
    pub token_type: String,
    /// Seconds.
    pub expires_in: u64,
    /// Whose session it is.
    pub session: SessionInfo,
}

impl std::fmt::Debug for TokenResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenResponse").field("session", &self.session).finish_non_exhaustive()
    }
}
