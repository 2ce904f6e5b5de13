//! What real AWS was recorded to answer, asked of the stand-in: scenario in, code and text out.
//!
//! Requests go through the same entry as those of real clients, signed by AWS's own signer; issuers are real TLS servers
//! on loopback. Rows follow the recordings one by one. A row that no recording covers says so in its name.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod control;
mod front;
mod iam;
mod program;
mod signing;
mod sts;
mod support;
mod table;
mod web_identity;
