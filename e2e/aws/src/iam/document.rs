//! Policy documents as IAM stores, shows and refuses them.

use std::collections::BTreeSet;

use crate::policy::Document;
use crate::wire::Fault;
use crate::wire::encoding::uri_encode;

/// JSON without white space outside strings, members in their order.
#[must_use]
pub fn compact(text: &str) -> String {
    let (mut compact, mut quoted, mut escaped) = (String::with_capacity(text.len()), false, false);
    for character in text.chars() {
        if quoted || !character.is_whitespace() {
            compact.push(character);
        }
        match character {
            '"' if !escaped => quoted = !quoted,
            _ => {}
        }
        escaped = quoted && character == '\\' && !escaped;
    }
    compact
}

/// A document as it travels in answers.
#[must_use]
pub fn on_the_wire(text: &str) -> String {
    uri_encode(text)
}

/// Reads a policy of an identity.
///
/// # Errors
/// `MalformedPolicyDocument`, in IAM's words.
pub fn identity_policy(text: &str) -> Result<Document, Fault> {
    let document = Document::parse(text).map_err(|error| Fault::malformed_policy(error.to_string()))?;
    check_statements(&document)?;
    for statement in &document.statements {
        if statement.principals.is_some() {
            return Err(Fault::malformed_policy("Policy document should not specify a principal."));
        }
        let resources = statement
            .resources
            .as_ref()
            .ok_or_else(|| Fault::malformed_policy("Policy statement must contain resources."))?;
        if let Some(resource) = resources.values.iter().find(|resource| !is_resource(resource)) {
            return Err(Fault::malformed_policy(format!("Resource {resource} must be in ARN format or \"*\".")));
        }
        let vendor = |action: &String| {
            action == "*" || action.split_once(':').is_some_and(|(vendor, name)| !vendor.is_empty() && !name.is_empty())
        };
        if !statement.actions.values.iter().all(vendor) {
            return Err(Fault::malformed_policy(
                "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
            ));
        }
    }
    Ok(document)
}

/// What all stored documents must have: at least one statement, unique and plain labels, actions.
///
/// # Errors
/// `MalformedPolicyDocument`, in IAM's words.
pub fn check_statements(document: &Document) -> Result<(), Fault> {
    if document.statements.is_empty() {
        return Err(Fault::malformed_policy("Syntax errors in policy."));
    }
    let mut seen = BTreeSet::new();
    for sid in document.statements.iter().filter_map(|statement| statement.sid.as_deref()) {
        if !sid.chars().all(|character| character.is_ascii_alphanumeric()) {
            return Err(Fault::malformed_policy(
                "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*",
            ));
        }
        if !sid.is_empty() && !seen.insert(sid) {
            return Err(Fault::malformed_policy("Statement IDs (SID) in a single policy must be unique."));
        }
    }
    if document.statements.iter().any(|statement| statement.actions.values.is_empty()) {
        return Err(Fault::malformed_policy("Policy statement must contain actions."));
    }
    Ok(())
}

fn is_resource(text: &str) -> bool {
    text == "*" || text.starts_with("arn:") && text.splitn(6, ':').count() == 6 || text.starts_with("${")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{compact, identity_policy};

    #[test]
    fn compacts_outside_strings_only() {
        assert_eq!(compact("{ \"a b\" : \"c \\\" d\\\\\" ,\n \"e\": [ 1 ] }"), "{\"a b\":\"c \\\" d\\\\\",\"e\":[1]}");
    }

    #[test]
    fn refuses_identity_policies_in_iams_words() {
        let rows = [
            ("nonsense", "This policy contains invalid Json"),
            (r#"{"Version":"2012-10-17","Statement":[]}"#, "Syntax errors in policy."),
            (
                r#"{"Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*","Principal":"*"}]}"#,
                "Policy document should not specify a principal.",
            ),
            (r#"{"Statement":[{"Effect":"Allow","Action":"s3:*"}]}"#, "Policy statement must contain resources."),
            (
                r#"{"Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"bucket"}]}"#,
                "Resource bucket must be in ARN format or \"*\".",
            ),
            (
                r#"{"Statement":[{"Effect":"Allow","Action":"GetObject","Resource":"*"}]}"#,
                "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
            ),
            (
                r#"{"Statement":[{"Sid":"a","Effect":"Allow","Action":"s3:*","Resource":"*"},{"Sid":"a","Effect":"Deny","Action":"s3:*","Resource":"*"}]}"#,
                "Statement IDs (SID) in a single policy must be unique.",
            ),
        ];
        for (text, message) in rows {
            let fault = identity_policy(text).unwrap_err();
            assert_eq!((fault.code.as_ref(), fault.message.as_str()), ("MalformedPolicyDocument", message), "{text}");
        }
    }
}
