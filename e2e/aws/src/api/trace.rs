//! What a call leaves in the call log.

use serde_json::{Map, Value, json};

use super::{Call, Outcome, RawRequest, SOURCE_IP};
use crate::calls::CallRecord;
use crate::wire::encoding::iso_time;
use crate::wire::xml;
use crate::world::{Caller, Session};

/// What an action adds to its record while it runs.
#[derive(Debug, Default)]
pub struct Trace {
    /// Who called, when it is not the signer.
    pub identity: Option<Value>,
    /// Whose trail holds the record, when it is not the signer's.
    pub account: Option<String>,
    /// Parameters that are not in the request itself, such as tags from a token.
    pub parameters: Map<String, Value>,
    /// Objects of other accounts.
    pub resources: Vec<Value>,
    /// Account of the role that was asked for, in whose trail a call from another account is seen too.
    pub role_account: Option<String>,
}

impl Trace {
    /// Adds a parameter.
    pub fn parameter(&mut self, name: &str, value: impl Into<Value>) {
        self.parameters.insert(name.to_owned(), value.into());
    }

    /// The records of a finished call, the caller's account first.
    ///
    /// A refusal is never in the trail of the role's account ("Logging IAM and AWS STS API calls with AWS CloudTrail").
    #[must_use]
    pub fn records(
        mut self,
        call: &Call<'_>,
        request: &RawRequest,
        outcome: &Outcome,
        request_id: &str,
    ) -> Vec<CallRecord> {
        let role_account = self.role_account.take().filter(|account| call.caller.account() != Some(account));
        let mut own = self.record(call, request, outcome, request_id);
        let Some(role_account) = role_account.filter(|_| outcome.is_ok()) else { return vec![own] };
        own.shared_event_id = Some(event_id());
        let theirs = CallRecord {
            user_identity: identity_abroad(&call.caller),
            event_id: event_id(),
            recipient_account_id: Some(role_account),
            ..own.clone()
        };
        vec![own, theirs]
    }

    fn record(self, call: &Call<'_>, request: &RawRequest, outcome: &Outcome, request_id: &str) -> CallRecord {
        let read_only = is_read_only(&call.action);
        let issues = call.action.starts_with("Assume");
        let response = match outcome {
            Ok(Some(nodes)) if !read_only || issues => xml::logged(nodes),
            _ => Value::Null,
        };
        let fault = outcome.as_ref().err();
        CallRecord {
            event_version: "1.11",
            user_identity: self.identity.unwrap_or_else(|| identity(&call.caller)),
            event_time: iso_time(call.now),
            event_source: call.endpoint.service.event_source(),
            event_name: call.action.clone(),
            aws_region: call.endpoint.region.clone(),
            source_ip_address: SOURCE_IP.to_owned(),
            user_agent: call.user_agent.clone(),
            error_code: fault.map(crate::wire::Fault::model_name),
            error_message: fault.map(|fault| fault.message.clone()),
            request_parameters: with(call.params.logged(), self.parameters),
            response_elements: response,
            request_id: request_id.to_owned(),
            event_id: event_id(),
            shared_event_id: None,
            read_only,
            resources: self.resources,
            recipient_account_id: self.account.or_else(|| call.caller.account().map(str::to_owned)),
            tls_details: json!({"clientProvidedHostHeader": request.host}),
        }
    }
}

/// `AssumeRole*` counts as reading, `GetSessionToken` and `GetFederationToken` do not (CloudTrail documentation).
fn is_read_only(action: &str) -> bool {
    let reads = ["Get", "List", "Generate", "Simulate", "AssumeRole"].iter().any(|prefix| action.starts_with(prefix));
    reads && !matches!(action, "GetSessionToken" | "GetFederationToken")
}

fn with(parameters: Value, extra: Map<String, Value>) -> Value {
    if extra.is_empty() {
        return parameters;
    }
    let mut members = match parameters {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    members.extend(extra);
    Value::Object(members)
}

fn identity(caller: &Caller) -> Value {
    match caller {
        Caller::Anonymous => json!({"type": "Unknown"}),
        Caller::User(user) => json!({
            "type": "IAMUser", "principalId": user.id, "arn": user.arn, "accountId": user.account,
            "accessKeyId": user.access_key_id, "userName": user.name,
        }),
        Caller::Session { session, access_key_id } => json!({
            "type": "AssumedRole", "principalId": session.user_id(), "arn": session.arn(), "accountId": session.account,
            "accessKeyId": access_key_id, "sessionContext": session_context(session),
        }),
    }
}

/// The caller as another account sees it: the account and the unique id, which ends in the session's name.
fn identity_abroad(caller: &Caller) -> Value {
    json!({"type": "AWSAccount", "principalId": caller.user_id(), "accountId": caller.account()})
}

fn event_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

fn session_context(session: &Session) -> Value {
    let mut context = json!({
        "sessionIssuer": {
            "type": "Role", "principalId": session.role_id, "arn": session.role_arn, "accountId": session.account, "userName": session.role_name,
        },
        "attributes": {"creationDate": iso_time(session.issued_at), "mfaAuthenticated": "false"},
    });
    if let Some(members) = context.as_object_mut() {
        if let Some(source) = &session.source_identity {
            members.insert("sourceIdentity".to_owned(), json!(source));
        }
        if let Some(web) = &session.web_identity {
            let federation = json!({"federatedProvider": web.provider_arn, "attributes": {}});
            members.insert("webIdFederationData".to_owned(), federation);
        }
    }
    context
}
