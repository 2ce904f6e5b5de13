//! `VouchIssuer`: an OIDC issuer, its signing keys, who may enroll with what, and how it runs.

mod deployment;
mod exposure;
mod policy;
mod status;

use kube::{CustomResource, KubeSchema, core::Rule};
use serde::{Deserialize, Serialize};

pub use self::{deployment::*, exposure::*, policy::*, status::*};
use crate::{duration, names, schema};

/// What a `VouchIssuer` declares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "vouch.sh",
    version = "v1alpha1",
    kind = "VouchIssuer",
    doc = "An OIDC issuer that gives people short-lived credentials for a touch of their security key.",
    namespaced,
    shortname = "vi",
    category = "vouch",
    status = "VouchIssuerStatus",
    derive = "PartialEq",
    validation = name_fits_a_service(),
    printcolumn(name = "URL", type_ = "string", json_path = ".spec.url"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Paused", type_ = "string", json_path = ".status.conditions[?(@.type==\"Paused\")].status"),
    printcolumn(name = "Replicas", type_ = "string", json_path = ".status.replicas"),
    printcolumn(name = "Active Key", type_ = "string", json_path = ".status.activeKey"),
    printcolumn(name = "Next Rotation", type_ = "string", json_path = ".status.nextRotation"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(validation = sessions_outlive_no_key())]
pub struct VouchIssuerSpec {
    /// The exact `iss` of every token and the URL of the identity provider in AWS, compared byte for byte. It never
    /// changes.
    #[schemars(schema_with = "url")]
    pub url: String,
    /// Whose people this issuer vouches for.
    pub organization: Organization,
    /// Sessions of people.
    #[serde(default)]
    pub session: Session,
    /// The keys that sign tokens.
    #[serde(default)]
    pub signing_keys: SigningKeys,
    /// Which security keys are accepted.
    #[serde(default)]
    pub authenticators: Authenticators,
    /// How people get their first key accepted.
    #[serde(default)]
    pub enrollment: Enrollment,
    /// AWS credentials.
    #[serde(default)]
    pub aws: Aws,
    /// How many requests are answered.
    #[serde(default)]
    pub rate_limits: RateLimits,
    /// The public HTTP listener.
    #[serde(default)]
    pub http: Http,
    /// Where people and their keys are kept. Unset: in `VouchUser` objects in a cluster, and in an embedded database
    /// when the issuer runs alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<Store>,
    /// The pods. An issuer that runs alone ignores it.
    #[serde(default)]
    pub deployment: Deployment,
    /// How clients reach the pods. An issuer that runs alone ignores it.
    #[serde(default)]
    pub exposure: Exposure,
    /// The operator leaves everything of this object as it is. Running issuers go on.
    #[serde(default)]
    pub paused: bool,
}

/// Each rule speaks only when the ones before it are satisfied, so that one mistake gets one sentence, which names it.
fn url(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    const SCHEME: &str = "self.startsWith('https://')";
    const QUERY: &str = "self.matches('^https://[^?#]*[?]')";
    const FRAGMENT: &str = "self.matches('^https://[^?#]*#')";
    const HOSTLESS: &str = "self.matches('^https://(/[^?#]*)?$')";
    const SLASH: &str = "self.matches('^https://[^/?#][^?#]*/$')";
    /// None of the above.
    const FORM: &str = r"self.matches('^https://[^/?#]([^?#]*[^/?#])?$')";
    /// The way browsers and security keys see it: whatever ends in a number is an address
    /// (<https://url.spec.whatwg.org/#ends-in-a-number-checker>).
    const ADDRESS: &str = r"self.matches('^https://(\\[|([^/?#]*\\.)?(0x[0-9a-f]*|[0-9]+)(:[0-9]*)?(/|$))')";
    const USER: &str = "self.matches('^https://[^/]*@')";
    const UPPER_CASE: &str = "self.matches('^https://[^/]*[A-Z]')";
    const PORT: &str = "self.matches('^https://[^/]*:')";
    const HOST: &str =
        r"self.matches('^https://[a-z0-9]([a-z0-9-]*[a-z0-9])?(\\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*(/|$)')";
    const PATH: &str = "self.matches('^https://[^/]*(/[A-Za-z0-9._~-]+)*$')";
    /// Clients and routers take such a segment for a way up.
    const DOTS: &str = "self.matches('/[.][.]?(/|$)')";
    let host = format!("!{FORM} || {ADDRESS} || {USER} || {UPPER_CASE} || {PORT} || {HOST}");
    schema::text(
        255,
        &[
            (SCHEME, "must begin with https:// (in lower case)"),
            (&format!("!{QUERY}"), "must have no query: leave out the question mark and what follows"),
            (&format!("!{FRAGMENT}"), "must have no fragment: leave out the # and what follows"),
            (&format!("!{HOSTLESS}"), "must name a host, as https://vouch.example.com does"),
            (&format!("!{SLASH}"), "must not end with a slash (AWS compares it byte for byte)"),
            (
                &format!("!{FORM} || !{ADDRESS}"),
                "the host must be a domain name, not an IP address: security keys and AWS know an issuer by its name",
            ),
            (
                &format!("!{FORM} || {ADDRESS} || !{USER}"),
                "must not name a user: leave out the @ and what is before it",
            ),
            (
                &format!("!{FORM} || {ADDRESS} || {USER} || !{UPPER_CASE}"),
                "the host must be in lower case (AWS compares it byte for byte)",
            ),
            (
                &format!("!{FORM} || {ADDRESS} || {USER} || !{PORT}"),
                "must not name a port: an identity provider in AWS has none",
            ),
            (
                &host,
                "the host must be letters, digits and dashes, in parts between single dots that begin and end with a letter \
                 or digit",
            ),
            (
                &format!("!{FORM} || {ADDRESS} || {USER} || {UPPER_CASE} || {PORT} || !{HOST} || ({PATH} && !{DOTS})"),
                "the path must be letters, digits and ._~- between single slashes, and no . or .. alone",
            ),
            (
                "self == oldSelf",
                "never changes: it is the iss of every token; declare another VouchIssuer, in a namespace of its own, instead",
            ),
        ],
    )
}

/// Services are named after the object (RFC 1035), and the longest of their names must fit, too.
fn name_fits_a_service() -> Rule {
    let longest = names::ISSUER_NAME_LENGTH;
    let rule =
        format!("self.metadata.name.matches('^[a-z]([a-z0-9-]*[a-z0-9])?$') && size(self.metadata.name) <= {longest}");
    let message = format!(
        "metadata.name: must be at most {longest} lower-case letters, digits and dashes, and begin with a letter: a \
         Service is named after it"
    );
    Rule::new(rule).message(message.as_str())
}

/// Session tokens are signed, too: a key stays published while a session it signed lasts, and for the 300 seconds by
/// which verifiers may be late. A lifetime above the highest allowed has its own sentence.
fn sessions_outlive_no_key() -> Rule {
    duration::rule(
        &["self.signingKeys.retainRetired", "self.session.lifetime"],
        "{self.session.lifetime} > 86400 || {self.signingKeys.retainRetired} >= {self.session.lifetime} + 300",
        "must be at least 5m longer than session.lifetime, or a rotation would end sessions",
    )
    .field_path(".signingKeys.retainRetired")
}
