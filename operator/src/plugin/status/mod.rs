//! `status`: one screen that tells what runs, what is wrong, and what to do about it.
//!
//! What is known is read first ([`gather`]); the screen is a function of it ([`screen`]). Whoever may not read a part is
//! told which, and sees the rest.

pub mod findings;
pub mod gather;
mod metrics;
pub mod screen;
#[cfg(test)]
mod tests;

use jiff::Timestamp;

pub use self::screen::{Screen, Screens};
use super::{connect::Connection, issuer, trouble::Trouble};

/// The screen of a namespace, or of one of its issuers.
///
/// # Errors
/// When its issuers cannot be read, or there is none.
pub async fn look(connection: &Connection, issuer: Option<&str>, now: Timestamp) -> Result<Screen, Trouble> {
    Ok(Screen::of(&gather::gather(connection, issuer).await?, now))
}

/// The screens of every namespace that has an issuer.
///
/// # Errors
/// When the issuers of the cluster or of one of the namespaces cannot be read, or there is none.
pub async fn look_everywhere(connection: &Connection, now: Timestamp) -> Result<Screens, Trouble> {
    let mut screens = Vec::new();
    for namespace in issuer::namespaces(connection).await? {
        match look(&connection.within(&namespace), None, now).await {
            Ok(screen) => screens.push(screen),
            // Its issuer has gone since the list.
            Err(Trouble::NoIssuer { .. }) => {}
            Err(trouble) => return Err(trouble),
        }
    }
    if screens.is_empty() { Err(Trouble::NoIssuers) } else { Ok(Screens::of(screens)) }
}
