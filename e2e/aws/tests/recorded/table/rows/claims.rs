//! A.10 to A.12: the roles claim, tags and source identity, packed sizes.

use serde_json::{Value, json};

use super::super::outcome::text::D;
use super::super::outcome::{Expected, denied, iit, ok};
use super::super::sent::{Sent, assume_role, token};
use super::super::{Row, code, field, not_played, rec};

const ROLES: &str = "https://aws.amazon.com/roles";
const TAGS: &str = "https://aws.amazon.com/tags";
const SOURCE_IDENTITY: &str = "https://aws.amazon.com/source_identity";
const OTHER: &str = "arn:aws:iam::999999999999:role/Other";

const NOT_PRESENT: &str = "The target role ARN is not present in the roles claim of the identity token";
const NONE_VALID: &str = "The roles claim contains no valid role ARNs";
const FORMAT: &str = "The roles claim is not in a supported format";
const BAD_TAGS: &str = "principal_tags passed in claim is not in correct format.";
const BAD_KEYS: &str = "transitive_tag_keys passed in claim is not in correct format.";
const BAD_SOURCE: &str = "source_identity passed in claim is not in correct format.";

pub(super) fn rows() -> Vec<Row> {
    [roles(), authorized_by_idp(), tags(), limits(), packed()].into_iter().flatten().collect()
}

fn claim(value: Value) -> Sent {
    token().with(ROLES, value)
}

fn roles() -> Vec<Row> {
    let row = |name, value: Value, expected: Expected| rec("A.10", name, claim(value), expected);
    let many: Vec<String> = (0..40).map(|number| format!("{OTHER}{number}")).chain(["{role}".to_owned()]).collect();
    vec![
        rec("A.10", "absent", token(), ok(&[])),
        row("null", Value::Null, ok(&[])),
        row("string = target", json!("{role}"), ok(&[])),
        row("array with the target", json!(["{role}"]), ok(&[])),
        row("array of many incl. the target", json!(many), ok(&[])),
        row("duplicates", json!(["{role}", "{role}"]), ok(&[])),
        row("one invalid entry + target", json!(["nonsense", "{role}"]), ok(&[])),
        row("trailing ;", json!("{role};"), ok(&[])),
        row("leading ;", json!(";{role}"), ok(&[])),
        row("split by ;", json!(format!("{OTHER};{{role}}")), ok(&[])),
        row("split by ; and space", json!(format!("{OTHER}; {{role}}")), ok(&[])),
        row("space around an ARN", json!(" {role} "), ok(&[])),
        row("[123, target]", json!([123, "{role}"]), ok(&[])),
        row("[null, target]", json!([null, "{role}"]), ok(&[])),
        row("valid ARNs, target absent", json!([OTHER]), iit(NOT_PRESENT)),
        row("wildcard role/*", json!("arn:aws:iam::999999999999:role/*"), iit(NONE_VALID)),
        row("ARN in upper case", json!("{ROLE}"), iit(NONE_VALID)),
        row("[]", json!([]), iit(NONE_VALID)),
        row("empty", json!(""), iit(NONE_VALID)),
        row("nested array", json!([["{role}"]]), iit(NONE_VALID)),
        row("comma-separated list", json!(format!("{OTHER},{{role}}")), iit(NONE_VALID)),
        row("number", json!(123), iit(FORMAT)),
        row("boolean", json!(true), iit(FORMAT)),
        row("object", json!({"role": "{role}"}), iit(FORMAT)),
    ]
}

fn authorized_by_idp() -> Vec<Row> {
    let demand = |sent: Sent, value: &str| sent.condition("Bool", "sts:RoleAuthorizedByIdp", value);
    vec![
        rec("A.10", "Bool true, claim absent", demand(token(), "true"), denied(D)),
        rec("A.10", "Bool true, claim matches", demand(claim(json!("{role}")), "true"), ok(&[])),
        rec("A.10", "Bool false, claim absent", demand(token(), "false"), ok(&[])),
        rec("A.10", "Bool false, claim matches", demand(claim(json!("{role}")), "false"), denied(D)),
        rec("A.10", "Bool true, another role only", demand(claim(json!(OTHER)), "true"), iit(NOT_PRESENT)),
        rec("A.10", "Bool false, another role only", demand(claim(json!(OTHER)), "false"), iit(NOT_PRESENT)),
    ]
}

fn nested(tags: Value) -> Sent {
    let mut claim = json!({});
    claim["principal_tags"] = tags;
    token().with(TAGS, claim)
}

fn transitive() -> Sent {
    token().with(TAGS, json!({"principal_tags": {"Team": ["red"]}, "transitive_tag_keys": ["Team"]}))
}

fn tags() -> Vec<Row> {
    let (assume, tag, source) = ("sts:AssumeRoleWithWebIdentity", "sts:TagSession", "sts:SetSourceIdentity");
    vec![
        rec(
            "A.11",
            "source identity of 12 characters",
            token().with(SOURCE_IDENTITY, json!("alice-source")),
            ok(&[("SourceIdentity", &["alice-source"]), ("PackedPolicySize", &["26"])]),
        ),
        rec("A.11", "nested, one string in an array", transitive(), ok(&[("PackedPolicySize", &["25"])])),
        rec("A.11", "nested, plain string", nested(json!({"Team": "red"})), iit(BAD_TAGS)),
        rec(
            "A.11",
            "flat, plain string",
            token()
                .with("https://aws.amazon.com/tags/principal_tags/Team", json!("red"))
                .with("https://aws.amazon.com/tags/transitive_tag_keys", json!(["Team"])),
            ok(&[("PackedPolicySize", &["25"])]),
        ),
        field(
            "A.11",
            "trust lacks sts:TagSession",
            transitive().trust("Action", json!([assume, source])),
            denied("Not authorized to perform sts:TagSession"),
        ),
        field(
            "A.11",
            "trust lacks sts:SetSourceIdentity",
            token().with(SOURCE_IDENTITY, json!("alice-source")).trust("Action", json!([assume, tag])),
            denied("Not authorized to perform sts:SetSourceIdentity"),
        ),
    ]
}

/// Refused is known, the words are not: the recorded ones of a sibling stand in.
fn limits() -> Vec<Row> {
    let many: serde_json::Map<String, Value> = (0..51).map(|number| (format!("k{number}"), json!(["v"]))).collect();
    let conflict = token()
        .with(TAGS, json!({"principal_tags": {"Team": ["red"]}, "transitive_tag_keys": ["Team"]}))
        .with("https://aws.amazon.com/tags/transitive_tag_keys", json!([]));
    let source = |text: &str| token().with(SOURCE_IDENTITY, json!(text));
    vec![
        code("A.11", "51 tags", nested(Value::Object(many)), iit(BAD_TAGS)),
        code("A.11", "key of 129 characters", nested(json!({"k".repeat(129): ["v"]})), iit(BAD_TAGS)),
        code("A.11", "value of 257 characters", nested(json!({"Team": ["v".repeat(257)]})), iit(BAD_TAGS)),
        code("A.11", "aws: prefix", nested(json!({"aws:Team": ["red"]})), iit(BAD_TAGS)),
        code("A.11", "bad characters", nested(json!({"Team": ["red;blue"]})), iit(BAD_TAGS)),
        code("A.11", "keys equal but for case", nested(json!({"Team": ["red"], "team": ["blue"]})), iit(BAD_TAGS)),
        code(
            "A.11",
            "transitive key without tag",
            token().with(TAGS, json!({"principal_tags": {"Team": ["red"]}, "transitive_tag_keys": ["Other"]})),
            iit(BAD_KEYS),
        ),
        code("A.11", "nested and flat transitive keys conflict", conflict, iit(BAD_KEYS)),
        code("A.11", "source identity of one character", source("a"), iit(BAD_SOURCE)),
        code("A.11", "source identity of 65 characters", source(&"a".repeat(65)), iit(BAD_SOURCE)),
        code("A.11", "source identity with a quote", source("o'brien@example.com"), iit(BAD_SOURCE)),
        code("A.11", "source identity with aws: prefix", source("aws:alice"), iit(BAD_SOURCE)),
    ]
}

fn packed() -> Vec<Row> {
    vec![
        rec("A.12", "good token", token(), ok(&[("PackedPolicySize", &["25"])])),
        rec("A.12", "sub of 0 characters", token().with("sub", json!("")), ok(&[("PackedPolicySize", &["24"])])),
        rec("A.12", "sub of 1 character", token().with("sub", json!("s")), ok(&[("PackedPolicySize", &["24"])])),
        rec(
            "A.12",
            "sub of 300 characters",
            token().with("sub", json!("s".repeat(300))),
            ok(&[("PackedPolicySize", &["34"])]),
        ),
        rec(
            "A.12",
            "source identity of 12 characters",
            token().with(SOURCE_IDENTITY, json!("alice-source")),
            ok(&[("PackedPolicySize", &["26"])]),
        ),
        rec("A.12", "one transitive tag", transitive(), ok(&[("PackedPolicySize", &["25"])])),
        not_played("A.12", "EKS service-account token: 30", "the claims of that token are not recorded"),
        rec("A.12", "AssumeRole cross-account, 900 s", assume_role(), ok(&[("PackedPolicySize", &["9"])])),
        rec(
            "A.12",
            "AssumeRole with SourceIdentity of 25 characters",
            assume_role().param("SourceIdentity", "a-source-of-25-characters"),
            ok(&[("PackedPolicySize", &["19"])]),
        ),
        not_played("A.12", "PackedPolicyTooLarge", "not recorded; a knob sets where the program refuses"),
    ]
}
