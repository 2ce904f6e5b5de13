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

pub use self::screen::Screen;
use super::{connect::Connection, trouble::Trouble};

/// The screen of a namespace, or of one of its issuers.
///
/// # Errors
/// When its issuers cannot be read, or there is none.
pub async fn look(connection: &Connection, issuer: Option<&str>, now: Timestamp) -> Result<Screen, Trouble> {
    Ok(Screen::of(&gather::gather(connection, issuer).await?, now))
}
