//! What an issuer is surrounded by, wherever it runs: AWS, certificate authorities, security keys and people.

use std::{
    fs,
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
    issuer::Invite,
    manifest::ISSUER_HOST,
    pki::{AAGUID, Authority, KeyPairFiles},
    standin::StandIn,
    virtual_key::{KeyOptions, VirtualKey},
    wait::PATIENCE,
};

/// Everything of a world but the issuer, in a temporary folder: AWS, authorities, and what people need. Dropping it ends
/// every process and removes the folder.
///
/// Fields are dropped from top to bottom: programs before the folder they write to.
#[derive(Debug)]
pub struct Scenery {
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

impl Scenery {
    /// Starts the stand-in, and makes the authorities of issuer and keys.
    ///
    /// # Panics
    /// When anything does not start.
    #[must_use]
    pub fn new() -> Self {
        Self::following(Vec::new())
    }

    /// The same, with people who follow another clock. The stand-in has a knob for that.
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

    /// The root certificate that the issuer's certificate leads to (PEM).
    #[must_use]
    pub fn issuers_root(&self) -> String {
        self.authority.pem()
    }

    /// The certificate of the issuer.
    #[must_use]
    pub fn issuers_certificate(&self) -> KeyPairFiles {
        self.authority.server(self.folder(), "tls", ISSUER_HOST)
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

    /// A person who has enrolled a key by an invite and is signed in, and the key.
    #[must_use]
    pub fn signed_in_by(&self, invite: &Invite) -> (Developer, VirtualKey) {
        let name = invite.email.split('@').next().unwrap_or_default();
        let key = self.key(&format!("key-of-{name}"));
        let mut developer = self.developer(name);
        developer.insert(&key);
        developer.enroll(invite);
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

impl Default for Scenery {
    fn default() -> Self {
        Self::new()
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
