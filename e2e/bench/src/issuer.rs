//! The real issuer, and the place where it runs alone on a database of its own.

use std::{
    fs::File,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde::Deserialize;
use tempfile::TempDir;
use vouch_issuer::http::private::READYZ;

use crate::{
    BenchError,
    http::{Connection, connect, get},
    measure::{command_cpu, resident_mib},
    process::{Background, program, tied, until},
    tls::Certificate,
};

/// The issuer of every row.
pub const ISSUER_URL: &str = "https://vouch.example.com";

/// Of every [`MANIFEST`].
pub const NAME: &str = "vouch";

/// One client and one person make all the requests, and are not held up. No account is governed.
pub const MANIFEST: &str = "\
apiVersion: vouch.sh/v1alpha1
kind: VouchIssuer
metadata: {name: vouch}
spec:
  url: https://vouch.example.com
  organization: {name: Example, emailDomains: [example.com]}
  rateLimits:
    perClient: {requestsPerMinute: 1000000, burst: 1000000}
    perUser: {requestsPerMinute: 1000000, burst: 1000000}
";

/// A manifest and a database, and nobody who serves them.
#[derive(Debug)]
pub struct Place(TempDir);

impl Place {
    /// Made by `vouch-issuer init`.
    ///
    /// # Errors
    /// When the program is not there or fails.
    pub fn initialised() -> Result<Self, BenchError> {
        let folder = tempfile::tempdir().map_err(BenchError::failed("making a folder"))?;
        let place = Self(folder);
        std::fs::write(place.manifest(), MANIFEST).map_err(BenchError::failed("writing a manifest"))?;
        let mut init = Command::new(program("vouch-issuer")?);
        command_cpu(init.arg("init").arg("-f").arg(place.manifest()).arg("--data-dir").arg(place.data()), 1)?;
        Ok(place)
    }

    /// A folder for more.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.0.path()
    }

    /// The manifest.
    #[must_use]
    pub fn manifest(&self) -> PathBuf {
        self.0.path().join("issuer.yaml")
    }

    /// The database.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.data().join("issuer.db")
    }

    fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }

    /// Serves, over TLS when there is a certificate. Returns when it accepts connections.
    ///
    /// # Errors
    /// When it does not start.
    pub fn serve(&self, tls: Option<&Certificate>) -> Result<Running<'_>, BenchError> {
        Running::start(&self.0, self.folder(), |command| {
            command.arg("-f").arg(self.manifest()).arg("--data-dir").arg(self.data());
            if let Some(tls) = tls {
                command.arg("--tls-cert").arg(&tls.certificate).arg("--tls-key").arg(&tls.key);
            }
        })
    }
}

#[derive(Deserialize)]
struct Listeners {
    public: SocketAddr,
    private: SocketAddr,
}

/// An issuer that serves.
#[derive(Debug)]
pub struct Running<'a> {
    process: Background,
    /// The public listener.
    pub address: SocketAddr,
    private: SocketAddr,
    _home: &'a TempDir,
}

impl<'a> Running<'a> {
    /// Serves on the loopback what `options` say, with the audit trail in a file of `folder`, which is in `home`. Returns
    /// when it accepts connections.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(home: &'a TempDir, folder: &Path, options: impl FnOnce(&mut Command)) -> Result<Self, BenchError> {
        let ready = folder.join("ready.json");
        if ready.exists() {
            // Of an earlier start.
            std::fs::remove_file(&ready).map_err(BenchError::failed("removing a file"))?;
        }
        let file = |name: &str| File::create(folder.join(name)).map_err(BenchError::failed("making a file"));
        let mut command = tied(program("vouch-issuer")?);
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--private-listen", "127.0.0.1:0", "--ready-file"])
            .arg(&ready);
        options(&mut command);
        command.stdin(Stdio::null()).stdout(file("audit.jsonl")?).stderr(file("issuer.log")?);
        let mut process = Background::start(&mut command)?;
        let listeners: Listeners = until("starting the issuer", || {
            if let Some(status) = process.ended() {
                let log = std::fs::read_to_string(folder.join("issuer.log")).unwrap_or_default();
                return Err(BenchError::Subject { what: "the issuer", reason: format!("{status}: {log}") });
            }
            Ok(std::fs::read(&ready).ok().and_then(|json| serde_json::from_slice(&json).ok()))
        })?;
        Ok(Self { process, address: listeners.public, private: listeners.private, _home: home })
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Returns when it says that it is ready.
    ///
    /// # Errors
    /// When it never is.
    pub fn ready(&self) -> Result<(), BenchError> {
        let mut connection = Connection::new(connect(self.private)?);
        until("waiting for the issuer to be ready", || {
            connection.send(&get(READYZ))?;
            Ok((connection.receive()?.status == 200).then_some(()))
        })
    }

    /// Its resident memory, in MiB.
    ///
    /// # Errors
    /// When it has ended.
    pub fn resident_mib(&self) -> Result<f64, BenchError> {
        Ok(resident_mib(self.id())?)
    }
}
