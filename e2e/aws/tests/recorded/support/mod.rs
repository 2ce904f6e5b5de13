//! A stand-in, accounts in it, issuers beside it, and a client that signs as AWS's SDKs do.

mod client;
mod issuer;
mod keys;

pub(crate) use client::{Aws, Keys, Refusal, sign, texts};
pub(crate) use issuer::Issuer;
pub(crate) use keys::{TestKey, b64};
