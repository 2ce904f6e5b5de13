//! What every action works on: its call, the world under lock, and the caller's account.

use std::sync::MutexGuard;

use crate::access::{caller_context, require, resource_context};
use crate::api::Call;
use crate::policy::Context;
use crate::wire::{Fault, Params};
use crate::world::{Account, Role, Tags, World};

/// An action at work.
pub(super) struct Work<'a> {
    pub(super) call: &'a Call<'a>,
    pub(super) world: MutexGuard<'a, World>,
    account: String,
}

impl<'a> Work<'a> {
    /// Locks the world for a caller.
    pub(super) fn begin(call: &'a Call<'a>) -> Result<Self, Fault> {
        let world = call.standin.world();
        let account =
            call.caller.account().filter(|id| world.account(id).is_some()).map(str::to_owned).ok_or_else(no_account)?;
        Ok(Self { call, world, account })
    }

    /// The parameters.
    pub(super) fn params(&self) -> &'a Params {
        &self.call.params
    }

    /// The caller's account.
    pub(super) fn account(&self) -> Result<&Account, Fault> {
        self.world.account(&self.account).ok_or_else(no_account)
    }

    /// The caller's account, to change it.
    pub(super) fn account_mut(&mut self) -> Result<&mut Account, Fault> {
        self.world.account_mut(&self.account).ok_or_else(no_account)
    }

    /// An ARN of IAM in the caller's account.
    pub(super) fn arn(&self, resource: &str) -> Result<String, Fault> {
        let account = self.account()?;
        Ok(format!("arn:{}:iam::{}:{resource}", account.partition.id(), account.id))
    }

    /// Requires that the caller may run this action on an object with these tags; `extra` adds keys of the action.
    pub(super) fn allow(
        &self,
        resource: &str,
        tags: Option<&Tags>,
        extra: impl FnOnce(&mut Context),
    ) -> Result<(), Fault> {
        let mut context = caller_context(&self.world, self.call);
        resource_context(&mut context, self.account()?, tags);
        extra(&mut context);
        require(&self.world, self.call, &format!("iam:{}", self.call.action), resource, &context)
    }

    /// The ARN of a role, for authorisation: one that does not exist has no path.
    fn role_arn(&self, name: &str) -> Result<String, Fault> {
        match self.account()?.role(name) {
            Some(role) => Ok(role.arn.clone()),
            None => self.arn(&format!("role/{name}")),
        }
    }

    /// Requires that the caller may run this action on a role.
    pub(super) fn allow_role(&self, name: &str, extra: impl FnOnce(&mut Context)) -> Result<(), Fault> {
        let role = self.account()?.role(name);
        let arn = self.role_arn(name)?;
        self.allow(&arn, role.map(|role| &role.tags), |context| {
            context.set_if("iam:PermissionsBoundary", role.and_then(|role| role.boundary.as_deref()));
            extra(context);
        })
    }

    /// A role by name.
    pub(super) fn role(&self, name: &str) -> Result<&Role, Fault> {
        self.account()?.role(name).ok_or_else(|| no_role(name))
    }

    /// A role by name, to change it.
    pub(super) fn role_mut(&mut self, name: &str) -> Result<&mut Role, Fault> {
        self.account_mut()?.role_mut(name).ok_or_else(|| no_role(name))
    }
}

fn no_role(name: &str) -> Fault {
    Fault::no_such_entity(format!("The role with name {name} cannot be found."))
}

fn no_account() -> Fault {
    Fault::new("InvalidClientTokenId", 403, "The security token included in the request is invalid.")
}
