//! An organisation whose issuer runs in a namespace of the cluster, with people and AWS around it.

use std::{net::SocketAddr, ops::Deref, os::unix::process::CommandExt as _, process::Command};

use serde_json::{Value, json};
use vouch_crds::names::{condition, label, signing_keys};

use super::{
    Installation,
    cluster::Cluster,
    pod::Pod,
    session::{Session, key_ids_of},
};
use crate::{
    binaries,
    developer::Developer,
    issuer::Invite,
    manifest::{ISSUER_HOST, JWKS_URL, Manifest},
    process::Ran,
    scenery::Scenery,
    verifier,
    virtual_key::VirtualKey,
    wait::{PATIENCE, until},
};

/// The `VouchIssuer` of every site.
pub const ISSUER: &str = "vouch";
/// Its certificate.
pub const TLS_SECRET: &str = "vouch-tls";
const PUBLIC_PORT: u16 = 443;

/// A namespace with an issuer in it. Dropping it deletes the namespace.
#[derive(Debug)]
pub struct Site<'a> {
    scenery: Scenery,
    installation: &'a Installation,
    namespace: String,
}

impl<'a> Site<'a> {
    /// A namespace with the certificate of an issuer that is not declared yet.
    #[must_use]
    pub fn prepare(installation: &'a Installation, namespace: &str) -> Self {
        let site = Self::new(installation, namespace);
        let _ = site.cluster().kubectl(&["create", "namespace", namespace]).succeeded();
        let _ = site.provide_certificate();
        site
    }

    /// The same with a namespace that exists, in which nothing is done.
    #[must_use]
    pub fn new(installation: &'a Installation, namespace: &str) -> Self {
        Self { scenery: Scenery::new(), installation, namespace: namespace.to_owned() }
    }

    /// The example organisation, once its issuer is ready and reached under its name.
    #[must_use]
    pub fn start(installation: &'a Installation, namespace: &str) -> Self {
        Self::start_with(installation, namespace, |_| {})
    }

    /// The same, with changes to its manifests.
    #[must_use]
    pub fn start_with(installation: &'a Installation, namespace: &str, change: impl FnOnce(&mut Manifest)) -> Self {
        let site = Self::prepare(installation, namespace);
        let mut manifest = site.manifest();
        change(&mut manifest);
        site.declare(&manifest);
        site
    }

    /// The cluster.
    #[must_use]
    pub fn cluster(&self) -> &'a Cluster {
        &self.installation.cluster
    }

    /// The namespace.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The manifest of the example organisation, whose pods speak TLS.
    #[must_use]
    pub fn manifest(&self) -> Manifest {
        let mut manifest = Manifest::example(self.makers_root());
        manifest.issuer["spec"]["exposure"] = json!({"tls": {"secretName": TLS_SECRET}});
        manifest
    }

    /// Applies manifests, waits until the issuer is ready, and makes its name lead to its Service.
    ///
    /// # Panics
    /// When it does not come to that.
    pub fn declare(&self, manifest: &Manifest) {
        self.apply(manifest);
        self.await_issuer();
    }

    /// Waits until the issuer is ready, and makes its name lead to its Service.
    ///
    /// # Panics
    /// When it does not come to that.
    pub fn await_issuer(&self) {
        self.await_condition(condition::READY, "True", "AsDeclared");
        self.cloud.standin.route(ISSUER_HOST, self.service());
        // The node through which this machine reaches the Service may not have heard of it.
        until("the Service to answer", PATIENCE, || self.http().get(JWKS_URL).send().ok());
    }

    /// Applies manifests.
    ///
    /// # Panics
    /// When they are refused.
    pub fn apply(&self, manifest: &Manifest) {
        let ran = self.cluster().kubectl_with(&["apply", "--namespace", &self.namespace], &manifest.text());
        let _ = ran.succeeded();
    }

    /// Changes the `VouchIssuer` by a merge patch.
    ///
    /// # Panics
    /// When it is refused.
    pub fn patch(&self, patch: &Value) {
        let _ =
            self.kubectl(&["patch", "vouchissuer", ISSUER, "--type=merge", "--patch", &patch.to_string()]).succeeded();
    }

    /// Gives the operator an order, or the pods a new generation of themselves, by an annotation of the `VouchIssuer`.
    pub fn annotate(&self, annotation: &str, value: &str) {
        self.patch(&json!({"metadata": {"annotations": {annotation: value}}}));
    }

    /// Runs `kubectl` in the namespace.
    #[must_use]
    pub fn kubectl(&self, arguments: &[&str]) -> Ran {
        self.cluster().kubectl(&[&["--namespace", &self.namespace], arguments].concat())
    }

    /// Runs `kubectl vouch` in the namespace.
    #[must_use]
    pub fn plugin(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(binaries::path("kubectl-vouch"));
        command.args(arguments).args(["--namespace", &self.namespace]);
        command.process_group(0).env("KUBECONFIG", self.cluster().kubeconfig());
        Ran::to_the_end(format!("kubectl vouch {}", arguments.join(" ")), &mut command)
    }

    /// Invites a person.
    ///
    /// # Panics
    /// When that is refused.
    #[must_use]
    pub fn invite(&self, email: &str) -> Invite {
        let ran = self.plugin(&["invite", email, "--output", "json"]).succeeded();
        serde_json::from_value(ran.json()).unwrap_or_else(|error| panic!("{error}: {ran}"))
    }

    /// A person who has enrolled a key and is signed in, and the key.
    #[must_use]
    pub fn signed_in(&self, name: &str) -> (Developer, VirtualKey) {
        self.signed_in_by(&self.invite(&format!("{name}@example.com")))
    }

    /// The `VouchIssuer`.
    ///
    /// # Panics
    /// When it is not declared.
    #[must_use]
    pub fn issuer(&self) -> Value {
        self.object("vouchissuer", ISSUER).expect("a VouchIssuer")
    }

    /// An object of the namespace, when there is one.
    #[must_use]
    pub fn object(&self, kind: &str, name: &str) -> Option<Value> {
        self.cluster().get(&["--namespace", &self.namespace, kind, name])
    }

    /// Waits until a condition of the `VouchIssuer` has a status and a reason, and returns its message.
    ///
    /// # Panics
    /// When it does not come to that.
    pub fn await_condition(&self, type_: &str, status: &str, reason: &str) -> String {
        let is = |condition: &&Value| condition["status"] == status && condition["reason"] == reason;
        let what = ["--namespace", &self.namespace, "vouchissuer", ISSUER];
        let issuer = self.cluster().await_object(&format!("{type_}={status} ({reason})"), &what, |issuer| {
            let current = issuer["status"]["observedGeneration"] == issuer["metadata"]["generation"];
            current && condition_of(issuer, type_).filter(is).is_some()
        });
        let found = condition_of(&issuer, type_).map(|condition| condition["message"].as_str().unwrap_or_default());
        found.unwrap_or_default().to_owned()
    }

    /// Where the Service of the issuer is, seen from this machine.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn service(&self) -> SocketAddr {
        let service = self.object("service", ISSUER).expect("the issuer's Service");
        let address = service["spec"]["clusterIP"].as_str().and_then(|address| address.parse().ok());
        SocketAddr::new(address.expect("a ClusterIP"), PUBLIC_PORT)
    }

    /// The pods of the issuer.
    #[must_use]
    pub fn pods(&self) -> Vec<Pod> {
        let ours = format!("--selector={}={ISSUER}", label::INSTANCE);
        Pod::of(&self.cluster().get(&["--namespace", &self.namespace, "pods", &ours]).unwrap_or_default())
    }

    /// Waits until as many pods serve as are wanted, and nobody else is there.
    ///
    /// # Panics
    /// When it does not come to that.
    pub fn await_pods(&self, wanted: usize) -> Vec<Pod> {
        self.await_pods_that(&format!("{wanted} ready pods"), |pods| {
            pods.len() == wanted && pods.iter().all(|pod| pod.ready)
        })
    }

    /// Waits until the pods are as they should be.
    ///
    /// # Panics
    /// When it does not come to that.
    pub fn await_pods_that(&self, description: &str, test: impl Fn(&[Pod]) -> bool) -> Vec<Pod> {
        let ours = format!("--selector={}={ISSUER}", label::INSTANCE);
        let what = ["--namespace", &self.namespace, "pods", &ours];
        Pod::of(&self.cluster().await_object(description, &what, |list| test(&Pod::of(list))))
    }

    /// The Secret with the signing keys.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn signing_keys(&self) -> Value {
        self.object("secret", &signing_keys::name(ISSUER)).expect("the Secret with the signing keys")
    }

    /// The ids of the published keys, as verifiers read them.
    ///
    /// # Panics
    /// When the issuer does not answer.
    #[must_use]
    pub fn published_keys(&self) -> Vec<String> {
        let answer = self.http().get(JWKS_URL).send().unwrap();
        let keys: Value = answer.error_for_status().unwrap().json().unwrap();
        let ids = keys["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned());
        ids.collect()
    }

    /// Waits until every pod publishes the keys of the Secret, and no others.
    ///
    /// # Panics
    /// When it does not come to that.
    pub fn await_keys_of_secret(&self) {
        for pod in self.pods() {
            let session = Session::at(self, &pod);
            until(&format!("{} to publish the keys of the Secret", pod.name), PATIENCE, || {
                (verifier::key_ids(&session.key_set()) == key_ids_of(&self.signing_keys())).then_some(())
            });
        }
    }

    /// Makes the Secret with the certificate.
    ///
    /// # Panics
    /// When it is refused.
    #[must_use]
    pub fn provide_certificate(&self) -> Ran {
        let files = self.issuers_certificate();
        let [certificate, key] = [files.certificate, files.key].map(|path| path.display().to_string());
        self.kubectl(&["create", "secret", "tls", TLS_SECRET, "--cert", &certificate, "--key", &key]).succeeded()
    }
}

/// A condition of an object.
#[must_use]
pub fn condition_of<'v>(object: &'v Value, type_: &str) -> Option<&'v Value> {
    object["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == type_)
}

impl Deref for Site<'_> {
    type Target = Scenery;

    fn deref(&self) -> &Scenery {
        &self.scenery
    }
}

impl Drop for Site<'_> {
    /// Its pods would take room from the scenarios to come.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.tell();
        }
        let _ = self.cluster().kubectl(&["delete", "namespace", &self.namespace, "--wait=false"]);
    }
}

impl Site<'_> {
    /// What somebody who looks into a failure asks first.
    fn tell(&self) {
        let logs = ["logs", "--selector=app.kubernetes.io/name=vouch-issuer", "--tail=20", "--prefix"];
        for question in [&["get", "vouchissuers,pods", "--output=wide"][..], &logs] {
            let ran = self.kubectl(question);
            eprintln!("---- {ran}");
        }
    }
}
