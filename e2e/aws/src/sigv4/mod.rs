//! Verification of AWS Signature Version 4 (IAM User Guide, "AWS Signature Version 4 for API requests").
//!
//! Reading a signature, deciding on it and computing it are apart: [`request::SignedRequest`] is what a client claims,
//! [`SignedRequest::verify`] decides, [`canonical`] computes. Nothing here knows accounts.

pub mod canonical;
pub mod request;
#[cfg(test)]
mod tests;

use aws_lc_rs::hmac;
use jiff::{SignedDuration, Timestamp};

use crate::wire::Fault;
use crate::wire::encoding::basic_time;
pub use request::{Placement, SignedRequest};

/// Clocks may differ by this much.
const SKEW: SignedDuration = SignedDuration::from_mins(5);
/// STS honours a presigned URL this long, whatever `X-Amz-Expires` says (aws-iam-authenticator relies on it).
const PRESIGNED_LIFETIME: SignedDuration = SignedDuration::from_mins(15);

/// What the endpoint that received a request demands of its signature.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// Region of the credential scope.
    pub region: &'a str,
    /// Service of the credential scope.
    pub service: &'a str,
}

impl SignedRequest {
    /// Decides whether the signature was made with `secret`, for this endpoint, about now.
    ///
    /// # Errors
    /// `SignatureDoesNotMatch`, with AWS's sentence for a wrong scope, a wrong time or a wrong signature.
    pub fn verify(&self, secret: &str, scope: Scope<'_>, now: Timestamp) -> Result<(), Fault> {
        self.check_scope(scope)?;
        self.check_time(now)?;
        let key = signing_key(secret, &self.credential.date, &self.credential.region, &self.credential.service);
        let expected = signature(&key, &self.string_to_sign());
        let given = self.signature.as_bytes();
        if aws_lc_rs::constant_time::verify_slices_are_equal(expected.as_bytes(), given).is_err() {
            return Err(mismatch(
                "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. \
                 Consult the service documentation for details.",
            ));
        }
        Ok(())
    }

    fn check_scope(&self, scope: Scope<'_>) -> Result<(), Fault> {
        if self.credential.region != scope.region {
            return Err(mismatch(format!(
                "Credential should be scoped to a valid region, not '{}'. ",
                self.credential.region
            )));
        }
        if self.credential.service != scope.service {
            return Err(mismatch(format!("Credential should be scoped to correct service: '{}'. ", scope.service)));
        }
        let day = self.time_text.get(..8).unwrap_or_default();
        if self.credential.date != day {
            return Err(mismatch(format!(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{}' != '{day}', from '{}'.",
                self.credential.date, self.time_text
            )));
        }
        Ok(())
    }

    fn check_time(&self, now: Timestamp) -> Result<(), Fault> {
        let (lifetime, minutes) = match self.placement {
            Placement::Header => (SKEW, 5),
            Placement::Query => (PRESIGNED_LIFETIME, 15),
        };
        let oldest = now.checked_sub(lifetime).unwrap_or(Timestamp::MIN);
        if self.time < oldest {
            return Err(mismatch(format!(
                "Signature expired: {} is now earlier than {} ({} - {minutes} min.)",
                self.time_text,
                basic_time(oldest),
                basic_time(now)
            )));
        }
        let newest = now.checked_add(SKEW).unwrap_or(Timestamp::MAX);
        if self.time > newest {
            return Err(mismatch(format!(
                "Signature not yet current: {} is still later than {} ({} + 5 min.)",
                self.time_text,
                basic_time(newest),
                basic_time(now)
            )));
        }
        Ok(())
    }
}

fn mismatch(message: impl Into<String>) -> Fault {
    Fault::new("SignatureDoesNotMatch", 403, message)
}

/// The key that a day, region and service derive from a secret access key.
fn signing_key(secret: &str, date: &str, region: &str, service: &str) -> hmac::Tag {
    let first = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, format!("AWS4{secret}").as_bytes()), date.as_bytes());
    [region, service, "aws4_request"]
        .into_iter()
        .fold(first, |key, part| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()), part.as_bytes()))
}

fn signature(key: &hmac::Tag, string_to_sign: &str) -> String {
    crate::wire::encoding::hex(
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()), string_to_sign.as_bytes()).as_ref(),
    )
}
