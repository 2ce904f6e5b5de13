//! `AssumeRoleWithWebIdentity`.

use serde_json::json;

use super::packed::Load;
use super::request::AssumeParams;
use super::{issue, trust};
use crate::access::arn::RoleArn;
use crate::access::{request_context, resource_context};
use crate::api::{Call, Trace};
use crate::policy::{Context, Decision, Policies, Relation, Requester};
use crate::web_identity::{self, Verified, tampering};
use crate::wire::shape::{Pattern, Shape};
use crate::wire::{Fault, Node};
use crate::world::{Account, Role, Session, WebIdentity};

/// Runs the action, in the order that recordings suggest: shape, token, role, session policy, trust, packed size.
pub(super) async fn assume_role_with_web_identity(call: &Call<'_>, trace: &mut Trace) -> Result<Vec<Node>, Fault> {
    let mut shape = Shape::sts();
    let params = AssumeParams::read(&call.params, &mut shape)?;
    let token = shape.required("webIdentityToken", call.params.get("WebIdentityToken"), (4, 20000), None::<Pattern>);
    let provider_id = call.params.get("ProviderId");
    shape.optional("providerId", provider_id, (4, 2048), None);
    shape.finish()?;
    let target = RoleArn::parse(params.role_arn)
        .filter(|target| target.partition == call.endpoint.partition)
        .ok_or_else(|| Fault::validation("Request ARN is invalid"))?;
    trace.account = Some(target.account.clone());
    if let Some(provider) = provider_id {
        return Err(foreign_provider(provider));
    }
    let tampered = call.standin.knobs().tamper_tokens.then(|| tampering::tampered(token)).flatten();
    let token = tampered.as_deref().unwrap_or(token);
    let verified = web_identity::verify(call.standin, token, &target, call.now).await?;
    log(trace, &verified);
    assume(call, &params, &target, verified)
}

/// The three providers that speak no OpenID Connect have their own texts; every other name is one too many (recorded).
fn foreign_provider(provider: &str) -> Fault {
    match provider {
        "www.amazon.com" => Fault::invalid_identity_token("Provided Token is not a Login With Amazon token"),
        "graph.facebook.com" => {
            let text = "graph.facebook.com rejected OAuth token with response \"Bad signature\" and code 190";
            Fault::new("IDPRejectedClaim", 403, text)
        }
        _ => Fault::access_denied(
            "Unrecognized OAuth provider. Do not include a provider parameter when submitting OpenIDConnect ID tokens",
        ),
    }
}

fn assume(
    call: &Call<'_>,
    params: &AssumeParams<'_>,
    target: &RoleArn,
    verified: Verified,
) -> Result<Vec<Node>, Fault> {
    let (delay, packed) = {
        let knobs = call.standin.knobs();
        (knobs.role_propagation_seconds, knobs.packed.clone())
    };
    let mut world = call.standin.world();
    let denied = || not_authorized("sts:AssumeRoleWithWebIdentity");
    let account = world.account(&target.account).ok_or_else(denied)?;
    let role = account.role_by_arn(&target.text).filter(|role| role.is_visible(call.now, delay)).ok_or_else(denied)?;
    if params.duration > role.max_session_duration {
        return Err(Fault::validation(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        ));
    }
    let session_policies = params.session_policies()?;
    let policies = Policies {
        resource: Some(role.trust.document.clone()),
        resource_control: account.resource_control.clone(),
        ..Policies::default()
    };
    let requester = Requester::WebIdentity { provider_arn: verified.provider_arn.clone() };
    let context = context(call, params, account, role, &verified);
    let (tags, source) = (&verified.session.tags, verified.session.source_identity.as_deref());
    let actions = trust::actions("sts:AssumeRoleWithWebIdentity", !tags.is_empty(), source.is_some());
    trust::decide(&policies, Relation::NoAccount, &requester, &role.arn, &context, &actions)
        .map_err(|(action, _): (_, Decision)| not_authorized(action))?;
    let subject = Some(verified.identity.subject.as_str());
    let size = Load { subject, source_identity: source, tags, policy_chars: params.policy_chars() }.percent(&packed)?;
    let answer = [
        Node::text("SubjectFromWebIdentityToken", &verified.identity.subject),
        Node::text("Provider", &verified.provider_arn),
        Node::text("Audience", &verified.identity.audience),
    ];
    let session = Session { policies: session_policies, ..issue::session(call, params, account, role) };
    let mut nodes = issue::issue(&mut world, call, carrying(session, verified), size);
    nodes.extend(answer);
    Ok(nodes)
}

/// A session with what its token gives it.
fn carrying(session: Session, verified: Verified) -> Session {
    let Verified { identity, session: claims, provider_arn, issuer, .. } = verified;
    Session {
        source_identity: claims.source_identity,
        tags: claims.tags,
        transitive_keys: claims.transitive_keys,
        web_identity: Some(WebIdentity {
            provider_arn,
            issuer,
            audience: identity.audience,
            subject: identity.subject,
            methods: identity.methods,
        }),
        ..session
    }
}

/// The same text for a role that does not exist, is not visible yet, or does not trust the token.
fn not_authorized(action: &str) -> Fault {
    Fault::access_denied(format!("Not authorized to perform {action}"))
}

/// Condition keys while the trust policy is evaluated. There is no `aws:PrincipalArn`; `aws:userid` is the provider.
fn context(call: &Call<'_>, params: &AssumeParams<'_>, account: &Account, role: &Role, verified: &Verified) -> Context {
    let mut context = request_context(call);
    context.set("aws:PrincipalAccount", &account.id);
    context.set("aws:PrincipalType", "User");
    context.set("aws:userid", &verified.provider_arn);
    context.set("aws:FederatedProvider", &verified.provider_arn);
    context.set("sts:RoleSessionName", params.session_name);
    context.set("sts:RoleAuthorizedByIdp", verified.role_authorized_by_idp.to_string());
    let key = |name: &str| format!("{}:{name}", verified.issuer);
    let identity = &verified.identity;
    context.set(&key("aud"), &identity.audience);
    context.set(&key("sub"), &identity.subject);
    context.set_many(&key("oaud"), identity.original_audiences.clone());
    context.set_if(&key("email"), identity.email.as_deref());
    if !identity.methods.is_empty() {
        context.set_many(&key("amr"), identity.methods.clone());
    }
    context.set_if("sts:SourceIdentity", verified.session.source_identity.as_deref());
    super::tags::request_tags(&mut context, &verified.session.tags, &verified.session.transitive_keys);
    resource_context(&mut context, account, Some(&role.tags));
    context
}

fn log(trace: &mut Trace, verified: &Verified) {
    let Verified { identity, session, provider_arn, .. } = verified;
    trace.identity = Some(json!({
        "type": "WebIdentityUser",
        "principalId": format!("{provider_arn}:{}:{}", identity.audience, identity.subject),
        "userName": identity.subject,
        "identityProvider": provider_arn,
    }));
    if let Some(source) = &session.source_identity {
        trace.parameter("sourceIdentity", source.as_str());
    }
    super::tags::log(trace, &session.tags, &session.transitive_keys);
}
