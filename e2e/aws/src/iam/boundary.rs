//! Permissions boundary of a role.

use super::work::Work;
use super::{policies, roles};
use crate::api::Outcome;
use crate::wire::Fault;
use crate::wire::shape::Shape;
use crate::world::Account;

/// `PutRolePermissionsBoundary`.
pub(super) fn put(work: &mut Work<'_>) -> Outcome {
    let mut shape = Shape::iam();
    let name = roles::name(work.params(), &mut shape);
    let arn = shape.required("permissionsBoundary", work.params().get("PermissionsBoundary"), (20, 2048), None);
    shape.finish()?;
    work.allow_role(name, |context| context.set("iam:PermissionsBoundary", arn))?;
    work.role(name)?;
    policies::require_partition(work, arn)?;
    require_attachable(work.account()?, arn)?;
    work.role_mut(name)?.boundary = Some(arn.to_owned());
    Ok(None)
}

/// `DeleteRolePermissionsBoundary`.
pub(super) fn delete(work: &mut Work<'_>) -> Outcome {
    let mut shape = Shape::iam();
    let name = roles::name(work.params(), &mut shape);
    shape.finish()?;
    work.allow_role(name, |_| {})?;
    match work.role_mut(name)?.boundary.take() {
        Some(_) => Ok(None),
        None => Err(Fault::no_such_entity(format!("Role {name} does not have a permissions boundary."))),
    }
}

/// Requires that a policy exists and may be a boundary.
pub(super) fn require_attachable(account: &Account, arn: &str) -> Result<(), Fault> {
    if policies::is_reserved(arn) {
        return Err(Fault::new("PolicyNotAttachable", 400, "Cannot attach AWS reserved policy to an IAM role."));
    }
    match account.policy_document(arn) {
        Some(_) => Ok(()),
        None => Err(Fault::no_such_entity(format!("Scope ARN: {arn} does not exist or is not attachable."))),
    }
}
