//! Condition keys of a request (IAM User Guide, "AWS global condition context keys").

use jiff::Timestamp;

use crate::api::{Call, SOURCE_IP};
use crate::policy::Context;
use crate::wire::encoding::iso_time;
use crate::world::{Account, Caller, Session, Tags, World};

/// Keys about the request itself, whoever makes it.
#[must_use]
pub fn request_context(call: &Call<'_>) -> Context {
    let mut context = Context::default();
    time(&mut context, call.now);
    context.set("aws:SourceIp", SOURCE_IP);
    context.set("aws:SecureTransport", "true");
    context.set("aws:RequestedRegion", &call.endpoint.region);
    context.set("aws:ViaAWSService", "false");
    context.set_if("aws:UserAgent", call.user_agent.as_deref());
    context
}

fn time(context: &mut Context, now: Timestamp) {
    context.set("aws:CurrentTime", iso_time(now));
    context.set("aws:EpochTime", now.as_second().to_string());
}

/// Keys about the request and its signer.
#[must_use]
pub fn caller_context(world: &World, call: &Call<'_>) -> Context {
    let mut context = request_context(call);
    context.set("aws:PrincipalIsAWSService", "false");
    context.set("aws:userid", call.caller.user_id());
    if let Some(account) = call.caller.account() {
        context.set("aws:PrincipalAccount", account);
        context
            .set_if("aws:PrincipalOrgID", world.account(account).and_then(|account| account.organization.as_deref()));
    }
    match &call.caller {
        Caller::Anonymous => context.set("aws:PrincipalType", "Anonymous"),
        Caller::User(user) => {
            context.set("aws:PrincipalType", "User");
            context.set("aws:PrincipalArn", &user.arn);
            context.set("aws:username", &user.name);
        }
        Caller::Session { session, .. } => session_context(&mut context, world, session),
    }
    context
}

fn session_context(context: &mut Context, world: &World, session: &Session) {
    context.set("aws:PrincipalType", "AssumedRole");
    context.set("aws:PrincipalArn", &session.role_arn);
    context.set("aws:TokenIssueTime", iso_time(session.issued_at));
    context.set("aws:MultiFactorAuthPresent", "false");
    context.set_if("aws:SourceIdentity", session.source_identity.as_deref());
    let role = world.account(&session.account).and_then(|account| account.role(&session.role_name));
    if let Some(role) = role.filter(|role| role.id == session.role_id) {
        tags(context, "aws:PrincipalTag", &role.tags);
    }
    tags(context, "aws:PrincipalTag", &session.tags);
    if let Some(web) = &session.web_identity {
        context.set("aws:FederatedProvider", &web.provider_arn);
        context.set(&format!("{}:aud", web.issuer), &web.audience);
        context.set(&format!("{}:sub", web.issuer), &web.subject);
        if !web.methods.is_empty() {
            context.set_many(&format!("{}:amr", web.issuer), web.methods.clone());
        }
    }
}

/// Keys about the object of a call.
pub fn resource_context(context: &mut Context, account: &Account, object_tags: Option<&Tags>) {
    context.set("aws:ResourceAccount", &account.id);
    context.set_if("aws:ResourceOrgID", account.organization.as_deref());
    if let Some(object_tags) = object_tags {
        tags(context, "aws:ResourceTag", object_tags);
        tags(context, "iam:ResourceTag", object_tags);
    }
}

fn tags(context: &mut Context, prefix: &str, tags: &Tags) {
    for (key, value) in tags.iter() {
        context.set(&format!("{prefix}/{key}"), value);
    }
}
