//! The HTTP contract between the issuer and its clients: paths, request and response bodies, error codes.
//!
//! Everything here is plain data, and how it is written and shown. What a value means to the issuer or to the CLI lives with them.

pub mod aws;
pub mod enroll;
pub mod error;
pub mod invite;
pub mod oauth;
pub mod paths;
pub mod session;
pub mod shown;
