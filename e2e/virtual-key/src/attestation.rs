//! The batch certificate and key by which a security key proves its maker.

use std::{fs, path::Path};

use p256::pkcs8::DecodePrivateKey as _;

use crate::error::Error;

/// What the firmware finds in its flash memory when it attests a new credential.
#[derive(Clone)]
pub struct Attestation {
    /// X.509, DER.
    pub certificate: Vec<u8>,
    /// A P-256 key in the firmware's own file format.
    pub key: Vec<u8>,
}

/// Flags (sensitive) and kind (P-256) that stand before the scalar in the firmware's key files.
pub(crate) const KEY_FILE_HEADER: [u8; 4] = [0x00, 0x02, 0x00, 0x05];

impl Attestation {
    /// Reads a PEM certificate and a PKCS#8 PEM key.
    ///
    /// # Errors
    /// When a file cannot be read or holds something else.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, Error> {
        let read =
            |path: &Path| fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source });
        let certificate_pem = read(certificate)?;
        let (label, certificate_der) = pem_rfc7468::decode_vec(certificate_pem.as_bytes())
            .map_err(|_| Error::NotACertificate { path: certificate.to_owned() })?;
        if label != "CERTIFICATE" {
            return Err(Error::NotACertificate { path: certificate.to_owned() });
        }
        let secret =
            p256::SecretKey::from_pkcs8_pem(&read(key)?).map_err(|_| Error::NotAKey { path: key.to_owned() })?;
        let mut key_file = KEY_FILE_HEADER.to_vec();
        key_file.extend_from_slice(&secret.to_bytes());
        Ok(Self { certificate: certificate_der, key: key_file })
    }
}
