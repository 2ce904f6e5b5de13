//! The command line.

use std::{path::PathBuf, time::Duration};

use clap::{Parser, ValueEnum};

use crate::{attestation::Attestation, error::Error, fault::Fault, touch::TouchMode};

/// A FIDO2 security key in software.
///
/// Put it under a program like this:
///
///   virtual-key --socket /tmp/key0 --write-preload /tmp/preload.so &
///   LD_PRELOAD=/tmp/preload.so VFIDO_SOCKETS=/tmp/key0 PROGRAM
///
/// VFIDO_SOCKETS takes several sockets, separated by colons: several keys are plugged in. VFIDO_DENY=1 refuses to open
/// them, as udev does for a user without permission. VFIDO_IDS=VENDOR:PRODUCT:NAME changes what the USB device is called.
///
/// On stdout it says `ready` when it is plugged in, `touch?` when it begins to blink, `touched` when it was touched,
/// `not blinking` when a touch came to nothing. On stdin it takes `touch` and `quit`. Ending it is pulling the key out; with --state it can be plugged in again.
#[derive(Debug, Parser)]
#[command(version, verbatim_doc_comment)]
pub struct Options {
    /// Where to plug it in: a path for a unix socket (at most 107 bytes).
    #[arg(long, value_name = "PATH")]
    pub socket: PathBuf,

    /// Write the library for LD_PRELOAD to this file.
    #[arg(long, value_name = "FILE")]
    pub write_preload: Option<PathBuf>,

    /// The attestation certificate (PEM). The key's AAGUID is the one in its extension 1.3.6.1.4.1.45724.1.1.4. Without
    /// it the key attests itself, with an AAGUID that belongs to no maker.
    #[arg(long, value_name = "FILE", requires = "attestation_key")]
    pub attestation_cert: Option<PathBuf>,

    /// The attestation key (P-256, PKCS#8 PEM).
    #[arg(long, value_name = "FILE", requires = "attestation_cert")]
    pub attestation_key: Option<PathBuf>,

    /// Whether the key touches itself, or waits for `touch` on stdin.
    #[arg(long, value_enum, default_value_t = TouchOption::Auto)]
    pub touch: TouchOption,

    /// How long the key blinks before it touches itself.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub touch_delay_ms: u64,

    /// How long the key blinks before it gives up.
    #[arg(long, value_name = "MS", default_value_t = 30_000)]
    pub up_timeout_ms: u32,

    /// Keep the flash memory in this file, so that the key survives being unplugged. Without it, it is new every time.
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,

    /// How many resident credentials fit.
    #[arg(long, value_name = "N", default_value_t = 25)]
    pub max_resident: u32,

    /// Refuse a second program with CHANNEL_BUSY, as hardware does, instead of making it wait.
    #[arg(long)]
    pub busy: bool,

    /// Be at fault, and sign for it: drop-uv (says it did not verify its user), drop-cred-protect (makes credentials
    /// without that protection), counter=N, rp-id=HOST (says it was asked for another relying party), user-handle=HEX
    /// (names another user; nobody when empty). May be given several times. Only the first of several accounts is
    /// affected.
    #[arg(long = "fault", value_name = "FAULT")]
    pub faults: Vec<Fault>,

    /// Unplug when stdin ends: a test that dies takes the key with it.
    #[arg(long)]
    pub exit_with_stdin: bool,
}

/// Who touches the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TouchOption {
    /// The key itself, after the delay.
    Auto,
    /// Whoever writes `touch` to stdin.
    Manual,
}

impl Options {
    /// Reads the attestation files, when there are any.
    pub(crate) fn attestation(&self) -> Result<Option<Attestation>, Error> {
        self.attestation_cert
            .as_deref()
            .zip(self.attestation_key.as_deref())
            .map(|(certificate, key)| Attestation::read(certificate, key))
            .transpose()
    }

    pub(crate) fn touch_mode(&self) -> TouchMode {
        match self.touch {
            TouchOption::Auto => TouchMode::After(Duration::from_millis(self.touch_delay_ms)),
            TouchOption::Manual => TouchMode::Manual,
        }
    }
}
