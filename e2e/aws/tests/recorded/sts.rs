//! `AssumeRole` (part B of the recordings, and the documented rules of chains).

use serde_json::{Value, json};

use crate::support::{Aws, Keys, Refusal, texts};

const HUB: &str = "arn:aws:iam::999999999999:role/vouch/Hub";
const SPOKE: &str = "arn:aws:iam::111111111111:role/vouch/Spoke";

/// A hub and a spoke in two accounts, as the product sets them up.
struct Chain {
    aws: Aws,
    admin: Keys,
    spoke_admin: Keys,
}

const ALL: [&str; 3] = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"];

fn trust(principal: &str, actions: &[&str]) -> String {
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": principal}, "Action": actions}]}).to_string()
}

fn allow(actions: &[&str]) -> String {
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "arn:aws:iam::*:role/vouch/*"}]}).to_string()
}

fn keys(xml: &str) -> Keys {
    Keys {
        id: texts(xml, "AccessKeyId")[0].clone(),
        secret: texts(xml, "SecretAccessKey")[0].clone(),
        token: Some(texts(xml, "SessionToken")[0].clone()),
    }
}

impl Chain {
    async fn start() -> Self {
        let aws = Aws::new(&[]);
        let (admin, spoke_admin) = (aws.account("999999999999"), aws.account("111111111111"));
        let chain = Self { aws, admin, spoke_admin };
        chain.create(&chain.admin, "Hub", &trust("arn:aws:iam::999999999999:root", &ALL)).await;
        chain.put(&chain.admin, "Hub", &allow(&ALL)).await;
        chain.create(&chain.spoke_admin, "Spoke", &trust(HUB, &ALL)).await;
        chain
    }

    async fn create(&self, admin: &Keys, name: &str, trust: &str) {
        let params = [
            ("RoleName", name),
            ("Path", "/vouch/"),
            ("AssumeRolePolicyDocument", trust),
            ("MaxSessionDuration", "7200"),
        ];
        self.aws.iam(admin, "CreateRole", &params).await.unwrap();
    }

    async fn put(&self, admin: &Keys, name: &str, document: &str) {
        let params = [("RoleName", name), ("PolicyName", "assume"), ("PolicyDocument", document)];
        self.aws.iam(admin, "PutRolePolicy", &params).await.unwrap();
    }

    async fn set_trust(&self, admin: &Keys, name: &str, document: &str) {
        self.aws
            .iam(admin, "UpdateAssumeRolePolicy", &[("RoleName", name), ("PolicyDocument", document)])
            .await
            .unwrap();
    }

    async fn assume(&self, keys: &Keys, role: &str, more: &[(&str, &str)]) -> Result<String, Refusal> {
        let mut params = vec![("RoleArn", role), ("RoleSessionName", "alice@example.com")];
        params.extend(more);
        self.aws.sts(Some(keys), "AssumeRole", &params).await
    }

    /// A hub session with source identity and one transitive tag.
    async fn hub(&self) -> Keys {
        let more = [
            ("SourceIdentity", "alice@example.com"),
            ("Tags.member.1.Key", "Email"),
            ("Tags.member.1.Value", "alice@example.com"),
            ("Tags.member.2.Key", "Team"),
            ("Tags.member.2.Value", "red"),
            ("TransitiveTagKeys.member.1", "Email"),
        ];
        keys(&self.assume(&self.admin, HUB, &more).await.unwrap())
    }
}

#[tokio::test]
async fn answers_with_the_recorded_members() {
    let chain = Chain::start().await;
    let xml = chain.assume(&chain.admin, HUB, &[]).await.unwrap();
    assert_eq!(texts(&xml, "PackedPolicySize"), ["9"]);
    assert_eq!(
        (texts(&xml, "SessionTokenSize"), texts(&xml, "SessionTokenUtilization")),
        (vec!["796".into()], vec!["19".into()])
    );
    assert_eq!(texts(&xml, "Arn"), ["arn:aws:sts::999999999999:assumed-role/Hub/alice@example.com"]);
    let xml = chain.assume(&chain.admin, HUB, &[("SourceIdentity", "a-source-of-25-characters")]).await.unwrap();
    assert_eq!(
        (texts(&xml, "PackedPolicySize"), texts(&xml, "SourceIdentity")),
        (vec!["19".into()], vec!["a-source-of-25-characters".into()])
    );
}

#[tokio::test]
async fn denies_an_invisible_role_in_the_recorded_words() {
    let chain = Chain::start().await;
    chain.aws.knobs(&json!({"role_propagation_seconds": 10}));
    let refusal = chain.assume(&chain.admin, HUB, &[]).await.unwrap_err();
    assert_eq!(refusal.status, 403);
    let text = format!(
        "User: arn:aws:iam::999999999999:user/admin is not authorized to perform: sts:AssumeRole on resource: {HUB}"
    );
    assert_eq!(refusal.parts(), ("AccessDenied", text.as_str()));
    chain.aws.knobs(&json!({"clock_offset_seconds": 10}));
    chain.assume(&chain.admin, HUB, &[]).await.unwrap();
}

#[tokio::test]
async fn a_chain_keeps_source_identity_and_transitive_tags() {
    let chain = Chain::start().await;
    let hub = chain.hub().await;
    let xml = chain.assume(&hub, SPOKE, &[]).await.unwrap();
    assert_eq!(texts(&xml, "SourceIdentity"), ["alice@example.com"]);
    let calls = chain.aws.calls();
    let record = &calls[calls.len() - 2];
    assert_eq!(record["requestParameters"]["incomingTransitiveTags"], json!({"Email": "alice@example.com"}));
    assert_eq!(record["userIdentity"]["sessionContext"]["sourceIdentity"], "alice@example.com");
    assert_eq!(record["resources"][0]["accountId"], "111111111111");

    let condition = |key: &str, value: &str| -> String {
        json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iam:GetRole", "Resource": "*",
            "Condition": {"StringEquals": {key: value}}}]})
        .to_string()
    };
    let spoke = keys(&xml);
    let rows = [
        ("aws:PrincipalTag/Email", "alice@example.com", true),
        ("aws:PrincipalTag/Team", "red", false),
        ("aws:SourceIdentity", "alice@example.com", true),
        ("aws:PrincipalOrgID", "o-example123", true),
        ("aws:PrincipalArn", SPOKE, true),
        ("aws:ResourceOrgID", "${aws:PrincipalOrgID}", true),
        ("aws:PrincipalAccount", "999999999999", false),
    ];
    for (key, value, allowed) in rows {
        chain.put(&chain.spoke_admin, "Spoke", &condition(key, value)).await;
        let answer = chain.aws.iam(&spoke, "GetRole", &[("RoleName", "Spoke")]).await;
        assert_eq!(answer.is_ok(), allowed, "{key}: {answer:?}");
    }
}

/// "Example cross-account AWS STS API events in CloudTrail log file" of the IAM User Guide.
#[tokio::test]
async fn a_role_taken_across_accounts_is_in_the_trails_of_both() {
    let chain = Chain::start().await;
    let hub = chain.hub().await;
    chain.aws.standin.calls().clear();
    chain.assume(&hub, SPOKE, &[]).await.unwrap();
    let calls = chain.aws.calls();
    let [own, theirs] = calls.as_slice() else { panic!("{calls:#?}") };
    assert_eq!(
        (&own["recipientAccountId"], &own["userIdentity"]["type"]),
        (&json!("999999999999"), &json!("AssumedRole"))
    );
    assert_eq!(theirs["recipientAccountId"], "111111111111");
    let principal = own["userIdentity"]["principalId"].as_str().unwrap();
    assert!(principal.starts_with("AROA") && principal.ends_with(":alice@example.com"), "{principal}");
    let abroad = json!({"type": "AWSAccount", "principalId": principal, "accountId": "999999999999"});
    assert_eq!(theirs["userIdentity"], abroad);
    assert!(own["sharedEventID"].is_string());
    assert_ne!(own["eventID"], theirs["eventID"]);
    for same in ["sharedEventID", "requestID", "eventTime", "requestParameters", "responseElements", "resources"] {
        assert_eq!(own[same], theirs[same], "{same}");
    }
    assert_eq!(theirs["requestParameters"]["sourceIdentity"], "alice@example.com");
    assert_eq!(theirs["requestParameters"]["incomingTransitiveTags"], json!({"Email": "alice@example.com"}));

    chain.set_trust(&chain.spoke_admin, "Spoke", &trust(HUB, &["sts:AssumeRole"])).await;
    chain.aws.standin.calls().clear();
    chain.assume(&hub, SPOKE, &[]).await.unwrap_err();
    let refused = chain.aws.calls();
    assert_eq!(refused.len(), 1, "the role's account does not see a refusal");
    assert_eq!(
        (&refused[0]["recipientAccountId"], &refused[0]["sharedEventID"]),
        (&json!("999999999999"), &Value::Null)
    );
}

#[tokio::test]
async fn a_role_of_the_callers_own_account_is_in_one_trail() {
    let chain = Chain::start().await;
    chain.aws.standin.calls().clear();
    chain.assume(&chain.admin, HUB, &[]).await.unwrap();
    let calls = chain.aws.calls();
    assert_eq!((calls.len(), &calls[0]["sharedEventID"]), (1, &Value::Null));
}

#[tokio::test]
async fn both_sides_must_allow_every_action_that_a_chain_carries() {
    let chain = Chain::start().await;
    let hub = chain.hub().await;
    let session = "arn:aws:sts::999999999999:assumed-role/Hub/alice@example.com";
    for missing in ALL {
        let rest: Vec<&str> = ALL.into_iter().filter(|action| *action != missing).collect();
        let text = format!("User: {session} is not authorized to perform: {missing} on resource: {SPOKE}");
        chain.put(&chain.admin, "Hub", &allow(&rest)).await;
        assert_eq!(
            chain.assume(&hub, SPOKE, &[]).await.unwrap_err().parts(),
            ("AccessDenied", text.as_str()),
            "identity policy"
        );
        chain.put(&chain.admin, "Hub", &allow(&ALL)).await;
        chain.set_trust(&chain.spoke_admin, "Spoke", &trust(HUB, &rest)).await;
        assert_eq!(
            chain.assume(&hub, SPOKE, &[]).await.unwrap_err().parts(),
            ("AccessDenied", text.as_str()),
            "trust policy"
        );
        chain.set_trust(&chain.spoke_admin, "Spoke", &trust(HUB, &ALL)).await;
    }
    chain.assume(&hub, SPOKE, &[]).await.unwrap();
}

#[tokio::test]
async fn what_a_chain_carries_cannot_be_changed() {
    let chain = Chain::start().await;
    let hub = chain.hub().await;
    let changed = chain.assume(&hub, SPOKE, &[("SourceIdentity", "bob@example.com")]).await.unwrap_err();
    assert_eq!(changed.code, "AccessDenied");
    chain.assume(&hub, SPOKE, &[("SourceIdentity", "alice@example.com")]).await.unwrap();
    let tag = [("Tags.member.1.Key", "email"), ("Tags.member.1.Value", "bob@example.com")];
    let repeated = chain.assume(&hub, SPOKE, &tag).await.unwrap_err();
    assert_eq!(repeated.code, "InvalidParameterValue");
    assert!(
        repeated.message.contains("conflicts with a transitive tag key from the calling session"),
        "{}",
        repeated.message
    );
}

#[tokio::test]
async fn a_chained_session_lasts_an_hour_at_most() {
    let chain = Chain::start().await;
    let hub = chain.hub().await;
    let refusal = chain.assume(&hub, SPOKE, &[("DurationSeconds", "3601")]).await.unwrap_err();
    let text = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.";
    assert_eq!((refusal.status, refusal.parts()), (400, ("ValidationError", text)));
    chain.assume(&chain.admin, HUB, &[("DurationSeconds", "7200")]).await.unwrap();
    let refusal = chain.assume(&chain.admin, HUB, &[("DurationSeconds", "7201")]).await.unwrap_err();
    assert_eq!(
        refusal.parts(),
        ("ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
    );
}

#[tokio::test]
async fn reads_durations_as_recorded() {
    let chain = Chain::start().await;
    for accepted in ["900", "0900", "+900"] {
        chain.assume(&chain.admin, HUB, &[("DurationSeconds", accepted)]).await.unwrap();
    }
    for (text, code) in [
        (" 900 ", "MalformedInput"),
        ("900.0", "MalformedInput"),
        ("9e2", "MalformedInput"),
        ("2147483648", "MalformedInput"),
        ("0", "ValidationError"),
    ] {
        let refusal = chain.assume(&chain.admin, HUB, &[("DurationSeconds", text)]).await.unwrap_err();
        assert_eq!((refusal.status, refusal.code.as_str()), (400, code), "{text}");
    }
}

#[tokio::test]
async fn a_trust_in_a_role_dangles_once_the_role_is_created_anew() {
    let chain = Chain::start().await;
    let old_hub = chain.hub().await;
    chain.aws.iam(&chain.admin, "DeleteRolePolicy", &[("RoleName", "Hub"), ("PolicyName", "assume")]).await.unwrap();
    chain.aws.iam(&chain.admin, "DeleteRole", &[("RoleName", "Hub")]).await.unwrap();
    chain.create(&chain.admin, "Hub", &trust("arn:aws:iam::999999999999:root", &ALL)).await;
    chain.put(&chain.admin, "Hub", &allow(&ALL)).await;
    assert_eq!(chain.assume(&old_hub, SPOKE, &[]).await.unwrap_err().code, "AccessDenied");
    assert_eq!(chain.assume(&chain.hub().await, SPOKE, &[]).await.unwrap_err().code, "AccessDenied");
    let shown = chain.aws.iam(&chain.spoke_admin, "GetRole", &[("RoleName", "Spoke")]).await.unwrap();
    assert!(texts(&shown, "AssumeRolePolicyDocument")[0].contains("AROA"), "the dangling id is shown");
    chain.set_trust(&chain.spoke_admin, "Spoke", &trust(HUB, &ALL)).await;
    chain.assume(&chain.hub().await, SPOKE, &[]).await.unwrap();
}

#[tokio::test]
async fn an_expired_session_is_refused() {
    let chain = Chain::start().await;
    let session = keys(&chain.assume(&chain.admin, HUB, &[("DurationSeconds", "900")]).await.unwrap());
    chain.aws.sts(Some(&session), "GetCallerIdentity", &[]).await.unwrap();
    let forged = Keys { token: Some("IQoJb3JpZ2luX2Vjforged".to_owned()), ..session.clone() };
    assert_eq!(chain.aws.sts(Some(&forged), "GetCallerIdentity", &[]).await.unwrap_err().code, "InvalidClientTokenId");
    let without = Keys { token: None, ..session.clone() };
    assert_eq!(chain.aws.sts(Some(&without), "GetCallerIdentity", &[]).await.unwrap_err().code, "InvalidClientTokenId");
    chain.aws.knobs(&json!({"clock_offset_seconds": 900}));
    let refusal = chain.aws.sts(Some(&session), "GetCallerIdentity", &[]).await.unwrap_err();
    assert_eq!(
        (refusal.status, refusal.parts()),
        (403, ("ExpiredToken", "The security token included in the request is expired"))
    );
}

#[tokio::test]
async fn session_policies_bound_and_managed_ones_do_so_live() {
    let chain = Chain::start().await;
    let document = |action: &str| allow(&[action]).replace("arn:aws:iam::*:role/vouch/*", "*");
    chain.put(&chain.admin, "Hub", &document("iam:*")).await;
    let inline = document("iam:GetRole");
    let session = keys(&chain.assume(&chain.admin, HUB, &[("Policy", inline.as_str())]).await.unwrap());
    chain.aws.iam(&session, "GetRole", &[("RoleName", "Hub")]).await.unwrap();
    let refusal = chain.aws.iam(&session, "ListRoles", &[]).await.unwrap_err();
    assert!(
        refusal.message.ends_with("because no session policy allows the iam:ListRoles action"),
        "{}",
        refusal.message
    );

    let create = [("PolicyName", "Bound"), ("PolicyDocument", inline.as_str())];
    chain.aws.iam(&chain.admin, "CreatePolicy", &create).await.unwrap();
    let arn = "arn:aws:iam::999999999999:policy/Bound";
    let session = keys(&chain.assume(&chain.admin, HUB, &[("PolicyArns.member.1.arn", arn)]).await.unwrap());
    assert!(chain.aws.iam(&session, "ListRoles", &[]).await.is_err());
    let wider = document("iam:List*");
    let version = [("PolicyArn", arn), ("PolicyDocument", wider.as_str()), ("SetAsDefault", "true")];
    chain.aws.iam(&chain.admin, "CreatePolicyVersion", &version).await.unwrap();
    chain.aws.iam(&session, "ListRoles", &[]).await.unwrap();

    let malformed = chain.assume(&chain.admin, HUB, &[("Policy", "{}")]).await.unwrap_err();
    assert_eq!((malformed.status, malformed.code.as_str()), (400, "MalformedPolicyDocument"));
}

#[tokio::test]
async fn an_organisation_denies_over_everything() {
    let chain = Chain::start().await;
    let hub = chain.hub().await;
    let deny = |condition: Value| json!({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole", "Resource": "*", "Condition": condition}]});
    let foreign = deny(json!({"StringNotEquals": {"aws:PrincipalOrgID": "o-other"}}));
    let resource = [foreign];
    chain.aws.standin.world().set_organization_policies("111111111111", None, Some(&resource)).unwrap();
    let refusal = chain.assume(&hub, SPOKE, &[]).await.unwrap_err();
    assert!(refusal.message.contains(" with an explicit deny in a resource control policy"), "{}", refusal.message);
    chain.aws.standin.world().set_organization_policies("111111111111", None, Some(&[])).unwrap();
    let service = [
        json!({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "iam:CreateOpenIDConnectProvider", "Resource": "*"}]}),
    ];
    chain.aws.standin.world().set_organization_policies("999999999999", Some(&service), None).unwrap();
    let params = [
        ("Url", "https://issuer.example.com"),
        ("ThumbprintList.member.1", "0000000000000000000000000000000000000000"),
    ];
    let refusal = chain.aws.iam(&chain.admin, "CreateOpenIDConnectProvider", &params).await.unwrap_err();
    assert!(refusal.message.ends_with(" with an explicit deny in a service control policy"), "{}", refusal.message);
}

#[tokio::test]
async fn an_ill_formed_role_arn_is_a_validation_error() {
    let chain = Chain::start().await;
    let refusal = chain.assume(&chain.admin, "arn:aws:iam::999999999999:user/admin", &[]).await.unwrap_err();
    assert_eq!(refusal.parts(), ("ValidationError", "arn:aws:iam::999999999999:user/admin is invalid"));
    let refusal = chain.assume(&chain.admin, "arn:aws-cn:iam::999999999999:role/vouch/Hub", &[]).await.unwrap_err();
    assert_eq!(refusal.code, "ValidationError");
}
