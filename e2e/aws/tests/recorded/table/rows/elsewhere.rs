//! A.17 and A.18: tokens that come from AWS itself.

use super::super::{Row, not_played};

pub(super) fn rows() -> Vec<Row> {
    let eks = "needs the issuer of an EKS cluster; the same answers are played";
    let outbound = "the program offers no GetWebIdentityToken; nothing here asks AWS for tokens";
    let row = |section: &'static str, reason: &'static str| move |name: &'static str| not_played(section, name, reason);
    let eks = [
        "service-account token, aud of one element",
        "tampered signature",
        "tampered payload",
        "unregistered audience",
        "token of another service account",
        "token of a deleted pod",
        "issuer URL and discovery of EKS",
        "HEAD on the two documents: 403",
    ]
    .map(row("A.17", eks));
    let outbound = [
        "lifetime, algorithms, payload limit",
        "FeatureDisabled, FeatureEnabled, SessionDurationEscalationException",
        "enable and disable reach STS after 8.1 to 11.6 s",
        "such tokens are not usable for AssumeRoleWithWebIdentity",
    ]
    .map(row("A.18", outbound));
    eks.into_iter().chain(outbound).collect()
}
