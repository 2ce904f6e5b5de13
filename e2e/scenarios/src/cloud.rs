//! AWS accounts and their administrators, who work with boto3.

use std::{cell::RefCell, collections::BTreeMap, path::Path, process::Command};

use serde::Deserialize;
use serde_json::{Value, json};
use vouch_control_plane::output_with_input;

use crate::{
    binaries,
    process::tied,
    standin::{AdminKeys, StandIn},
};

/// One API call, in boto3's words.
#[derive(Debug, Clone)]
pub struct Call {
    account: String,
    service: String,
    operation: String,
    parameters: Value,
    region: &'static str,
}

impl Call {
    /// A call by the administrator of an account.
    #[must_use]
    pub fn new(account: &str, service: &str, operation: &str, parameters: Value) -> Self {
        Self {
            account: account.to_owned(),
            service: service.to_owned(),
            operation: operation.to_owned(),
            parameters,
            region: "us-east-1",
        }
    }

    /// The same in another region, and so perhaps in another partition.
    #[must_use]
    pub fn in_region(self, region: &'static str) -> Self {
        Self { region, ..self }
    }
}

/// An AWS error.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ApiError {
    /// `AccessDenied`, for example.
    pub code: String,
    /// The sentence.
    pub message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Result(Value),
    Error(ApiError),
}

/// The accounts of a world.
#[derive(Debug)]
pub struct Cloud {
    /// What answers.
    pub standin: StandIn,
    accounts: RefCell<BTreeMap<String, AdminKeys>>,
    environment: Vec<(String, String)>,
}

impl Cloud {
    /// No accounts yet. `environment` leads boto3 to the stand-in.
    #[must_use]
    pub fn new(standin: StandIn, environment: Vec<(String, String)>) -> Self {
        Self { standin, accounts: RefCell::default(), environment }
    }

    /// The administrator's keys; the account is made when it is new.
    #[must_use]
    pub fn admin(&self, account: &str) -> AdminKeys {
        let mut accounts = self.accounts.borrow_mut();
        accounts.entry(account.to_owned()).or_insert_with(|| self.standin.create_account(account)).clone()
    }

    /// Makes an account of another partition, such as `aws-cn`.
    pub fn create_account_in(&self, partition: &str, account: &str) {
        let keys = self.standin.create_account_in(partition, account);
        self.accounts.borrow_mut().insert(account.to_owned(), keys);
    }

    /// Makes calls one after another.
    ///
    /// # Panics
    /// When one fails.
    #[must_use]
    pub fn results(&self, calls: &[Call]) -> Vec<Value> {
        let answers = self.answers(calls);
        calls
            .iter()
            .zip(answers)
            .map(|(call, answer)| answer.unwrap_or_else(|error| panic!("{call:?}: {error:?}")))
            .collect()
    }

    /// Makes calls one after another; the answers do not matter.
    ///
    /// # Panics
    /// When one fails.
    pub fn prepare(&self, calls: &[Call]) {
        let _ = self.results(calls);
    }

    /// Makes calls one after another.
    ///
    /// # Panics
    /// When boto3 cannot be run.
    #[must_use]
    pub fn answers(&self, calls: &[Call]) -> Vec<Result<Value, ApiError>> {
        let calls: Vec<Value> = calls
            .iter()
            .map(|call| {
                let AdminKeys { access_key_id, secret_access_key } = self.admin(&call.account);
                json!({
                    "service": call.service,
                    "operation": call.operation,
                    "parameters": call.parameters,
                    "region": call.region,
                    "keys": {"access_key_id": access_key_id, "secret_access_key": secret_access_key},
                })
            })
            .collect();
        let mut python = boto3();
        python.env_clear().envs(self.environment.clone());
        call_with(&mut python, &Value::from(calls))
    }
}

/// The Python program that makes calls; see `python/calls.py` for what it reads.
#[must_use]
pub fn boto3() -> Command {
    let mut command = tied(binaries::aws_clients().join("python"));
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("python/calls.py"));
    command
}

/// Runs it.
///
/// # Panics
/// When it cannot be run.
#[must_use]
pub fn call_with(python: &mut Command, calls: &Value) -> Vec<Result<Value, ApiError>> {
    let output = output_with_input(python, &calls.to_string());
    let answers: Vec<Answer> = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    answers
        .into_iter()
        .map(|answer| match answer {
            Answer::Result(result) => Ok(result),
            Answer::Error(error) => Err(error),
        })
        .collect()
}
