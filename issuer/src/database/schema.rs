//! What is in the file, and how a file of an earlier release gets there.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::error::DatabaseError;

/// `application_id` of the file's header: "VOUC".
const APPLICATION_ID: i32 = 0x564F_5543;

/// `user_version` of a database that every step of [`SCHEMA`] has been applied to.
pub(super) const SCHEMA_VERSION: i32 = 3;

/// What leads from each schema version to the next, from an empty file on. `record` is a JSON `UserRecord`; `credentials`
/// and `invites` are its indexes and change in the same transaction. `audit_outbox` holds lines of the audit trail that
/// administration commands leave for the running issuer. `issuer` says whose all of it is.
const SCHEMA: [&str; SCHEMA_VERSION as usize] = [
    "
CREATE TABLE users (
    id      TEXT PRIMARY KEY,
    email   TEXT NOT NULL UNIQUE,
    version INTEGER NOT NULL,
    record  TEXT NOT NULL
) STRICT;
CREATE TABLE credentials (
    credential_id TEXT PRIMARY KEY,
    user_id       TEXT NOT NULL REFERENCES users (id)
) STRICT, WITHOUT ROWID;
CREATE INDEX credentials_by_user ON credentials (user_id);
CREATE TABLE invites (
    hash    TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id)
) STRICT, WITHOUT ROWID;
CREATE INDEX invites_by_user ON invites (user_id);
CREATE TABLE keyring (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    document BLOB NOT NULL,
    revision INTEGER NOT NULL
) STRICT;
CREATE TABLE secrets (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
",
    "
CREATE TABLE audit_outbox (
    id    INTEGER PRIMARY KEY AUTOINCREMENT,
    time  TEXT NOT NULL,
    event TEXT NOT NULL
) STRICT;
",
    "
CREATE TABLE issuer (
    id  INTEGER PRIMARY KEY CHECK (id = 1),
    url TEXT NOT NULL
) STRICT;
",
];

/// Puts the whole schema into an empty file, or nothing.
pub(super) fn create(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.execute_batch(&format!(
        "PRAGMA synchronous = FULL; BEGIN; {}
         PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;",
        SCHEMA.concat()
    ))
}

/// That a file is a database of this product, whole, and not of a later release. Nothing is written.
pub(super) fn check_contents(path: &Path, connection: &Connection) -> Result<(), DatabaseError> {
    let of_file = |error| DatabaseError::of_file(path, error);
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0)).map_err(of_file);
    if pragma("application_id")? != APPLICATION_ID {
        return Err(DatabaseError::Foreign(path.to_owned()));
    }
    let found = pragma("user_version")?;
    if found > SCHEMA_VERSION {
        return Err(DatabaseError::Newer { path: path.to_owned(), found });
    }
    let damaged = |reason: String| DatabaseError::Damaged { path: path.to_owned(), reason };
    if found < 1 {
        return Err(damaged(format!("its schema version is {found}")));
    }
    let verdict = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0)).map_err(of_file)?;
    // The finding has several lines, of which the last says where.
    if verdict == "ok" { Ok(()) } else { Err(damaged(verdict.lines().last().unwrap_or_default().to_owned())) }
}

/// A commit is on disk when it is reported (`synchronous`), and what was deleted is overwritten (`secure_delete`).
pub(super) fn configure(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
         PRAGMA secure_delete = ON; PRAGMA trusted_schema = OFF;",
    )
}

/// Takes the steps that the file lacks, all or none. Of several processes that open it one does; the others wait.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), rusqlite::Error> {
    let version = |connection: &Connection| connection.pragma_query_value(None, "user_version", |row| row.get(0));
    let found: i32 = version(connection)?;
    if found >= SCHEMA_VERSION {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: i32 = version(&transaction)?;
    for step in SCHEMA.iter().skip(usize::try_from(found).unwrap_or_default()) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION.max(found))?;
    transaction.commit()
}
