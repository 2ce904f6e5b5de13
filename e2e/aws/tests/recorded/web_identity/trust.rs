//! The state of role and provider, and what the call log holds.

use serde_json::json;

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
