//! Trust policies: what IAM accepts, how it stores principals, and how it shows them.

use serde_json::{Map, Value};

use super::document::{check_statements, compact};
use super::{quota, shared_providers};
use crate::endpoint::Partition;
use crate::policy::{Document, Statement};
use crate::wire::Fault;
use crate::world::{Trust, World};

/// The actions a trust policy may name, in exactly this spelling (recorded).
const ACTIONS: [&str; 6] = [
    "sts:AssumeRole",
    "sts:AssumeRoleWithSAML",
    "sts:AssumeRoleWithWebIdentity",
    "sts:SetContext",
    "sts:SetSourceIdentity",
    "sts:TagSession",
];

/// Members of a statement in the order in which `GetRole` shows them.
const SHOWN: [&str; 6] = ["Sid", "Effect", "Principal", "NotPrincipal", "Action", "Condition"];

/// Reads and validates a trust policy, and binds its principals to unique ids.
///
/// # Errors
/// `MalformedPolicyDocument` or `LimitExceeded`, in IAM's words.
pub(super) fn read(world: &World, partition: Partition, text: &str) -> Result<Trust, Fault> {
    let document = Document::parse(text).map_err(|error| Fault::malformed_policy(error.to_string()))?;
    check_statements(&document)?;
    document.statements.iter().try_for_each(check_statement)?;
    if quota::size(text) > quota::ASSUME_ROLE_POLICY_SIZE {
        return Err(Fault::limit_exceeded(format!(
            "Cannot exceed quota for ACLSizePerRole: {}",
            quota::ASSUME_ROLE_POLICY_SIZE
        )));
    }
    shared_providers::check(&document)?;
    let mut stored: Value =
        serde_json::from_str(text).map_err(|_| Fault::malformed_policy("This policy contains invalid Json"))?;
    for_each_principal(&mut stored, &mut |principal| {
        *principal = bind(world, partition, principal)?;
        Ok(())
    })?;
    let document = Document::from_value(&stored).map_err(|error| Fault::malformed_policy(error.to_string()))?;
    Ok(Trust { sent: compact(text), stored, document })
}

fn check_statement(statement: &Statement) -> Result<(), Fault> {
    let Some(principals) = &statement.principals else {
        return Err(Fault::malformed_policy("Missing required field Principal"));
    };
    if principals.everyone {
        return Err(Fault::malformed_policy("AssumeRolepolicy contained an invalid principal: \"STAR\":\"*\"."));
    }
    if !principals.federated.iter().all(|principal| is_federated(principal)) {
        return Err(Fault::malformed_policy("Federated principals must be valid domain names or SAML metadata ARNs"));
    }
    if let Some(service) = principals.service.iter().find(|service| !service.contains(".amazonaws.com")) {
        return Err(Fault::malformed_policy(format!("Invalid principal in policy: \"SERVICE\":\"{service}\"")));
    }
    if statement.resources.is_some() {
        return Err(Fault::malformed_policy("Has prohibited field Resource"));
    }
    if statement.actions.negated || !statement.actions.values.iter().all(|action| ACTIONS.contains(&action.as_str())) {
        return Err(Fault::malformed_policy("AssumeRole policy may only specify STS AssumeRole actions."));
    }
    Ok(())
}

fn is_federated(principal: &str) -> bool {
    let fields: Vec<&str> = principal.splitn(6, ':').collect();
    match fields.as_slice() {
        ["arn", partition, "iam", "", account, resource] => {
            Partition::from_id(partition).is_some()
                && account.len() == 12
                && (resource.starts_with("oidc-provider/") || resource.starts_with("saml-provider/"))
        }
        [domain] => domain.contains('.') && !domain.contains(['*', '/']),
        _ => false,
    }
}

/// Applies `change` to every AWS principal of a document.
fn for_each_principal(
    document: &mut Value,
    change: &mut impl FnMut(&mut String) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let statements = match document.get_mut("Statement") {
        Some(Value::Array(items)) => items.iter_mut().collect(),
        Some(single) => vec![single],
        None => Vec::new(),
    };
    for statement in statements {
        let aws = statement.get_mut("Principal").and_then(|principal| principal.get_mut("AWS"));
        match aws {
            Some(Value::String(single)) => change(single)?,
            Some(Value::Array(items)) => {
                for item in items {
                    if let Value::String(text) = item {
                        change(text)?;
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// The stored form of a principal: a unique id for a role or user, the root's ARN for an account.
fn bind(world: &World, partition: Partition, principal: &str) -> Result<String, Fault> {
    let invalid = || Fault::malformed_policy(format!("Invalid principal in policy: \"AWS\":\"{principal}\""));
    if principal == "*" {
        return Ok(principal.to_owned());
    }
    if principal.len() == 12 && world.account(principal).is_some() {
        return Ok(format!("arn:{}:iam::{principal}:root", partition.id()));
    }
    if arn_of(world, principal).is_some() {
        return Ok(principal.to_owned());
    }
    let fields: Vec<&str> = principal.splitn(6, ':').collect();
    let ["arn", arn_partition, service, "", account, resource] = fields.as_slice() else { return Err(invalid()) };
    let account = world
        .account(account)
        .filter(|account| account.partition == partition && *arn_partition == partition.id())
        .ok_or_else(invalid)?;
    match (*service, resource.split_once('/')) {
        ("iam", None) if *resource == "root" => Ok(principal.to_owned()),
        ("iam", Some(("role", _))) => account.role_by_arn(principal).map(|role| role.id.clone()).ok_or_else(invalid),
        ("iam", Some(("user", name))) => account.users.get(name).map(|user| user.id.clone()).ok_or_else(invalid),
        ("sts", Some(("assumed-role" | "federated-user", _))) => Ok(principal.to_owned()),
        _ => Err(invalid()),
    }
}

/// The ARN of the role or user that has a unique id now.
fn arn_of(world: &World, id: &str) -> Option<String> {
    world.accounts().find_map(|account| {
        let role = account.roles.values().find(|role| role.id == id).map(|role| role.arn.clone());
        role.or_else(|| account.users.values().find(|user| user.id == id).map(|user| user.arn.clone()))
    })
}

/// A trust policy as `GetRole` shows it: members in IAM's order, unique ids as ARNs where their owners still exist.
pub(super) fn shown(world: &World, trust: &Trust) -> String {
    let mut document = trust.stored.clone();
    // Showing never fails: an id without owner stays as it is.
    let _ = for_each_principal(&mut document, &mut |principal| {
        if let Some(arn) = arn_of(world, principal) {
            *principal = arn;
        }
        Ok(())
    });
    let statement = match document.get("Statement") {
        Some(Value::Array(items)) => format!("[{}]", items.iter().map(ordered_statement).collect::<Vec<_>>().join(",")),
        Some(single) => ordered_statement(single),
        None => "[]".to_owned(),
    };
    let mut members: Vec<String> =
        ["Version", "Id"].iter().filter_map(|name| member(document.as_object()?, name)).collect();
    members.push(format!("\"Statement\":{statement}"));
    format!("{{{}}}", members.join(","))
}

fn ordered_statement(statement: &Value) -> String {
    let Some(members) = statement.as_object() else { return statement.to_string() };
    format!("{{{}}}", SHOWN.iter().filter_map(|name| member(members, name)).collect::<Vec<_>>().join(","))
}

fn member(members: &Map<String, Value>, name: &str) -> Option<String> {
    members.get(name).map(|value| format!("\"{name}\":{value}"))
}
