//! Everything that all connections share.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use jiff::{SignedDuration, Timestamp};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::calls::CallLog;
use crate::knobs::Knobs;
use crate::web_identity::keys::KeySetCache;
use crate::world::World;

/// A root that the stand-in cannot trust.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the certificates of {path}: {reason}")]
pub struct TrustError {
    path: PathBuf,
    reason: String,
}

/// The shared state of one stand-in.
#[derive(Debug)]
pub struct Standin {
    world: Mutex<World>,
    knobs: Mutex<Knobs>,
    routes: RwLock<BTreeMap<String, SocketAddr>>,
    /// Roots trusted when an issuer's documents are read.
    pub(crate) roots: Vec<CertificateDer<'static>>,
    /// Key sets of issuers.
    pub(crate) key_sets: KeySetCache,
    calls: CallLog,
}

impl Standin {
    /// An empty AWS: no accounts, default knobs.
    ///
    /// # Errors
    /// When a file of roots cannot be read or holds no certificate.
    pub fn new(routes: impl IntoIterator<Item = (String, SocketAddr)>, trust: &[PathBuf]) -> Result<Self, TrustError> {
        let mut roots = Vec::new();
        for path in trust {
            roots.extend(read_roots(path)?);
        }
        Ok(Self {
            world: Mutex::default(),
            knobs: Mutex::default(),
            routes: RwLock::new(routes.into_iter().collect()),
            roots,
            key_sets: KeySetCache::default(),
            calls: CallLog::default(),
        })
    }

    /// The time by this stand-in's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let offset = SignedDuration::from_secs(self.knobs().clock_offset_seconds);
        Timestamp::now().checked_add(offset).unwrap_or(Timestamp::MAX)
    }

    /// The state of all accounts. Never held over an await.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The knobs. Never held over an await.
    pub fn knobs(&self) -> MutexGuard<'_, Knobs> {
        self.knobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was called.
    #[must_use]
    pub fn calls(&self) -> &CallLog {
        &self.calls
    }

    /// Where a host is reached on this machine.
    #[must_use]
    pub fn route(&self, host: &str) -> Option<SocketAddr> {
        self.routes.read().unwrap_or_else(PoisonError::into_inner).get(&host.to_ascii_lowercase()).copied()
    }

    /// Adds routes, replacing those of the same hosts.
    pub fn add_routes(&self, routes: impl IntoIterator<Item = (String, SocketAddr)>) {
        let routes = routes.into_iter().map(|(host, address)| (host.to_ascii_lowercase(), address));
        self.routes.write().unwrap_or_else(PoisonError::into_inner).extend(routes);
    }
}

fn read_roots(path: &Path) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let failed = |reason: String| TrustError { path: path.to_owned(), reason };
    let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
        .map_err(|error| failed(error.to_string()))?
        .collect::<Result<_, _>>()
        .map_err(|error| failed(error.to_string()))?;
    if certificates.is_empty() { Err(failed("there is no certificate in it".to_owned())) } else { Ok(certificates) }
}
