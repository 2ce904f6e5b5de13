//! TLS from a certificate file and a key file, read again when they change.
//!
//! Files that cannot be taken (half written, a key of another certificate) never replace the pair in use.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use axum_server::tls_rustls::RustlsConfig;
use rustls::{
    CertificateError, ServerConfig, client::verify_server_name, crypto::aws_lc_rs, server::ParsedCertificate,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use zeroize::Zeroizing;

use crate::{config::Config, state::SharedIssuer};

/// How often the files are looked at. A certificate lives for weeks; a mounted Secret follows within a minute anyway.
const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// The two files.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The chain in PEM, the server's own certificate first.
    pub certificate: PathBuf,
    /// The private key in PEM.
    pub key: PathBuf,
}

/// Why a pair of files cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("the TLS file {} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// Not PEM, or nothing in it.
    #[error("{} holds no {what} in PEM form", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
    },
    /// They do not belong together.
    #[error(
        "{} is not the key of the certificate in {}; name the pair that was made together",
        key.display(),
        certificate.display()
    )]
    Mismatch {
        /// The chain.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
    },
    /// One is of a kind that TLS does not use.
    #[error("certificate {} and key {} cannot be used together", certificate.display(), key.display())]
    Pair {
        /// The chain.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
        /// Why not.
        #[source]
        source: rustls::Error,
    },
}

/// The bytes of both files, to see whether they changed.
#[derive(PartialEq, Eq)]
struct Pair {
    certificate: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
}

impl TlsFiles {
    async fn read(&self) -> Result<Pair, TlsError> {
        let read = async |path: &Path| {
            tokio::fs::read(path).await.map_err(|source| TlsError::Read { path: path.to_owned(), source })
        };
        Ok(Pair { certificate: read(&self.certificate).await?, key: Zeroizing::new(read(&self.key).await?) })
    }

    fn config(&self, pair: &Pair) -> Result<Arc<ServerConfig>, TlsError> {
        let no_pem = |path: &Path, what| TlsError::Pem { path: path.to_owned(), what };
        let chain = CertificateDer::pem_slice_iter(&pair.certificate)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| no_pem(&self.certificate, "certificate"))?;
        if chain.is_empty() {
            return Err(no_pem(&self.certificate, "certificate"));
        }
        let key = PrivateKeyDer::from_pem_slice(&pair.key).map_err(|_| no_pem(&self.key, "private key"))?;
        let unusable = |source| {
            let (certificate, key) = (self.certificate.clone(), self.key.clone());
            match source {
                rustls::Error::InconsistentKeys(_) => TlsError::Mismatch { certificate, key },
                source => TlsError::Pair { certificate, key, source },
            }
        };
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(unusable)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

/// The names of a certificate that a client refused because of them. rustls shows one as `DnsName("vouch.example.com")`.
pub(crate) fn presented_names(error: &CertificateError) -> Vec<&str> {
    let CertificateError::NotValidForNameContext { presented, .. } = error else { return Vec::new() };
    presented.iter().map(|name| name.split('"').nth(1).unwrap_or(name)).collect()
}

/// The names of the first certificate in a PEM file, when `host` is none of them.
fn names_without(host: &str, pem: &[u8]) -> Option<String> {
    let certificate = CertificateDer::pem_slice_iter(pem).next()?.ok()?;
    let (certificate, host) = (ParsedCertificate::try_from(&certificate).ok()?, ServerName::try_from(host).ok()?);
    let Err(rustls::Error::InvalidCertificate(error)) = verify_server_name(&certificate, &host) else { return None };
    let names = presented_names(&error);
    Some(if names.is_empty() { "no name in its subjectAltName".to_owned() } else { names.join(", ") })
}

/// A certificate in use and the files it came from.
pub struct Certificate {
    files: TlsFiles,
    /// What was tried last, taken or not: a bad pair is reported once.
    tried: Option<Pair>,
    serving: RustlsConfig,
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificate").field("files", &self.files).finish_non_exhaustive()
    }
}

impl Certificate {
    /// Reads the files for the first time.
    ///
    /// # Errors
    /// Every case of [`TlsError`]: without a certificate nothing is served.
    pub async fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let pair = files.read().await?;
        let serving = RustlsConfig::from_config(files.config(&pair)?);
        Ok(Self { files, tried: Some(pair), serving })
    }

    /// What the listener serves with; follows every later change.
    #[must_use]
    pub fn serving(&self) -> RustlsConfig {
        self.serving.clone()
    }

    /// Looks at the files. `Ok(true)`: a new pair is in use. `Ok(false)`: nothing new.
    async fn refresh(&mut self) -> Result<bool, TlsError> {
        let pair = match self.files.read().await {
            Ok(pair) => pair,
            Err(_) if self.tried.is_none() => return Ok(false),
            Err(error) => {
                self.tried = None;
                return Err(error);
            }
        };
        if self.tried.as_ref() == Some(&pair) {
            return Ok(false);
        }
        let config = self.files.config(&pair);
        self.tried = Some(pair);
        self.serving.reload_from_config(config?);
        Ok(true)
    }

    /// Points out a certificate that clients refuse, because it is not for the host of the issuer's URL. A proxy that is
    /// trusted ends TLS in front of this one, and knows best by what name it comes here.
    pub fn check_names(&self, config: &Config) {
        let host = config.url.host();
        let names = self.tried.as_ref().and_then(|pair| names_without(host, &pair.certificate));
        if let Some(names) = names.filter(|_| config.trusted_proxies.is_empty()) {
            tracing::warn!(
                "the certificate in {} is for {names}, and the host of spec.url is {host}: AWS and people's machines refuse \
                 it; get one with the subjectAltName DNS:{host}",
                self.files.certificate.display()
            );
        }
    }

    /// Follows the files until the process ends. Connections that are open keep the certificate they began with.
    pub async fn follow(mut self, issuer: SharedIssuer) {
        loop {
            tokio::time::sleep(POLL_INTERVAL).await;
            match self.refresh().await {
                Ok(false) => {}
                Ok(true) => {
                    issuer.metrics.certificate(true);
                    tracing::info!(certificate = %self.files.certificate.display(), "TLS certificate replaced");
                    self.check_names(&issuer.config.load());
                }
                Err(error) => {
                    issuer.metrics.certificate(false);
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(error, "TLS files refused; the previous certificate stays in use");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn write_pair(files: &TlsFiles) {
        let made = rcgen::generate_simple_self_signed(vec!["vouch.example.com".to_owned()]).unwrap();
        std::fs::write(&files.certificate, made.cert.pem()).unwrap();
        std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
    }

    fn files(dir: &tempfile::TempDir) -> TlsFiles {
        TlsFiles { certificate: dir.path().join("tls.crt"), key: dir.path().join("tls.key") }
    }

    #[tokio::test]
    async fn takes_a_new_pair_and_keeps_it_when_a_bad_one_follows() {
        let dir = tempfile::tempdir().unwrap();
        let files = files(&dir);
        write_pair(&files);
        let mut certificate = Certificate::load(files.clone()).await.unwrap();
        let first = certificate.serving().get_inner();
        assert!(!certificate.refresh().await.unwrap());

        write_pair(&files);
        assert!(certificate.refresh().await.unwrap());
        let second = certificate.serving().get_inner();
        assert!(!Arc::ptr_eq(&first, &second));

        std::fs::write(&files.certificate, "half a certificate").unwrap();
        assert!(matches!(certificate.refresh().await, Err(TlsError::Pem { .. })));
        assert!(!certificate.refresh().await.unwrap(), "a bad pair is reported once");
        assert!(Arc::ptr_eq(&second, &certificate.serving().get_inner()));
    }

    #[tokio::test]
    async fn refuses_a_key_of_another_certificate() {
        let dir = tempfile::tempdir().unwrap();
        let files = files(&dir);
        write_pair(&files);
        let other = rcgen::generate_simple_self_signed(vec!["vouch.example.com".to_owned()]).unwrap();
        std::fs::write(&files.key, other.signing_key.serialize_pem()).unwrap();
        assert!(matches!(Certificate::load(files).await, Err(TlsError::Mismatch { .. })));
    }

    #[test]
    fn a_certificate_is_for_a_host_that_one_of_its_names_covers() {
        let certificate = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
            rcgen::generate_simple_self_signed(names).unwrap().cert.pem()
        };
        let missing = |names: &[&str]| names_without("vouch.example.com", certificate(names).as_bytes());
        for names in [&["vouch.example.com"][..], &["*.example.com"], &["example.com", "vouch.example.com"]] {
            assert_eq!(missing(names), None, "{names:?}");
        }
        assert_eq!(missing(&["example.com", "*.example.org"]).unwrap(), "example.com, *.example.org");
        assert_eq!(missing(&[]).unwrap(), "no name in its subjectAltName");
    }

    #[tokio::test]
    async fn names_the_file_that_is_missing() {
        let dir = tempfile::tempdir().unwrap();
        let error = Certificate::load(files(&dir)).await.unwrap_err();
        assert!(error.to_string().contains("tls.crt"), "{error}");
    }
}
