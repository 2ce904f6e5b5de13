//! An issuer in a cluster: `helm install`, `kubectl apply`, `kubectl vouch`.

use std::fs;

use super::{
    KeySource,
    narrator::Narrator,
    stage::{Stage, code_in, manifest, without_certificates},
};
use crate::{
    kubernetes::{
        Installation, NODES,
        cluster::Cluster,
        helm::{Chart, Release},
        images::Images,
        site::{Site, TLS_SECRET},
    },
    scenery::Scenery,
};

/// Where the chart and the issuer are.
const NAMESPACE: &str = "vouch";

/// Shows a cluster starting and the chart being installed.
pub(super) fn install(narrator: &mut Narrator) -> Installation {
    narrator.chapter("A Kubernetes of three nodes on this machine, with the images of operator and issuer");
    narrator
        .command("operations", &format!("cluster up -nodes {NODES} -image vouch-issuer.tar -image vouch-operator.tar"));
    let cluster = Cluster::start(NODES, &Images::find());
    narrator.output(&cluster.kubectl(&["get", "nodes"]).succeeded().stdout);

    narrator.chapter("The chart brings the operator and the custom resources");
    narrator
        .command("operations", &format!("helm install vouch charts/vouch -n {NAMESPACE} --create-namespace --wait"));
    let release = Release::new(&cluster, NAMESPACE);
    narrator.output(&release.install(&Chart::present(), &[]).stdout);
    Installation { cluster, release }
}

/// A namespace of the cluster, and what an administrator typed so far.
#[derive(Debug)]
pub(super) struct InCluster<'a> {
    site: Site<'a>,
    key: KeySource,
}

impl<'a> InCluster<'a> {
    /// Starts the stand-in; the issuer is not declared yet.
    pub(super) fn set(installation: &'a Installation, key: KeySource) -> Self {
        Self { site: Site::new(installation, NAMESPACE), key }
    }

    fn kubectl(&self, narrator: &mut Narrator, arguments: &str) {
        narrator.command("operations", &format!("kubectl {arguments} -n {NAMESPACE}"));
        let words: Vec<&str> = arguments.split_whitespace().collect();
        narrator.output(&self.site.kubectl(&words).succeeded().stdout);
    }
}

impl Stage for InCluster<'_> {
    fn scenery(&self) -> &Scenery {
        &self.site
    }

    fn start_issuer(&mut self, narrator: &mut Narrator) {
        narrator.chapter("One declaration becomes an issuer for Example Inc, on three nodes");
        narrator.command(
            "operations",
            &format!("kubectl create secret tls {TLS_SECRET} --cert tls.pem --key tls.key -n {NAMESPACE}"),
        );
        narrator.output(&self.site.provide_certificate().stdout);
        let file = self.site.folder().join("vouch.yaml");
        let exposure = format!("  exposure: {{tls: {{secretName: {TLS_SECRET}}}}}\n");
        fs::write(&file, manifest(self.key, &self.site, &exposure)).unwrap();
        narrator.command("operations", "cat vouch.yaml");
        narrator.output(&without_certificates(&fs::read_to_string(&file).unwrap()));
        narrator.command("operations", &format!("kubectl apply -f vouch.yaml -n {NAMESPACE}"));
        narrator.output(&self.site.kubectl(&["apply", "--filename", &file.display().to_string()]).succeeded().stdout);
        self.site.await_issuer();
        self.kubectl(narrator, "get vouchissuer");
        self.kubectl(narrator, "get pods -o wide");
    }

    fn invite(&self, email: &str, narrator: &mut Narrator) -> String {
        narrator.command("operations", &format!("kubectl vouch invite {email} -n {NAMESPACE}"));
        let ran = self.site.plugin(&["invite", email]).succeeded();
        narrator.output(&ran.stdout);
        code_in(&ran.stdout)
    }
}
