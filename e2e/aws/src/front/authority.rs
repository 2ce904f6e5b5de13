//! The certificate authority that lets the stand-in answer as `sts.amazonaws.com`.
//!
//! It lives in the state folder, so that a client that trusts `ca.pem` keeps trusting it over restarts. Certificates
//! are minted when a client first names a host, and only for hosts of AWS.

use std::collections::HashMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::endpoint::is_aws_host;

const CERTIFICATE_FILE: &str = "ca.pem";
const KEY_FILE: &str = "ca-key.pem";

/// Why the authority is not available.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// A file of the state folder cannot be read or written.
    #[error("cannot use {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The key or a certificate could not be made.
    #[error("cannot make a certificate: {0}; remove the state folder to start with a new authority")]
    Certificate(#[from] rcgen::Error),
}

/// Mints certificates for AWS host names.
pub struct Authority {
    path: PathBuf,
    issuer: Issuer<'static, KeyPair>,
    minted: Mutex<HashMap<String, Arc<CertifiedKey>>>,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Authority").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Authority {
    /// Reads the authority of a state folder, or creates folder and authority.
    ///
    /// # Errors
    /// When a file cannot be read or written, or the key in it is unusable.
    pub fn open(folder: &Path) -> Result<Self, AuthorityError> {
        let at = |path: &Path| {
            let path = path.to_owned();
            move |source| AuthorityError::File { path, source }
        };
        fs::create_dir_all(folder).map_err(at(folder))?;
        let (path, key_path) = (folder.join(CERTIFICATE_FILE), folder.join(KEY_FILE));
        let params = authority_params()?;
        let key = if key_path.exists() && path.exists() {
            KeyPair::from_pem(&fs::read_to_string(&key_path).map_err(at(&key_path))?)?
        } else {
            let key = KeyPair::generate()?;
            let mut file = fs::OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&key_path)
                .map_err(at(&key_path))?;
            file.write_all(key.serialize_pem().as_bytes()).map_err(at(&key_path))?;
            fs::write(&path, params.self_signed(&key)?.pem()).map_err(at(&path))?;
            key
        };
        Ok(Self { path, issuer: Issuer::new(params, key), minted: Mutex::new(HashMap::new()) })
    }

    /// The file that a client must trust (`AWS_CA_BUNDLE`).
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn certificate_for(&self, host: &str) -> Option<Arc<CertifiedKey>> {
        let mut minted = self.minted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(certificate) = minted.get(host) {
            return Some(Arc::clone(certificate));
        }
        let certificate = match self.mint(host) {
            Ok(certificate) => Arc::new(certificate),
            Err(error) => {
                tracing::error!(host, %error, "cannot mint a certificate");
                return None;
            }
        };
        minted.insert(host.to_owned(), Arc::clone(&certificate));
        Some(certificate)
    }

    fn mint(&self, host: &str) -> Result<CertifiedKey, MintError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(vec![host.to_owned()])?;
        params.distinguished_name.push(DnType::CommonName, host);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        let certificate: CertificateDer<'static> = params.signed_by(&key, &self.issuer)?.der().clone();
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let signer = rustls::crypto::aws_lc_rs::sign::any_supported_type(&private)?;
        Ok(CertifiedKey::new(vec![certificate], signer))
    }
}

#[derive(Debug, thiserror::Error)]
enum MintError {
    #[error(transparent)]
    Certificate(#[from] rcgen::Error),
    #[error(transparent)]
    Key(#[from] rustls::Error),
}

impl ResolvesServerCert for Authority {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let host = hello.server_name()?.to_ascii_lowercase();
        is_aws_host(&host).then(|| self.certificate_for(&host))?
    }
}

fn authority_params() -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, "AWS stand-in test authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    Ok(params)
}
