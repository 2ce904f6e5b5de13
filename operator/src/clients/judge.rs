//! Whether an application can sign people in: named checks in order, of which the first that fails is what people read.

use http::Uri;
use vouch_crds::{client::OidcClientSpec, names::condition};

use crate::{reason::Reason, status::Finding};

/// What the cluster has of what an application names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Surroundings {
    /// Whether its issuer is there.
    pub issuer: bool,
    /// Its Secret.
    pub secret: ClientSecret,
}

/// The Secret of an application. Whoever may write an `OidcClient` may not read Secrets, and is not told which there are: one
/// that is not there and one that has nothing under the key are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientSecret {
    /// None is named.
    Unwanted,
    /// There is no such Secret, or nothing under the key.
    Absent,
    /// It is there.
    Present,
}

/// What is to be said of an application.
#[must_use]
pub fn judge(spec: &OidcClientSpec, around: Surroundings) -> Finding {
    let refusal = proves_itself_one_way(spec)
        .or_else(|| sends_people_back_safely(spec))
        .or_else(|| has_an_issuer(spec, around))
        .or_else(|| has_its_secret(spec, around));
    match refusal {
        Some((reason, message)) => Finding::new(condition::READY, false, reason, message),
        None => Finding::new(condition::READY, true, Reason::AsDeclared, "Everything is as declared."),
    }
}

fn proves_itself_one_way(spec: &OidcClientSpec) -> Option<(Reason, String)> {
    let message = "spec: must either be public: true or have secretRef, the Secret with its client secret.";
    (spec.public == spec.secret_ref.is_some()).then(|| (Reason::Invalid, message.to_owned()))
}

/// Codes travel to these places: to anywhere but https or this machine, others would read them (RFC 8252 §7.3, RFC 9700
/// §2.1).
fn sends_people_back_safely(spec: &OidcClientSpec) -> Option<(Reason, String)> {
    let unsafe_uri = spec.redirect_uris.iter().find(|text| !is_safe(text));
    let message = |text: &String| {
        format!(
            "spec.redirectUris: {text} must be https, or http to localhost, 127.0.0.1 or [::1], without a fragment."
        )
    };
    match unsafe_uri {
        Some(text) => Some((Reason::Invalid, message(text))),
        None if spec.redirect_uris.is_empty() => {
            Some((Reason::Invalid, "spec.redirectUris: must name at least one URI.".to_owned()))
        }
        None => None,
    }
}

fn is_safe(text: &str) -> bool {
    // A parser that drops the fragment must not hide it.
    if text.contains('#') {
        return false;
    }
    let Ok(uri) = text.parse::<Uri>() else { return false };
    let Some(authority) = uri.authority() else { return false };
    let named = !authority.host().is_empty() && !authority.as_str().contains('@');
    match uri.scheme_str() {
        Some("https") => named,
        Some("http") => named && ["localhost", "127.0.0.1", "[::1]"].contains(&authority.host()),
        _ => false,
    }
}

fn has_an_issuer(spec: &OidcClientSpec, around: Surroundings) -> Option<(Reason, String)> {
    let message = || format!("spec.issuerRef: there is no VouchIssuer {} in this namespace.", spec.issuer_ref.name);
    (!around.issuer).then(|| (Reason::NoIssuer, message()))
}

fn has_its_secret(spec: &OidcClientSpec, around: Surroundings) -> Option<(Reason, String)> {
    let reference = spec.secret_ref.as_ref()?;
    let message = match around.secret {
        ClientSecret::Unwanted | ClientSecret::Present => return None,
        ClientSecret::Absent => format!(
            "spec.secretRef: this namespace has no Secret {} with something under {}.",
            reference.name, reference.key
        ),
    };
    Some((Reason::SecretMissing, message))
}
