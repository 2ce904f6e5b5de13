//! Wrong tokens and requests that reports from the field and AWS's documentation tell of, where no recording does.
//! Where both do, the recording is the row and the other is listed as superseded.

use serde_json::{Value, json};

use super::super::outcome::text::{D, J, K};
use super::super::outcome::{denied, iit, refused};
use super::super::sent::{Sent, token};
use super::super::{Row, field, not_played};

pub(super) fn rows() -> Vec<Row> {
    [shape(), provider(), documents(), superseded()].into_iter().flatten().collect()
}

fn shape() -> Vec<Row> {
    let row = |name, sent: Sent, text: &'static str| field("field", name, sent, refused(400, "ValidationError", text));
    let long = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.";
    vec![
        row(
            "session name with a space",
            token().param("RoleSessionName", "a b"),
            "1 validation error detected: Value 'a b' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*",
        ),
        row(
            "session name of one character",
            token().param("RoleSessionName", "a"),
            "1 validation error detected: Value 'a' at 'roleSessionName' failed to satisfy constraint: Member must have length greater than or equal to 2",
        ),
        row(
            "duration of 60 s",
            token().param("DurationSeconds", "60"),
            "1 validation error detected: Value '60' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900",
        ),
        row(
            "duration of 43201 s",
            token().param("DurationSeconds", "43201"),
            "1 validation error detected: Value '43201' at 'durationSeconds' failed to satisfy constraint: Member must have value less than or equal to 43200",
        ),
        row("duration over the role's maximum", token().param("DurationSeconds", "7201"), long),
    ]
}

fn provider() -> Vec<Row> {
    let issuer = |issuer: &str| token().with("iss", json!(issuer));
    vec![
        field(
            "field",
            "an access token instead",
            token().tampered("an opaque token", |_, _| "access-token".to_owned()),
            iit(J),
        ),
        field(
            "field",
            "no provider for iss",
            issuer("https://other.example.com"),
            iit("No OpenIDConnect provider found in your account for https://other.example.com"),
        ),
        field(
            "field",
            "iss with a slash at the end",
            issuer("https://issuer.example.com/"),
            iit("No OpenIDConnect provider found in your account for https://issuer.example.com/"),
        ),
        field(
            "field",
            "iss in another case",
            issuer("https://Issuer.example.com"),
            iit("No OpenIDConnect provider found in your account for https://Issuer.example.com"),
        ),
        field(
            "field",
            "certificate that fits no thumbprint",
            issuer("https://stranger.example.com"),
            iit("OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint"),
        ),
        field(
            "field",
            "trust for another provider",
            token().trust(
                "Principal",
                json!({"Federated": "arn:aws:iam::999999999999:oidc-provider/stranger.example.com"}),
            ),
            denied(D),
        ),
    ]
}

fn documents() -> Vec<Row> {
    let row = |name, sent: Sent| field("field", name, sent, iit(K));
    let elsewhere = |url: &str| token().discovery("jwks_uri", json!(url));
    vec![
        row("discovery lacks issuer", token().discovery("issuer", Value::Null)),
        row("discovery lacks jwks_uri", token().discovery("jwks_uri", Value::Null)),
        row("discovery lacks response_types_supported", token().discovery("response_types_supported", Value::Null)),
        row("discovery lacks subject_types_supported", token().discovery("subject_types_supported", Value::Null)),
        row(
            "discovery lacks id_token_signing_alg_values_supported",
            token().discovery("id_token_signing_alg_values_supported", Value::Null),
        ),
        row("discovery of another issuer", token().discovery("issuer", json!("https://other.example.com"))),
        row("jwks_uri without TLS", elsewhere("http://issuer.example.com/jwks")),
        row("jwks_uri of a host that cannot be reached", elsewhere("https://unrouted.example.com/jwks")),
        row("issuer answers 503", token().issuer_status(503)),
    ]
}

fn superseded() -> Vec<Row> {
    let row = |name, reason| not_played("field", name, reason);
    vec![
        row("Token expired without a space before the last number", "superseded: A.6 has one"),
        row("Token too old", "of 2019; at which age is not known"),
        row("Incorrect token audience", "superseded: A.5 has G"),
        row("sub of five characters is illegal", "superseded: A.4 accepts one"),
        row("text of a bad signature", "superseded: A.3 has G"),
        row("RegionDisabledException", "the program has every region activated"),
    ]
}
