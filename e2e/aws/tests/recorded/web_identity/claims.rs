//! A.2 to A.6, A.11, A.12, A.14: claims in, answer out.

use serde_json::{Map, Value, json};

use super::Expected::{Ok as Accepted, Refused};
use super::{Expected, NOT_A_JWT, NOT_VALIDATED, Recorded, check, invalid};
use crate::support::{b64, texts};

type Change = fn(&mut Map<String, Value>, i64);

const SEVERAL: &str = "Token audience contains more than one audience while authorized party is not present";
const TIMESTAMP: &str = "Invalid timestamp in token claims.";
const TAGS: &str = "https://aws.amazon.com/tags";

fn set(claims: &mut Map<String, Value>, name: &str, value: Value) {
    claims.insert(name.to_owned(), value);
}

/// One row per recorded scenario: name, change to a good token's claims, answer.
fn rows() -> Vec<(&'static str, Change, Expected)> {
    let mut rows: Vec<(&'static str, Change, Expected)> = vec![
        (
            "good token",
            |_, _| {},
            Accepted(&[
                ("PackedPolicySize", "25"),
                ("Audience", "client-a"),
                ("SubjectFromWebIdentityToken", "subject-0123"),
            ]),
        ),
        ("no iss", |c, _| drop(c.remove("iss")), invalid("Missing a required claim: iss")),
        ("no sub", |c, _| drop(c.remove("sub")), invalid("Missing a required claim: sub")),
        ("no aud", |c, _| drop(c.remove("aud")), invalid("Missing a required claim: aud")),
        ("no iat", |c, _| drop(c.remove("iat")), invalid("Missing a required claim: iat")),
        ("no exp", |c, _| drop(c.remove("exp")), invalid("Missing a required claim: exp")),
        (
            "sub of one character",
            |c, _| set(c, "sub", json!("s")),
            Accepted(&[("PackedPolicySize", "24"), ("SubjectFromWebIdentityToken", "s")]),
        ),
        (
            "sub empty",
            |c, _| set(c, "sub", json!("")),
            Accepted(&[("PackedPolicySize", "24"), ("SubjectFromWebIdentityToken", "")]),
        ),
        (
            "sub number",
            |c, _| set(c, "sub", json!(123)),
            Accepted(&[("PackedPolicySize", "25"), ("SubjectFromWebIdentityToken", "123")]),
        ),
        (
            "sub of 300 characters",
            |c, _| set(c, "sub", json!("s".repeat(300))),
            Accepted(&[("PackedPolicySize", "34")]),
        ),
        (
            "sub null",
            |c, _| set(c, "sub", Value::Null),
            Refused("InternalFailure", "Unknown error validating third-party token"),
        ),
        (
            "source identity",
            |c, _| set(c, "https://aws.amazon.com/source_identity", json!("alice-source")),
            Accepted(&[("PackedPolicySize", "26"), ("SourceIdentity", "alice-source")]),
        ),
        (
            "nested tags",
            |c, _| set(c, TAGS, json!({"principal_tags": {"Team": ["red"]}, "transitive_tag_keys": ["Team"]})),
            Accepted(&[("PackedPolicySize", "25")]),
        ),
        (
            "nested tag as plain string",
            |c, _| set(c, TAGS, json!({"principal_tags": {"Team": "red"}})),
            invalid("principal_tags passed in claim is not in correct format."),
        ),
        (
            "flat tags",
            |c, _| {
                set(c, "https://aws.amazon.com/tags/principal_tags/Team", json!("red"));
                set(c, "https://aws.amazon.com/tags/transitive_tag_keys", json!(["Team"]));
            },
            Accepted(&[("PackedPolicySize", "25")]),
        ),
    ];
    rows.extend(audience_rows());
    rows.extend(time_rows());
    rows
}

fn audience_rows() -> Vec<(&'static str, Change, Expected)> {
    vec![
        ("aud array of one", |c, _| set(c, "aud", json!(["client-a"])), Accepted(&[("Audience", "client-a")])),
        ("aud array of two", |c, _| set(c, "aud", json!(["client-a", "other"])), invalid(SEVERAL)),
        ("aud array of two, other order", |c, _| set(c, "aud", json!(["other", "client-a"])), invalid(SEVERAL)),
        ("aud array of two registered", |c, _| set(c, "aud", json!(["client-a", "client-b"])), invalid(SEVERAL)),
        ("aud empty array", |c, _| set(c, "aud", json!([])), invalid("Claim is not allowed to be empty: aud")),
        ("aud empty", |c, _| set(c, "aud", json!("")), invalid(NOT_VALIDATED)),
        ("aud unregistered", |c, _| set(c, "aud", json!("other")), invalid(NOT_VALIDATED)),
        (
            "aud unregistered, azp registered",
            |c, _| {
                set(c, "aud", json!("other"));
                set(c, "azp", json!("client-b"));
            },
            Accepted(&[("Audience", "client-b")]),
        ),
        (
            "aud of two, azp registered",
            |c, _| {
                set(c, "aud", json!(["other", "client-a"]));
                set(c, "azp", json!("client-b"));
            },
            Accepted(&[("Audience", "client-b")]),
        ),
        ("azp unregistered", |c, _| set(c, "azp", json!("other")), invalid(NOT_VALIDATED)),
        ("azp empty", |c, _| set(c, "azp", json!("")), invalid(NOT_VALIDATED)),
    ]
}

fn time_rows() -> Vec<(&'static str, Change, Expected)> {
    vec![
        ("expired 23 s ago", |c, now| set(c, "exp", json!(now - 23)), Accepted(&[])),
        ("iat 276 s ahead", |c, now| set(c, "iat", json!(now + 276)), Accepted(&[])),
        ("nbf 274 s ahead", |c, now| set(c, "nbf", json!(now + 274)), Accepted(&[])),
        ("exp as string", |c, now| set(c, "exp", json!((now + 900).to_string())), Accepted(&[])),
        ("iat as string", |c, now| set(c, "iat", json!((now - 10).to_string())), Accepted(&[])),
        ("nbf as string", |c, now| set(c, "nbf", json!((now - 10).to_string())), Accepted(&[])),
        ("nbf not a time", |c, _| set(c, "nbf", json!("invalid")), invalid(TIMESTAMP)),
        ("iat null", |c, _| set(c, "iat", Value::Null), invalid(TIMESTAMP)),
        ("iat with fraction", |c, now| set(c, "iat", json!(now as f64 - 9.5)), invalid(TIMESTAMP)),
        ("exp with fraction", |c, now| set(c, "exp", json!(now as f64 + 899.5)), invalid(TIMESTAMP)),
    ]
}

#[tokio::test]
async fn answers_claims_as_recorded() {
    let recorded = Recorded::start().await;
    for (name, change, expected) in rows() {
        let now = recorded.aws.standin.now().as_second();
        let token = recorded.token(|claims| change(claims, now));
        check(name, &recorded.assume(&token).await, &expected);
    }
}

#[tokio::test]
async fn a_success_has_the_recorded_members() {
    let recorded = Recorded::start().await;
    let xml = recorded.assume(&recorded.token(|_| {})).await.unwrap();
    assert_eq!(texts(&xml, "Provider"), [recorded.provider.as_str()]);
    assert_eq!(
        texts(&xml, "Arn"),
        ["arn:aws:sts::999999999999:assumed-role/RecordedRoleOf31CharactersXXXXX/session-10"]
    );
    let id = &texts(&xml, "AssumedRoleId")[0];
    assert!(id.starts_with("AROA") && id.ends_with(":session-10"), "{id}");
    assert!(texts(&xml, "AccessKeyId")[0].starts_with("ASIA"));
    let expiration: jiff::Timestamp = texts(&xml, "Expiration")[0].parse().unwrap();
    let left = expiration.as_second() - recorded.aws.standin.now().as_second();
    assert!((3590..=3600).contains(&left), "{left}");
    assert_eq!(texts(&xml, "SourceIdentity"), Vec::<String>::new());
}

#[tokio::test]
async fn times_outside_the_grace_are_refused_with_the_shifted_clock() {
    let recorded = Recorded::start().await;
    let now = recorded.aws.standin.now().as_second();
    let refused = async |name: &str, value: i64| {
        let token = recorded.token(|claims| set(claims, name, json!(value)));
        recorded.assume(&token).await.unwrap_err()
    };
    let expired = refused("exp", now - 324).await;
    assert_eq!((expired.status, expired.code.as_str()), (400, "ExpiredTokenException"));
    let numbers: Vec<i64> = expired.message.split(' ').filter_map(|word| word.parse().ok()).collect();
    assert!((numbers[0] - (now - 300)).abs() <= 2, "{}", expired.message);
    assert_eq!(
        expired.message,
        format!(
            "Token expired: current date/time {} must be before the expiration date/time {}",
            numbers[0],
            now - 324
        )
    );

    let future = refused("iat", now + 3570).await;
    assert_eq!(
        future.parts(),
        ("InvalidIdentityToken", format!("Token issued in the future: {}", now + 3570).as_str())
    );

    let early = refused("nbf", now + 3570).await;
    let numbers: Vec<i64> = early.message.split(' ').filter_map(|word| word.parse().ok()).collect();
    assert!((numbers[0] - (now + 300)).abs() <= 2, "{}", early.message);
    let text = format!(
        "Token not yet valid: current date/time {} must be after or equal to the not-before date/time {}",
        numbers[0],
        now + 3570
    );
    assert_eq!(early.parts(), ("InvalidIdentityToken", text.as_str()));
}

#[tokio::test]
async fn the_expiry_of_a_token_does_not_cap_its_session() {
    let recorded = Recorded::start().await;
    let now = recorded.aws.standin.now().as_second();
    let token = recorded.token(|claims| set(claims, "exp", json!(now + 60)));
    let xml = recorded.assume_with(&token, &[("DurationSeconds", "7200")]).await.unwrap();
    let expiration: jiff::Timestamp = texts(&xml, "Expiration")[0].parse().unwrap();
    assert!(expiration.as_second() >= now + 7199);
    let refusal = recorded.assume_with(&token, &[("DurationSeconds", "7201")]).await.unwrap_err();
    assert_eq!(
        refusal.parts(),
        ("ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
    );
}

#[tokio::test]
async fn of_two_equal_members_the_last_counts() {
    let recorded = Recorded::start().await;
    let rest = |first: &str, last: &str| {
        let mut claims = recorded.claims();
        claims.remove("aud");
        let others = Value::Object(claims).to_string();
        format!("{{\"aud\":\"{first}\",\"aud\":\"{last}\",{}", &others[1..])
    };
    let header = json!({"alg": "RS256", "kid": "rsa-1"});
    let bad_last = recorded.key.token(&header, &rest("client-a", "other"));
    check("bad last", &recorded.assume(&bad_last).await, &invalid(NOT_VALIDATED));
    let equal = recorded.key.token(&header, &rest("client-a", "client-a"));
    check("equal", &recorded.assume(&equal).await, &Accepted(&[("Audience", "client-a")]));
}

#[tokio::test]
async fn refuses_tampered_tokens_and_what_is_no_jwt() {
    let recorded = Recorded::start().await;
    let token = recorded.token(|_| {});
    let parts: Vec<&str> = token.split('.').collect();
    let other = recorded.token(|claims| set(claims, "sub", json!("somebody-else")));
    let payload = other.split('.').nth(1).unwrap();
    let rows = [
        ("tampered payload", format!("{}.{payload}.{}", parts[0], parts[2]), invalid(NOT_VALIDATED)),
        ("tampered signature", format!("{}.{}.{}", parts[0], parts[1], b64([7; 256])), invalid(NOT_VALIDATED)),
        (
            "crit",
            recorded.key.token(&json!({"alg": "RS256", "kid": "rsa-1", "crit": ["exp"]}), "{}"),
            invalid(NOT_A_JWT),
        ),
        ("HS256 (from code)", recorded.key.token(&json!({"alg": "HS256", "kid": "rsa-1"}), "{}"), invalid(NOT_A_JWT)),
        ("two parts (from code)", format!("{}.{}", parts[0], parts[1]), invalid(NOT_A_JWT)),
    ];
    for (name, token, expected) in rows {
        check(name, &recorded.assume(&token).await, &expected);
    }
}

#[tokio::test]
async fn a_provider_parameter_is_refused() {
    let recorded = Recorded::start().await;
    let unrecognized =
        "Unrecognized OAuth provider. Do not include a provider parameter when submitting OpenIDConnect ID tokens";
    let facebook = "graph.facebook.com rejected OAuth token with response \"Bad signature\" and code 190";
    let rows = [
        ("www.amazon.com", invalid("Provided Token is not a Login With Amazon token")),
        ("graph.facebook.com", Refused("IDPRejectedClaim", facebook)),
        ("accounts.google.com", Refused("AccessDenied", unrecognized)),
        ("https://www.amazon.com", Refused("AccessDenied", unrecognized)),
        ("https://issuer.example.com", Refused("AccessDenied", unrecognized)),
    ];
    let token = recorded.token(|_| {});
    for (provider, expected) in rows {
        check(provider, &recorded.assume_with(&token, &[("ProviderId", provider)]).await, &expected);
    }
}

#[tokio::test]
async fn shape_comes_before_everything_else() {
    let recorded = Recorded::start().await;
    let params = [
        ("RoleArn", recorded.role.as_str()),
        ("RoleSessionName", "a b"),
        ("WebIdentityToken", "no token"),
        ("DurationSeconds", "60"),
    ];
    let refusal = recorded.aws.sts(None, "AssumeRoleWithWebIdentity", &params).await.unwrap_err();
    assert_eq!(refusal.status, 400);
    assert_eq!(
        refusal.parts(),
        (
            "ValidationError",
            "2 validation errors detected: Value 'a b' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*; Value '60' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900"
        )
    );
}
