//! Whether a certificate can be a root of attestation.
//!
//! Whoever verifies an attestation demands of the certificate it leads to that it may sign certificates, and that it says
//! so (RFC 5280 §4.2.1.3, §4.2.1.9). A root that does not would let every key be refused at its enrollment, long after
//! anybody looked at the configuration.

use crypto_glue::{
    traits::DecodeDer as _,
    x509::{BasicConstraints, Certificate, KeyUsage},
};

/// Why no attestation can lead to a certificate: a clause that follows `certificate 1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum AnchorFault {
    #[error("cannot be read as X.509")]
    Unreadable,
    #[error(
        "is not marked as a certificate authority, so every key would be refused; issue it with basicConstraints CA:TRUE"
    )]
    NoAuthority,
    #[error(
        "does not say that it may sign certificates, so every key would be refused; issue it with keyUsage keyCertSign \
         (openssl: -addext keyUsage=critical,keyCertSign)"
    )]
    NoCertSign,
}

/// Judges a certificate in DER.
pub(super) fn check(der: &[u8]) -> Result<(), AnchorFault> {
    let certificate = Certificate::from_der(der).map_err(|_| AnchorFault::Unreadable)?;
    let contents = certificate.tbs_certificate();
    let constraints = contents.get_extension::<BasicConstraints>().map_err(|_| AnchorFault::Unreadable)?;
    if !constraints.is_some_and(|(_, constraints)| constraints.ca) {
        return Err(AnchorFault::NoAuthority);
    }
    let usage = contents.get_extension::<KeyUsage>().map_err(|_| AnchorFault::Unreadable)?;
    if usage.is_some_and(|(_, usage)| usage.key_cert_sign()) { Ok(()) } else { Err(AnchorFault::NoCertSign) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, KeyUsagePurpose};
    use rustls_pki_types::{CertificateDer, pem::PemObject as _};

    use super::{AnchorFault, check};

    fn root(authority: IsCa, usages: &[KeyUsagePurpose]) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.is_ca = authority;
        params.key_usages = usages.to_vec();
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn a_root_must_say_that_it_signs_certificates() {
        let authority = || IsCa::Ca(BasicConstraints::Unconstrained);
        assert_eq!(check(&root(authority(), &[KeyUsagePurpose::KeyCertSign])), Ok(()));
        assert_eq!(check(&root(authority(), &[])), Err(AnchorFault::NoCertSign));
        assert_eq!(check(&root(authority(), &[KeyUsagePurpose::CrlSign])), Err(AnchorFault::NoCertSign));
        assert_eq!(check(&root(IsCa::ExplicitNoCa, &[KeyUsagePurpose::KeyCertSign])), Err(AnchorFault::NoAuthority));
        assert_eq!(check(&root(IsCa::NoCa, &[])), Err(AnchorFault::NoAuthority));
        assert_eq!(check(b"no certificate"), Err(AnchorFault::Unreadable));
    }

    #[test]
    fn the_built_in_roots_can_be_roots() {
        let pem = include_bytes!("../../identity/webauthn/yubico.pem");
        let roots: Vec<_> = CertificateDer::pem_slice_iter(pem).map(Result::unwrap).collect();
        assert!(!roots.is_empty() && roots.iter().all(|root| check(root) == Ok(())));
    }
}
