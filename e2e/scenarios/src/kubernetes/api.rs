//! The API server over one connection that stays open: for scenarios that ask thousands of times, or measure time.
//! Everything else goes through `kubectl`, as people do.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::{
    Certificate, Identity, Method,
    blocking::{Client, Response},
};
use serde_json::Value;

use super::cluster::Cluster;

const TIMEOUT: Duration = Duration::from_secs(30);

/// The cluster's administrator as a program.
#[derive(Debug, Clone)]
pub struct Api {
    http: Client,
    server: String,
}

impl Api {
    /// Who the kubeconfig of the cluster says.
    ///
    /// # Panics
    /// When it cannot be read.
    #[must_use]
    pub fn of(cluster: &Cluster) -> Self {
        let config = cluster.kubectl(&["config", "view", "--raw", "--output=json"]).succeeded().json();
        let (place, user) = (&config["clusters"][0]["cluster"], &config["users"][0]["user"]);
        let pem = |value: &Value| STANDARD.decode(value.as_str().unwrap()).unwrap();
        let identity = [pem(&user["client-key-data"]), pem(&user["client-certificate-data"])].concat();
        let root = Certificate::from_pem(&pem(&place["certificate-authority-data"])).unwrap();
        let http = Client::builder().no_proxy().timeout(TIMEOUT).tls_certs_only([root]);
        let http = http.identity(Identity::from_pem(&identity).unwrap()).build().unwrap();
        Self { http, server: place["server"].as_str().unwrap().to_owned() }
    }

    /// The object at a path.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn get(&self, path: &str) -> Value {
        answer(self.http.get(self.url(path)).send())
    }

    /// Changes the object at a path by a merge patch (RFC 7396); what it is then.
    ///
    /// # Panics
    /// When it is refused.
    pub fn merge(&self, path: &str, patch: &Value) -> Value {
        let request = self.http.request(Method::PATCH, self.url(path));
        answer(request.header("content-type", "application/merge-patch+json").body(patch.to_string()).send())
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server)
    }
}

fn answer(answer: reqwest::Result<Response>) -> Value {
    let answer = answer.unwrap();
    let (status, url) = (answer.status(), answer.url().clone());
    let body = answer.text().unwrap();
    assert!(status.is_success(), "{url}: {status} {body}");
    serde_json::from_str(&body).unwrap()
}

/// The path of an object of the product's own kinds.
#[must_use]
pub fn vouch(namespace: &str, plural: &str, name: &str) -> String {
    format!("/apis/vouch.sh/v1alpha1/namespaces/{namespace}/{plural}/{name}")
}

/// The path of an object that every cluster has, such as a Secret.
#[must_use]
pub fn core(namespace: &str, plural: &str, name: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/{plural}/{name}")
}
