//! Who signed a request.

use super::{Call, RawRequest};
use crate::endpoint::Partition;
use crate::sigv4::{Scope, SignedRequest};
use crate::wire::Fault;
use crate::world::{AccessKey, Caller, KeyOwner, UserCaller, World};

/// Verifies the signature of a call and returns its caller.
///
/// # Errors
/// `MissingAuthenticationToken`, `InvalidClientTokenId`, `ExpiredToken`, `IncompleteSignature` or
/// `SignatureDoesNotMatch`.
pub fn authenticate(call: &Call<'_>, request: &RawRequest) -> Result<Caller, Fault> {
    let signed = SignedRequest::read(&request.parts, &request.body)?
        .ok_or_else(|| Fault::new("MissingAuthenticationToken", 403, "Request is missing Authentication Token"))?;
    let (caller, secret) = {
        let world = call.standin.world();
        let key = world.key(&signed.credential.access_key_id).ok_or_else(invalid_token)?;
        (owner(&world, key, &signed, call)?, key.secret.clone())
    };
    let scope = Scope { region: &call.endpoint.region, service: call.endpoint.service.name() };
    signed.verify(secret.expose(), scope, call.now)?;
    Ok(caller)
}

fn owner(world: &World, key: &AccessKey, signed: &SignedRequest, call: &Call<'_>) -> Result<Caller, Fault> {
    match &key.owner {
        KeyOwner::User { account, user } => {
            if signed.token.is_some() {
                return Err(invalid_token());
            }
            let account = world.account(account).ok_or_else(invalid_token)?;
            require_partition(account.partition, call)?;
            let user = account.users.get(user).ok_or_else(invalid_token)?;
            Ok(Caller::User(UserCaller {
                account: account.id.clone(),
                name: user.name.clone(),
                arn: user.arn.clone(),
                id: user.id.clone(),
                access_key_id: key.id.clone(),
            }))
        }
        KeyOwner::Session { session, token } => {
            require_partition(session.partition, call)?;
            if !signed.token.as_deref().is_some_and(|given| token.matches(given)) {
                return Err(invalid_token());
            }
            if session.expires_at <= call.now {
                return Err(Fault::new("ExpiredToken", 403, "The security token included in the request is expired"));
            }
            Ok(Caller::Session { session: session.clone(), access_key_id: key.id.clone() })
        }
    }
}

/// Keys are unknown outside their partition.
fn require_partition(partition: Partition, call: &Call<'_>) -> Result<(), Fault> {
    if partition == call.endpoint.partition { Ok(()) } else { Err(invalid_token()) }
}

fn invalid_token() -> Fault {
    Fault::new("InvalidClientTokenId", 403, "The security token included in the request is invalid.")
}
