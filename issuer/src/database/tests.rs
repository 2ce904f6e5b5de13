#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags};

use super::{
    Database, DatabaseError,
    file::{check_writable, directory_of},
};

fn put(connection: &mut Connection, name: &'static str) -> Result<usize, DatabaseError> {
    Ok(connection.execute("INSERT INTO secrets (name, value) VALUES (?1, x'00')", [name])?)
}

async fn names(database: &Database) -> Vec<String> {
    database
        .call(|connection| {
            let mut statement = connection.prepare("SELECT name FROM secrets ORDER BY name")?;
            let rows = statement.query_map([], |row| row.get(0))?;
            Ok::<_, DatabaseError>(rows.collect::<Result<Vec<String>, _>>()?)
        })
        .await
        .unwrap()
}

fn files(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn what_was_written_is_there_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("vouch.db");
    let database = Database::create(&path).unwrap();
    database.call(|connection| put(connection, "one")).await.unwrap();
    drop(database);
    assert_eq!(names(&Database::open(&path).unwrap()).await, ["one"]);
}

#[test]
fn a_file_without_a_directory_in_its_name_is_where_the_process_is() {
    for (path, directory) in [("issuer.db", "."), ("data/issuer.db", "data"), ("/data/issuer.db", "/data")] {
        assert_eq!(directory_of(Path::new(path)), Path::new(directory));
    }
}

#[test]
fn opening_never_creates_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("vouch.db");
    let error = Database::open(&path).unwrap_err();
    assert!(matches!(error, DatabaseError::Missing(_)), "{error}");
    assert!(error.to_string().ends_with("vouch.db"), "{error}");
    assert_eq!(files(directory.path()), Vec::<String>::new());
}

#[tokio::test]
async fn creating_never_replaces_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("vouch.db");
    let database = Database::create(&path).unwrap();
    database.call(|connection| put(connection, "one")).await.unwrap();
    let error = Database::create(&path).unwrap_err();
    assert!(matches!(error, DatabaseError::Exists(_)), "{error}");
    assert_eq!(names(&database).await, ["one"]);
}

#[test]
fn a_new_file_is_readable_by_its_owner_only_and_leaves_no_draft() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("vouch.db");
    let database = Database::create(&path).unwrap();
    for name in files(directory.path()) {
        assert!(["vouch.db", "vouch.db-wal", "vouch.db-shm"].contains(&name.as_str()), "{name}");
        let mode = std::fs::metadata(directory.path().join(&name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    drop(database);
}

#[test]
fn refuses_a_file_that_others_may_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("vouch.db");
    drop(Database::create(&path).unwrap());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let error = Database::open(&path).unwrap_err();
    assert!(matches!(error, DatabaseError::Exposed { mode: 0o644, .. }), "{error}");
}

fn private_file(path: &Path, contents: &[u8]) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, contents).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn refuses_what_is_not_its_own_database_and_leaves_it_alone() {
    let directory = tempfile::tempdir().unwrap();
    let text = directory.path().join("text");
    private_file(&text, b"not a database, only text that is long enough to be read as a header of one, and then some");
    let empty = directory.path().join("empty");
    private_file(&empty, b"");
    let other = directory.path().join("other");
    private_file(&other, b"");
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE users (id TEXT)").unwrap();
    for path in [&text, &empty, &other, &directory.path().to_owned()] {
        let before = std::fs::read(path).ok();
        let error = Database::open(path).unwrap_err();
        assert!(matches!(error, DatabaseError::Foreign(_)), "{}: {error}", path.display());
        assert_eq!(std::fs::read(path).ok(), before);
    }
}

#[test]
fn refuses_the_database_of_a_later_release() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("vouch.db");
    drop(Database::create(&path).unwrap());
    Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 4").unwrap();
    let error = Database::open(&path).unwrap_err();
    assert!(matches!(error, DatabaseError::Newer { found: 4, .. }), "{error}");
}

#[tokio::test]
async fn brings_the_schema_of_the_first_release_up_to_date_and_keeps_what_it_holds() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("vouch.db");
    drop(Database::create(&path).unwrap());
    let first = "DROP TABLE audit_outbox; DROP TABLE issuer; PRAGMA user_version = 1; INSERT INTO secrets VALUES ('one', x'00')";
    Connection::open(&path).unwrap().execute_batch(first).unwrap();
    let (database, again) = (Database::open(&path).unwrap(), Database::open(&path).unwrap());
    assert_eq!(names(&database).await, ["one"]);
    let made = again.call(|connection| {
        connection.execute("INSERT INTO audit_outbox (time, event) VALUES ('', '')", [])?;
        Ok::<i32, DatabaseError>(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
    });
    assert_eq!(made.await.unwrap(), 3);
}

#[tokio::test]
async fn a_copy_of_the_file_alone_is_complete_after_a_checkpoint() {
    let directory = tempfile::tempdir().unwrap();
    let (path, copy) = (directory.path().join("vouch.db"), directory.path().join("copy.db"));
    let database = Database::create(&path).unwrap();
    database.call(|connection| put(connection, "one")).await.unwrap();
    assert!(database.checkpoint().await.unwrap());
    std::fs::copy(&path, &copy).unwrap();
    assert_eq!(names(&Database::open(&copy).unwrap()).await, ["one"]);
}

#[tokio::test]
async fn refuses_a_damaged_file() {
    use std::os::unix::fs::FileExt as _;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("vouch.db");
    drop(Database::create(&path).unwrap());
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(&[0xA5; 4096], 4096).unwrap();
    let error = Database::open(&path).unwrap_err();
    assert!(matches!(error, DatabaseError::Damaged { .. }), "{error}");
}

#[tokio::test]
async fn tells_of_its_own_writes_at_once_and_not_of_reads() {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::create(&directory.path().join("vouch.db")).unwrap();
    let mut changes = database.changes();
    assert_eq!(names(&database).await, Vec::<String>::new());
    assert!(!changes.has_changed().unwrap());
    database.call(|connection| put(connection, "one")).await.unwrap();
    assert!(changes.has_changed().unwrap());
    changes.mark_unchanged();
}

#[tokio::test]
async fn tells_of_writes_through_another_handle() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("vouch.db");
    let database = Database::create(&path).unwrap();
    let other = Database::open(&path).unwrap();
    let mut changes = database.changes();
    other.call(|connection| put(connection, "one")).await.unwrap();
    tokio::time::timeout(Duration::from_secs(30), changes.changed()).await.unwrap().unwrap();
}

#[tokio::test]
async fn work_that_panics_leaves_the_database_usable_and_unchanged() {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::create(&directory.path().join("vouch.db")).unwrap();
    let outcome = database
        .call(|connection| {
            let transaction = connection.transaction()?;
            transaction.execute("INSERT INTO secrets (name, value) VALUES ('half', x'00')", [])?;
            panic!("stopped half way");
            #[allow(unreachable_code)]
            Ok::<(), DatabaseError>(())
        })
        .await;
    assert!(matches!(outcome, Err(DatabaseError::Abandoned(_))));
    assert_eq!(names(&database).await, Vec::<String>::new());
}

#[test]
fn notices_that_its_file_was_removed_or_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let (path, aside) = (directory.path().join("vouch.db"), directory.path().join("aside.db"));
    let database = Database::create(&path).unwrap();
    database.in_place().unwrap();
    std::fs::rename(&path, &aside).unwrap();
    assert!(matches!(database.in_place(), Err(DatabaseError::Displaced(_))));
    Database::create(&path).unwrap();
    assert!(matches!(database.in_place(), Err(DatabaseError::Displaced(_))));
    std::fs::rename(&aside, &path).unwrap();
    database.in_place().unwrap();
}

/// What SQLite says when a command meets a file or a disk that it cannot use, as its user reads it.
#[test]
fn every_obstacle_names_the_file_and_what_to_do() {
    let path = Path::new("/var/lib/vouch/issuer.db");
    for (code, advice) in [
        (rusqlite::ffi::SQLITE_READONLY_DIRECTORY, "must be able to write it and its directory"),
        (rusqlite::ffi::SQLITE_CANTOPEN, "must be able to write it and its directory"),
        (rusqlite::ffi::SQLITE_FULL, "make some"),
        (rusqlite::ffi::SQLITE_IOERR_SHMSIZE, "make room"),
        (rusqlite::ffi::SQLITE_BUSY, "try again"),
        (rusqlite::ffi::SQLITE_CORRUPT, "restore it from a backup"),
        (rusqlite::ffi::SQLITE_NOTADB, "check the path"),
    ] {
        let source = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
        let text = DatabaseError::of_file(path, source).to_string();
        assert!(text.starts_with("/var/lib/vouch/issuer.db ") && text.contains(advice), "{code}: {text}");
    }
}

#[test]
fn refuses_a_file_that_was_cut_off() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("vouch.db");
    drop(Database::create(&path).unwrap());
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(3000).unwrap();
    let error = Database::open(&path).unwrap_err();
    assert!(matches!(error, DatabaseError::Damaged { .. }), "{error}");
    assert!(!error.to_string().contains('\n'), "{error}");
}

/// `immutable`, because the superuser, who may run this, may write whatever the mode says.
#[test]
fn refuses_a_file_that_it_may_only_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("vouch.db");
    drop(Database::create(&path).unwrap());
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_URI;
    let readable = Connection::open_with_flags(format!("file:{}?immutable=1", path.display()), flags).unwrap();
    let error = check_writable(&path, &readable).unwrap_err();
    assert!(matches!(error, DatabaseError::ReadOnly(_)), "{error}");
    check_writable(&path, &Connection::open(&path).unwrap()).unwrap();
}
