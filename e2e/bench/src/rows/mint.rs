//! Minting an AWS assertion against nothing but its signature.
//!
//! Everything around the signature (claims to JSON, base64, assembly) may cost little. The baseline signs as many
//! bytes with the same library and a cached key pair.

use std::{collections::BTreeMap, hint::black_box, time::Duration};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use jiff::Timestamp;
use serde::Serialize;
use vouch_keyring::{Algorithm, ChangeContext, KeyPolicy, KeyPolicySettings, KeySet, Signer, SystemKeyGenerator};

use crate::{
    BenchError, Row,
    compare::{self, Figure},
    measure::own_cpu,
    report::Target,
};

const ROUNDS: usize = 21;
const SIGNATURES_PER_ROUND: u32 = 2000;

/// Mint rate over raw sign rate, on one core.
#[must_use]
pub fn row() -> Row {
    Row { name: "mint", what: "mint rate / raw aws-lc-rs sign rate", target: Target::AtLeast(0.85), measure }
}

fn measure() -> Result<Figure, BenchError> {
    let signer = signer()?;
    let token = signer.sign_jwt(Some("JWT"), &Claims::sample(0)).map_err(BenchError::failed("minting"))?;
    let message = token.rsplit_once('.').map(|(message, _)| message.to_owned()).unwrap_or_default();
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(BenchError::failed("making a key"))?;
    let random = SystemRandom::new();

    let mint = || -> Result<Duration, BenchError> {
        own_cpu(|| {
            for number in 0..SIGNATURES_PER_ROUND {
                let claims = Claims::sample(number);
                let token = signer.sign_jwt(Some("JWT"), &claims).map_err(BenchError::failed("minting"))?;
                black_box(token);
            }
            Ok(())
        })
    };
    let sign = || -> Result<Duration, BenchError> {
        own_cpu(|| {
            for _ in 0..SIGNATURES_PER_ROUND {
                let signature = pair.sign(&random, message.as_bytes()).map_err(BenchError::failed("signing"))?;
                black_box(signature);
            }
            Ok(())
        })
    };
    let costs = compare::costs(ROUNDS, mint, sign)?;
    costs
        .map(|costs| costs.inverse().into())
        .ok_or_else(|| BenchError::Missing("signing took no time that can be measured".to_owned()))
}

fn signer() -> Result<Signer, BenchError> {
    let day = Duration::from_secs(86_400);
    let policy = KeyPolicy::new(KeyPolicySettings {
        algorithms: [Algorithm::Es256].into(),
        rotation_period: 30 * day,
        publish_lead: day,
        retain_retired: day,
        max_token_lifetime: day,
    })
    .map_err(BenchError::failed("making a policy"))?;
    let context = ChangeContext { policy: &policy, generator: &SystemKeyGenerator, now: Timestamp::UNIX_EPOCH };
    let (set, _) = KeySet::initialize(&context).map_err(BenchError::failed("making keys"))?;
    set.signer(Algorithm::Es256, &policy).map_err(BenchError::failed("choosing the key"))
}

/// The claims of a real assertion, in size and shape.
#[derive(Serialize)]
struct Claims {
    iss: &'static str,
    aud: &'static str,
    sub: &'static str,
    iat: i64,
    nbf: i64,
    exp: i64,
    jti: String,
    email: &'static str,
    email_verified: bool,
    hd: &'static str,
    hardware_verified: bool,
    hardware_aaguid: &'static str,
    #[serde(rename = "https://aws.amazon.com/source_identity")]
    source_identity: &'static str,
    #[serde(rename = "https://aws.amazon.com/roles")]
    roles: [&'static str; 1],
    #[serde(rename = "https://aws.amazon.com/tags")]
    tags: Tags,
}

#[derive(Serialize)]
struct Tags {
    principal_tags: BTreeMap<&'static str, [&'static str; 1]>,
    transitive_tag_keys: [&'static str; 4],
}

impl Claims {
    fn sample(number: u32) -> Self {
        let (email, domain) = ("alice@example.com", "example.com");
        let now = 1_790_000_000 + i64::from(number);
        Self {
            iss: "https://vouch.example.com",
            aud: "https://vouch.example.com",
            sub: email,
            iat: now,
            nbf: now - 60,
            exp: now + 60,
            jti: format!("0198c1a2-7b3c-4d5e-8f60-{number:012x}"),
            email,
            email_verified: true,
            hd: domain,
            hardware_verified: true,
            hardware_aaguid: "2fc0579f-8113-47ea-b116-bb5a8db9202a",
            source_identity: email,
            roles: ["arn:aws:iam::111111111111:role/vouch/VouchAccess"],
            tags: Tags {
                principal_tags: BTreeMap::from([
                    ("vouch:Email", [email]),
                    ("vouch:Domain", [domain]),
                    ("email", [email]),
                    ("domain", [domain]),
                ]),
                transitive_tag_keys: ["vouch:Email", "vouch:Domain", "email", "domain"],
            },
        }
    }
}
