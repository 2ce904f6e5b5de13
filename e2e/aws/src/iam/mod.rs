//! AWS Identity and Access Management, API version 2010-05-08.

use crate::api::{Call, Outcome, unknown_action};

/// Runs an action.
///
/// # Errors
/// The action's faults.
pub async fn call(call: &Call<'_>) -> Outcome {
    Err(unknown_action(call))
}
