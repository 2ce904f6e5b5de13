//! IAM's control over identity providers that many customers share: a trust policy must look at a claim that tells
//! customers apart (IAM User Guide, "Identity-provider controls for shared OIDC providers"; texts and rules recorded).
//!
//! An issuer that is not in this list, such as a company's own, is not controlled: IAM will not notice a missing
//! condition.

use crate::policy::condition::{Comparison, Condition};
use crate::policy::{Document, Effect, Statement};
use crate::wire::Fault;

const GITHUB_ACTIONS: &str = "token.actions.githubusercontent.com";
const COGNITO: &str = "cognito-identity.amazonaws.com";

/// Issuers and the keys they require, beside GitHub Actions, Cognito and the three of [`APPLICATION_ID`].
const SHARED: [(&str, &[&str]); 19] = [
    ("agent.buildkite.com", &["sub"]),
    ("api.pulumi.com/oidc", &["aud"]),
    ("app.terraform.io", &["sub"]),
    ("gitlab.com", &["sub"]),
    ("oidc-configuration.audit-log.githubusercontent.com", &["sub"]),
    ("oidc.codefresh.io", &["sub"]),
    ("oidc.vercel.com", &["aud"]),
    ("proidc.upbound.io", &["sub"]),
    ("rh-oidc.s3.us-east-1.amazonaws.com/22ejnvnnturfmt6km08idd0nt4hekbn7", &["sub"]),
    ("rh-oidc.s3.us-east-1.amazonaws.com/23e3sd27sju1hoou6ohfs68vbno607tr", &["sub"]),
    ("rh-oidc.s3.us-east-1.amazonaws.com/23ne21h005qjl3n33d8dui5dlrmv2tmg", &["sub"]),
    ("rh-oidc.s3.us-east-1.amazonaws.com/24jrf12m5dj7ljlfb4ta2frhrcoadm26", &["sub"]),
    ("oidc.op1.openshiftapps.com/2f785sojlpb85i7402pk3qogugim5nfb", &["sub"]),
    ("oidc.op1.openshiftapps.com/2c51blsaqa9gkjt0o9rt11mle8mmropu", &["sub"]),
    ("sandboxes.cloud", &["aud"]),
    ("scalr.io", &["sub"]),
    ("studio.datachain.ai/api", &["sub"]),
    ("tokens.cloud.shisho.dev", &["sub"]),
    ("vstoken.dev.azure.com", &["sub"]),
];

/// Azure Sentinel, whose key is not one of its own.
const SENTINEL: &str = "sts.windows.net/33e01921-4d64-4f8c-a055-5bdaffd5e33d/";

/// Issuers that are named by domain, and the exact keys of which one must be compared with `StringEquals`.
const APPLICATION_ID: [(&str, &[&str]); 3] = [
    ("accounts.google.com", &["accounts.google.com:aud", "accounts.google.com:oaud", "accounts.google.com:sub"]),
    ("www.amazon.com", &["www.amazon.com:app_id", "www.amazon.com:user_id"]),
    ("graph.facebook.com", &["graph.facebook.com:app_id", "graph.facebook.com:id"]),
];

/// Checks every statement that allows `sts:AssumeRoleWithWebIdentity`.
///
/// # Errors
/// `MalformedPolicyDocument` that names the key to evaluate.
pub(super) fn check(document: &Document) -> Result<(), Fault> {
    let allowing = document.statements.iter().filter(|statement| {
        statement.effect == Effect::Allow
            && statement.actions.values.iter().any(|action| action == "sts:AssumeRoleWithWebIdentity")
    });
    for statement in allowing {
        let federated = statement.principals.iter().flat_map(|principals| &principals.federated);
        federated.into_iter().try_for_each(|principal| check_principal(statement, principal))?;
    }
    Ok(())
}

fn check_principal(statement: &Statement, principal: &str) -> Result<(), Fault> {
    if let Some((_, keys)) = APPLICATION_ID.iter().find(|(issuer, _)| *issuer == principal) {
        return if has_application_id(statement, keys) {
            Ok(())
        } else {
            Err(Fault::malformed_policy(format!(
                "Policy trusting {principal} requires a StringEquals condition on an application id"
            )))
        };
    }
    if principal == COGNITO && statement.conditions.is_empty() {
        return Err(Fault::malformed_policy("A condition block must be present for the Cognito provider"));
    }
    let issuer = principal.split_once(":oidc-provider/").map_or(principal, |(_, issuer)| issuer);
    if issuer.to_lowercase().starts_with(GITHUB_ACTIONS) {
        let keys = [format!("{issuer}:sub"), format!("{issuer}:job_workflow_ref")];
        return if github_is_scoped(statement, &keys) { Ok(()) } else { Err(unscoped(principal, &keys.join(" or "))) };
    }
    let keys: Vec<String> = if issuer == SENTINEL {
        vec!["sts:RoleSessionName".to_owned()]
    } else {
        let required = SHARED.iter().find(|(shared, _)| *shared == issuer).map(|(_, keys)| *keys);
        let required = if principal == COGNITO { Some(["aud"].as_slice()) } else { required };
        required.unwrap_or_default().iter().map(|key| format!("{issuer}:{key}")).collect()
    };
    match keys.iter().find(|key| !is_scoped(statement, key)) {
        Some(key) => Err(unscoped(principal, key)),
        None => Ok(()),
    }
}

fn unscoped(principal: &str, key: &str) -> Fault {
    Fault::malformed_policy(format!(
        "Trust policy with trusted principal {principal} must evaluate, using StringEquals, StringLike or StringEqualsIgnoreCase, {key} which is not scoped to all."
    ))
}

/// Positive comparisons of text, with or without a set operator.
fn compares_text(condition: &Condition) -> bool {
    let text = matches!(
        condition.operator.comparison,
        Comparison::StringEquals | Comparison::StringLike | Comparison::StringEqualsIgnoreCase
    );
    text && !condition.operator.negated && !condition.if_exists
}

/// The general rule: the key is compared, and `*` alone is not among the values.
fn is_scoped(statement: &Statement, key: &str) -> bool {
    let mut on_key = statement
        .conditions
        .iter()
        .filter(|condition| compares_text(condition) && condition.key.eq_ignore_ascii_case(key));
    on_key.any(|condition| condition.values.iter().all(|value| value != "*"))
}

/// GitHub's stricter rule: within one operator every comparison of either key must be scoped; one such operator suffices.
fn github_is_scoped(statement: &Statement, keys: &[String]) -> bool {
    let on_keys: Vec<&Condition> = statement
        .conditions
        .iter()
        .filter(|condition| compares_text(condition) && keys.iter().any(|key| condition.key.eq_ignore_ascii_case(key)))
        .collect();
    on_keys.iter().any(|candidate| {
        let block = on_keys
            .iter()
            .filter(|other| (other.operator, other.quantifier) == (candidate.operator, candidate.quantifier));
        block
            .into_iter()
            .all(|condition| condition.values.iter().all(|value| !value.starts_with('*') && !value.trim().is_empty()))
    })
}

fn has_application_id(statement: &Statement, keys: &[&str]) -> bool {
    statement.conditions.iter().any(|condition| {
        condition.operator.comparison == Comparison::StringEquals
            && compares_text(condition)
            && keys.contains(&condition.key.as_str())
    })
}
