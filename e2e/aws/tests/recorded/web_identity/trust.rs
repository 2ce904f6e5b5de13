//! A.13, A.15: the role's state, and the context in which its trust policy is evaluated.

use serde_json::{Value, json};

use super::Expected::{Ok as Accepted, Refused};
use super::{ACCOUNT, DENIED, Expected, ROLE, Recorded, check};
use crate::support::texts;

const REFUSED: Expected = Refused("AccessDenied", DENIED);

#[tokio::test]
async fn a_role_is_invisible_until_it_has_propagated() {
    let recorded = Recorded::start().await;
    let token = recorded.token(|_| {});
    recorded.aws.knobs(&json!({"role_propagation_seconds": 12}));
    check("at once", &recorded.assume(&token).await, &REFUSED);
    recorded.aws.knobs(&json!({"clock_offset_seconds": 12}));
    check("after twelve seconds", &recorded.assume(&token).await, &Accepted(&[]));
}

#[tokio::test]
async fn a_role_that_does_not_exist_is_denied_like_one_that_does_not_trust() {
    let recorded = Recorded::start().await;
    let token = recorded.token(|_| {});
    recorded.aws.iam(&recorded.admin, "DeleteRole", &[("RoleName", ROLE)]).await.unwrap();
    let refusal = recorded.assume(&token).await.unwrap_err();
    assert_eq!((refusal.status, refusal.parts()), (403, ("AccessDenied", DENIED)));
}

#[tokio::test]
async fn an_issuer_without_provider_in_the_roles_account_is_refused() {
    let recorded = Recorded::start().await;
    recorded.aws.account("111111111111");
    let token = recorded.token(|_| {});
    let params = [
        ("RoleArn", "arn:aws:iam::111111111111:role/R"),
        ("RoleSessionName", "session"),
        ("WebIdentityToken", token.as_str()),
    ];
    let refusal = recorded.aws.sts(None, "AssumeRoleWithWebIdentity", &params).await.unwrap_err();
    let text = "No OpenIDConnect provider found in your account for https://issuer.example.com";
    assert_eq!(refusal.parts(), ("InvalidIdentityToken", text));
}

#[tokio::test]
async fn evaluates_trust_in_the_recorded_context() {
    let recorded = Recorded::start().await;
    let provider = recorded.provider.clone();
    let equals = |key: &str, value: &str| json!({"StringEquals": {key: value}});
    let rows: Vec<(&str, Value, Expected)> = vec![
        ("account", equals("aws:PrincipalAccount", ACCOUNT), Accepted(&[])),
        ("type", equals("aws:PrincipalType", "User"), Accepted(&[])),
        ("user id is the provider", equals("aws:userid", &provider), Accepted(&[])),
        ("user id is not the subject", equals("aws:userid", "subject-0123"), REFUSED),
        ("principal ARN is absent", json!({"Null": {"aws:PrincipalArn": "true"}}), Accepted(&[])),
        ("session name", equals("sts:RoleSessionName", "session-10"), Accepted(&[])),
        ("wrong session name", equals("sts:RoleSessionName", "session-11"), REFUSED),
        ("audience", equals("issuer.example.com:aud", "client-a"), Accepted(&[])),
        ("audience with scheme", equals("issuer.example.com:aud", "https://client-a"), REFUSED),
        ("key with scheme", equals("https://issuer.example.com:aud", "client-a"), REFUSED),
        ("key in another case", equals("Issuer.Example.com:SUB", "subject-0123"), Accepted(&[])),
        ("subject pattern", json!({"StringLike": {"issuer.example.com:sub": "subject-*"}}), Accepted(&[])),
        ("wrong subject", json!({"StringLike": {"issuer.example.com:sub": "*@example.com"}}), REFUSED),
        ("any other claim", equals("issuer.example.com:department", "red"), REFUSED),
        ("e-mail", equals("issuer.example.com:email", "alice@example.com"), Accepted(&[])),
        ("amr", json!({"ForAnyValue:StringEquals": {"issuer.example.com:amr": "hwk"}}), Accepted(&[])),
        ("amr under a scalar operator", equals("issuer.example.com:amr", "hwk"), REFUSED),
        ("source identity", equals("sts:SourceIdentity", "alice@example.com"), Accepted(&[])),
        ("source identity of the session", equals("aws:SourceIdentity", "alice@example.com"), REFUSED),
        ("requested tag", equals("aws:RequestTag/Team", "red"), Accepted(&[])),
        ("session tag", equals("aws:PrincipalTag/Team", "red"), REFUSED),
        ("tag keys", json!({"ForAllValues:StringEquals": {"aws:TagKeys": ["Team"]}}), Accepted(&[])),
        ("transitive keys", json!({"ForAnyValue:StringEquals": {"sts:TransitiveTagKeys": ["Team"]}}), Accepted(&[])),
    ];
    let token = recorded.token(|claims| {
        claims.insert("email".to_owned(), json!("alice@example.com"));
        claims.insert("department".to_owned(), json!("red"));
        claims.insert("amr".to_owned(), json!(["hwk", "user"]));
        claims.insert("https://aws.amazon.com/source_identity".to_owned(), json!("alice@example.com"));
        let tags = json!({"principal_tags": {"Team": ["red"]}, "transitive_tag_keys": ["Team"]});
        claims.insert("https://aws.amazon.com/tags".to_owned(), tags);
    });
    for (name, condition, expected) in rows {
        recorded.set_trust(&recorded.trust(&condition)).await;
        check(name, &recorded.assume(&token).await, &expected);
    }
}

#[tokio::test]
async fn an_aws_principal_does_not_cover_a_web_identity() {
    let recorded = Recorded::start().await;
    let trust = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRoleWithWebIdentity"}]});
    recorded.set_trust(&trust.to_string()).await;
    check("AWS *", &recorded.assume(&recorded.token(|_| {})).await, &REFUSED);
}

#[tokio::test]
async fn tags_and_source_identity_need_their_own_actions() {
    let recorded = Recorded::start().await;
    let trust = |actions: &[&str]| {
        json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"Federated": recorded.provider}, "Action": actions}]})
        .to_string()
    };
    let tagged = recorded.token(|claims| {
        claims.insert("https://aws.amazon.com/tags".to_owned(), json!({"principal_tags": {"Team": ["red"]}}));
    });
    let named = recorded.token(|claims| {
        claims.insert("https://aws.amazon.com/source_identity".to_owned(), json!("alice@example.com"));
    });
    let assume = "sts:AssumeRoleWithWebIdentity";
    recorded.set_trust(&trust(&[assume, "sts:SetSourceIdentity"])).await;
    check(
        "tags",
        &recorded.assume(&tagged).await,
        &Refused("AccessDenied", "Not authorized to perform sts:TagSession"),
    );
    check("source identity allowed", &recorded.assume(&named).await, &Accepted(&[]));
    recorded.set_trust(&trust(&[assume, "sts:TagSession"])).await;
    check("tags allowed", &recorded.assume(&tagged).await, &Accepted(&[]));
    check(
        "source identity",
        &recorded.assume(&named).await,
        &Refused("AccessDenied", "Not authorized to perform sts:SetSourceIdentity"),
    );
}

#[tokio::test]
async fn a_federated_trust_binds_to_the_arn_of_the_provider() {
    let recorded = Recorded::start().await;
    let arn = [("OpenIDConnectProviderArn", recorded.provider.as_str())];
    recorded.aws.iam(&recorded.admin, "DeleteOpenIDConnectProvider", &arn).await.unwrap();
    let again = [("Url", recorded.issuer.url.as_str()), ("ClientIDList.member.1", "client-a")];
    recorded.aws.iam(&recorded.admin, "CreateOpenIDConnectProvider", &again).await.unwrap();
    check("created anew", &recorded.assume(&recorded.token(|_| {})).await, &Accepted(&[]));
}

#[tokio::test]
async fn the_log_names_the_person_and_holds_no_secret() {
    let recorded = Recorded::start().await;
    let token = recorded.token(|claims| {
        claims.insert("https://aws.amazon.com/source_identity".to_owned(), json!("alice@example.com"));
        let tags = json!({"principal_tags": {"Team": ["red"]}, "transitive_tag_keys": ["Team"]});
        claims.insert("https://aws.amazon.com/tags".to_owned(), tags);
    });
    let xml = recorded.assume(&token).await.unwrap();
    let record = recorded.aws.last_call();
    assert_eq!(record["userIdentity"]["type"], "WebIdentityUser");
    assert_eq!(record["userIdentity"]["userName"], "subject-0123");
    assert_eq!(record["userIdentity"]["principalId"], format!("{}:client-a:subject-0123", recorded.provider));
    assert_eq!(record["recipientAccountId"], ACCOUNT);
    assert_eq!(record["requestParameters"]["sourceIdentity"], "alice@example.com");
    assert_eq!(record["requestParameters"]["principalTags"], json!({"Team": "red"}));
    assert_eq!(record["requestParameters"]["transitiveTagKeys"], json!(["Team"]));
    let log = record.to_string();
    for secret in [token, texts(&xml, "SecretAccessKey")[0].clone(), texts(&xml, "SessionToken")[0].clone()] {
        assert!(!log.contains(&secret));
    }
}
