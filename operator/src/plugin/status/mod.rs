//! `status`: one screen that tells what runs, what is wrong, and what to do about it.
//!
//! What is known is read first ([`gather`]); the screen is a function of it ([`screen`]). Whoever may not read a part is
//! told which, and sees the rest.

pub mod findings;
pub mod gather;
mod metrics;
mod operator;
pub mod screen;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;

pub use self::screen::{Screen, Screens};
use super::{connect::Connection, issuer, trouble::Trouble};

/// The screen of a namespace, or of one of its issuers.
///
/// # Errors
/// When its issuers cannot be read, or there is none.
pub async fn look(connection: &Connection, issuer: Option<&str>, now: Timestamp) -> Result<Screen, Trouble> {
    let mut gathered = gather::gather(connection, issuer).await?;
    gathered.operators = operators(connection, &mut gathered.unknown).await;
    Ok(Screen::of(&gathered, now))
}

/// The screens of every namespace that has an issuer.
///
/// # Errors
/// When the issuers of the cluster or of one of the namespaces cannot be read, or there is none.
pub async fn look_everywhere(connection: &Connection, now: Timestamp) -> Result<Screens, Trouble> {
    let mut screens = Vec::new();
    for namespace in issuer::namespaces(connection).await? {
        match gather::gather(&connection.within(&namespace), None).await {
            Ok(gathered) => screens.push(Screen::of(&gathered, now)),
            // Its issuer has gone since the list.
            Err(Trouble::NoIssuer { .. }) => {}
            Err(trouble) => return Err(trouble),
        }
    }
    if screens.is_empty() {
        return Err(Trouble::NoIssuers);
    }
    let mut unknown = Vec::new();
    let operators = operators(connection, &mut unknown).await;
    Ok(Screens::of(screens, operators.as_deref(), unknown, now))
}

/// The Leases of operators, as far as they may be read; a failure is added to what is unknown.
async fn operators(connection: &Connection, unknown: &mut Vec<String>) -> Option<Vec<Lease>> {
    operator::leases(connection).await.unwrap_or_else(|trouble| {
        unknown.push(connection.explain(trouble).to_string());
        None
    })
}
