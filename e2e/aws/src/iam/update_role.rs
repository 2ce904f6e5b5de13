//! Changes of a role itself.

use super::work::Work;
use super::{roles, trust};
use crate::api::Outcome;
use crate::wire::shape::Shape;

/// `UpdateRole`: what is not given stays, the duration included (recorded; the documentation says otherwise).
pub(super) fn update(work: &mut Work<'_>) -> Outcome {
    let params = work.params();
    let mut shape = Shape::iam();
    let name = roles::name(params, &mut shape);
    let description = params.get("Description");
    shape.optional("description", description, (0, 1000), None);
    let duration = roles::session_duration(params, &mut shape)?;
    shape.finish()?;
    work.allow_role(name, |_| {})?;
    let role = work.role_mut(name)?;
    if let Some(description) = description {
        role.description = description.to_owned();
    }
    role.max_session_duration = duration.unwrap_or(role.max_session_duration);
    Ok(Some(Vec::new()))
}

/// `UpdateRoleDescription`.
pub(super) fn description(work: &mut Work<'_>) -> Outcome {
    let params = work.params();
    let mut shape = Shape::iam();
    let name = roles::name(params, &mut shape);
    let description = shape.required("description", params.get("Description"), (0, 1000), None);
    shape.finish()?;
    work.allow_role(name, |_| {})?;
    work.role_mut(name)?.description = description.to_owned();
    Ok(Some(vec![roles::described(work, work.role(name)?)]))
}

/// `UpdateAssumeRolePolicy`.
pub(super) fn trust(work: &mut Work<'_>) -> Outcome {
    let params = work.params();
    let mut shape = Shape::iam();
    let name = roles::name(params, &mut shape);
    let text = shape.required("policyDocument", params.get("PolicyDocument"), (1, 131_072), None);
    shape.finish()?;
    work.allow_role(name, |_| {})?;
    work.role(name)?;
    let trust = trust::read(&work.world, work.account()?.partition, text)?;
    work.role_mut(name)?.trust = trust;
    Ok(None)
}
