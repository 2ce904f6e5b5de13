//! The strict stand-in for AWS, and what its control interface offers.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use reqwest::blocking::Client;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    binaries,
    process::{Process, tied},
    wait::PATIENCE,
};

/// A running stand-in.
#[derive(Debug)]
pub struct StandIn {
    _process: Process,
    ready: Ready,
    http: Client,
}

#[derive(Debug, Deserialize)]
struct Ready {
    proxy: String,
    control: String,
    ca: PathBuf,
}

/// The keys of an account's administrator.
#[derive(Debug, Clone, Deserialize)]
pub struct AdminKeys {
    /// `AKIA…`
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: String,
}

impl StandIn {
    /// Starts one that trusts the issuer's authority.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(folder: &Path, trust: &Path) -> Self {
        let mut command = tied(binaries::path("aws-standin"));
        command.arg("--exit-with-stdin").arg("--state-dir").arg(folder.join("aws")).arg("--trust-ca").arg(trust);
        let mut process = Process::start(&mut command, &folder.join("aws-standin.log"));
        let line = process.lines().recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{}", process.log()));
        let ready = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        Self { _process: process, ready, http: direct_client() }
    }

    /// The proxy through which AWS and the issuer are reached under their real names.
    #[must_use]
    pub fn proxy(&self) -> &str {
        &self.ready.proxy
    }

    /// The authority of its certificates.
    #[must_use]
    pub fn ca(&self) -> &Path {
        &self.ready.ca
    }

    /// Makes an account.
    ///
    /// # Panics
    /// When it is refused.
    #[must_use]
    pub fn create_account(&self, id: &str) -> AdminKeys {
        self.create_account_in("aws", id)
    }

    /// Makes an account of a partition: `aws`, `aws-cn` or `aws-us-gov`.
    ///
    /// # Panics
    /// When it is refused.
    #[must_use]
    pub fn create_account_in(&self, partition: &str, id: &str) -> AdminKeys {
        let account = json!({"id": id, "partition": partition});
        let answer = self.http.post(self.url("/accounts")).json(&account).send().unwrap();
        assert!(answer.status().is_success(), "account {id}: {}", answer.text().unwrap_or_default());
        answer.json().unwrap()
    }

    /// Makes a host name lead to an address of this machine.
    ///
    /// # Panics
    /// When it is refused.
    pub fn route(&self, host: &str, to: SocketAddr) {
        self.put("/routes", &json!({host: to}));
    }

    /// Turns knobs; those not named stay as they are.
    ///
    /// # Panics
    /// When it is refused.
    pub fn turn(&self, knobs: &Value) {
        self.put("/knobs", knobs);
    }

    /// Every call since the start or [`StandIn::forget_calls`], oldest first, as CloudTrail would record it: a role taken
    /// across accounts is there twice, once for each account.
    ///
    /// # Panics
    /// When the stand-in is gone.
    #[must_use]
    pub fn calls(&self) -> Vec<Value> {
        let text = self.http.get(self.url("/calls")).send().and_then(|answer| answer.text()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The calls of one action, each once, as the caller's account recorded it.
    #[must_use]
    pub fn calls_of(&self, action: &str) -> Vec<Value> {
        let mut calls = self.calls();
        calls.retain(|call| call["eventName"] == action && call["userIdentity"]["type"] != "AWSAccount");
        calls
    }

    /// Empties the call log.
    ///
    /// # Panics
    /// When the stand-in is gone.
    pub fn forget_calls(&self) {
        assert!(self.http.delete(self.url("/calls")).send().unwrap().status().is_success());
    }

    fn put(&self, path: &str, body: &Value) {
        let answer = self.http.put(self.url(path)).json(body).send().unwrap();
        assert!(answer.status().is_success(), "{path} {body}: {}", answer.text().unwrap_or_default());
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.ready.control)
    }
}

fn direct_client() -> Client {
    crate::scenery::install_crypto_provider();
    Client::builder().no_proxy().timeout(PATIENCE).build().unwrap()
}
