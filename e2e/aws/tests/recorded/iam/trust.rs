//! C.6, C.7: what IAM accepts as a trust policy.

use serde_json::{Value, json};

use super::{Account, decode};
use crate::support::texts;

const MALFORMED: &str = "MalformedPolicyDocument";

fn federated(principal: &str, condition: Option<Value>) -> String {
    let mut statement =
        json!({"Effect": "Allow", "Principal": {"Federated": principal}, "Action": "sts:AssumeRoleWithWebIdentity"});
    if let Some(condition) = condition {
        statement["Condition"] = condition;
    }
    json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
}

fn provider(issuer: &str) -> String {
    format!("arn:aws:iam::999999999999:oidc-provider/{issuer}")
}

#[tokio::test]
async fn refuses_trust_policies_in_the_recorded_words() {
    let account = Account::new();
    let statement = |principal: Value, action: &str| {
        json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": principal, "Action": action}]})
            .to_string()
    };
    let rows = [
        (statement(json!("*"), "sts:AssumeRole"), "AssumeRolepolicy contained an invalid principal: \"STAR\":\"*\"."),
        (
            statement(json!({"Federated": "*"}), "sts:AssumeRoleWithWebIdentity"),
            "Federated principals must be valid domain names or SAML metadata ARNs",
        ),
        (
            statement(json!({"Federated": provider("issuer.example.com")}), "STS:assumerolewithwebidentity"),
            "AssumeRole policy may only specify STS AssumeRole actions.",
        ),
        (
            statement(json!({"AWS": "999999999999"}), "iam:GetRole"),
            "AssumeRole policy may only specify STS AssumeRole actions.",
        ),
        (
            statement(json!({"AWS": "arn:aws:iam::999999999999:role/Absent"}), "sts:AssumeRole"),
            "Invalid principal in policy: \"AWS\":\"arn:aws:iam::999999999999:role/Absent\"",
        ),
        (
            statement(json!({"AWS": "arn:aws:iam::888888888888:root"}), "sts:AssumeRole"),
            "Invalid principal in policy: \"AWS\":\"arn:aws:iam::888888888888:root\"",
        ),
    ];
    for (document, message) in rows {
        assert_eq!(account.create_role("R", &document).await.unwrap_err().parts(), (MALFORMED, message), "{document}");
    }
    account.create_role("Star", &statement(json!({"AWS": "*"}), "sts:AssumeRole")).await.unwrap();
    account.create_role("Custom", &federated(&provider("issuer.example.com"), None)).await.unwrap();
    let object = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"AWS": "999999999999"}, "Action": "sts:AssumeRole"}});
    account.create_role("Object", &object.to_string()).await.unwrap();
}

#[tokio::test]
async fn principals_are_shown_by_arn_while_they_exist() {
    let account = Account::new();
    account.create_role("Hub", &super::own_trust()).await.unwrap();
    let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam::999999999999:role/Hub", "arn:aws:iam::999999999999:user/admin"]}, "Action": "sts:AssumeRole"}]});
    account.create_role("Spoke", &trust.to_string()).await.unwrap();
    let shown = async || {
        let xml = account.call("GetRole", &[("RoleName", "Spoke")]).await.unwrap();
        let document: Value = serde_json::from_str(&decode(&texts(&xml, "AssumeRolePolicyDocument")[0])).unwrap();
        document["Statement"][0]["Principal"]["AWS"].clone()
    };
    assert_eq!(shown().await, json!(["arn:aws:iam::999999999999:role/Hub", "arn:aws:iam::999999999999:user/admin"]));
    account.call("DeleteRole", &[("RoleName", "Hub")]).await.unwrap();
    let dangling = shown().await;
    assert!(dangling[0].as_str().unwrap().starts_with("AROA"), "{dangling}");
}

/// The general rule, on one of the shared issuers.
#[tokio::test]
async fn a_shared_issuer_needs_a_scoped_key() {
    let account = Account::new();
    let issuer = "gitlab.com";
    let on = |operator: &str, value: Value| Some(json!({operator: {"gitlab.com:sub": value}}));
    let rows = [
        (None, false),
        (on("StringEquals", json!("project")), true),
        (on("StringLike", json!("project*")), true),
        (on("StringEqualsIgnoreCase", json!("project")), true),
        (on("ForAnyValue:StringLike", json!("project")), true),
        (on("ForAllValues:StringEquals", json!("project")), true),
        (Some(json!({"StringEquals": {"GitLab.com:SUB": "project"}})), true),
        (on("StringNotEquals", json!("project")), false),
        (on("StringEqualsIfExists", json!("project")), false),
        (on("Null", json!("false")), false),
        (on("StringLike", json!("*")), false),
        (on("StringLike", json!(["project", "*"])), false),
        (on("StringLike", json!("?")), true),
        (on("StringLike", json!("**")), true),
        (on("StringLike", json!("*?")), true),
        (on("StringLike", json!("")), true),
        (on("StringLike", json!([])), true),
        (Some(json!({"StringEquals": {"gitlab.com:aud": "x"}})), false),
    ];
    let text = format!(
        "Trust policy with trusted principal {} must evaluate, using StringEquals, StringLike or StringEqualsIgnoreCase, gitlab.com:sub which is not scoped to all.",
        provider(issuer)
    );
    for (number, (condition, accepted)) in rows.into_iter().enumerate() {
        let document = federated(&provider(issuer), condition);
        let answer = account.create_role(&format!("R{number}"), &document).await;
        assert_eq!(answer.is_ok(), accepted, "{document}");
        if let Err(refusal) = answer {
            assert_eq!(refusal.parts(), (MALFORMED, text.as_str()));
        }
    }
}

#[tokio::test]
async fn github_actions_is_judged_more_strictly() {
    let account = Account::new();
    let issuer = "token.actions.githubusercontent.com";
    let sub = |value: &str| json!({"StringLike": {format!("{issuer}:sub"): value}});
    let mut rows: Vec<(String, Value, bool)> = Vec::new();
    for refused in ["*", "*owned", "**", "*?", "*??", "", " "] {
        rows.push((issuer.to_owned(), sub(refused), false));
    }
    for accepted in ["?", "??", "?*", "??*", "?owned", "owned*", "${aws:username}"] {
        rows.push((issuer.to_owned(), sub(accepted), true));
    }
    rows.push((issuer.to_owned(), json!({"StringLike": {format!("{issuer}:sub"): []}}), true));
    rows.push((issuer.to_owned(), json!({"StringLike": {format!("{issuer}:job_workflow_ref"): "owned/*"}}), true));
    rows.push((
        issuer.to_owned(),
        json!({"StringLike": {format!("{issuer}:sub"): "owned*", format!("{issuer}:job_workflow_ref"): "*"}}),
        false,
    ));
    rows.push((
        issuer.to_owned(),
        json!({"StringLike": {format!("{issuer}:sub"): "*"}, "StringEquals": {format!("{issuer}:sub"): "owned"}}),
        true,
    ));
    for longer in [
        "token.actions.githubusercontent.com/enterprise",
        "token.actions.githubusercontent.com.example.com",
        "token.actions.githubusercontent.comother",
    ] {
        rows.push((longer.to_owned(), json!({"StringLike": {format!("{longer}:aud"): "x"}}), false));
        rows.push((longer.to_owned(), json!({"StringLike": {format!("{longer}:sub"): "owned*"}}), true));
    }
    for (number, (issuer, condition, accepted)) in rows.into_iter().enumerate() {
        let document = federated(&provider(&issuer), Some(condition));
        assert_eq!(account.create_role(&format!("R{number}"), &document).await.is_ok(), accepted, "{document}");
    }
}

#[tokio::test]
async fn the_three_consumer_providers_need_an_application_id() {
    let account = Account::new();
    let rows = [
        ("accounts.google.com", "accounts.google.com:aud", "StringEquals", true),
        ("accounts.google.com", "accounts.google.com:AUD", "StringEquals", false),
        ("accounts.google.com", "accounts.google.com:aud", "StringLike", false),
        ("www.amazon.com", "www.amazon.com:app_id", "StringEquals", true),
        ("graph.facebook.com", "graph.facebook.com:sub", "StringEquals", false),
    ];
    for (number, (principal, key, operator, accepted)) in rows.into_iter().enumerate() {
        let answer = account
            .create_role(&format!("R{number}"), &federated(principal, Some(json!({operator: {key: "*"}}))))
            .await;
        assert_eq!(answer.is_ok(), accepted, "{principal} {key} {operator}");
        if let Err(refusal) = answer {
            assert_eq!(
                refusal.parts(),
                (
                    MALFORMED,
                    format!("Policy trusting {principal} requires a StringEquals condition on an application id")
                        .as_str()
                )
            );
        }
    }
    let cognito = account.create_role("Cognito", &federated("cognito-identity.amazonaws.com", None)).await.unwrap_err();
    assert_eq!(cognito.parts(), (MALFORMED, "A condition block must be present for the Cognito provider"));
}

#[tokio::test]
async fn only_statements_that_allow_federation_are_judged() {
    let account = Account::new();
    let statements = json!([
        {"Effect": "Deny", "Principal": {"Federated": provider("gitlab.com")}, "Action": "sts:AssumeRoleWithWebIdentity"},
        {"Effect": "Allow", "Principal": {"Federated": provider("gitlab.com")}, "Action": "sts:TagSession"},
    ]);
    account.create_role("R", &json!({"Version": "2012-10-17", "Statement": statements}).to_string()).await.unwrap();
}
