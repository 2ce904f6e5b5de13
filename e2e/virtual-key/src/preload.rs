//! The library for `LD_PRELOAD`, carried inside the binary so that the two always fit.

use std::{fs, path::Path};

use crate::error::Error;

const LIBRARY: &[u8] = include_bytes!(env!("PRELOAD_LIBRARY"));

/// Writes the library; a program that has an older copy of the file loaded keeps that copy.
///
/// # Errors
/// When the file cannot be written.
pub fn write(file: &Path) -> Result<(), Error> {
    let failed = |source| Error::Write { path: file.to_owned(), source };
    let mut temporary = file.as_os_str().to_owned();
    temporary.push(format!(".{}", std::process::id()));
    fs::write(&temporary, LIBRARY).map_err(failed)?;
    fs::rename(&temporary, file).map_err(failed)
}
