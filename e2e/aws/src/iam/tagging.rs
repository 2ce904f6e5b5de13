//! Tags of roles, providers and policies.

use super::page::Page;
use super::work::Work;
use super::{policies, providers, quota};
use crate::api::Outcome;
use crate::policy::Context;
use crate::web_identity::session_claims::{is_reserved, is_tag_char};
use crate::wire::shape::Shape;
use crate::wire::{Fault, Node, Params};
use crate::world::{KeyCase, Tags};

const RESERVED: &str = "Tag keys beginning with aws: are reserved for system use.";

/// Keys and values as a request gives them.
type Pairs = Vec<(String, String)>;

/// The `Tags` of a request, of the right shape.
///
/// # Errors
/// `ValidationError` for a white-space key.
pub(super) fn read(params: &Params, shape: &mut Shape) -> Result<Pairs, Fault> {
    let members = params.structures("Tags").unwrap_or_default();
    shape.list("tags", Some(&members), quota::TAGS);
    let mut pairs = Vec::new();
    for (index, member) in members.iter().enumerate() {
        let (key, value) = (member.get("Key"), member.get("Value"));
        let key = shape.required(&format!("tags.{}.member.key", index + 1), key, (1, 128), None);
        let value = shape.required(&format!("tags.{}.member.value", index + 1), value, (0, 256), None);
        if key.chars().all(char::is_whitespace) || !key.chars().chain(value.chars()).all(is_tag_char) {
            return Err(Fault::validation(format!(
                "1 validation error detected: Value at 'tags.{}.member.key' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\p{{L}}\\p{{Z}}\\p{{N}}_.:/=+\\-@]+",
                index + 1
            )));
        }
        pairs.push((key.to_owned(), value.to_owned()));
    }
    Ok(pairs)
}

/// Tags of a new object.
///
/// # Errors
/// `InvalidInput` for a reserved key or, where case does not count, two equal keys.
pub(super) fn fresh(case: KeyCase, pairs: Pairs) -> Result<Tags, Fault> {
    let given = pairs.len();
    if pairs.iter().any(|(key, _)| is_reserved(key)) {
        return Err(Fault::invalid_input(RESERVED));
    }
    let tags = Tags::from_pairs(case, pairs);
    if tags.len() != given {
        return Err(Fault::invalid_input("Duplicate tag keys found. Please note that Tag keys are case insensitive."));
    }
    Ok(tags)
}

/// Condition keys of tags that a request sets.
pub(super) fn request_keys(context: &mut Context, pairs: &[(String, String)]) {
    for (key, value) in pairs {
        context.set(&format!("aws:RequestTag/{key}"), value);
    }
    if !pairs.is_empty() {
        context.set_many("aws:TagKeys", pairs.iter().map(|(key, _)| key.clone()));
    }
}

/// Tags as members of an answer.
pub(super) fn node(tags: &Tags) -> Node {
    Node::list("Tags", tags.iter().map(|(key, value)| vec![Node::text("Key", key), Node::text("Value", value)]))
}

fn merge(tags: &mut Tags, case: KeyCase, pairs: Pairs) -> Result<(), Fault> {
    if pairs.is_empty() {
        return Err(Fault::invalid_input("Tags may not be empty."));
    }
    let mut merged = tags.clone();
    for (key, value) in fresh(case, pairs)?.iter() {
        merged.set(key.to_owned(), value.to_owned());
    }
    if merged.len() > quota::TAGS {
        return Err(Fault::limit_exceeded("The number of tags has reached the maximum limit."));
    }
    *tags = merged;
    Ok(())
}

/// Object name or ARN, tags.
fn tag_request<'a>(work: &Work<'a>, parameter: &'static str) -> Result<(&'a str, Pairs), Fault> {
    let mut shape = Shape::iam();
    let name = shape.required(parameter_name(parameter), work.params().get(parameter), (1, 2048), None);
    let pairs = read(work.params(), &mut shape)?;
    shape.finish()?;
    Ok((name, pairs))
}

/// Object name or ARN, keys.
fn untag_request<'a>(work: &Work<'a>, parameter: &'static str) -> Result<(&'a str, Vec<String>), Fault> {
    let mut shape = Shape::iam();
    let name = shape.required(parameter_name(parameter), work.params().get(parameter), (1, 2048), None);
    let keys = work.params().list("TagKeys").unwrap_or_default();
    shape.list("tagKeys", Some(&keys), quota::TAGS);
    shape.finish()?;
    Ok((name, keys))
}

fn parameter_name(parameter: &'static str) -> &'static str {
    match parameter {
        "RoleName" => "roleName",
        "PolicyArn" => "policyArn",
        _ => "openIDConnectProviderArn",
    }
}

fn untag_keys(keys: &[String]) -> impl FnOnce(&mut Context) + '_ {
    |context| {
        if !keys.is_empty() {
            context.set_many("aws:TagKeys", keys.iter().cloned());
        }
    }
}

/// `TagRole`.
pub(super) fn tag_role(work: &mut Work<'_>) -> Outcome {
    let (name, pairs) = tag_request(work, "RoleName")?;
    work.allow_role(name, |context| request_keys(context, &pairs))?;
    merge(&mut work.role_mut(name)?.tags, KeyCase::Folded, pairs)?;
    Ok(None)
}

/// `UntagRole`: absent and reserved keys are no error.
pub(super) fn untag_role(work: &mut Work<'_>) -> Outcome {
    let (name, keys) = untag_request(work, "RoleName")?;
    work.allow_role(name, untag_keys(&keys))?;
    let role = work.role_mut(name)?;
    keys.iter().for_each(|key| role.tags.remove(key));
    Ok(None)
}

/// `ListRoleTags`.
pub(super) fn list_role_tags(work: &mut Work<'_>) -> Outcome {
    let mut shape = Shape::iam();
    let name = shape.required("roleName", work.params().get("RoleName"), (1, 64), None);
    let page = Page::read(work.params(), &mut shape)?;
    shape.finish()?;
    work.allow_role(name, |_| {})?;
    Ok(Some(tag_page(&page, &work.role(name)?.tags)))
}

/// `TagOpenIDConnectProvider`.
pub(super) fn tag_provider(work: &mut Work<'_>) -> Outcome {
    let (arn, pairs) = tag_request(work, "OpenIDConnectProviderArn")?;
    providers::allow(work, arn, |context| request_keys(context, &pairs))?;
    merge(&mut providers::find_mut(work, arn)?.tags, KeyCase::Distinct, pairs)?;
    Ok(None)
}

/// `UntagOpenIDConnectProvider`: needs at least one key, in its exact spelling.
pub(super) fn untag_provider(work: &mut Work<'_>) -> Outcome {
    let (arn, keys) = untag_request(work, "OpenIDConnectProviderArn")?;
    providers::allow(work, arn, untag_keys(&keys))?;
    let provider = providers::find_mut(work, arn)?;
    require_keys(&keys)?;
    keys.iter().for_each(|key| provider.tags.remove(key));
    Ok(None)
}

/// `ListOpenIDConnectProviderTags`.
pub(super) fn list_provider_tags(work: &mut Work<'_>) -> Outcome {
    let mut shape = Shape::iam();
    let arn =
        shape.required("openIDConnectProviderArn", work.params().get("OpenIDConnectProviderArn"), (20, 2048), None);
    let page = Page::read(work.params(), &mut shape)?;
    shape.finish()?;
    providers::allow(work, arn, |_| {})?;
    Ok(Some(tag_page(&page, &providers::find(work, arn)?.tags)))
}

/// `TagPolicy`.
pub(super) fn tag_policy(work: &mut Work<'_>) -> Outcome {
    let (arn, pairs) = tag_request(work, "PolicyArn")?;
    policies::allow(work, arn, |context| request_keys(context, &pairs))?;
    refuse_aws_managed(arn)?;
    merge(&mut policies::find_mut(work, arn)?.tags, KeyCase::Distinct, pairs)?;
    Ok(None)
}

/// `UntagPolicy`.
pub(super) fn untag_policy(work: &mut Work<'_>) -> Outcome {
    let (arn, keys) = untag_request(work, "PolicyArn")?;
    policies::allow(work, arn, untag_keys(&keys))?;
    refuse_aws_managed(arn)?;
    let policy = policies::find_mut(work, arn)?;
    require_keys(&keys)?;
    keys.iter().for_each(|key| policy.tags.remove(key));
    Ok(None)
}

/// `ListPolicyTags`; AWS's own policies have none.
pub(super) fn list_policy_tags(work: &mut Work<'_>) -> Outcome {
    let mut shape = Shape::iam();
    let arn = shape.required("policyArn", work.params().get("PolicyArn"), (20, 2048), None);
    let page = Page::read(work.params(), &mut shape)?;
    shape.finish()?;
    policies::allow(work, arn, |_| {})?;
    if crate::policy::managed::find(arn).is_some() {
        return Ok(Some(tag_page(&page, &Tags::new(KeyCase::Distinct))));
    }
    Ok(Some(tag_page(&page, &policies::find(work, arn)?.tags)))
}

fn tag_page(page: &Page, tags: &Tags) -> Vec<Node> {
    let pairs: Vec<(&str, &str)> = tags.iter().collect();
    page.nodes("Tags", &pairs, |(key, value)| vec![Node::text("Key", key), Node::text("Value", value)])
}

fn require_keys(keys: &[String]) -> Result<(), Fault> {
    if keys.is_empty() { Err(Fault::invalid_input("TagKeys may not be empty.")) } else { Ok(()) }
}

fn refuse_aws_managed(arn: &str) -> Result<(), Fault> {
    match crate::policy::managed::find(arn) {
        Some(_) => Err(Fault::invalid_input("Tags not supported for policies in this domain")),
        None => Ok(()),
    }
}
