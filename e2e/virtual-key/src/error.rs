//! Why the key cannot be plugged in.

use std::path::PathBuf;

/// A failure at start; once it runs, the key answers everything in CTAP.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file named on the command line.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The preload library.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The certificate file holds something else.
    #[error("{} is not a certificate in PEM", path.display())]
    NotACertificate {
        /// The file.
        path: PathBuf,
    },
    /// The key file holds something else.
    #[error("{} is not a P-256 key in PKCS#8 PEM", path.display())]
    NotAKey {
        /// The file.
        path: PathBuf,
    },
    /// The socket.
    #[error("cannot listen on {}: {source}", path.display())]
    Listen {
        /// The socket's path.
        path: PathBuf,
        /// What the system said.
        source: rustix::io::Errno,
    },
    /// The simulated flash memory.
    #[error("the flash memory does not take {what}: {reason}")]
    Flash {
        /// What was to be stored.
        what: &'static str,
        /// The firmware's words.
        reason: String,
    },
    /// The firmware's message pipe.
    #[error("the firmware did not start")]
    Firmware,
    /// The system has no randomness to give.
    #[error("no randomness: {0}")]
    Random(getrandom::Error),
}
