//! A.13 to A.15: the role's state, the provider parameter, the context of the trust policy.

use serde_json::{Value, json};

use super::super::outcome::text::D;
use super::super::outcome::{Expected, denied, iit, ok, refused};
use super::super::sent::{Sent, token};
use super::super::{Row, code, not_played, rec};

pub(super) fn rows() -> Vec<Row> {
    [state(), provider_parameter(), context()].into_iter().flatten().collect()
}

fn state() -> Vec<Row> {
    let after = |seconds: i64| {
        token().new_role().knobs(json!({"role_propagation_seconds": 11, "clock_offset_seconds": seconds}))
    };
    let subject = |value: &str| token().condition("StringEquals", "issuer.example.com:sub", value);
    let role = |name: &'static str| token().param("RoleArn", name);
    vec![
        rec("A.13", "at once after CreateRole", after(0), denied(D)),
        rec("A.13", "3.8 s after CreateRole", after(4), denied(D)),
        rec("A.13", "11.5 s after CreateRole", after(11), ok(&[])),
        not_played(
            "A.13",
            "provider made in the same run",
            "the program makes it visible at once, as recorded; there is no knob",
        ),
        rec("A.13", "right sub against a trust condition", subject("subject-0123"), ok(&[])),
        rec("A.13", "wrong sub against a trust condition", subject("somebody-else"), denied(D)),
        code("A.13", "role deleted, or never existed", role("arn:aws:iam::999999999999:role/NeverWas"), denied(D)),
        code("A.13", "role of an account without provider", role("arn:aws:iam::111111111111:role/R"), iit(NO_PROVIDER)),
    ]
}

const NO_PROVIDER: &str = "No OpenIDConnect provider found in your account for https://issuer.example.com";

fn provider_parameter() -> Vec<Row> {
    let unrecognized = denied(
        "Unrecognized OAuth provider. Do not include a provider parameter when submitting OpenIDConnect ID tokens",
    );
    let row = |name: &'static str, expected: Expected| rec("A.14", name, token().param("ProviderId", name), expected);
    let facebook = "graph.facebook.com rejected OAuth token with response \"Bad signature\" and code 190";
    let again = || match &unrecognized {
        Expected::Refused(status, code, text) => refused(*status, code, text),
        Expected::Ok(elements) => ok(elements),
    };
    vec![
        row("www.amazon.com", iit("Provided Token is not a Login With Amazon token")),
        row("graph.facebook.com", refused(403, "IDPRejectedClaim", facebook)),
        row("accounts.google.com", again()),
        row("https://www.amazon.com", again()),
        row("https://issuer.example.com", again()),
    ]
}

/// A token with everything that a trust policy may ask for.
fn full() -> Sent {
    token()
        .with("email", json!("alice@example.com"))
        .with("department", json!("red"))
        .with("amr", json!(["hwk", "user"]))
        .with("https://aws.amazon.com/source_identity", json!("alice@example.com"))
        .with(
            "https://aws.amazon.com/tags",
            json!({"principal_tags": {"Team": ["red"]}, "transitive_tag_keys": ["Team"]}),
        )
}

fn context() -> Vec<Row> {
    let is = |key: &str, value: &str| full().condition("StringEquals", key, value);
    let any = |key: &str, value: &str| full().condition("ForAnyValue:StringEquals", key, value);
    let all = |key: &str, value: Value| full().condition("ForAllValues:StringEquals", key, value);
    vec![
        rec("A.15", "aws:PrincipalAccount is the provider's", is("aws:PrincipalAccount", "999999999999"), ok(&[])),
        rec("A.15", "aws:PrincipalType is User", is("aws:PrincipalType", "User"), ok(&[])),
        rec("A.15", "aws:userid is the provider ARN", is("aws:userid", "{provider}"), ok(&[])),
        rec("A.15", "aws:userid is not sub", is("aws:userid", "subject-0123"), denied(D)),
        rec("A.15", "aws:userid is not ARN:sub", is("aws:userid", "{provider}:subject-0123"), denied(D)),
        rec("A.15", "aws:PrincipalArn is absent", full().condition("Null", "aws:PrincipalArn", "true"), ok(&[])),
        rec("A.15", "Principal AWS *", token().trust("Principal", json!({"AWS": "*"})), denied(D)),
        rec("A.15", "sts:RoleSessionName", is("sts:RoleSessionName", "session-10"), ok(&[])),
        rec("A.15", "another sts:RoleSessionName", is("sts:RoleSessionName", "session-11"), denied(D)),
        code("A.15", "ISSUER:aud", is("issuer.example.com:aud", "client-a"), ok(&[])),
        code(
            "A.15",
            "ISSUER:aud is azp",
            is("issuer.example.com:aud", "client-b").with("azp", json!("client-b")),
            ok(&[]),
        ),
        rec("A.15", "ISSUER:sub", is("issuer.example.com:sub", "subject-0123"), ok(&[])),
        code("A.15", "ISSUER:amr", any("issuer.example.com:amr", "hwk"), ok(&[])),
        rec("A.15", "several values under a scalar operator (B.4)", is("issuer.example.com:amr", "hwk"), denied(D)),
        code("A.15", "ISSUER:oaud", any("issuer.example.com:oaud", "client-a"), ok(&[])),
        code("A.15", "ISSUER:email", is("issuer.example.com:email", "alice@example.com"), ok(&[])),
        code("A.15", "any other claim", is("issuer.example.com:department", "red"), denied(D)),
        code("A.15", "ISSUER with scheme", is("https://issuer.example.com:aud", "client-a"), denied(D)),
        code("A.15", "sts:SourceIdentity", is("sts:SourceIdentity", "alice@example.com"), ok(&[])),
        code("A.15", "aws:SourceIdentity only later", is("aws:SourceIdentity", "alice@example.com"), denied(D)),
        code("A.15", "aws:RequestTag", is("aws:RequestTag/Team", "red"), ok(&[])),
        code("A.15", "aws:PrincipalTag only later", is("aws:PrincipalTag/Team", "red"), denied(D)),
        code("A.15", "aws:TagKeys", all("aws:TagKeys", json!(["Team"])), ok(&[])),
        code("A.15", "sts:TransitiveTagKeys", any("sts:TransitiveTagKeys", "Team"), ok(&[])),
        code("A.15", "aws:RequestedRegion", is("aws:RequestedRegion", "us-east-1"), ok(&[])),
        code("A.15", "aws:SecureTransport", full().condition("Bool", "aws:SecureTransport", "true"), ok(&[])),
        code("A.15", "aws:SourceIp", full().condition("IpAddress", "aws:SourceIp", "127.0.0.0/8"), ok(&[])),
    ]
}
