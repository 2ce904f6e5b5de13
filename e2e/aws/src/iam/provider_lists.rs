//! Client ids and thumbprints of an OIDC provider.

use super::work::Work;
use super::{providers, quota};
use crate::api::Outcome;
use crate::wire::Fault;
use crate::wire::shape::Shape;

/// `AddClientIDToOpenIDConnectProvider`: one that is there already is no error.
pub(super) fn add_client_id(work: &mut Work<'_>) -> Outcome {
    let (arn, id) = client_id_request(work)?;
    let provider = providers::find_mut(work, arn)?;
    if provider.client_ids.iter().any(|existing| existing == id) {
        return Ok(None);
    }
    if provider.client_ids.len() >= quota::CLIENT_IDS {
        return Err(Fault::limit_exceeded(format!(
            "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: {}",
            quota::CLIENT_IDS
        )));
    }
    provider.client_ids.push(id.to_owned());
    Ok(None)
}

/// `RemoveClientIDFromOpenIDConnectProvider`: one that is not there is no error.
pub(super) fn remove_client_id(work: &mut Work<'_>) -> Outcome {
    let (arn, id) = client_id_request(work)?;
    providers::find_mut(work, arn)?.client_ids.retain(|existing| existing != id);
    Ok(None)
}

fn client_id_request<'a>(work: &Work<'a>) -> Result<(&'a str, &'a str), Fault> {
    let mut shape = Shape::iam();
    let arn = providers::arn_parameter(work, &mut shape);
    let id = shape.required("clientID", work.params().get("ClientID"), (1, 255), None);
    shape.finish()?;
    providers::allow(work, arn, |_| {})?;
    Ok((arn, id))
}

/// `UpdateOpenIDConnectProviderThumbprint`, which replaces the whole list.
pub(super) fn update_thumbprints(work: &mut Work<'_>) -> Outcome {
    let mut shape = Shape::iam();
    let arn = providers::arn_parameter(work, &mut shape);
    let thumbprints = work.params().list("ThumbprintList").unwrap_or_default();
    for thumbprint in &thumbprints {
        shape.optional("thumbprintList", Some(thumbprint), (40, 40), None);
    }
    shape.finish()?;
    providers::allow(work, arn, |_| {})?;
    let provider = providers::find_mut(work, arn)?;
    if thumbprints.is_empty() {
        return Err(Fault::invalid_input("Thumbprint list must contain at least one entry."));
    }
    providers::check_thumbprints(&thumbprints)?;
    provider.thumbprints = thumbprints.iter().map(|thumbprint| thumbprint.to_lowercase()).collect();
    Ok(None)
}
