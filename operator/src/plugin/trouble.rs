//! Why a command was not carried out: one sentence what, and what to do next.

use std::{
    error::Error,
    io::{self, Write as _},
};

use vouch_crds::duration::Duration;
use vouch_issuer::{
    admin::AdminError,
    command::failure::Answer,
    config::{Problem, Problems},
    identity::secrets::SecretsError,
    store::StoreError,
};

use super::{
    access,
    args::Output,
    refusal::{Refusal, Rule},
};
use crate::{failure, kubeconfig::NamedBy};

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The kubeconfig cannot be used, for this reason.
    #[error("{0}. Correct it, or name another with --kubeconfig or KUBECONFIG")]
    Kubeconfig(String),
    /// The kubeconfig does not have the context that is asked for, or none by default; this is the clause that says so.
    #[error("{0}. See those it has, and choose one with --context: kubectl config get-contexts")]
    NoContext(String),
    /// What the kubeconfig names cannot be used.
    #[error("the way to the cluster that the kubeconfig describes cannot be used: {}", failure::chain(&**.0))]
    Unusable(Box<kube::Error>),
    /// The API server is not there.
    #[error("{server} cannot be reached: {why}. Is the context the right one? See: kubectl config current-context")]
    Unreachable {
        /// The API server.
        server: String,
        /// Why not.
        why: String,
    },
    /// It does not know who asks.
    #[error(
        "{server} does not accept the credentials of the kubeconfig; they may have expired. Sign in to the cluster again, and \
         see: kubectl auth whoami"
    )]
    Unauthenticated {
        /// The API server.
        server: String,
    },
    /// There are no credentials.
    #[error("the kubeconfig gives no credentials for {server}: {why}. Sign in to the cluster again")]
    NoCredentials {
        /// The API server.
        server: String,
        /// What made none.
        why: String,
    },
    /// Whoever asks may not.
    #[error(
        "you may not {verb} {what}{namespace}. Ask for the role {role} there, or for this rule: {rule}",
        verb = rule.verb,
        what = what(rule),
        namespace = rule.namespace.as_ref().map_or(" in all namespaces".to_owned(), |name| format!(" in namespace {name}")),
        role = role(rule)
    )]
    Denied {
        /// What is missing.
        rule: Rule,
    },
    /// The custom resources are not there.
    #[error(
        "this cluster knows no VouchIssuers: Vouch is not installed in it. Install the chart, or choose another cluster with \
         --context"
    )]
    NotInstalled,
    /// The namespace has no issuer.
    #[error("namespace {namespace} has no VouchIssuer. {}", elsewhere(elsewhere_found))]
    NoIssuer {
        /// Where.
        namespace: String,
        /// Namespaces that have one, when they may be listed.
        elsewhere_found: Vec<String>,
    },
    /// No namespace has an issuer.
    #[error("no namespace of the cluster has a VouchIssuer. Declare one: kubectl vouch example issuer")]
    NoIssuers,
    /// The namespace has no issuer of that name.
    #[error("namespace {namespace} has no VouchIssuer {name}; it has {}", list(found))]
    NoSuchIssuer {
        /// Where.
        namespace: String,
        /// Which.
        name: String,
        /// Those that are there.
        found: Vec<String>,
    },
    /// The namespace has more than one issuer.
    #[error("namespace {namespace} has several VouchIssuers ({}); choose one with --issuer", found.join(", "))]
    SeveralIssuers {
        /// Where.
        namespace: String,
        /// Those that are there.
        found: Vec<String>,
    },
    /// What is declared or reported is of a later version, or was written past the schema.
    #[error(
        "this version of kubectl-vouch cannot read {object}: {why}. Update kubectl-vouch if the operator is newer; otherwise \
         correct what was written by hand, or before an upgrade: kubectl edit"
    )]
    Unreadable {
        /// Its kind and its name, or those of several.
        object: String,
        /// Where, and what is wrong.
        why: String,
    },
    /// Somebody's object cannot be read.
    #[error("{damage}. Whoever must be stopped is stopped without that: {}", disabling(object, namespace))]
    UnreadablePerson {
        /// What is wrong with it.
        damage: StoreError,
        /// Its name.
        object: String,
        /// Where.
        namespace: String,
    },
    /// What the issuer declares is wrong.
    #[error("VouchIssuer {name} is not right, and nothing was done: {problems}")]
    Declaration {
        /// Which.
        name: String,
        /// Every mistake.
        problems: Problems,
    },
    /// The operator has not made the issuer's root secret.
    #[error("there is no Secret {secret} yet, from which invites are made. The operator makes it once; see: {status}")]
    NoRootSecret {
        /// Its name.
        secret: String,
        /// The command that says what is wrong.
        status: String,
    },
    /// The root secret has not the form of one.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// The operator leaves the issuer alone.
    #[error("VouchIssuer {0} has spec.paused: true, and the operator carries out no order; set it to false first")]
    Paused(String),
    /// There is no such key.
    #[error("VouchIssuer {issuer} has no signing key {kid}; list them with `{keys}`")]
    UnknownKid {
        /// Whose.
        issuer: String,
        /// Which.
        kid: String,
        /// The command that lists them.
        keys: String,
    },
    /// The key is withdrawn already.
    #[error("key {kid} is revoked already. If nothing signs because of that: {waive}")]
    AlreadyRevoked {
        /// Which.
        kid: String,
        /// The command that helps then.
        waive: String,
    },
    /// The operator has not done it in time.
    #[error(
        "the order stands ({annotation} on VouchIssuer {issuer}), but the operator has not carried it out within {waited}; it \
         will when it runs. {why}"
    )]
    NotCarriedOut {
        /// Where the order stands.
        annotation: &'static str,
        /// Whose keys.
        issuer: String,
        /// For how long somebody waited.
        waited: Duration,
        /// What can be seen, and what to look at.
        why: String,
    },
    /// The operator has said no.
    #[error("the operator refused the order. {0}")]
    OrderRefused(String),
    /// The people cannot be read in time.
    #[error("the people of namespace {namespace} are not known after {waited}{}", fault.as_ref().map(|fault| format!(": {fault}")).unwrap_or_default())]
    NotSynced {
        /// Where.
        namespace: String,
        /// For how long somebody waited.
        waited: Duration,
        /// Why not.
        fault: Option<String>,
    },
    /// The verb was not carried out.
    #[error(transparent)]
    Office(#[from] AdminError),
    /// The API server says no, or nothing.
    #[error("{what}: {}", failure::chain(&**source))]
    Api {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: Box<kube::Error>,
    },
    /// The process cannot go on.
    #[error("{0}")]
    System(#[from] std::io::Error),
    /// The answer has no form that can be written.
    #[error("the answer cannot be written as JSON")]
    Form(#[from] serde_json::Error),
}

impl Trouble {
    /// An answer of the API server.
    pub fn api(what: impl Into<String>, source: kube::Error) -> Self {
        Self::Api { what: what.into(), source: Box::new(source) }
    }

    /// Whether the API server has said no, or nothing. Whatever else went wrong is no matter of rights, even if something
    /// was refused on the way.
    #[must_use]
    pub const fn is_of_the_cluster(&self) -> bool {
        matches!(
            self,
            Self::Api { .. }
                | Self::NotSynced { .. }
                | Self::Office(AdminError::Store(StoreError::Unavailable(_) | StoreError::ReadOnly(_)))
        )
    }

    /// Every mistake of a declaration.
    fn problems(&self) -> &[Problem] {
        match self {
            Self::Declaration { problems, .. } => problems.as_slice(),
            _ => &[],
        }
    }

    /// A refusal of the API server `server`.
    #[must_use]
    pub fn refused(refusal: Refusal, server: &str) -> Self {
        let server = server.to_owned();
        match refusal {
            Refusal::Denied(rule) => Self::Denied { rule },
            Refusal::Unauthenticated => Self::Unauthenticated { server },
            Refusal::NoCredentials(why) => Self::NoCredentials { server, why },
            Refusal::Unreachable(why) => Self::Unreachable { server, why },
            Refusal::Misaddressed(fault) => {
                let why = fault.told(NamedBy::kubeconfig_with(&server)).to_owned();
                Self::Unreachable { server, why }
            }
        }
    }
}

/// The command that disables a person without a look at the rest of the object.
fn disabling(object: &str, namespace: &str) -> String {
    format!(r#"kubectl patch vouchuser {object} -n {namespace} --type merge -p '{{"spec":{{"disabled":true}}}}'"#)
}

/// What a right is about, in words.
fn what(rule: &Rule) -> String {
    match &rule.name {
        Some(name) => format!("{} {name}", rule.resource),
        None => rule.resource.clone(),
    }
}

/// The role of the chart that has a right.
fn role(rule: &Rule) -> &'static str {
    let reads = ["get", "list", "watch"].contains(&rule.verb.as_str()) && rule.resource != "secrets";
    if reads { access::VIEWER } else { access::ADMIN }
}

fn elsewhere(namespaces: &[String]) -> String {
    match namespaces {
        [] => "Name another namespace with -n, or declare one: kubectl vouch example issuer".to_owned(),
        [one] => format!("There is one in namespace {one}: repeat with -n {one}"),
        several => format!("There are some in {}: choose with -n", several.join(", ")),
    }
}

fn list(found: &[String]) -> String {
    if found.is_empty() { "none".to_owned() } else { found.join(", ") }
}

/// Says that a command failed: in words on standard error, and where JSON was asked for also as an object on standard output,
/// as `vouch-issuer` does. There is nowhere to report to when a stream is closed.
pub fn report(trouble: &Trouble, output: Output) {
    let causes = causes(trouble);
    let because: String = causes.iter().map(|cause| format!("\n  because: {cause}")).collect();
    let _ = writeln!(io::stderr(), "kubectl vouch: {trouble}{because}");
    if output == Output::Json {
        let answer = Answer::of(trouble.to_string(), causes, trouble.problems());
        let mut out = io::stdout().lock();
        let _ = serde_json::to_writer_pretty(&mut out, &answer).map(|()| writeln!(out));
    }
}

/// What says more than the trouble itself.
fn causes(trouble: &Trouble) -> Vec<String> {
    let text = trouble.to_string();
    let causes = std::iter::successors(trouble.source(), |&cause| cause.source()).map(ToString::to_string);
    causes.filter(|cause| !text.contains(cause)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_cluster_did_not_do_can_be_a_missing_right() {
        let away = || Box::new(std::fmt::Error);
        for of_the_cluster in [
            Trouble::api("the issuers cannot be listed", kube::Error::LinesCodecMaxLineLengthExceeded),
            Trouble::Office(StoreError::Unavailable(away()).into()),
            Trouble::Office(StoreError::ReadOnly(away()).into()),
        ] {
            assert!(of_the_cluster.is_of_the_cluster(), "{of_the_cluster}");
        }
        for other in
            [Trouble::Office(AdminError::Random), Trouble::Office(StoreError::Missing.into()), Trouble::NotInstalled]
        {
            assert!(!other.is_of_the_cluster(), "{other}");
        }
    }
}
