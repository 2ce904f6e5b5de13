//! Certificate authorities made for one world: one for TLS, one for the makers of security keys.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};

/// The model that virtual keys say they are: a YubiKey 5 NFC.
pub const AAGUID: &str = "2fc0579f-8113-47ea-b116-bb5a8db9202a";

/// The AAGUID extension of attestation certificates (WebAuthn Level 3 §8.2.1).
const AAGUID_EXTENSION: [u64; 10] = [1, 3, 6, 1, 4, 1, 45724, 1, 1, 4];

/// An authority that signs what is needed here.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key in PEM files.
#[derive(Debug, Clone)]
pub struct KeyPairFiles {
    /// The certificate.
    pub certificate: PathBuf,
    /// The key, PKCS#8.
    pub key: PathBuf,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

impl Authority {
    /// A new one.
    ///
    /// # Panics
    /// Never, as far as is known: the parameters are constants.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// The root certificate.
    #[must_use]
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A TLS server certificate for one host, in files of this name.
    ///
    /// # Panics
    /// When `host` is no host name.
    #[must_use]
    pub fn server(&self, folder: &Path, name: &str, host: &str) -> KeyPairFiles {
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, host);
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.issue(folder, name, &params)
    }

    /// A batch certificate for security keys of one model (WebAuthn Level 3 §8.2.1).
    ///
    /// # Panics
    /// When `aaguid` is no UUID.
    #[must_use]
    pub fn attestation(&self, folder: &Path, aaguid: &str) -> KeyPairFiles {
        let bytes: Vec<u8> = hex(&aaguid.replace('-', ""));
        assert_eq!(bytes.len(), 16, "{aaguid} is no AAGUID");
        let octet_string = [&[0x04, 0x10], bytes.as_slice()].concat();
        let mut params = CertificateParams::default();
        let name = &mut params.distinguished_name;
        name.push(DnType::CountryName, "SE");
        name.push(DnType::OrganizationName, "Virtual Keys");
        name.push(DnType::OrganizationalUnitName, "Authenticator Attestation");
        name.push(DnType::CommonName, "Virtual Key Batch");
        params.is_ca = IsCa::ExplicitNoCa;
        params.custom_extensions = vec![CustomExtension::from_oid_content(&AAGUID_EXTENSION, octet_string)];
        self.issue(folder, &format!("attestation-{aaguid}"), &params)
    }

    fn issue(&self, folder: &Path, name: &str, params: &CertificateParams) -> KeyPairFiles {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let files =
            KeyPairFiles { certificate: folder.join(format!("{name}.pem")), key: folder.join(format!("{name}.key")) };
        fs::write(&files.certificate, certificate.pem()).unwrap();
        fs::write(&files.key, key.serialize_pem()).unwrap();
        files
    }
}

fn hex(text: &str) -> Vec<u8> {
    text.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(&String::from_utf8_lossy(pair), 16).expect("hexadecimal digits"))
        .collect()
}
