//! Actions that tell whose a key is. They need no permission.

use crate::api::Call;
use crate::wire::shape::Shape;
use crate::wire::{Fault, Node};
use crate::world::KeyOwner;

/// `GetCallerIdentity`.
pub(super) fn get_caller_identity(call: &Call<'_>) -> Vec<Node> {
    vec![
        Node::text("UserId", call.caller.user_id()),
        Node::text("Account", call.caller.account().unwrap_or_default()),
        Node::text("Arn", call.caller.arn()),
    ]
}

/// `GetAccessKeyInfo`.
pub(super) fn get_access_key_info(call: &Call<'_>) -> Result<Vec<Node>, Fault> {
    let mut shape = Shape::sts();
    let id = shape.required("accessKeyId", call.params.get("AccessKeyId"), (16, 128), None);
    shape.finish()?;
    let world = call.standin.world();
    let account = match world.key(id).map(|key| &key.owner) {
        Some(KeyOwner::User { account, .. }) => account,
        Some(KeyOwner::Session { session, .. }) => &session.account,
        None => return Err(Fault::validation("Invalid type for parameter AccessKeyId, it is not an access key id.")),
    };
    Ok(vec![Node::text("Account", account)])
}
