//! The rules that turn many policies into one decision (IAM User Guide, "Policy evaluation logic").

use super::context::Context;
use super::document::{Document, Effect, Patterns, Statement, Version};
use super::pattern::{Pattern, matches_ignoring_case};
use super::principal::{Named, Requester};

/// One access to decide about.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Who asks.
    pub requester: &'a Requester,
    /// The action, such as `sts:AssumeRole`.
    pub action: &'a str,
    /// ARN of the object.
    pub resource: &'a str,
    /// Condition keys.
    pub context: &'a Context,
}

/// All policies that have a say.
#[derive(Debug, Clone, Default)]
pub struct Policies {
    /// Of the user or role.
    pub identity: Vec<Document>,
    /// Permissions boundary of the user or role.
    pub boundary: Option<Document>,
    /// Of the session; `None` when it was requested without any.
    pub session: Option<Vec<Document>>,
    /// Of the resource: the trust policy of a role.
    pub resource: Option<Document>,
    /// Service control policies of the requester's account, beside `FullAWSAccess`.
    pub service_control: Vec<Document>,
    /// Resource control policies of the resource's account, beside `RCPFullAWSAccess`.
    pub resource_control: Vec<Document>,
}

/// Where a denial came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A policy of the user or role.
    Identity,
    /// The boundary.
    Boundary,
    /// A session policy.
    Session,
    /// The policy of the resource.
    Resource,
    /// A service control policy.
    ServiceControl,
    /// A resource control policy.
    ResourceControl,
}

/// The verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Allowed.
    Allowed,
    /// Nothing of this kind allows it.
    Unallowed(Source),
    /// A statement denies it.
    Denied(Source),
}

/// Whether requester and resource belong to one account, and whether the resource's own policy must agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// One account; the resource has no policy that must agree.
    SameAccount,
    /// One account; the resource is a role, whose trust policy must agree.
    SameAccountTrust,
    /// Two accounts: both sides must agree.
    CrossAccount,
    /// The requester has no account of AWS; only the resource's policy decides.
    NoAccount,
}

impl Policies {
    /// Decides.
    #[must_use]
    pub fn decide(&self, relation: Relation, request: &Request<'_>) -> Decision {
        if let Some(source) = self.denial(request) {
            return Decision::Denied(source);
        }
        let named = self.resource.as_ref().map_or(Named::No, |document| granted(document, request));
        let identity = || self.identity_side(request);
        match (relation, named) {
            (Relation::NoAccount, Named::No) | (Relation::CrossAccount | Relation::SameAccountTrust, Named::No) => {
                Decision::Unallowed(Source::Resource)
            }
            (Relation::NoAccount, _) | (Relation::SameAccount | Relation::SameAccountTrust, Named::Exactly) => {
                Decision::Allowed
            }
            (Relation::SameAccount | Relation::SameAccountTrust, Named::Role) => {
                self.bounds(request).map_or(Decision::Allowed, Decision::Unallowed)
            }
            (Relation::SameAccount | Relation::SameAccountTrust | Relation::CrossAccount, _) => identity(),
        }
    }

    fn denial(&self, request: &Request<'_>) -> Option<Source> {
        let any = |documents: &[Document]| documents.iter().any(|document| denies(document, request));
        let sources = [
            (any(&self.resource_control), Source::ResourceControl),
            (any(&self.service_control), Source::ServiceControl),
            (self.resource.as_ref().is_some_and(|document| denies(document, request)), Source::Resource),
            (any(&self.identity), Source::Identity),
            (self.boundary.as_ref().is_some_and(|document| denies(document, request)), Source::Boundary),
            (self.session.as_deref().is_some_and(any), Source::Session),
        ];
        sources.into_iter().find_map(|(denied, source)| denied.then_some(source))
    }

    fn identity_side(&self, request: &Request<'_>) -> Decision {
        if !self.identity.iter().any(|document| allows(document, request)) {
            return Decision::Unallowed(Source::Identity);
        }
        self.bounds(request).map_or(Decision::Allowed, Decision::Unallowed)
    }

    /// The bound that does not allow the access, if any.
    fn bounds(&self, request: &Request<'_>) -> Option<Source> {
        if self.boundary.as_ref().is_some_and(|document| !allows(document, request)) {
            return Some(Source::Boundary);
        }
        let unallowed =
            self.session.as_ref().is_some_and(|documents| !documents.iter().any(|document| allows(document, request)));
        unallowed.then_some(Source::Session)
    }
}

fn allows(document: &Document, request: &Request<'_>) -> bool {
    granted(document, request) != Named::No
}

fn denies(document: &Document, request: &Request<'_>) -> bool {
    document
        .statements
        .iter()
        .any(|statement| statement.effect == Effect::Deny && applies(statement, document.version, request) != Named::No)
}

/// The closest way in which a document allows an access.
fn granted(document: &Document, request: &Request<'_>) -> Named {
    let allowing = document.statements.iter().filter(|statement| statement.effect == Effect::Allow);
    allowing.map(|statement| applies(statement, document.version, request)).max().unwrap_or(Named::No)
}

/// Whether a statement is about an access, and how closely it names the requester. A statement without principals is
/// about whoever it is attached to.
fn applies(statement: &Statement, version: Version, request: &Request<'_>) -> Named {
    let named = statement.principals.as_ref().map_or(Named::Exactly, |principals| principals.name(request.requester));
    let about = named != Named::No
        && covers_action(&statement.actions, request.action)
        && statement.resources.as_ref().is_none_or(|resources| covers_resource(resources, version, request))
        && statement.conditions.iter().all(|condition| condition.holds(version, request.context));
    if about { named } else { Named::No }
}

fn covers_action(actions: &Patterns, action: &str) -> bool {
    actions.values.iter().any(|pattern| matches_ignoring_case(pattern, action)) != actions.negated
}

fn covers_resource(resources: &Patterns, version: Version, request: &Request<'_>) -> bool {
    let covered = resources.values.iter().any(|text| {
        Pattern::expand(text, version, request.context)
            .is_some_and(|pattern| pattern.is_any() || pattern.matches_arn(request.resource))
    });
    covered != resources.negated
}
