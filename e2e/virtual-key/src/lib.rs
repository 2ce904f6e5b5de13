//! A FIDO2 security key in software, for tests of unmodified clients.
//!
//! The CTAP2 side is real firmware (`fido-authenticator`); this crate adds what a USB stack would: CTAPHID framing on a
//! packet socket where one packet is one HID report. A library preloaded into the client (`preload/hidraw.c`) makes the
//! socket look like `/dev/hidraw*`, so the client is the very binary that people run.
//!
//! It must never stand in for a client's own checks: it says only what a hardware key would say, or, told to be at fault,
//! what a faulty one would.

pub mod attestation;
pub mod connection;
pub mod control;
pub mod error;
pub mod fault;
pub mod firmware;
mod forgery;
pub mod hid;
pub mod options;
pub mod preload;
pub mod touch;

use std::sync::Arc;

use crate::{
    connection::Listener,
    error::Error,
    firmware::{Firmware, FirmwareConfig},
    options::Options,
    touch::Touch,
};

/// Plugs the key in and runs until `quit`, or forever.
///
/// # Errors
/// When an option names a file that cannot be read or written, or the socket cannot be bound.
pub fn run(options: &Options) -> Result<(), Error> {
    if let Some(file) = &options.write_preload {
        preload::write(file)?;
    }
    let attestation = options.attestation()?;
    let touch = Arc::new(Touch::new(options.touch_mode()));
    let (firmware, requests) = Firmware::new(Arc::clone(&touch));
    let listener = Listener::bind(&options.socket)?;
    control::follow_stdin(Arc::clone(&touch), options.exit_with_stdin);
    listener.accept_in_background(Arc::new(firmware), options.busy);
    let config = FirmwareConfig {
        attestation,
        state_file: options.state.clone(),
        max_resident: options.max_resident,
        touch_timeout_ms: options.up_timeout_ms,
        faults: options.faults.clone(),
    };
    firmware::serve(&config, &touch, &requests, || control::say("ready"))
}
