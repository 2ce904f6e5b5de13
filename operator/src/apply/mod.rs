//! Objects that the operator owns: written by server-side apply, pruned when no longer wanted, foreign ones left alone.
//!
//! [`desired`] says what an object should be, [`ownership`] whether a live one still is that, [`plan`] what to do; all of
//! that is pure. [`execute`] is the only place that writes. [`optional`] knows which APIs the cluster serves.
//!
//! An object that is as it was left is not written again, and that is known without asking: a digest of what was applied
//! is kept on the object, and the API server takes every field that somebody else changes out of the fields it lists as
//! ours. Digest the same and every field still ours: nothing to do. Otherwise the whole is applied again, which puts back
//! what a hand has changed.

pub mod desired;
pub mod execute;
pub mod kind;
pub mod optional;
pub mod ownership;
pub mod plan;
mod repair;
#[cfg(test)]
mod tests;

pub use self::{
    desired::{Desired, Owner},
    execute::{Applied, ApplyError, execute},
    kind::Kind,
    optional::OptionalApis,
    plan::{Action, Foreign, Live, Plan, plan},
};
