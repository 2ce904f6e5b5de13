//! A.2 to A.6: the answer, algorithms and shape, claims, audience, times.

use serde_json::{Value, json};

use super::super::outcome::text::{G, J};
use super::super::outcome::{iit, ok, refused};
use super::super::sent::token;
use super::super::{Row, code, not_played, rec};
use super::UNKNOWN;
use crate::support::b64;

const SEVERAL: &str = "Token audience contains more than one audience while authorized party is not present";
const TIMESTAMP: &str = "Invalid timestamp in token claims.";

pub(super) fn rows() -> Vec<Row> {
    [answer(), shape(), claims(), audience(), times()].into_iter().flatten().collect()
}

fn answer() -> Vec<Row> {
    vec![
        rec(
            "A.2",
            "SubjectFromWebIdentityToken is sub",
            token(),
            ok(&[("SubjectFromWebIdentityToken", &["subject-0123"])]),
        ),
        rec(
            "A.2",
            "AssumedRoleUser",
            token(),
            ok(&[("Arn", &["arn:aws:sts::999999999999:assumed-role/RecordedRoleOf31CharactersXXXXX/session-10"])]),
        ),
        rec("A.2", "Provider is the ARN", token(), ok(&[("Provider", &["{provider}"])])),
        rec("A.2", "Audience is the only aud", token(), ok(&[("Audience", &["client-a"])])),
        rec("A.2", "PackedPolicySize is there", token(), ok(&[("PackedPolicySize", &["25"])])),
        rec("A.2", "no SourceIdentity without the claim", token(), ok(&[("SourceIdentity", &[])])),
        not_played(
            "A.2",
            "SessionTokenSize and SessionTokenUtilization are absent with CLI 2.36.28",
            "a newer SDK saw both (B.2), so the program always sends them",
        ),
    ]
}

fn shape() -> Vec<Row> {
    let signed = |algorithm: &'static str, key: &'static str, kid: &'static str| {
        token().header(json!({"alg": algorithm, "kid": kid})).signed_by(key)
    };
    let alg = |algorithm: &'static str| token().header(json!({"alg": algorithm, "kid": "rsa-1"}));
    vec![
        rec("A.3", "RS256", signed("RS256", "rsa", "rsa-1"), ok(&[("PackedPolicySize", &["25"])])),
        rec("A.3", "RS384", signed("RS384", "rsa", "rsa-2"), ok(&[("PackedPolicySize", &["25"])])),
        rec("A.3", "RS512", signed("RS512", "rsa", "rsa-3"), ok(&[("PackedPolicySize", &["25"])])),
        rec("A.3", "ES256", signed("ES256", "P-256", "ec-1"), ok(&[("PackedPolicySize", &["25"])])),
        rec("A.3", "ES384", signed("ES384", "P-384", "ec-2"), ok(&[("PackedPolicySize", &["25"])])),
        rec("A.3", "ES512", signed("ES512", "P-521", "ec-3"), ok(&[("PackedPolicySize", &["25"])])),
        code("A.3", "HS256", alg("HS256"), iit(J)),
        code("A.3", "none", alg("none"), iit(J)),
        code("A.3", "PS256", alg("PS256"), iit(J)),
        code("A.3", "EdDSA", alg("EdDSA"), iit(J)),
        not_played("A.3", "RSA key under 2048 bits", UNKNOWN),
        rec("A.3", "crit", token().header(json!({"alg": "RS256", "kid": "rsa-1", "crit": ["exp"]})), iit(J)),
        code("A.3", "two parts", token().tampered("without signature", |_, token| without_signature(token)), iit(J)),
        code("A.3", "four parts", token().tampered("one part more", |_, token| format!("{token}.x")), iit(J)),
        code("A.3", "bad base64", token().tampered("padding behind it", |_, token| format!("{token}=")), iit(J)),
        code(
            "A.3",
            "not JSON",
            token().tampered("other words", |_, _| format!("{}.{}.c2ln", b64("{"), b64("{}"))),
            iit(J),
        ),
        rec(
            "A.3",
            "two aud members, last one bad",
            token().without("aud").first_members(r#""aud":"client-a","aud":"unregistered","#),
            iit(G),
        ),
        rec(
            "A.3",
            "two equal aud members",
            token().without("aud").first_members(r#""aud":"client-a","aud":"client-a","#),
            ok(&[("Audience", &["client-a"])]),
        ),
        rec("A.3", "tampered signature", token().tampered("another signature", |_, token| resigned(token)), iit(G)),
        rec("A.3", "tampered payload", token().tampered("another sub", |_, token| reworded(token)), iit(G)),
    ]
}

fn without_signature(token: &str) -> String {
    token.rsplit_once('.').unwrap().0.to_owned()
}

fn resigned(token: &str) -> String {
    format!("{}.{}", without_signature(token), b64([7; 256]))
}

fn reworded(token: &str) -> String {
    use base64::Engine as _;
    let parts: Vec<&str> = token.split('.').collect();
    let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(parts[1]).unwrap();
    let payload = String::from_utf8(payload).unwrap().replace("subject-0123", "subject-4567");
    format!("{}.{}.{}", parts[0], b64(payload), parts[2])
}

fn claims() -> Vec<Row> {
    vec![
        rec("A.4", "iss absent", token().without("iss"), iit("Missing a required claim: iss")),
        rec("A.4", "sub absent", token().without("sub"), iit("Missing a required claim: sub")),
        rec("A.4", "aud absent", token().without("aud"), iit("Missing a required claim: aud")),
        rec("A.4", "iat absent", token().without("iat"), iit("Missing a required claim: iat")),
        rec("A.4", "exp absent", token().without("exp"), iit("Missing a required claim: exp")),
        rec("A.4", "sub of one character", token().with("sub", json!("s")), ok(&[("PackedPolicySize", &["24"])])),
        rec(
            "A.4",
            "sub empty",
            token().with("sub", json!("")),
            ok(&[("PackedPolicySize", &["24"]), ("SubjectFromWebIdentityToken", &[""])]),
        ),
        rec(
            "A.4",
            "sub number 123",
            token().with("sub", json!(123)),
            ok(&[("PackedPolicySize", &["25"]), ("SubjectFromWebIdentityToken", &["123"])]),
        ),
        rec(
            "A.4",
            "sub of 300 characters",
            token().with("sub", json!("s".repeat(300))),
            ok(&[("PackedPolicySize", &["34"])]),
        ),
        rec(
            "A.4",
            "sub null",
            token().with("sub", Value::Null),
            refused(500, "InternalFailure", "Unknown error validating third-party token"),
        ),
    ]
}

fn audience() -> Vec<Row> {
    let aud = |aud: Value| token().with("aud", aud);
    vec![
        rec("A.5", "aud client-a", aud(json!("client-a")), ok(&[("Audience", &["client-a"])])),
        rec("A.5", "aud [client-a]", aud(json!(["client-a"])), ok(&[("Audience", &["client-a"])])),
        rec("A.5", "two values", aud(json!(["client-a", "unregistered"])), iit(SEVERAL)),
        rec("A.5", "two values, other order", aud(json!(["unregistered", "client-a"])), iit(SEVERAL)),
        rec("A.5", "two values, both registered", aud(json!(["client-a", "client-b"])), iit(SEVERAL)),
        rec("A.5", "aud []", aud(json!([])), iit("Claim is not allowed to be empty: aud")),
        rec("A.5", "aud empty", aud(json!("")), iit(G)),
        rec("A.5", "aud unregistered", aud(json!("unregistered")), iit(G)),
        rec(
            "A.5",
            "aud unregistered, azp client-b",
            aud(json!("unregistered")).with("azp", json!("client-b")),
            ok(&[("Audience", &["client-b"])]),
        ),
        rec(
            "A.5",
            "aud [unregistered, client-a], azp client-b",
            aud(json!(["unregistered", "client-a"])).with("azp", json!("client-b")),
            ok(&[("Audience", &["client-b"])]),
        ),
        rec("A.5", "aud client-a, azp unregistered", token().with("azp", json!("unregistered")), iit(G)),
        rec("A.5", "aud client-a, azp empty", token().with("azp", json!("")), iit(G)),
    ]
}

fn times() -> Vec<Row> {
    let expired = "Token expired: current date/time {now-300} must be before the expiration date/time {sent-324}";
    let early = "Token not yet valid: current date/time {now+300} must be after or equal to the not-before date/time {sent+3570}";
    vec![
        rec("A.6", "exp 23 s ago", token().at("exp", -23), ok(&[])),
        rec("A.6", "exp about 324 s ago", token().at("exp", -324), refused(400, "ExpiredTokenException", expired)),
        rec("A.6", "iat 276 s ahead", token().at("iat", 276), ok(&[])),
        rec("A.6", "iat about 3570 s ahead", token().at("iat", 3570), iit("Token issued in the future: {sent+3570}")),
        rec("A.6", "nbf absent", token(), ok(&[])),
        rec("A.6", "nbf 274 s ahead", token().at("nbf", 274), ok(&[])),
        rec("A.6", "nbf about 3570 s ahead", token().at("nbf", 3570), iit(early)),
        rec("A.6", "exp as a decimal string", token().at_text("exp", 900), ok(&[])),
        rec("A.6", "iat as a decimal string", token().at_text("iat", -10), ok(&[])),
        rec("A.6", "nbf as a decimal string", token().at_text("nbf", -10), ok(&[])),
        rec("A.6", "nbf invalid", token().with("nbf", json!("invalid")), iit(TIMESTAMP)),
        rec("A.6", "iat null", token().with("iat", Value::Null), iit(TIMESTAMP)),
        rec("A.6", "iat with a fraction", token().at_half("iat", -10), iit(TIMESTAMP)),
        rec("A.6", "exp with a fraction", token().at_half("exp", 900), iit(TIMESTAMP)),
        rec("A.6", "60 s left, DurationSeconds 7200", token().at("exp", 60).param("DurationSeconds", "7200"), ok(&[])),
        not_played("A.6", "very old iat", "not recorded; of 2019 only the text Token too old is known, not the age"),
        not_played(
            "A.6",
            "exactly 300 s",
            "not recorded; the program reads the texts as strict for exp, inclusive for nbf",
        ),
    ]
}
