//! Which certificates of an issuer AWS accepts: those of a trusted root, else those with a registered thumbprint.

use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::wire::encoding::hex;

/// What a handshake showed.
#[derive(Debug, Default)]
pub struct Seen(Mutex<Chain>);

#[derive(Debug, Default)]
struct Chain {
    thumbprints: Vec<String>,
    mismatch: bool,
}

impl Seen {
    /// Thumbprint of the last certificate sent.
    #[must_use]
    pub fn last_thumbprint(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).thumbprints.last().cloned()
    }

    /// Whether the handshake failed because nothing vouches for the certificate.
    #[must_use]
    pub fn is_mismatch(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).mismatch
    }
}

/// TLS that accepts the issuer's certificate as AWS would.
pub(super) fn client_config(
    roots: &[CertificateDer<'static>],
    thumbprints: &[String],
    seen: Arc<Seen>,
) -> Result<ClientConfig, Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(roots.iter().cloned());
    let trusted = WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(&provider)).build().ok();
    let verifier = Verifier { trusted, thumbprints: thumbprints.to_vec(), provider: Arc::clone(&provider), seen };
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth())
}

#[derive(Debug)]
struct Verifier {
    /// `None` without any root.
    trusted: Option<Arc<WebPkiServerVerifier>>,
    thumbprints: Vec<String>,
    provider: Arc<CryptoProvider>,
    seen: Arc<Seen>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain: Vec<String> = std::iter::once(end_entity)
            .chain(intermediates)
            .map(|certificate| hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, certificate).as_ref()))
            .collect();
        let known = chain.iter().any(|thumbprint| self.thumbprints.contains(thumbprint));
        let mut seen = self.seen.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.thumbprints = chain;
        if let Some(trusted) = &self.trusted
            && let Ok(verified) = trusted.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        {
            return Ok(verified);
        }
        seen.mismatch = !known;
        if !known {
            return Err(Error::General("nothing vouches for the certificate".to_owned()));
        }
        rustls::client::verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
