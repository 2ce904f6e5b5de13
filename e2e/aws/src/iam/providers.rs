//! OIDC providers: create, read, delete.

use super::work::Work;
use super::{quota, tagging};
use crate::api::{Call, Outcome};
use crate::policy::Context;
use crate::web_identity::documents;
use crate::wire::encoding::iso_time_millis;
use crate::wire::shape::Shape;
use crate::wire::{Fault, Node};
use crate::world::{KeyCase, OidcProvider, Tags};

/// A provider to create, of the right shape.
struct Request {
    url: String,
    client_ids: Vec<String>,
    thumbprints: Option<Vec<String>>,
    tags: Vec<(String, String)>,
}

/// `CreateOpenIDConnectProvider`. Without thumbprints IAM contacts the host for one; with them it does not (recorded).
pub(super) async fn create(call: &Call<'_>) -> Outcome {
    let request = read(call)?;
    let arn = {
        let work = Work::begin(call)?;
        let arn = work.arn(&format!("oidc-provider/{}", request.url))?;
        work.allow(&arn, None, |context| tagging::request_keys(context, &request.tags))?;
        check(&work, &request, &arn)?;
        arn
    };
    let thumbprints = match request.thumbprints {
        Some(thumbprints) => thumbprints,
        None => vec![contact(call, &request.url).await?],
    };
    let provider = OidcProvider {
        arn: arn.clone(),
        url: request.url,
        client_ids: request.client_ids,
        thumbprints,
        created: call.now,
        tags: tagging::fresh(KeyCase::Distinct, request.tags)?,
    };
    let mut nodes = vec![Node::text("OpenIDConnectProviderArn", &arn)];
    if !provider.tags.is_empty() {
        nodes.push(tagging::node(&provider.tags));
    }
    Work::begin(call)?.account_mut()?.providers.insert(arn, provider);
    Ok(Some(nodes))
}

fn read(call: &Call<'_>) -> Result<Request, Fault> {
    let mut shape = Shape::iam();
    let url = shape.required("url", call.params.get("Url"), (1, 255), None);
    let mut client_ids: Vec<String> = Vec::new();
    for id in call.params.list("ClientIDList").unwrap_or_default() {
        shape.optional("clientIDList", Some(&id), (1, 255), None);
        if !client_ids.contains(&id) {
            client_ids.push(id);
        }
    }
    let thumbprints = call.params.list("ThumbprintList").filter(|list| !list.is_empty());
    for thumbprint in thumbprints.iter().flatten() {
        shape.optional("thumbprintList", Some(thumbprint), (40, 40), None);
    }
    let tags = tagging::read(&call.params, &mut shape)?;
    shape.finish()?;
    let thumbprints = thumbprints.map(|list| list.iter().map(|thumbprint| thumbprint.to_lowercase()).collect());
    Ok(Request { url: issuer_url(url)?, client_ids, thumbprints, tags })
}

/// The URL without scheme and without `:443`; path, case and trailing slash stay (recorded).
fn issuer_url(url: &str) -> Result<String, Fault> {
    let invalid = || Fault::invalid_input(format!("Invalid Open ID Connect Provider URL: {url}"));
    let rest = url.strip_prefix("https://").ok_or_else(invalid)?;
    if rest.contains(['?', '#']) {
        return Err(Fault::invalid_input("Unknown"));
    }
    let (authority, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
    let host = authority.strip_suffix(":443").unwrap_or(authority);
    if host.is_empty() || host.contains([':', '@']) || !rest.chars().all(|character| character.is_ascii_graphic()) {
        return Err(invalid());
    }
    Ok(format!("{host}{path}"))
}

fn check(work: &Work<'_>, request: &Request, arn: &str) -> Result<(), Fault> {
    let account = work.account()?;
    if account.providers.contains_key(arn) {
        return Err(Fault::already_exists(format!("Provider with url https://{} already exists.", request.url)));
    }
    if account.providers.len() >= quota::PROVIDERS {
        return Err(Fault::limit_exceeded(format!(
            "Cannot exceed quota for OpenIdConnectProvidersPerAccount: {}",
            quota::PROVIDERS
        )));
    }
    if request.client_ids.len() > quota::CLIENT_IDS {
        return Err(Fault::limit_exceeded(format!(
            "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: {}",
            quota::CLIENT_IDS
        )));
    }
    check_thumbprints(request.thumbprints.as_deref().unwrap_or_default())
}

/// At most five (recorded, wording included).
pub(super) fn check_thumbprints(thumbprints: &[String]) -> Result<(), Fault> {
    if thumbprints.len() > quota::THUMBPRINTS {
        return Err(Fault::invalid_input("Thumbprint list must contain fewer than 5 entries."));
    }
    Ok(())
}

async fn contact(call: &Call<'_>, url: &str) -> Result<String, Fault> {
    documents::thumbprint(call.standin, &format!("https://{url}")).await.map_err(|error| {
        tracing::info!(url, %error, "cannot contact the issuer of a new provider");
        Fault::new(
            "OpenIdIdpCommunicationError",
            400,
            "Please check .well-known/openid-configuration of the identity provider is valid and can be reached.",
        )
    })
}

/// Requires that the caller may run this action on a provider.
pub(super) fn allow(work: &Work<'_>, arn: &str, extra: impl FnOnce(&mut Context)) -> Result<(), Fault> {
    let tags: Option<&Tags> = work.account()?.providers.get(arn).map(|provider| &provider.tags);
    work.allow(arn, tags, extra)
}

/// A provider by ARN.
pub(super) fn find<'w>(work: &'w Work<'_>, arn: &str) -> Result<&'w OidcProvider, Fault> {
    work.account()?.providers.get(arn).ok_or_else(|| missing(arn))
}

/// A provider by ARN, to change it.
pub(super) fn find_mut<'w>(work: &'w mut Work<'_>, arn: &str) -> Result<&'w mut OidcProvider, Fault> {
    work.account_mut()?.providers.get_mut(arn).ok_or_else(|| missing(arn))
}

fn missing(arn: &str) -> Fault {
    Fault::no_such_entity(format!("OpenIDConnect Provider not found for arn {arn}"))
}

/// The ARN parameter.
pub(super) fn arn_parameter<'a>(work: &Work<'a>, shape: &mut Shape) -> &'a str {
    shape.required("openIDConnectProviderArn", work.params().get("OpenIDConnectProviderArn"), (20, 2048), None)
}

/// `GetOpenIDConnectProvider`.
pub(super) fn get(work: &mut Work<'_>) -> Outcome {
    let mut shape = Shape::iam();
    let arn = arn_parameter(work, &mut shape);
    shape.finish()?;
    allow(work, arn, |_| {})?;
    let provider = find(work, arn)?;
    Ok(Some(vec![
        Node::text("Url", &provider.url),
        Node::strings("ClientIDList", &provider.client_ids),
        Node::strings("ThumbprintList", &provider.thumbprints),
        Node::text("CreateDate", iso_time_millis(provider.created)),
        tagging::node(&provider.tags),
    ]))
}

/// `ListOpenIDConnectProviders`.
pub(super) fn list(work: &mut Work<'_>) -> Outcome {
    work.allow(&work.arn("oidc-provider/*")?, None, |_| {})?;
    let arns = work.account()?.providers.keys().map(|arn| vec![Node::text("Arn", arn)]);
    Ok(Some(vec![Node::list("OpenIDConnectProviderList", arns)]))
}

/// `DeleteOpenIDConnectProvider`, which is not idempotent and words its error in its own way (recorded).
pub(super) fn delete(work: &mut Work<'_>) -> Outcome {
    let mut shape = Shape::iam();
    let arn = arn_parameter(work, &mut shape);
    shape.finish()?;
    allow(work, arn, |_| {})?;
    match work.account_mut()?.providers.remove(arn) {
        Some(_) => Ok(None),
        None => Err(Fault::no_such_entity(format!("OpenId connect Provider {arn} cannot be found."))),
    }
}
