//! What the tests of this crate share: the other side of every ceremony.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub(crate) mod api_server;
pub(crate) mod authenticator;
pub(crate) mod client;
pub(crate) mod dpop;
pub(crate) mod issuer;
