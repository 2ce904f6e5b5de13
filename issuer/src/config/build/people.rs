//! `VouchUser` and `OidcClient` objects as validated values.

use std::collections::HashMap;

use serde_json::Value;
use vouch_crds::{client::OidcClientSpec, user::VouchUserSpec};
use vouch_iam::identity::{EmailAddress, EmailDomain};

use super::{parse, typed_objects};
use crate::config::{
    Client, DeclaredUser,
    manifest::{Kind, Manifest},
    problem::Problem,
};

const EMAIL: &str = "spec.email";

/// Everybody whom the stream declares.
pub(super) fn users(manifests: &[Manifest], problems: &mut Vec<Problem>) -> Vec<DeclaredUser> {
    let mut users = Vec::new();
    let mut seen: HashMap<EmailAddress, &str> = HashMap::new();
    for (manifest, spec) in typed_objects::<VouchUserSpec>(Kind::VouchUser, manifests, problems) {
        let Some(email) = parse::<EmailAddress>(manifest, EMAIL, &spec.email, problems) else { continue };
        if let Some(other) = seen.insert(email.clone(), &manifest.name) {
            problems.push(manifest.problem(EMAIL, format!("is {email}, whom VouchUser {other} declares already")));
        }
        let mut groups = spec.groups;
        groups.sort();
        groups.dedup();
        users.push(DeclaredUser { email, groups, disabled: spec.disabled });
    }
    users
}

/// That everybody is in a domain of the organization. Nothing is said when one of these is at fault itself: it may be
/// the one that is meant.
pub(super) fn check_domains(issuer: &Manifest, manifests: &[Manifest], problems: &mut Vec<Problem>) {
    let declared = issuer.value.pointer("/spec/organization/emailDomains").and_then(Value::as_array);
    let declared = declared.into_iter().flatten().map(|domain| domain.as_str()?.parse().ok());
    let Some(domains) = declared.collect::<Option<Vec<EmailDomain>>>().filter(|domains| !domains.is_empty()) else {
        return;
    };
    let names = domains.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    for manifest in manifests.iter().filter(|manifest| manifest.kind == Kind::VouchUser) {
        let email = manifest.text("/spec/email").and_then(|email| email.parse::<EmailAddress>().ok());
        if email.is_some_and(|email| !domains.iter().any(|domain| domain.as_str() == email.domain())) {
            problems.push(manifest.problem(EMAIL, format!("is in none of the organization's domains ({names})")));
        }
    }
}

/// Every application that the stream declares.
pub(super) fn clients(manifests: &[Manifest], problems: &mut Vec<Problem>) -> Vec<Client> {
    let mut clients = Vec::new();
    for (manifest, spec) in typed_objects::<OidcClientSpec>(Kind::OidcClient, manifests, problems) {
        clients.push(Client {
            id: manifest.name.clone(),
            display_name: spec.display_name,
            redirect_uris: spec.redirect_uris,
            scopes: spec.scopes,
            public: spec.public,
        });
    }
    clients
}
