//! Everything at once: the stand-in, the issuer behind it, keys and people.

use std::{
    fs,
    net::SocketAddr,
    ops::{Deref, DerefMut},
    path::{Path, PathBuf},
};

use reqwest::{
    Certificate, Proxy,
    blocking::{Client, ClientBuilder},
};
use tempfile::TempDir;

use crate::{
    clock::Clock,
    cloud::Cloud,
    developer::Developer,
    issuer::Issuer,
    manifest::{ISSUER_HOST, Manifest},
    pki::{AAGUID, Authority, KeyPairFiles},
    standin::StandIn,
    virtual_key::{KeyOptions, VirtualKey},
    wait::PATIENCE,
};

/// A world in a temporary folder whose issuer is not configured yet. Dropping it ends every process and removes the
/// folder.
///
/// Fields are dropped from top to bottom: programs before the folder they write to.
#[derive(Debug)]
pub struct Prepared {
    /// The issuer.
    pub issuer: Issuer,
    /// AWS.
    pub cloud: Cloud,
    makers_root: String,
    /// Signs for every host that people's machines trust.
    authority: Authority,
    attestation: KeyPairFiles,
    environment: Vec<(String, String)>,
    /// What lets people's programs follow another clock.
    clock: Vec<(String, String)>,
    bundle: PathBuf,
    folder: TempDir,
}

impl Prepared {
    /// Starts the stand-in, and makes the authorities of issuer and keys.
    ///
    /// # Panics
    /// When anything does not start.
    #[must_use]
    pub fn new() -> Self {
        Self::following(Vec::new())
    }

    /// The same, with an issuer and people who follow another clock. The stand-in has a knob for that.
    #[must_use]
    pub fn at(clock: &Clock) -> Self {
        Self::following(clock.environment())
    }

    fn following(clock: Vec<(String, String)>) -> Self {
        install_crypto_provider();
        let folder = tempfile::Builder::new().prefix("vouch-").tempdir().unwrap();
        let path = folder.path();
        let makers = Authority::new("Virtual Key Root");
        let authority = Authority::new("Example Inc Root");
        let issuer_ca = path.join("issuer-ca.pem");
        fs::write(&issuer_ca, authority.pem()).unwrap();
        let standin = StandIn::start(path, &issuer_ca);
        let bundle = path.join("ca-bundle.pem");
        fs::write(&bundle, authority.pem() + &fs::read_to_string(standin.ca()).unwrap()).unwrap();
        let environment = environment(standin.proxy(), &bundle);
        Self {
            issuer: Issuer::new(path, authority.server(path, "tls", ISSUER_HOST), clock.clone()),
            cloud: Cloud::new(standin, environment.clone()),
            attestation: makers.attestation(path, AAGUID),
            makers_root: makers.pem(),
            authority,
            environment,
            clock,
            bundle,
            folder,
        }
    }

    /// The root certificate of those who make the virtual keys (PEM).
    #[must_use]
    pub fn makers_root(&self) -> &str {
        &self.makers_root
    }

    /// A certificate for a host, as an authority that people's machines trust would give it to the host's owner.
    #[must_use]
    pub fn certificate_for(&self, host: &str) -> KeyPairFiles {
        self.authority.server(self.folder(), &format!("tls-of-{host}"), host)
    }

    /// The temporary folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts the issuer, for the first time or again, under its host name.
    pub fn start_issuer(&mut self) {
        let public: SocketAddr = self.issuer.start().public;
        self.cloud.standin.route(ISSUER_HOST, public);
    }

    /// A person at a machine of their own.
    #[must_use]
    pub fn developer(&self, name: &str) -> Developer {
        let home = self.folder().join(name);
        let environment = self.environment.iter().chain(&self.clock).cloned().collect();
        Developer::new(home, VirtualKey::preload(self.folder()), environment)
    }

    /// A new security key that behaves in its own way.
    #[must_use]
    pub fn key_with(&self, name: &str, options: KeyOptions) -> VirtualKey {
        VirtualKey::plug_in(self.folder(), name, Some(self.attestation.clone()), options)
    }

    /// A new security key.
    #[must_use]
    pub fn key(&self, name: &str) -> VirtualKey {
        self.key_with(name, KeyOptions::default())
    }
    /// A person who has enrolled a key and is signed in, and the key.
    #[must_use]
    pub fn signed_in(&self, name: &str) -> (Developer, VirtualKey) {
        let key = self.key(&format!("key-of-{name}"));
        let mut developer = self.developer(name);
        developer.insert(&key);
        developer.enroll(&self.issuer.invite(&format!("{name}@example.com")));
        developer.login();
        (developer, key)
    }

    /// An HTTP client that reaches the issuer and AWS as everybody here does.
    ///
    /// # Panics
    /// When the proxy is no URL.
    #[must_use]
    pub fn http(&self) -> Client {
        let builder = self.trusting(Client::builder()).timeout(PATIENCE);
        builder.proxy(Proxy::all(self.cloud.standin.proxy()).unwrap()).build().unwrap()
    }

    /// Makes an HTTP client trust what people's machines trust.
    pub(crate) fn trusting(&self, client: ClientBuilder) -> ClientBuilder {
        let roots = Certificate::from_pem_bundle(&fs::read(&self.bundle).unwrap()).unwrap();
        roots.into_iter().fold(client, ClientBuilder::add_root_certificate)
    }
}

impl Default for Prepared {
    fn default() -> Self {
        Self::new()
    }
}

/// The example organisation, whose issuer runs.
#[derive(Debug)]
pub struct World(Prepared);

impl World {
    /// No account is governed, and none has anything in it.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(|_| {})
    }

    /// The same, with changes to its manifests.
    ///
    /// # Panics
    /// When anything does not start.
    #[must_use]
    pub fn start_with(change: impl FnOnce(&mut Manifest)) -> Self {
        Self::start_prepared(Prepared::new(), change)
    }

    /// The same, in a world that was prepared otherwise.
    ///
    /// # Panics
    /// When the issuer does not start.
    #[must_use]
    pub fn start_prepared(mut prepared: Prepared, change: impl FnOnce(&mut Manifest)) -> Self {
        let mut manifest = Manifest::example(prepared.makers_root());
        change(&mut manifest);
        prepared.issuer.write(&manifest);
        let _ = prepared.issuer.initialise().succeeded();
        prepared.start_issuer();
        Self(prepared)
    }
}

impl World {
    /// Starts the issuer again after it was stopped or killed.
    pub fn restart_issuer(&mut self) {
        self.start_issuer();
    }
}

impl Deref for World {
    type Target = Prepared;

    fn deref(&self) -> &Prepared {
        &self.0
    }
}

impl DerefMut for World {
    fn deref_mut(&mut self) -> &mut Prepared {
        &mut self.0
    }
}

/// What leads a program to this world, and nothing else of the machine's environment but where programs are.
fn environment(proxy: &str, bundle: &Path) -> Vec<(String, String)> {
    let bundle = bundle.display().to_string();
    let system = std::env::var("PATH").unwrap_or_else(|_| "/usr/bin:/bin".to_owned());
    let programs = format!("{}:{system}", crate::binaries::folder().display());
    [
        ("PATH", programs.as_str()),
        ("LANG", "C.UTF-8"),
        ("TERM", "xterm"),
        ("NO_COLOR", "1"),
        ("TZ", "UTC"),
        ("HTTPS_PROXY", proxy),
        ("VOUCH_CA_BUNDLE", &bundle),
        ("AWS_CA_BUNDLE", &bundle),
        ("AWS_REGION", "us-east-1"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_PAGER", ""),
        ("PYTHONDONTWRITEBYTECODE", "1"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// TLS clients of this process use aws-lc-rs, as the product does.
pub(crate) fn install_crypto_provider() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}
