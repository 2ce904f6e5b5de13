//! A certificate made for one row, and a client that trusts it and nothing else.

use std::{
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, client::Resumption, crypto::aws_lc_rs,
    pki_types::ServerName,
};

use crate::{BenchError, http};

const HOST: &str = "vouch.example.com";

/// A certificate (ECDSA P-256) and its key, in PEM files, with what a client needs.
#[derive(Debug)]
pub struct Certificate {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    client: Arc<ClientConfig>,
}

impl Certificate {
    /// Makes one in `folder`.
    ///
    /// # Errors
    /// When it cannot be made or written.
    pub fn make(folder: &Path) -> Result<Self, BenchError> {
        let made = rcgen::generate_simple_self_signed(vec![HOST.to_owned()])
            .map_err(BenchError::failed("making a certificate"))?;
        let (certificate, key) = (folder.join("tls.crt"), folder.join("tls.key"));
        std::fs::write(&certificate, made.cert.pem())
            .and_then(|()| std::fs::write(&key, made.signing_key.serialize_pem()))
            .map_err(BenchError::failed("writing a certificate"))?;
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).map_err(BenchError::failed("trusting the certificate"))?;
        let mut client = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(BenchError::failed("making a TLS client"))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        // Every connection is a new one: a resumed handshake has no signature.
        client.resumption = Resumption::disabled();
        Ok(Self { certificate, key, client: Arc::new(client) })
    }

    /// A new connection, whose handshake happens with its first request.
    ///
    /// # Errors
    /// When nobody listens.
    pub fn connect(
        &self,
        address: SocketAddr,
    ) -> Result<http::Connection<StreamOwned<ClientConnection, TcpStream>>, BenchError> {
        let name = ServerName::try_from(HOST).map_err(BenchError::failed("naming the server"))?;
        let session = ClientConnection::new(Arc::clone(&self.client), name)
            .map_err(BenchError::failed("beginning a handshake"))?;
        Ok(http::Connection::new(StreamOwned::new(session, http::connect(address)?)))
    }
}
