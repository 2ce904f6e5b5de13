//! The agent's log: one file of bounded size, and the one before it. It never holds a secret: nothing of ours that
//! holds one has a `Debug` that shows it, and libraries, which log what they send and receive, may only warn.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Mutex,
};

use tracing::{Level, Metadata};
use tracing_subscriber::{EnvFilter, filter::filter_fn, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::env;

/// Then the file is put aside and a new one begun.
const LARGEST: u64 = 1024 * 1024;

/// Sends log lines to `agent.log` in `folder`, or to stderr.
///
/// # Errors
/// When the file cannot be opened.
pub fn begin(folder: Option<&Path>) -> io::Result<()> {
    let filter = env::VOUCH_LOG.text().and_then(|text| text.parse().ok()).unwrap_or_else(|| EnvFilter::new("info"));
    // A line that cannot be written, on a full disk, is dropped: complaining on a stderr nobody reads would be a fault, and
    // the fault would wait for the log that is being written.
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_target(false)
        .log_internal_errors(false);
    // A second start in one process (tests) keeps the first log.
    let _first = match folder {
        Some(folder) => {
            let file = BoundedFile::open(folder.join("agent.log"), LARGEST)?;
            lines.with_writer(Mutex::new(file)).finish().with(filter_fn(harmless)).try_init()
        }
        None => lines.with_writer(io::stderr).finish().with(filter_fn(harmless)).try_init(),
    };
    // The default hook would write to a stderr nobody reads.
    std::panic::set_hook(Box::new(|fault| tracing::error!("fault: {fault}")));
    Ok(())
}

/// Whether a line is ours, or a warning: at finer levels the AWS SDK prints credentials, and HTTP libraries headers.
fn harmless(line: &Metadata<'_>) -> bool {
    line.target().starts_with("vouch") || *line.level() <= Level::WARN
}

/// A file that starts anew when it has become large.
#[derive(Debug)]
struct BoundedFile {
    path: PathBuf,
    file: File,
    size: u64,
    largest: u64,
}

impl BoundedFile {
    fn open(path: PathBuf, largest: u64) -> io::Result<Self> {
        let file = File::options().create(true).append(true).mode(0o600).open(&path)?;
        let size = file.metadata()?.len();
        Ok(Self { path, file, size, largest })
    }

    fn put_aside(&mut self) -> io::Result<()> {
        fs::rename(&self.path, self.path.with_extension("log.1"))?;
        *self = Self::open(self.path.clone(), self.largest)?;
        Ok(())
    }
}

impl Write for BoundedFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.size >= self.largest {
            self.put_aside()?;
        }
        let written = self.file.write(line)?;
        self.size += u64::try_from(written).unwrap_or(0);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn two_files_of_bounded_size_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = BoundedFile::open(folder.path().join("agent.log"), 100).unwrap();
        for number in 0..100 {
            writeln!(file, "line {number:03}").unwrap();
        }
        let size = |name: &str| fs::metadata(folder.path().join(name)).unwrap().len();
        assert!(size("agent.log") <= 110 && size("agent.log.1") <= 110);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
        assert!(fs::read_to_string(folder.path().join("agent.log")).unwrap().ends_with("line 099\n"));
    }

    #[test]
    fn a_log_is_for_its_owner_alone_and_continued() {
        use std::os::unix::fs::MetadataExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.log");
        for _ in 0..2 {
            writeln!(BoundedFile::open(path.clone(), 100).unwrap(), "x").unwrap();
        }
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_to_string(&path).unwrap(), "x\nx\n");
    }
}
