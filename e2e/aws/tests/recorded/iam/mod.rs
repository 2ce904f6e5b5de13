//! IAM (part C of the recordings).

mod policies;
mod providers;
mod roles;
mod trust;

use serde_json::{Value, json};

use crate::support::{Aws, Keys, Refusal};

/// An account and its administrator.
pub(crate) struct Account {
    pub(crate) aws: Aws,
    pub(crate) admin: Keys,
}

impl Account {
    pub(crate) fn new() -> Self {
        let aws = Aws::new(&[]);
        let admin = aws.account("999999999999");
        Self { aws, admin }
    }

    pub(crate) async fn call(&self, action: &str, params: &[(&str, &str)]) -> Result<String, Refusal> {
        self.aws.iam(&self.admin, action, params).await
    }

    pub(crate) async fn create_role(&self, name: &str, trust: &str) -> Result<String, Refusal> {
        self.call("CreateRole", &[("RoleName", name), ("AssumeRolePolicyDocument", trust)]).await
    }

    /// The refusal of a call, as code and text.
    pub(crate) async fn refused(&self, action: &str, params: &[(&str, &str)]) -> (String, String) {
        let refusal = self.call(action, params).await.unwrap_err();
        (refusal.code, refusal.message)
    }
}

/// A trust policy for the account's own users.
pub(crate) fn own_trust() -> String {
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::999999999999:root"}, "Action": "sts:AssumeRole"}]}).to_string()
}

/// A document as it travels, decoded.
pub(crate) fn decode(text: &str) -> String {
    url::form_urlencoded::parse(format!("d={}", text.replace('+', "%2B")).as_bytes()).next().unwrap().1.into_owned()
}

/// Code and text, for comparison.
pub(crate) fn refusal(code: &str, message: &str) -> (String, String) {
    (code.to_owned(), message.to_owned())
}

/// An identity policy that allows everything.
pub(crate) fn allow_all() -> Value {
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
}
