//! What the two AWS guides tell an administrator to create, and that a session must bear the name of its person, which
//! `docs/getting-started.md` adds. Written from the guides alone: the product's own generator of these documents is under
//! test.

use serde_json::{Value, json};

use crate::{
    cloud::Call,
    manifest::{ISSUER_HOST, ISSUER_URL},
};

/// The management account: the identity provider and the hub.
pub const HUB: &str = "999999999999";
/// A member account for development.
pub const DEVELOPMENT: &str = "111111111111";
/// A member account for production.
pub const PRODUCTION: &str = "222222222222";

/// `role/vouch/VouchAccess` in an account: the hub, or a spoke.
#[must_use]
pub fn access_role(account: &str) -> String {
    format!("arn:aws:iam::{account}:role/vouch/VouchAccess")
}

/// `role/VouchDeveloper` in an account: taken directly.
#[must_use]
pub fn developer_role(account: &str) -> String {
    format!("arn:aws:iam::{account}:role/VouchDeveloper")
}

/// The provider in an account.
#[must_use]
pub fn provider(account: &str) -> String {
    format!("arn:aws:iam::{account}:oidc-provider/{ISSUER_HOST}")
}

/// Who may come in from the issuer: everybody in example.com, by their own name. A statement of its own for what goes with
/// the session: AWS documents `sts:RoleSessionName` for the first action alone.
#[must_use]
pub fn federated_trust(account: &str) -> Value {
    let person = json!({
        "StringEquals": {format!("{ISSUER_HOST}:aud"): ISSUER_URL},
        "StringLike": {format!("{ISSUER_HOST}:sub"): "*@example.com"},
    });
    let mut own_name = person.clone();
    own_name["StringEquals"]["sts:RoleSessionName"] = format!("${{{ISSUER_HOST}:sub}}").into();
    let allow = |actions: Value, condition: &Value| {
        json!({
            "Effect": "Allow",
            "Principal": {"Federated": provider(account)},
            "Action": actions,
            "Condition": condition,
        })
    };
    json!({
        "Version": "2012-10-17",
        "Statement": [
            allow(json!("sts:AssumeRoleWithWebIdentity"), &own_name),
            allow(json!(["sts:SetSourceIdentity", "sts:TagSession"]), &person),
        ],
    })
}

/// What the hub may do: assume the spokes, with the person's identity and tags.
#[must_use]
pub fn hub_permissions() -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Action": ["sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"],
            "Resource": "arn:aws:iam::*:role/vouch/VouchAccess",
        }],
    })
}

/// Who may come into a spoke: the hub, on behalf of somebody in example.com.
#[must_use]
pub fn spoke_trust() -> Value {
    spoke_trust_with(&["sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"])
}

/// The same, allowing only some of the actions.
#[must_use]
pub fn spoke_trust_with(actions: &[&str]) -> Value {
    let person = json!({"StringLike": {"aws:SourceIdentity": "*@example.com"}});
    let mut own_name = person.clone();
    own_name["StringEquals"] = json!({"sts:RoleSessionName": "${aws:SourceIdentity}"});
    let (assume, others): (Vec<&str>, Vec<&str>) = actions.iter().partition(|action| **action == "sts:AssumeRole");
    let statements = [(assume, own_name), (others, person)].into_iter().filter(|(actions, _)| !actions.is_empty());
    let allow = |(actions, condition)| {
        json!({
            "Effect": "Allow",
            "Principal": {"AWS": access_role(HUB)},
            "Action": actions,
            "Condition": condition,
        })
    };
    json!({"Version": "2012-10-17", "Statement": statements.map(allow).collect::<Vec<_>>()})
}

/// The provider in an account.
#[must_use]
pub fn create_provider(account: &str) -> Call {
    let parameters = json!({"Url": ISSUER_URL, "ClientIDList": [ISSUER_URL]});
    Call::new(account, "iam", "create_open_id_connect_provider", parameters)
}

/// A role.
#[must_use]
pub fn create_role(account: &str, path: &str, name: &str, trust: &Value) -> Call {
    let parameters = json!({"RoleName": name, "Path": path, "AssumeRolePolicyDocument": trust.to_string()});
    Call::new(account, "iam", "create_role", parameters)
}

/// The first guide: a provider, and a role that people take directly.
#[must_use]
pub fn direct_role(account: &str) -> Vec<Call> {
    let read_only = json!({"RoleName": "VouchDeveloper", "PolicyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"});
    vec![
        create_provider(account),
        create_role(account, "/", "VouchDeveloper", &federated_trust(account)),
        Call::new(account, "iam", "attach_role_policy", read_only),
    ]
}

/// The second guide: a hub, and a spoke in each of the accounts.
#[must_use]
pub fn hub_and_spokes(spokes: &[&str]) -> Vec<Call> {
    let chain = json!({
        "RoleName": "VouchAccess", "PolicyName": "AssumeSpokes", "PolicyDocument": hub_permissions().to_string(),
    });
    let mut calls = vec![
        create_provider(HUB),
        create_role(HUB, "/vouch/", "VouchAccess", &federated_trust(HUB)),
        Call::new(HUB, "iam", "put_role_policy", chain),
    ];
    calls.extend(spokes.iter().map(|account| create_role(account, "/vouch/", "VouchAccess", &spoke_trust())));
    calls
}
