//! What an issuer is told to do, read from the same manifests that a cluster takes.
//!
//! Every mistake is reported at once, each with its place and with what would be right. Nothing in here knows of HTTP
//! or of stores, and nothing is taken from the environment.

pub mod federation;
mod model;
mod problem;
pub mod url;

pub use self::{
    model::*,
    problem::{Place, Problem, Problems},
};
