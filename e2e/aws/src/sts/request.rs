//! Parameters that AssumeRole and AssumeRoleWithWebIdentity share.

use crate::policy::Document;
use crate::wire::shape::{NAME, Shape};
use crate::wire::{Fault, Params};
use crate::world::SessionPolicy;

/// Seconds of a session when nobody says otherwise.
const DEFAULT_DURATION: i32 = 3600;

/// The shared parameters, of the right shape.
#[derive(Debug)]
pub(super) struct AssumeParams<'a> {
    pub(super) role_arn: &'a str,
    pub(super) session_name: &'a str,
    pub(super) duration: i32,
    pub(super) policy: Option<&'a str>,
    pub(super) policy_arns: Vec<String>,
}

impl<'a> AssumeParams<'a> {
    /// Reads them; violations go to `shape`.
    pub(super) fn read(params: &'a Params, shape: &mut Shape) -> Result<Self, Fault> {
        let role_arn = shape.required("roleArn", params.get("RoleArn"), (20, 2048), None);
        let session_name = shape.required("roleSessionName", params.get("RoleSessionName"), (2, 64), Some(NAME));
        let duration = shape.integer("durationSeconds", params.get("DurationSeconds"), (900, 43200))?;
        let policy = params.get("Policy");
        shape.optional("policy", policy, (1, 2048), None);
        let policy_arns: Vec<String> = params
            .structures("PolicyArns")
            .unwrap_or_default()
            .iter()
            .filter_map(|member| member.get("arn").map(str::to_owned))
            .collect();
        shape.list("policyArns", Some(&policy_arns), 10);
        Ok(Self { role_arn, session_name, duration: duration.unwrap_or(DEFAULT_DURATION), policy, policy_arns })
    }

    /// The session policies.
    ///
    /// # Errors
    /// `MalformedPolicyDocument` when the inline one is none.
    pub(super) fn session_policies(&self) -> Result<Vec<SessionPolicy>, Fault> {
        let mut policies: Vec<SessionPolicy> = self.policy_arns.iter().cloned().map(SessionPolicy::Managed).collect();
        if let Some(text) = self.policy {
            let document = Document::parse(text).map_err(|error| Fault::malformed_policy(error.to_string()))?;
            if document.statements.iter().any(|statement| statement.principals.is_some()) {
                return Err(Fault::malformed_policy("Policy document should not specify a principal."));
            }
            policies.push(SessionPolicy::Inline(document));
        }
        Ok(policies)
    }

    /// Characters of session policies, which count towards the packed size.
    pub(super) fn policy_chars(&self) -> usize {
        self.policy.map_or(0, |text| text.chars().count())
            + self.policy_arns.iter().map(|arn| arn.chars().count()).sum::<usize>()
    }
}
