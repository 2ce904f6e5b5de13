//! Whether a `VouchIssuer` may be acted upon: named checks in order, of which the first that fails is what people read.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::Resource as _;
use serde_json::Value;
use vouch_crds::{
    issuer::{StoreKind, VouchIssuer, VouchIssuerSpec},
    names::label,
};
use vouch_issuer::config::{objects, url::IssuerUrl};

use crate::{apply::Owner, reason::Reason};

/// So many mistakes are told at once: a condition is read on a screen.
const TOLD: usize = 10;

/// Another `VouchIssuer` in the same namespace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sibling {
    /// When it was made; the older one has the namespace.
    pub created: Option<Time>,
    /// Decides between two of one moment.
    pub uid: String,
    /// Its name.
    pub name: String,
}

impl Sibling {
    /// What matters of a `VouchIssuer`.
    #[must_use]
    pub fn of(metadata: &ObjectMeta) -> Self {
        Self {
            created: metadata.creation_timestamp.clone(),
            uid: metadata.uid.clone().unwrap_or_default(),
            name: metadata.name.clone().unwrap_or_default(),
        }
    }
}

/// Why nothing is done for an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// In one word.
    pub reason: Reason,
    /// In a sentence that says what to do.
    pub message: String,
}

/// A declaration that can be honoured. Only [`validate`] makes one.
#[derive(Debug, Clone, PartialEq)]
pub struct ValidIssuer {
    owner: Owner,
    url: IssuerUrl,
    spec: VouchIssuerSpec,
    image: String,
}

impl ValidIssuer {
    /// Its name, which most of its objects have, too.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.owner.name
    }

    /// The owner of its objects.
    #[must_use]
    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    /// The exact `iss`.
    #[must_use]
    pub fn url(&self) -> &IssuerUrl {
        &self.url
    }

    /// The path below which it serves: `/` for all of its host.
    #[must_use]
    pub fn path_prefix(&self) -> &str {
        match self.url.path() {
            "" => "/",
            path => path,
        }
    }

    /// The declaration.
    #[must_use]
    pub fn spec(&self) -> &VouchIssuerSpec {
        &self.spec
    }

    /// The image that its pods run.
    #[must_use]
    pub fn image(&self) -> &str {
        &self.image
    }
}

/// Checks a `VouchIssuer` against what its schema cannot see. `siblings` are all issuers of its namespace that are not
/// being deleted, itself included or not; `image` is what pods run when the declaration does not say.
///
/// # Errors
/// The first check that fails.
pub fn validate(issuer: &VouchIssuer, siblings: &[Sibling], image: &str) -> Result<ValidIssuer, Refusal> {
    has_the_namespace(issuer, siblings)?;
    keeps_people_in_the_cluster(issuer)?;
    leaves_our_labels_alone(issuer)?;
    runs_nothing_in_a_shared_controller(issuer)?;
    let url = issuer.spec.url.parse().map_err(|error| invalid(format!("spec.url: {error}")))?;
    Ok(ValidIssuer {
        owner: Owner::of(&issuer.metadata),
        url,
        image: issuer.spec.deployment.image.clone().unwrap_or_else(|| image.to_owned()),
        spec: issuer.spec.clone(),
    })
}

fn has_the_namespace(issuer: &VouchIssuer, siblings: &[Sibling]) -> Result<(), Refusal> {
    let this = Sibling::of(&issuer.metadata);
    match siblings.iter().filter(|sibling| sibling.uid != this.uid).min() {
        Some(older) if *older < this => Err(Refusal {
            reason: Reason::NamespaceTaken,
            message: format!(
                "VouchIssuer {} is older and has this namespace with its VouchUsers; declare this one in another namespace",
                older.name
            ),
        }),
        _ => Ok(()),
    }
}

fn keeps_people_in_the_cluster(issuer: &VouchIssuer) -> Result<(), Refusal> {
    match issuer.spec.store.as_ref().map(|store| store.kind) {
        Some(StoreKind::Postgres) => Err(invalid(
            "spec.store.kind: issuers in a cluster keep people in VouchUser objects; choose Kubernetes".to_owned(),
        )),
        Some(StoreKind::Kubernetes) | None => Ok(()),
    }
}

/// A Deployment finds its pods by these labels for as long as it lives.
fn leaves_our_labels_alone(issuer: &VouchIssuer) -> Result<(), Refusal> {
    let ours = [label::NAME, label::INSTANCE];
    match issuer.spec.deployment.labels.keys().find(|key| ours.contains(&key.as_str())) {
        Some(key) => Err(invalid(format!("spec.deployment.labels: {key} is set by the operator; remove it"))),
        None => Ok(()),
    }
}

/// Whoever declares an issuer may have no right to make an Ingress: what is made for them must not be a way into a controller
/// that others share, which snippets of its configuration are: `nginx.ingress.kubernetes.io/server-snippet`, F5's
/// `nginx.org/location-snippets`, and haproxy-ingress' `haproxy-ingress.github.io/config-backend`, which it reads from a
/// Service as well. These are the keys that are known; the bound is an admission policy.
fn runs_nothing_in_a_shared_controller(issuer: &VouchIssuer) -> Result<(), Refusal> {
    let exposure = &issuer.spec.exposure;
    let of_ingress = exposure.ingress.iter().flat_map(|ingress| ingress.annotations.keys()).map(|key| ("ingress", key));
    let of_service = exposure.service.annotations.keys().map(|key| ("service", key));
    let is_configuration = |key: &str| {
        let name = key.rsplit('/').next().unwrap_or(key).to_ascii_lowercase();
        name.contains("snippet") || name.starts_with("config-")
    };
    match of_ingress.chain(of_service).find(|(_, key)| is_configuration(key)) {
        Some((part, key)) => Err(invalid(format!(
            "spec.exposure.{part}.annotations: {key} puts text into the configuration of an ingress controller, which \
             others share; remove it"
        ))),
        None => Ok(()),
    }
}

/// Whether pods take the configuration that `issuer` and `others` declare: the answer of the reader that the pods have. They go
/// on with the configuration before when it is no, so that a federation that was narrowed is as wide as it was.
///
/// # Errors
/// Every mistake, with the object and the field that it is in.
pub fn is_taken_by_pods(issuer: &VouchIssuer, others: Vec<Value>) -> Result<(), Refusal> {
    let declaration = objects::declaration(&VouchIssuer::kind(&()), &issuer.metadata, &issuer.spec);
    let objects: Vec<Value> = [declaration].into_iter().chain(others).collect();
    let Err(problems) = vouch_issuer::config::load_objects(&objects) else { return Ok(()) };
    let problems: Vec<String> = problems.as_slice().iter().take(TOLD).map(ToString::to_string).collect();
    Err(Refusal {
        reason: Reason::ConfigurationRefused,
        message: format!(
            "Pods go on with the configuration that they had, and a pod that starts does not become ready: {}.",
            problems.join("; ")
        ),
    })
}

fn invalid(message: String) -> Refusal {
    Refusal { reason: Reason::Invalid, message }
}
