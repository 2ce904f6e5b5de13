//! A.16: of two faults the earlier step's is said. The order is that of the recorders' code; only the roles claim
//! before the trust policy is recorded.

use serde_json::json;

use super::super::outcome::text::{D, G, J, K};
use super::super::outcome::{denied, iit, refused};
use super::super::sent::{Sent, token};
use super::super::{Row, code, not_played, rec};

const OTHER_ISSUER: &str = "https://other.example.com";
const NO_PROVIDER: &str = "No OpenIDConnect provider found in your account for https://other.example.com";
const ROLES: &str = "https://aws.amazon.com/roles";
const NOT_PRESENT: &str = "The target role ARN is not present in the roles claim of the identity token";
const OTHER_ROLE: &str = "arn:aws:iam::999999999999:role/Other";

pub(super) fn rows() -> Vec<Row> {
    let shapeless = token().param("DurationSeconds", "60").header(json!({"alg": "HS256"}));
    let duration = "1 validation error detected: Value '60' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900";
    let unknown_kid = |sent: Sent| sent.header(json!({"alg": "RS256", "kid": "rsa-9"}));
    let expired = "Token expired: current date/time {now-300} must be before the expiration date/time {sent-900}";
    let bad_tags = |sent: Sent| sent.with("https://aws.amazon.com/tags", json!({"principal_tags": {"Team": "red"}}));
    let tags = "principal_tags passed in claim is not in correct format.";
    let forged = |sent: Sent| sent.signed_by("other");
    let roles = |sent: Sent| sent.with(ROLES, json!(OTHER_ROLE));
    let long = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.";
    let closed = |sent: Sent| sent.condition("StringEquals", "issuer.example.com:sub", "somebody-else");
    vec![
        code("A.16", "1 shape before 2 JWT", shapeless, refused(400, "ValidationError", duration)),
        code(
            "A.16",
            "2 JWT before 3 provider",
            token().header(json!({"alg": "HS256"})).with("iss", json!(OTHER_ISSUER)),
            iit(J),
        ),
        code(
            "A.16",
            "3 provider before 4 key",
            unknown_kid(token().with("iss", json!(OTHER_ISSUER))),
            iit(NO_PROVIDER),
        ),
        code("A.16", "4 key before 5 claims", unknown_kid(token().without("sub")), iit(K)),
        code(
            "A.16",
            "5 claims before 6 times",
            token().without("sub").at("exp", -900),
            iit("Missing a required claim: sub"),
        ),
        code(
            "A.16",
            "6 times before 7 tags",
            bad_tags(token().at("exp", -900)),
            refused(400, "ExpiredTokenException", expired),
        ),
        code("A.16", "7 tags before 8 audience", bad_tags(token().with("aud", json!("unregistered"))), iit(tags)),
        not_played("A.16", "8 audience before 9 signature", "both have the same text (G)"),
        code("A.16", "9 signature before 10 roles claim", roles(forged(token())), iit(G)),
        rec("A.16", "10 roles claim before 13 trust", closed(roles(token())), iit(NOT_PRESENT)),
        code(
            "A.16",
            "9 signature before 11 role",
            forged(token()).param("RoleArn", "arn:aws:iam::999999999999:role/NeverWas"),
            iit(G),
        ),
        code(
            "A.16",
            "11 role before 13 trust, same text",
            closed(token().param("RoleArn", "arn:aws:iam::999999999999:role/NeverWas")),
            denied(D),
        ),
        code(
            "A.16",
            "11 duration before 13 trust",
            closed(token().param("DurationSeconds", "7201")),
            refused(400, "ValidationError", long),
        ),
        not_played("A.16", "12 session policy before 13 trust", "the text of MalformedPolicyDocument is not recorded"),
        not_played("A.16", "14 packed size last", "PackedPolicyTooLarge is not recorded"),
    ]
}
