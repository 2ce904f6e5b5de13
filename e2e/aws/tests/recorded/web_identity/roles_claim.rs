//! A.10: the roles claim and `sts:RoleAuthorizedByIdp`.

use serde_json::{Value, json};

use super::Expected::{Ok as Accepted, Refused};
use super::{DENIED, Expected, Recorded, check, invalid};

const CLAIM: &str = "https://aws.amazon.com/roles";
const NOT_PRESENT: &str = "The target role ARN is not present in the roles claim of the identity token";
const NONE_VALID: &str = "The roles claim contains no valid role ARNs";
const FORMAT: &str = "The roles claim is not in a supported format";
const OTHER: &str = "arn:aws:iam::999999999999:role/Other";

impl Recorded {
    async fn with_roles(&self, claim: Option<&Value>) -> Result<String, crate::support::Refusal> {
        let token = self.token(|claims| {
            if let Some(claim) = claim {
                claims.insert(CLAIM.to_owned(), claim.clone());
            }
        });
        self.assume(&token).await
    }
}

#[tokio::test]
async fn judges_the_roles_claim_as_recorded() {
    let recorded = Recorded::start().await;
    let role = recorded.role.as_str();
    let many: Vec<String> = (0..40).map(|number| format!("{OTHER}{number}")).chain([role.to_owned()]).collect();
    let rows: Vec<(&str, Value, Expected)> = vec![
        ("null", Value::Null, Accepted(&[])),
        ("string", json!(role), Accepted(&[])),
        ("array", json!([role]), Accepted(&[])),
        ("array of many", json!(many), Accepted(&[])),
        ("duplicates", json!([role, role]), Accepted(&[])),
        ("one invalid entry", json!(["nonsense", role]), Accepted(&[])),
        ("trailing semicolon", json!(format!("{role};")), Accepted(&[])),
        ("leading semicolon", json!(format!(";{role}")), Accepted(&[])),
        ("split by semicolon", json!(format!("{OTHER};{role}")), Accepted(&[])),
        ("split by semicolon and space", json!(format!("{OTHER}; {role}")), Accepted(&[])),
        ("space around", json!(format!(" {role} ")), Accepted(&[])),
        ("number and target", json!([123, role]), Accepted(&[])),
        ("null and target", json!([null, role]), Accepted(&[])),
        ("others only", json!([OTHER]), invalid(NOT_PRESENT)),
        ("wildcard", json!("arn:aws:iam::999999999999:role/*"), invalid(NONE_VALID)),
        ("upper case", json!(role.to_uppercase()), invalid(NONE_VALID)),
        ("empty array", json!([]), invalid(NONE_VALID)),
        ("empty", json!(""), invalid(NONE_VALID)),
        ("nested array", json!([[role]]), invalid(NONE_VALID)),
        ("comma-separated", json!(format!("{OTHER},{role}")), invalid(NONE_VALID)),
        ("number", json!(123), invalid(FORMAT)),
        ("boolean", json!(true), invalid(FORMAT)),
        ("object", json!({"role": role}), invalid(FORMAT)),
    ];
    check("absent", &recorded.with_roles(None).await, &Accepted(&[]));
    for (name, claim, expected) in rows {
        check(name, &recorded.with_roles(Some(&claim)).await, &expected);
    }
}

#[tokio::test]
async fn a_trust_policy_sees_whether_the_issuer_named_the_role() {
    let recorded = Recorded::start().await;
    let (own, other) = (json!([recorded.role]), json!([OTHER]));
    let rows = [
        ("true", None, Refused("AccessDenied", DENIED)),
        ("true", Some(&own), Accepted(&[])),
        ("false", None, Accepted(&[])),
        ("false", Some(&own), Refused("AccessDenied", DENIED)),
        ("true", Some(&other), invalid(NOT_PRESENT)),
        ("false", Some(&other), invalid(NOT_PRESENT)),
    ];
    for (demanded, claim, expected) in rows {
        recorded.set_trust(&recorded.trust(&json!({"Bool": {"sts:RoleAuthorizedByIdp": demanded}}))).await;
        check(&format!("{demanded} / {claim:?}"), &recorded.with_roles(claim).await, &expected);
    }
}
