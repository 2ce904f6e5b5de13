//! Nonces of the issuer (RFC 9449 §8): a sealed moment, so that no replica remembers any.

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};

use crate::identity::secrets::Secrets;

/// How long a nonce is taken.
pub const NONCE_LIFETIME: SignedDuration = SignedDuration::from_secs(120);

/// How far another replica's clock may be ahead.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_secs(30);

/// How long after its first use a proof could be replayed at most, by this clock.
pub(super) const REPLAY_WINDOW: SignedDuration = SignedDuration::from_secs(150);

/// Bytes of the truncated authentication code.
const TAG_LENGTH: usize = 16;

/// A nonce for the `DPoP-Nonce` header.
#[must_use]
pub fn fresh_nonce(secrets: &Secrets, now: Timestamp) -> String {
    let moment = now.as_microsecond().to_be_bytes();
    let tag = hmac::sign(secrets.nonces(), &moment);
    URL_SAFE_NO_PAD.encode(moment.iter().chain(tag.as_ref().iter().take(TAG_LENGTH)).copied().collect::<Vec<_>>())
}

/// Whether the issuer, that is any of its replicas, gave out `nonce` within the last [`NONCE_LIFETIME`], and not before
/// `begun`: a proof with an older nonce may have been taken by a process that remembers nothing any more.
pub(super) fn is_current(secrets: &Secrets, nonce: &str, begun: Timestamp, now: Timestamp) -> bool {
    issued_at(secrets, nonce).is_some_and(|issued| {
        let age = now.duration_since(issued);
        // Nonces are exact to the microsecond. One of this process must not be older than the process for that.
        issued.as_microsecond() >= begun.as_microsecond() && age < NONCE_LIFETIME && age >= -CLOCK_TOLERANCE
    })
}

fn issued_at(secrets: &Secrets, nonce: &str) -> Option<Timestamp> {
    let bytes = URL_SAFE_NO_PAD.decode(nonce).ok()?;
    let (moment, tag) = bytes.split_first_chunk::<8>()?;
    let expected = hmac::sign(secrets.nonces(), moment);
    let genuine = aws_lc_rs::constant_time::verify_slices_are_equal(expected.as_ref().get(..TAG_LENGTH)?, tag);
    genuine.ok().and_then(|()| Timestamp::from_microsecond(i64::from_be_bytes(*moment)).ok())
}
