//! C.5, and customer-managed policies.

use super::{Account, allow_all, decode, own_trust, refusal};
use crate::support::texts;

const OWN: &str = "arn:aws:iam::999999999999:policy/P";
const AWS: &str = "arn:aws:iam::aws:policy/ReadOnlyAccess";

#[tokio::test]
async fn awss_own_policies_cannot_be_changed() {
    let account = Account::new();
    let document = allow_all().to_string();
    let document = [("PolicyDocument", document.as_str())];
    let version = [("VersionId", "v1")];
    let tags = [("Tags.member.1.Key", "k"), ("Tags.member.1.Value", "v")];
    let keys = [("TagKeys.member.1", "k")];
    let untagged = "Tags not supported for policies in this domain";
    let rows = [
        ("DeletePolicy", [].as_slice(), "AccessDenied", "Cannot delete policies outside your own account."),
        (
            "CreatePolicyVersion",
            &document,
            "AccessDenied",
            "Cannot create versions for policies outside your own account.",
        ),
        ("SetDefaultPolicyVersion", &version, "AccessDenied", "Cannot update policies outside your own account."),
        (
            "DeletePolicyVersion",
            &version,
            "AccessDenied",
            "Cannot delete policy versions for policies outside your own account.",
        ),
        ("TagPolicy", &tags, "InvalidInput", untagged),
        ("UntagPolicy", &keys, "InvalidInput", untagged),
    ];
    for (action, more, code, message) in rows {
        let mut params = vec![("PolicyArn", AWS)];
        params.extend_from_slice(more);
        assert_eq!(account.refused(action, &params).await, refusal(code, message), "{action}");
    }
    let tags = account.call("ListPolicyTags", &[("PolicyArn", AWS)]).await.unwrap();
    assert_eq!(texts(&tags, "Key"), Vec::<String>::new());
    let foreign = [("PolicyArn", "arn:aws-cn:iam::aws:policy/ReadOnlyAccess")];
    assert_eq!(account.refused("GetPolicy", &foreign).await, refusal("ValidationError", "Invalid ARN partition"));
}

#[tokio::test]
async fn reserved_policies_cannot_be_attached() {
    let account = Account::new();
    account.create_role("R", &own_trust()).await.unwrap();
    let attach = |arn| [("RoleName", "R"), ("PolicyArn", arn)];
    for reserved in ["arn:aws:iam::aws:policy/aws-service-role/X", "arn:aws:iam::aws:policy/root-task/X"] {
        assert_eq!(account.refused("AttachRolePolicy", &attach(reserved)).await.0, "PolicyNotAttachable");
    }
    assert_eq!(account.refused("AttachRolePolicy", &attach(OWN)).await.0, "NoSuchEntity");
}

#[tokio::test]
async fn documents_of_managed_policies_come_back_verbatim() {
    let account = Account::new();
    let document = "{ \"Version\": \"2012-10-17\",\n \"Statement\": { \"Resource\": \"*\", \"Effect\": \"Allow\", \"Action\": \"s3:*\" } }";
    let created = account.call("CreatePolicy", &[("PolicyName", "P"), ("PolicyDocument", document)]).await.unwrap();
    assert_eq!(texts(&created, "Arn"), [OWN]);
    let version = account.call("GetPolicyVersion", &[("PolicyArn", OWN), ("VersionId", "v1")]).await.unwrap();
    assert_eq!(decode(&texts(&version, "Document")[0]), document);
}

#[tokio::test]
async fn a_policy_has_five_versions_at_most() {
    let account = Account::new();
    let document = allow_all().to_string();
    account.call("CreatePolicy", &[("PolicyName", "P"), ("PolicyDocument", &document)]).await.unwrap();
    let version = [("PolicyArn", OWN), ("PolicyDocument", document.as_str()), ("SetAsDefault", "true")];
    for _ in 0..4 {
        account.call("CreatePolicyVersion", &version).await.unwrap();
    }
    assert_eq!(account.refused("CreatePolicyVersion", &version).await.0, "LimitExceeded");
    let default = [("PolicyArn", OWN), ("VersionId", "v5")];
    assert_eq!(account.refused("DeletePolicyVersion", &default).await.0, "DeleteConflict");
    account.call("DeletePolicyVersion", &[("PolicyArn", OWN), ("VersionId", "v1")]).await.unwrap();
    let created = account.call("CreatePolicyVersion", &version).await.unwrap();
    assert_eq!(texts(&created, "VersionId"), ["v6"]);
    assert_eq!(account.refused("DeletePolicy", &[("PolicyArn", OWN)]).await.0, "DeleteConflict");
}

#[tokio::test]
async fn a_policy_in_use_is_not_deleted() {
    let account = Account::new();
    let document = allow_all().to_string();
    account.create_role("R", &own_trust()).await.unwrap();
    account.call("CreatePolicy", &[("PolicyName", "P"), ("PolicyDocument", &document)]).await.unwrap();
    let attach = [("RoleName", "R"), ("PolicyArn", OWN)];
    account.call("AttachRolePolicy", &attach).await.unwrap();
    account.call("AttachRolePolicy", &attach).await.unwrap();
    let entities = account.call("ListEntitiesForPolicy", &[("PolicyArn", OWN)]).await.unwrap();
    assert_eq!(texts(&entities, "RoleName"), ["R"]);
    let delete = [("PolicyArn", OWN)];
    assert_eq!(
        account.refused("DeletePolicy", &delete).await,
        refusal("DeleteConflict", "Cannot delete a policy attached to entities.")
    );
    account.call("DetachRolePolicy", &attach).await.unwrap();
    account.call("DeletePolicy", &delete).await.unwrap();
    assert_eq!(account.refused("GetPolicy", &delete).await.0, "NoSuchEntity");
}
