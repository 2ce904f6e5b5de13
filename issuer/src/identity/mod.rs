//! Who somebody is: security keys, sessions, and the ceremonies between them.
//!
//! A ceremony decides on values and writes with one compare-and-swap; the handlers in `http` only translate.

pub mod dpop;
pub mod invite;
pub mod seal;
pub mod secrets;
pub mod webauthn;
