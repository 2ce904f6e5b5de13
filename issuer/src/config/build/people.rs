//! `VouchUser` and `OidcClient` objects as validated values.

use std::collections::HashMap;

use vouch_crds::{client::OidcClientSpec, user::VouchUserSpec};
use vouch_iam::identity::EmailAddress;

use super::{check_issuer_ref, parse, typed_objects};
use crate::config::{
    Client, DeclaredUser,
    manifest::{Kind, Manifest},
    problem::Problem,
};

/// Everybody whom the stream declares. `domains` are the organization's; empty when they are unknown.
pub(super) fn users(domains: &[String], manifests: &[Manifest], problems: &mut Vec<Problem>) -> Vec<DeclaredUser> {
    const FIELD: &str = "spec.email";
    let mut users = Vec::new();
    let mut seen: HashMap<EmailAddress, &str> = HashMap::new();
    for (manifest, spec) in typed_objects::<VouchUserSpec>(Kind::VouchUser, manifests, problems) {
        let Some(email) = parse::<EmailAddress>(manifest, FIELD, &spec.email, problems) else { continue };
        if let Some(other) = seen.insert(email.clone(), &manifest.name) {
            problems.push(manifest.problem(FIELD, format!("is {email}, whom VouchUser {other} declares already")));
        }
        if !domains.is_empty() && !domains.iter().any(|domain| domain == email.domain()) {
            let reason = format!("is in none of the organization's domains ({})", domains.join(", "));
            problems.push(manifest.problem(FIELD, reason));
        }
        let mut groups = spec.groups;
        groups.sort();
        groups.dedup();
        users.push(DeclaredUser { email, groups, disabled: spec.disabled });
    }
    users
}

/// Every application that the stream declares.
pub(super) fn clients(issuer: &Manifest, manifests: &[Manifest], problems: &mut Vec<Problem>) -> Vec<Client> {
    let mut clients = Vec::new();
    for (manifest, spec) in typed_objects::<OidcClientSpec>(Kind::OidcClient, manifests, problems) {
        check_issuer_ref(issuer, manifest, &spec.issuer_ref.name, problems);
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
