//! Who the pods are and what they may do: read what concerns their issuer, and write what a person's login changes.

use k8s_openapi::{
    api::{
        core::v1::ServiceAccount,
        rbac::v1::{PolicyRule, Role, RoleBinding, RoleRef, Subject},
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use vouch_crds::{GROUP, names};

use super::ValidIssuer;

/// What a watch needs, that of a single object included.
const FOLLOW: [&str; 2] = ["list", "watch"];

/// The pods' account. Its token is mounted by the pods, not by default.
pub(super) fn service_account() -> ServiceAccount {
    ServiceAccount { automount_service_account_token: Some(false), ..ServiceAccount::default() }
}

/// Every verb of every rule is needed: a test on an API server takes each away in turn.
pub(super) fn role(issuer: &ValidIssuer) -> Role {
    let name = issuer.name();
    let secrets = [names::signing_keys::name(name), names::root_secret::name(name)];
    let mut rules = vec![
        rule(GROUP, &["vouchissuers"], &FOLLOW, &[name]),
        rule(GROUP, &["awsfederations", "oidcclients", "vouchusers"], &FOLLOW, &[]),
        // A person whom somebody else has just changed is read again.
        rule(GROUP, &["vouchusers"], &["get"], &[]),
        rule(GROUP, &["vouchusers/status"], &["patch"], &[]),
        rule("", &["secrets"], &FOLLOW, &secrets.each_ref().map(String::as_str)),
    ];
    let roots = issuer.spec().authenticators.attestation_roots.as_ref();
    if let Some(roots) = roots.and_then(|roots| roots.config_map_ref.as_ref()) {
        rules.push(rule("", &["configmaps"], &FOLLOW, &[&roots.name]));
    }
    Role { metadata: ObjectMeta::default(), rules: Some(rules) }
}

pub(super) fn role_binding(issuer: &ValidIssuer) -> RoleBinding {
    RoleBinding {
        metadata: ObjectMeta::default(),
        role_ref: RoleRef {
            api_group: Some("rbac.authorization.k8s.io".to_owned()),
            kind: "Role".to_owned(),
            name: issuer.name().to_owned(),
        },
        subjects: Some(vec![Subject {
            kind: "ServiceAccount".to_owned(),
            name: issuer.name().to_owned(),
            namespace: Some(issuer.owner().namespace.clone()),
            ..Subject::default()
        }]),
    }
}

fn rule(group: &str, resources: &[&str], verbs: &[&str], names: &[&str]) -> PolicyRule {
    let list = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    PolicyRule {
        api_groups: Some(list(&[group])),
        resources: Some(list(resources)),
        verbs: list(verbs),
        resource_names: (!names.is_empty()).then(|| list(names)),
        ..PolicyRule::default()
    }
}
