//! Security keys in software.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    sync::mpsc::Receiver,
    time::Duration,
};

use crate::{
    binaries,
    pki::KeyPairFiles,
    process::{Process, tied},
    wait::PATIENCE,
};

/// How a key behaves.
#[derive(Debug, Clone, Default)]
pub struct KeyOptions {
    /// Wait for [`VirtualKey::touch`] instead of touching itself.
    pub manual_touch: bool,
    /// Do not prove the maker.
    pub unattested: bool,
    /// Further options of the program.
    pub further: Vec<String>,
}

/// A key that is plugged in, or lies beside the computer.
#[derive(Debug)]
pub struct VirtualKey {
    name: String,
    folder: PathBuf,
    attestation: Option<KeyPairFiles>,
    options: KeyOptions,
    running: Option<(Process, Receiver<String>)>,
}

impl VirtualKey {
    /// A new key, plugged in.
    #[must_use]
    pub fn plug_in(folder: &Path, name: &str, attestation: Option<KeyPairFiles>, options: KeyOptions) -> Self {
        let mut key = Self { name: name.to_owned(), folder: folder.to_owned(), attestation, options, running: None };
        key.insert();
        key
    }

    /// Its socket, for `VFIDO_SOCKETS`.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.join(format!("{}.sock", self.name))
    }

    /// Its flash memory.
    #[must_use]
    pub fn flash(&self) -> PathBuf {
        self.folder.join(format!("{}.flash", self.name))
    }

    /// The library to preload.
    #[must_use]
    pub fn preload(folder: &Path) -> PathBuf {
        folder.join("preload.so")
    }

    /// Plugs it in again, with all that it holds.
    ///
    /// # Panics
    /// When it does not start.
    pub fn insert(&mut self) {
        let mut command = tied(binaries::virtual_key());
        command.arg("--exit-with-stdin");
        command.arg("--socket").arg(self.socket());
        command.arg("--state").arg(self.flash());
        command.arg("--write-preload").arg(Self::preload(&self.folder));
        if self.options.manual_touch {
            command.args(["--touch", "manual"]);
        }
        if let Some(files) = self.attestation.as_ref().filter(|_| !self.options.unattested) {
            command.arg("--attestation-cert").arg(&files.certificate).arg("--attestation-key").arg(&files.key);
        }
        command.args(&self.options.further);
        let mut process = Process::start(&mut command, &self.folder.join(format!("{}.log", self.name)));
        let events = process.lines();
        self.running = Some((process, events));
        self.expect("ready");
    }

    /// How it behaves from the next [`VirtualKey::insert`] on.
    pub fn behave(&mut self, options: KeyOptions) {
        self.options = options;
    }

    /// Pulls it out.
    pub fn pull_out(&mut self) {
        self.running = None;
        let _ = std::fs::remove_file(self.socket());
    }

    /// Waits until it blinks.
    ///
    /// # Panics
    /// When it does something else, or nothing.
    pub fn wait_for_blinking(&self) {
        self.expect("touch?");
    }

    /// Puts a finger on it.
    ///
    /// # Panics
    /// When it is not plugged in.
    pub fn touch(&mut self) {
        let (process, _) = self.running.as_mut().expect("the key is plugged in");
        writeln!(process.stdin(), "touch").expect("the key hears");
        self.expect("touched");
    }

    /// How often it was touched since the last time this was asked.
    #[must_use]
    pub fn touches(&self) -> usize {
        let events = self.running.iter().flat_map(|(_, events)| events.try_iter());
        events.filter(|event| event == "touched").count()
    }

    fn expect(&self, event: &str) {
        let (_, events) = self.running.as_ref().expect("the key is plugged in");
        let bound: Duration = PATIENCE;
        assert_eq!(events.recv_timeout(bound).as_deref(), Ok(event), "what {} said", self.name);
    }
}
