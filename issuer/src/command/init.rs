//! `init`: the one command that makes a database and signing keys.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::Serialize;
use vouch_keyring::ChangeKind;

use super::{
    Failure, Files,
    open::{database_path, settle},
};
use crate::{
    config,
    database::{Database, DatabaseError},
    identity::secrets::Secrets,
    keys::change,
};

/// What was made.
#[derive(Debug, Serialize)]
pub(super) struct Initialised {
    database: PathBuf,
    issuer: String,
    signing_keys: Vec<String>,
}

impl fmt::Display for Initialised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Made {} for {}. Back it up: it holds the signing keys.", self.database.display(), self.issuer)?;
        self.signing_keys.iter().try_for_each(|kid| writeln!(f, "Signing key {kid}"))
    }
}

/// Makes the database. The manifest is checked first, so that a mistake in it leaves nothing behind.
pub(super) async fn init(files: &Files) -> Result<Initialised, Failure> {
    let config = config::load(&files.manifest.config)?;
    make_private_dir(&files.data_dir)?;
    let path = database_path(&files.data_dir);
    let database = Database::create(&path)?;
    database.claim(config.url.as_str()).await?;
    Secrets::create(&database).await?;
    let changes = change::initialize(&database, &config.key_policy, Timestamp::now()).await?;
    settle(&database).await;
    let active = changes.iter().filter(|change| change.kind == ChangeKind::Activated);
    let signing_keys = active.map(|change| change.kid.to_string()).collect();
    Ok(Initialised { database: path, issuer: config.url.to_string(), signing_keys })
}

/// Readable by its owner only when it is made here; an existing directory keeps its mode.
fn make_private_dir(path: &Path) -> Result<(), Failure> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(DatabaseError::NoDirectory(path.to_owned()).into())
        }
        Err(source) => Err(DatabaseError::of_path(path, source).into()),
    }
}
