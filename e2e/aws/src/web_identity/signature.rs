//! The signature of a token.

use aws_lc_rs::signature::{self, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey};

use super::NOT_VALIDATED;
use super::jwk::{Jwk, Material};
use super::jwt::{Algorithm, Jwt};
use crate::wire::Fault;

/// Verifies a token with a key. The key's own `alg` does not matter (recorded).
///
/// # Errors
/// `InvalidIdentityToken` when it does not fit, whatever the reason.
pub fn verify(jwt: &Jwt, key: &Jwk) -> Result<(), Fault> {
    if !key.has_key_ops && fits(jwt, &key.material) {
        Ok(())
    } else {
        Err(Fault::invalid_identity_token(NOT_VALIDATED))
    }
}

fn fits(jwt: &Jwt, material: &Material) -> bool {
    match (jwt.algorithm, material) {
        (Algorithm::Rs256, Material::Rsa { n, e }) => rsa(&signature::RSA_PKCS1_2048_8192_SHA256, n, e, jwt),
        (Algorithm::Rs384, Material::Rsa { n, e }) => rsa(&signature::RSA_PKCS1_2048_8192_SHA384, n, e, jwt),
        (Algorithm::Rs512, Material::Rsa { n, e }) => rsa(&signature::RSA_PKCS1_2048_8192_SHA512, n, e, jwt),
        (Algorithm::Es256, Material::Ec { curve, x, y }) if curve == "P-256" => {
            ec(&signature::ECDSA_P256_SHA256_FIXED, 32, x, y, jwt)
        }
        (Algorithm::Es384, Material::Ec { curve, x, y }) if curve == "P-384" => {
            ec(&signature::ECDSA_P384_SHA384_FIXED, 48, x, y, jwt)
        }
        (Algorithm::Es512, Material::Ec { curve, x, y }) if curve == "P-521" => {
            ec(&signature::ECDSA_P521_SHA512_FIXED, 66, x, y, jwt)
        }
        _ => false,
    }
}

fn rsa(parameters: &'static RsaParameters, n: &[u8], e: &[u8], jwt: &Jwt) -> bool {
    RsaPublicKeyComponents { n, e }.verify(parameters, jwt.signed.as_bytes(), &jwt.signature).is_ok()
}

fn ec(algorithm: &'static signature::EcdsaVerificationAlgorithm, width: usize, x: &[u8], y: &[u8], jwt: &Jwt) -> bool {
    if x.len() != width || y.len() != width {
        return false;
    }
    let point = [&[4], x, y].concat();
    UnparsedPublicKey::new(algorithm, point).verify(jwt.signed.as_bytes(), &jwt.signature).is_ok()
}
