//! Issuing a session: keys, token, and the answer's common members.

use std::sync::Arc;

use jiff::SignedDuration;

use crate::api::Call;
use crate::wire::Node;
use crate::wire::encoding::iso_time;
use crate::world::{AccessKey, KeyOwner, Session, World, ids};

/// Characters of token that AWS allots; `SessionTokenUtilization` is a percentage of it.
const TOKEN_ALLOTMENT: usize = 4096;

/// When a session that starts now ends.
pub(super) fn end(call: &Call<'_>, seconds: i32) -> jiff::Timestamp {
    call.now.checked_add(SignedDuration::from_secs(i64::from(seconds))).unwrap_or(jiff::Timestamp::MAX)
}

/// Gives a session its keys and returns the members that every kind of answer has.
pub(super) fn issue(world: &mut World, call: &Call<'_>, session: Session, packed: usize) -> Vec<Node> {
    let session = Arc::new(session);
    let token = ids::session_token(call.standin.knobs().session_token_chars);
    let token_chars = token.expose().len();
    let key = AccessKey {
        id: ids::unique_id("ASIA", 16),
        secret: ids::secret_access_key(),
        owner: KeyOwner::Session { session: Arc::clone(&session), token: token.clone() },
    };
    let mut nodes = vec![
        Node::structure(
            "Credentials",
            [
                Node::text("AccessKeyId", &key.id),
                Node::text("SecretAccessKey", key.secret.expose()),
                Node::text("SessionToken", token.expose()),
                Node::text("Expiration", iso_time(session.expires_at)),
            ],
        ),
        Node::structure(
            "AssumedRoleUser",
            [Node::text("AssumedRoleId", session.user_id()), Node::text("Arn", session.arn())],
        ),
        Node::text("PackedPolicySize", packed),
        Node::text("SessionTokenSize", token_chars),
        Node::text("SessionTokenUtilization", token_chars * 100 / TOKEN_ALLOTMENT),
    ];
    if let Some(source) = &session.source_identity {
        nodes.push(Node::text("SourceIdentity", source));
    }
    world.add_key(key);
    nodes
}
