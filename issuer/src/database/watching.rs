//! Noticing what other processes write.

use std::{sync::mpsc, time::Duration};

use rusqlite::Connection;
use tokio::sync::watch;

use super::file::Place;

/// How often writes of other processes are looked for.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// `data_version` of a connection differs when any other connection, in any process, has committed since it was last
/// asked (SQLite documentation, `PRAGMA data_version`).
pub(super) fn data_version(connection: &Connection) -> Result<i64, rusqlite::Error> {
    connection.pragma_query_value(None, "data_version", |row| row.get(0))
}

/// Tells of what other connections have written, until the handle is dropped.
///
/// A file that lost its name is a change, too: what others remember of it must be asked for again, and is refused then.
pub(super) fn watch_others(
    connection: &Connection,
    mut seen: i64,
    place: &Place,
    changes: &watch::Sender<u64>,
    ended: &mpsc::Receiver<()>,
) {
    let mut in_place = true;
    while let Err(mpsc::RecvTimeoutError::Timeout) = ended.recv_timeout(POLL_INTERVAL) {
        let was_in_place = std::mem::replace(&mut in_place, place.check().is_ok());
        let written = match data_version(connection) {
            Ok(version) => std::mem::replace(&mut seen, version) != version,
            Err(error) => {
                tracing::warn!(%error, "cannot look for changes of the database");
                false
            }
        };
        if written || in_place != was_in_place {
            changes.send_modify(|count| *count = count.wrapping_add(1));
        }
    }
}
