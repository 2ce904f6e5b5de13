//! What an AWS assertion costs the real issuer, over HTTP, with everything it must check.
//!
//! Session token and DPoP proof are verified, the person is looked up, the role is judged, the assertion is signed and
//! the audit line is written. The two verifications are somebody else's code and cannot be saved, so they are measured
//! beside it and taken off.

use std::{hint::black_box, time::Duration};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, UnparsedPublicKey,
    },
};

use crate::{
    BenchError, Row,
    compare::{self, Figure},
    http::Load,
    issuer::Place,
    measure::{own_cpu, process_cpu},
    person::Person,
    report::Target,
};

const ROUNDS: usize = 9;
const REQUESTS_PER_ROUND: u32 = 800;

/// CPU time of an assertion without the verifications, over that of a signature.
#[must_use]
pub fn row() -> Row {
    Row {
        name: "aws-assertion",
        what: "CPU of an AWS assertion, less two verifications / raw sign CPU",
        target: Target::AtMost(3.0),
        measure,
    }
}

fn measure() -> Result<Figure, BenchError> {
    let place = Place::initialised()?;
    let mut person = Person::signed_in(&place)?;
    let issuer = place.serve(None)?;
    // As long as what is signed in a request.
    let message = person.meet(issuer.address)?.web_identity_token;
    let mut load = Load::on(issuer.address)?;
    load.run(REQUESTS_PER_ROUND, &mut person)?;

    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(BenchError::failed("making a key"))?;
    let random = SystemRandom::new();
    let sign = || pair.sign(&random, message.as_bytes()).map_err(BenchError::failed("signing"));
    let signature = sign()?;
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key().as_ref());

    let assertions = || -> Result<Duration, BenchError> {
        let all = process_cpu(issuer.id(), || load.run(REQUESTS_PER_ROUND, &mut person))?;
        let verifications = own_cpu(|| {
            (0..2 * REQUESTS_PER_ROUND).try_for_each(|_| {
                let verified = key.verify(black_box(message.as_bytes()), signature.as_ref());
                verified.map_err(BenchError::failed("verifying"))
            })
        })?;
        Ok(all.saturating_sub(verifications))
    };
    let signatures = || -> Result<Duration, BenchError> {
        own_cpu(|| {
            (0..REQUESTS_PER_ROUND).try_for_each(|_| {
                black_box(sign()?);
                Ok(())
            })
        })
    };
    compare::costs(ROUNDS, assertions, signatures)?
        .map(Figure::from)
        .ok_or_else(|| BenchError::Missing("signing took no time that can be measured".to_owned()))
}
