//! What an issuer has written: the proof that a refusal wrote nothing.

use std::{collections::BTreeMap, path::Path};

use rusqlite::{Connection, OpenFlags, types::Value};

/// Every table's rows, in the order of their text.
pub type Records = BTreeMap<String, Vec<String>>;

/// What waits to be said in the audit trail; a running issuer empties it in its own time.
const NOT_RECORDS: &str = "'audit_outbox', 'sqlite_sequence'";

/// Reads all that is in an issuer's database: people, their keys, counters and sessions' beginnings, credentials,
/// invites, signing keys, secrets.
///
/// # Panics
/// When the database cannot be read.
#[must_use]
pub fn read(database: &Path) -> Records {
    let database = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let tables = format!("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT IN ({NOT_RECORDS})");
    let mut tables = database.prepare(&tables).unwrap();
    let tables = tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap);
    tables.map(|table: String| (table.clone(), rows(&database, &table))).collect()
}

fn rows(database: &Connection, table: &str) -> Vec<String> {
    let mut select = database.prepare(&format!("SELECT * FROM {table}")).unwrap();
    let columns = select.column_count();
    let row = |row: &rusqlite::Row<'_>| (0..columns).map(|column| row.get(column)).collect::<Result<Vec<Value>, _>>();
    let mut rows: Vec<_> = select.query_map([], row).unwrap().map(|row| format!("{:?}", row.unwrap())).collect();
    rows.sort();
    rows
}
