//! `AssumeRole`, first or further link of a chain.

use serde_json::json;

use super::packed::Load;
use super::request::AssumeParams;
use super::tags::{self, RequestTags};
use super::{issue, trust};
use crate::access::arn::RoleArn;
use crate::access::{caller_context, caller_policies, denial, requester, resource_context};
use crate::api::{Call, Trace};
use crate::policy::{Context, Decision, Relation, Source};
use crate::web_identity::session_claims::is_source_identity;
use crate::wire::shape::{NAME, Shape};
use crate::wire::{Fault, Node};
use crate::world::{Account, Caller, KeyCase, Role, Session, Tags, World};

/// Longest session that a session may begin.
const CHAIN_SECONDS: i32 = 3600;

/// What the request says beyond the shared parameters, and what the calling session hands down.
struct Chain<'a> {
    tags: RequestTags,
    inherited: Tags,
    requested_source: Option<&'a str>,
    source_identity: Option<String>,
    external_id: Option<&'a str>,
}

/// Runs the action: shape, then authorisation, then meaning.
pub(super) fn assume_role(call: &Call<'_>, trace: &mut Trace) -> Result<Vec<Node>, Fault> {
    let mut shape = Shape::sts();
    let params = AssumeParams::read(&call.params, &mut shape)?;
    let chain = Chain::read(call, &mut shape);
    shape.finish()?;
    chain.log(trace);
    let target = RoleArn::parse(params.role_arn)
        .filter(|target| target.partition == call.endpoint.partition)
        .ok_or_else(|| Fault::validation(format!("{} is invalid", params.role_arn)))?;
    trace.resources.push(json!({"accountId": target.account, "type": "AWS::IAM::Role", "ARN": target.text}));
    trace.role_account = Some(target.account.clone());
    let (delay, packed) = {
        let knobs = call.standin.knobs();
        (knobs.role_propagation_seconds, knobs.packed.clone())
    };
    let mut world = call.standin.world();
    let found = world.account(&target.account).and_then(|account| {
        let role = account.role_by_arn(&target.text).filter(|role| role.is_visible(call.now, delay))?;
        Some((account, role))
    });
    let Some((account, role)) = found else {
        return Err(denial(&call.caller, "sts:AssumeRole", &target.text, Decision::Unallowed(Source::Resource), false));
    };
    authorize(&world, call, account, role, &params, &chain)?;
    let all_tags = chain.check(call, role, &params)?;
    let size = Load {
        subject: None,
        source_identity: chain.source_identity.as_deref(),
        tags: &all_tags,
        policy_chars: params.policy_chars(),
    };
    let size = size.percent(&packed)?;
    let session = Session {
        source_identity: chain.source_identity.clone(),
        transitive_keys: chain.transitive_keys(),
        tags: all_tags,
        policies: params.session_policies()?,
        ..issue::session(call, &params, account, role)
    };
    Ok(issue::issue(&mut world, call, session, size))
}

fn authorize(
    world: &World,
    call: &Call<'_>,
    account: &Account,
    role: &Role,
    params: &AssumeParams<'_>,
    chain: &Chain<'_>,
) -> Result<(), Fault> {
    let mut policies = caller_policies(world, &call.caller);
    policies.resource = Some(role.trust.document.clone());
    policies.resource_control.clone_from(&account.resource_control);
    let same = call.caller.account() == Some(account.id.as_str());
    let relation = if same { Relation::SameAccountTrust } else { Relation::CrossAccount };
    let context = chain.context(world, call, account, role, params);
    let tagged = !chain.tags.tags().is_empty() || !chain.inherited.is_empty();
    let actions = trust::actions("sts:AssumeRole", tagged, chain.source_identity.is_some());
    trust::decide(&policies, relation, &requester(&call.caller), &role.arn, &context, &actions)
        .map_err(|(action, refused)| denial(&call.caller, action, &role.arn, refused, false))
}

impl<'a> Chain<'a> {
    fn read(call: &'a Call<'_>, shape: &mut Shape) -> Self {
        let requested_source = call.params.get("SourceIdentity");
        shape.optional("sourceIdentity", requested_source, (2, 64), Some(NAME));
        let external_id = call.params.get("ExternalId");
        shape.optional("externalId", external_id, (2, 1224), None);
        let session = match &call.caller {
            Caller::Session { session, .. } => Some(session),
            _ => None,
        };
        let kept = session.and_then(|session| session.source_identity.clone());
        Self {
            tags: RequestTags::read(call, shape),
            inherited: session.map_or_else(|| Tags::new(KeyCase::Folded), |session| tags::inherited(session)),
            requested_source,
            source_identity: kept.or_else(|| requested_source.map(str::to_owned)),
            external_id,
        }
    }

    fn context(
        &self,
        world: &World,
        call: &Call<'_>,
        account: &Account,
        role: &Role,
        params: &AssumeParams<'_>,
    ) -> Context {
        let mut context = caller_context(world, call);
        context.set("sts:RoleSessionName", params.session_name);
        context.set_if("sts:ExternalId", self.external_id);
        context.set_if("sts:SourceIdentity", self.requested_source);
        tags::request_tags(&mut context, &self.tags.tags(), &self.tags.transitive_keys);
        resource_context(&mut context, account, Some(&role.tags));
        context
    }

    /// What is wrong with an authorised request; returns the tags of the session.
    fn check(&self, call: &Call<'_>, role: &Role, params: &AssumeParams<'_>) -> Result<Tags, Fault> {
        if matches!(call.caller, Caller::Session { .. }) && params.duration > CHAIN_SECONDS {
            return Err(Fault::validation(
                "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
            ));
        }
        if params.duration > role.max_session_duration {
            return Err(Fault::validation(
                "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
            ));
        }
        if let Some(requested) = self.requested_source {
            if self.source_identity.as_deref() != Some(requested) {
                let unallowed = Decision::Unallowed(Source::Identity);
                return Err(denial(&call.caller, "sts:SetSourceIdentity", &role.arn, unallowed, false));
            }
            if !is_source_identity(requested) {
                return Err(Fault::new("InvalidParameterValue", 400, "SourceIdentity may not begin with aws:"));
            }
        }
        self.tags.join(&self.inherited)
    }

    /// Keys that the next link keeps.
    fn transitive_keys(&self) -> Vec<String> {
        self.inherited.iter().map(|(key, _)| key.to_owned()).chain(self.tags.transitive_keys.iter().cloned()).collect()
    }

    fn log(&self, trace: &mut Trace) {
        if let Some(source) = &self.source_identity {
            trace.parameter("sourceIdentity", source.as_str());
        }
        tags::log(trace, &self.tags.tags(), &self.tags.transitive_keys);
        tags::log_inherited(trace, &self.inherited);
    }
}
