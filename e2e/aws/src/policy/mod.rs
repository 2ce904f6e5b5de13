//! The policy language and its evaluation, written from AWS's documentation (IAM User Guide, "Policy elements
//! reference" and "Policy evaluation logic").
//!
//! Pure: documents and a request context in, a decision out. It shares nothing with the code it judges.

pub mod condition;
pub mod context;
pub mod document;
pub mod evaluate;
#[cfg(test)]
mod laws;
pub mod managed;
pub mod pattern;
pub mod principal;
pub mod variables;

pub use context::Context;
pub use document::{Document, DocumentError, Effect, Statement};
pub use evaluate::{Decision, Policies, Relation, Request, Source};
pub use principal::Requester;
