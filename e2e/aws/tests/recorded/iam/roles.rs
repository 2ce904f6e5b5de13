//! C.2, C.3: roles.

use serde_json::json;

use super::{Account, allow_all, decode, own_trust, refusal};
use crate::support::texts;

#[tokio::test]
async fn each_answer_shows_what_was_recorded() {
    let account = Account::new();
    let trust = r#"{ "Version":"2012-10-17", "Statement":[{"Action":"sts:AssumeRole","Effect":"Allow","Principal":{"AWS":"999999999999"}}]}"#;
    let params = [
        ("RoleName", "R"),
        ("AssumeRolePolicyDocument", trust),
        ("Description", "words"),
        ("Tags.member.1.Key", "k"),
        ("Tags.member.1.Value", "v"),
    ];
    let created = account.call("CreateRole", &params).await.unwrap();
    let as_sent = r#"{"Version":"2012-10-17","Statement":[{"Action":"sts:AssumeRole","Effect":"Allow","Principal":{"AWS":"999999999999"}}]}"#;
    assert_eq!(decode(&texts(&created, "AssumeRolePolicyDocument")[0]), as_sent);
    for (tag, shown) in [("Description", false), ("MaxSessionDuration", false), ("Tags", true), ("RoleLastUsed", false)]
    {
        assert_eq!(!texts(&created, tag).is_empty(), shown, "CreateRole {tag}");
    }
    let got = account.call("GetRole", &[("RoleName", "r")]).await.unwrap();
    let rewritten = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::999999999999:root"},"Action":"sts:AssumeRole"}]}"#;
    assert_eq!(decode(&texts(&got, "AssumeRolePolicyDocument")[0]), rewritten);
    assert_eq!(
        (texts(&got, "MaxSessionDuration"), texts(&got, "RoleLastUsed")),
        (vec!["3600".into()], vec![String::new()])
    );
    assert_eq!(texts(&got, "CreateDate")[0].len(), "2026-01-01T00:00:00Z".len());
    let listed = account.call("ListRoles", &[]).await.unwrap();
    for (tag, shown) in [("Description", true), ("MaxSessionDuration", true), ("Tags", false), ("RoleLastUsed", false)]
    {
        assert_eq!(!texts(&listed, tag).is_empty(), shown, "ListRoles {tag}");
    }
    let described =
        account.call("UpdateRoleDescription", &[("RoleName", "R"), ("Description", "other")]).await.unwrap();
    assert_eq!(
        (texts(&described, "Description"), texts(&described, "MaxSessionDuration")),
        (vec!["other".into()], Vec::new())
    );
}

#[tokio::test]
async fn a_role_has_one_name_in_every_case() {
    let account = Account::new();
    account.create_role("Mixed", &own_trust()).await.unwrap();
    assert_eq!(account.create_role("mIXED", &own_trust()).await.unwrap_err().code, "EntityAlreadyExists");
    assert_eq!(
        account.refused("GetRole", &[("RoleName", "X")]).await,
        refusal("NoSuchEntity", "The role with name X cannot be found.")
    );
    let document = allow_all().to_string();
    for name in ["MixedName", "mixedname"] {
        account
            .call("PutRolePolicy", &[("RoleName", "Mixed"), ("PolicyName", name), ("PolicyDocument", &document)])
            .await
            .unwrap();
    }
    let listed = account.call("ListRolePolicies", &[("RoleName", "Mixed")]).await.unwrap();
    assert!(listed.contains("<PolicyNames><member>MixedName</member></PolicyNames>"), "{listed}");
    let got = account.call("GetRolePolicy", &[("RoleName", "Mixed"), ("PolicyName", "MIXEDNAME")]).await.unwrap();
    assert_eq!(texts(&got, "PolicyName"), ["MIXEDNAME"]);
}

#[tokio::test]
async fn updates_keep_what_is_not_given() {
    let account = Account::new();
    account
        .call(
            "CreateRole",
            &[
                ("RoleName", "R"),
                ("AssumeRolePolicyDocument", &own_trust()),
                ("MaxSessionDuration", "7200"),
                ("Description", "x"),
            ],
        )
        .await
        .unwrap();
    account.call("UpdateRole", &[("RoleName", "R"), ("Description", "")]).await.unwrap();
    let got = account.call("GetRole", &[("RoleName", "R")]).await.unwrap();
    assert_eq!(
        (texts(&got, "MaxSessionDuration"), texts(&got, "Description")),
        (vec!["7200".into()], vec![String::new()])
    );
    account
        .call("UpdateRole", &[("RoleName", "R"), ("MaxSessionDuration", "43200"), ("Description", &"ü".repeat(1000))])
        .await
        .unwrap();
    let rows = [
        (
            "MaxSessionDuration",
            "43201".to_owned(),
            "1 validation error detected: Value at 'maxSessionDuration' failed to satisfy constraint: Member must have value less than or equal to 43200",
        ),
        (
            "Description",
            "d".repeat(1001),
            "1 validation error detected: Value at 'description' failed to satisfy constraint: Member must have length less than or equal to 1000",
        ),
    ];
    for (name, value, message) in rows {
        assert_eq!(
            account.refused("UpdateRole", &[("RoleName", "R"), (name, &value)]).await,
            refusal("ValidationError", message)
        );
    }
}

#[tokio::test]
async fn tag_keys_of_a_role_fold_case() {
    let account = Account::new();
    account.create_role("R", &own_trust()).await.unwrap();
    let role = ("RoleName", "R");
    let tag =
        |key: &'static str, value: &'static str| [role, ("Tags.member.1.Key", key), ("Tags.member.1.Value", value)];
    account.call("TagRole", &tag("Team", "a")).await.unwrap();
    account.call("TagRole", &tag("team", "aws:b")).await.unwrap();
    let listed = account.call("ListRoleTags", &[role]).await.unwrap();
    assert_eq!((texts(&listed, "Key"), texts(&listed, "Value")), (vec!["team".into()], vec!["aws:b".into()]));
    for reserved in ["aws:x", "AWS:x"] {
        assert_eq!(
            account.refused("TagRole", &tag(reserved, "v")).await,
            refusal("InvalidInput", "Tag keys beginning with aws: are reserved for system use.")
        );
    }
    let twice = [
        role,
        ("Tags.member.1.Key", "a"),
        ("Tags.member.1.Value", ""),
        ("Tags.member.2.Key", "A"),
        ("Tags.member.2.Value", ""),
    ];
    assert_eq!(account.refused("TagRole", &twice).await.0, "InvalidInput");
    assert_eq!(account.refused("TagRole", &[role, ("Tags", "")]).await.0, "InvalidInput");
    assert_eq!(account.refused("TagRole", &tag(" ", "v")).await.0, "ValidationError");
    for keys in [
        vec![role, ("TagKeys", "")],
        vec![role, ("TagKeys.member.1", "absent")],
        vec![role, ("TagKeys.member.1", "aws:x")],
    ] {
        account.call("UntagRole", &keys).await.unwrap();
    }
    let many: Vec<(String, String)> = (0..50)
        .flat_map(|n| {
            [
                (format!("Tags.member.{}.Key", n + 1), format!("k{n}")),
                (format!("Tags.member.{}.Value", n + 1), String::new()),
            ]
        })
        .collect();
    let mut params = vec![role];
    params.extend(many.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    assert_eq!(account.refused("TagRole", &params).await.0, "LimitExceeded");
    params.extend([("Tags.member.51.Key", "k50"), ("Tags.member.51.Value", "")]);
    assert_eq!(account.refused("TagRole", &params).await.0, "ValidationError");
}

#[tokio::test]
async fn a_role_is_deleted_only_when_nothing_hangs_on_it() {
    let account = Account::new();
    account.create_role("R", &own_trust()).await.unwrap();
    let attach = [("RoleName", "R"), ("PolicyArn", "arn:aws:iam::aws:policy/ReadOnlyAccess")];
    account.call("AttachRolePolicy", &attach).await.unwrap();
    account
        .call("PutRolePolicy", &[("RoleName", "R"), ("PolicyName", "p"), ("PolicyDocument", &allow_all().to_string())])
        .await
        .unwrap();
    let delete = [("RoleName", "R")];
    assert_eq!(
        account.refused("DeleteRole", &delete).await,
        refusal("DeleteConflict", "Cannot delete entity, must detach all policies first.")
    );
    account.call("DetachRolePolicy", &attach).await.unwrap();
    assert_eq!(account.refused("DetachRolePolicy", &attach).await.0, "NoSuchEntity");
    assert_eq!(
        account.refused("DeleteRole", &delete).await,
        refusal("DeleteConflict", "Cannot delete entity, must delete policies first.")
    );
    account.call("DeleteRolePolicy", &[("RoleName", "R"), ("PolicyName", "P")]).await.unwrap();
    assert_eq!(account.refused("DeleteRolePermissionsBoundary", &delete).await.0, "NoSuchEntity");
    account.call("DeleteRole", &delete).await.unwrap();
}

#[tokio::test]
async fn lists_page_by_page() {
    let account = Account::new();
    for number in 0..5 {
        let name = format!("R{number}");
        account
            .call("CreateRole", &[("RoleName", &name), ("Path", "/vouch/"), ("AssumeRolePolicyDocument", &own_trust())])
            .await
            .unwrap();
    }
    let mut names = Vec::new();
    let mut marker: Option<String> = None;
    loop {
        let mut params = vec![("MaxItems", "2"), ("PathPrefix", "/vouch/")];
        params.extend(marker.as_deref().map(|marker| ("Marker", marker)));
        let page = account.call("ListRoles", &params).await.unwrap();
        names.extend(texts(&page, "RoleName"));
        marker = texts(&page, "Marker").first().cloned();
        assert_eq!(texts(&page, "IsTruncated"), [marker.is_some().to_string()]);
        if marker.is_none() {
            break;
        }
    }
    assert_eq!(names, ["R0", "R1", "R2", "R3", "R4"]);
    assert_eq!(
        texts(&account.call("ListRoles", &[("PathPrefix", "/other/")]).await.unwrap(), "RoleName"),
        Vec::<String>::new()
    );
}

#[tokio::test]
async fn a_boundary_bounds() {
    let account = Account::new();
    let trust = own_trust();
    let params = [
        ("RoleName", "R"),
        ("AssumeRolePolicyDocument", trust.as_str()),
        ("PermissionsBoundary", "arn:aws:iam::aws:policy/ReadOnlyAccess"),
    ];
    let created = account.call("CreateRole", &params).await.unwrap();
    assert_eq!(texts(&created, "PermissionsBoundaryArn"), ["arn:aws:iam::aws:policy/ReadOnlyAccess"]);
    account
        .call("AttachRolePolicy", &[("RoleName", "R"), ("PolicyArn", "arn:aws:iam::aws:policy/AdministratorAccess")])
        .await
        .unwrap();
    let role = "arn:aws:iam::999999999999:role/R";
    let xml = account
        .aws
        .sts(Some(&account.admin), "AssumeRole", &[("RoleArn", role), ("RoleSessionName", "alice")])
        .await
        .unwrap();
    let session = crate::support::Keys {
        id: texts(&xml, "AccessKeyId")[0].clone(),
        secret: texts(&xml, "SecretAccessKey")[0].clone(),
        token: Some(texts(&xml, "SessionToken")[0].clone()),
    };
    account.aws.iam(&session, "ListRoles", &[]).await.unwrap();
    let refusal = account.aws.iam(&session, "DeleteRole", &[("RoleName", "R")]).await.unwrap_err();
    assert!(
        refusal.message.ends_with("because no permissions boundary allows the iam:DeleteRole action"),
        "{}",
        refusal.message
    );
    let reserved = [("RoleName", "R"), ("PermissionsBoundary", "arn:aws:iam::aws:policy/aws-service-role/X")];
    assert_eq!(account.refused("PutRolePermissionsBoundary", &reserved).await.0, "PolicyNotAttachable");
    account.call("DeleteRolePermissionsBoundary", &[("RoleName", "R")]).await.unwrap();
    account.aws.iam(&session, "UpdateRole", &[("RoleName", "R")]).await.unwrap();
}

#[tokio::test]
async fn the_summary_shows_the_recorded_quotas() {
    let account = Account::new();
    let xml = account.call("GetAccountSummary", &[]).await.unwrap();
    for (name, value) in [
        ("AssumeRolePolicySizeQuota", 2048),
        ("RolePolicySizeQuota", 10240),
        ("AttachedPoliciesPerRoleQuota", 20),
        ("PolicySizeQuota", 6144),
        ("VersionsPerPolicyQuota", 5),
        ("RolesQuota", 1000),
    ] {
        assert!(xml.contains(&format!("<key>{name}</key><value>{value}</value>")), "{name}");
    }
    let long = json!({"Version": "2012-10-17", "Statement": [{"Sid": "s".repeat(2048), "Effect": "Allow", "Principal": {"AWS": "999999999999"}, "Action": "sts:AssumeRole"}]});
    let refusal = account.create_role("R", &long.to_string()).await.unwrap_err();
    assert_eq!(refusal.parts(), ("LimitExceeded", "Cannot exceed quota for ACLSizePerRole: 2048"));
}
