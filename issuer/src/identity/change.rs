//! The one way a ceremony writes: decide on the record as it is now, replace it if nobody was faster, else decide again.

use super::refusal::Refusal;
use crate::store::{Store, StoreError, Stored, record::UserRecord};

/// Attempts before the person is asked to try again. Each lost one means that somebody else's change succeeded.
const ATTEMPTS: usize = 32;

/// Replaces a record by what `decide` makes of it. `decide` runs again on the newer record whenever another writer was
/// faster, so what it refuses (a replayed challenge, a used invite) is refused however close the race was.
///
/// # Errors
/// What `decide` refuses; the store's failures; `Conflict` after [`ATTEMPTS`].
pub(super) async fn change<T>(
    store: &dyn Store,
    mut current: Stored,
    mut decide: impl FnMut(&UserRecord) -> Result<(UserRecord, T), Refusal> + Send,
) -> Result<(UserRecord, T), Refusal> {
    for _ in 0..ATTEMPTS {
        let (next, outcome) = decide(&current.user)?;
        match store.replace(&current, &next).await {
            Ok(stored) => return Ok((stored.user, outcome)),
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
        current = store.user(current.user.id).await?.ok_or(StoreError::Missing)?;
    }
    Err(StoreError::Conflict.into())
}
