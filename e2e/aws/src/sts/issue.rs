//! Issuing a session: keys, token, and the answer's common members.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::request::AssumeParams;
use crate::api::Call;
use crate::wire::Node;
use crate::wire::encoding::iso_time;
use crate::world::{AccessKey, Account, KeyCase, KeyOwner, Role, Session, Tags, World, ids};

/// Characters of token that AWS allots; `SessionTokenUtilization` is a percentage of it.
const TOKEN_ALLOTMENT: usize = 4096;

/// A session of a role that starts now and carries nothing yet.
pub(super) fn session(call: &Call<'_>, params: &AssumeParams<'_>, account: &Account, role: &Role) -> Session {
    let lifetime = SignedDuration::from_secs(i64::from(params.duration));
    Session {
        account: account.id.clone(),
        partition: account.partition,
        role_name: role.name.clone(),
        role_arn: role.arn.clone(),
        role_id: role.id.clone(),
        session_name: params.session_name.to_owned(),
        issued_at: call.now,
        expires_at: call.now.checked_add(lifetime).unwrap_or(Timestamp::MAX),
        source_identity: None,
        tags: Tags::new(KeyCase::Folded),
        transitive_keys: Vec::new(),
        policies: Vec::new(),
        web_identity: None,
    }
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
