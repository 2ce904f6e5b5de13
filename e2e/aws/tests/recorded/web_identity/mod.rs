//! `AssumeRoleWithWebIdentity`: what needs more than one call, and is therefore no row of the table.

mod claims;
mod keys;
mod trust;

use serde_json::{Map, Value, json};

use crate::support::{Aws, Issuer, Keys, Refusal, TestKey, texts};

pub(crate) const ACCOUNT: &str = "999999999999";
/// 31 characters, as in the recordings.
pub(crate) const ROLE: &str = "RecordedRoleOf31CharactersXXXXX";
/// 10 characters, as in the recordings.
const SESSION: &str = "session-10";

pub(crate) const NOT_VALIDATED: &str = "The web identity token provided could not be validated. See the AssumeRoleWithWebIdentity documentation for requirements.";
pub(crate) const NO_KEY: &str = "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements";
pub(crate) const DENIED: &str = "Not authorized to perform sts:AssumeRoleWithWebIdentity";

/// The set-up of the recordings: an issuer with `no-cache`, a provider without thumbprints and with two client ids, a
/// role of two hours whose trust has no condition.
pub(crate) struct Recorded {
    pub(crate) aws: Aws,
    pub(crate) issuer: Issuer,
    pub(crate) admin: Keys,
    pub(crate) key: TestKey,
    pub(crate) provider: String,
    pub(crate) role: String,
}

impl Recorded {
    pub(crate) async fn start() -> Self {
        let issuer = Issuer::start("issuer.example.com").await;
        let key = TestKey::rsa();
        issuer.publish(["rsa-1", "rsa-2", "rsa-3"].map(|kid| key.jwk(kid)));
        let aws = Aws::new(&[&issuer]);
        let admin = aws.account(ACCOUNT);
        let provider = format!("arn:aws:iam::{ACCOUNT}:oidc-provider/{}", issuer.host);
        let role = format!("arn:aws:iam::{ACCOUNT}:role/{ROLE}");
        let recorded = Self { aws, issuer, admin, key, provider, role };
        let clients = [
            ("Url", recorded.issuer.url.as_str()),
            ("ClientIDList.member.1", "client-a"),
            ("ClientIDList.member.2", "client-b"),
        ];
        recorded.iam("CreateOpenIDConnectProvider", &clients).await;
        let trust = recorded.trust(&json!({}));
        let role = [("RoleName", ROLE), ("MaxSessionDuration", "7200"), ("AssumeRolePolicyDocument", trust.as_str())];
        recorded.iam("CreateRole", &role).await;
        recorded
    }

    async fn iam(&self, action: &str, params: &[(&str, &str)]) -> String {
        self.aws.iam(&self.admin, action, params).await.unwrap()
    }

    /// The recorded trust policy, with a condition.
    pub(crate) fn trust(&self, condition: &Value) -> String {
        let actions = ["sts:AssumeRoleWithWebIdentity", "sts:TagSession", "sts:SetSourceIdentity"];
        let mut statement = json!({"Effect": "Allow", "Principal": {"Federated": self.provider}, "Action": actions});
        if condition != &json!({}) {
            statement["Condition"] = condition.clone();
        }
        json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
    }

    /// Claims of a good token.
    pub(crate) fn claims(&self) -> Map<String, Value> {
        let now = self.aws.standin.now().as_second();
        let claims = json!({"iss": self.issuer.url, "aud": "client-a", "sub": "subject-0123", "iat": now - 10, "exp": now + 900});
        claims.as_object().unwrap().clone()
    }

    /// A good token but for these claims.
    pub(crate) fn token(&self, change: impl FnOnce(&mut Map<String, Value>)) -> String {
        let mut claims = self.claims();
        change(&mut claims);
        self.key.token(&json!({"alg": "RS256", "typ": "JWT", "kid": "rsa-1"}), &Value::Object(claims).to_string())
    }

    /// Uses a token; the XML of the answer.
    pub(crate) async fn assume(&self, token: &str) -> Result<String, Refusal> {
        self.assume_with(token, &[]).await
    }

    /// Uses a token with more parameters.
    pub(crate) async fn assume_with(&self, token: &str, more: &[(&str, &str)]) -> Result<String, Refusal> {
        let mut params =
            vec![("RoleArn", self.role.as_str()), ("RoleSessionName", SESSION), ("WebIdentityToken", token)];
        params.extend(more);
        self.aws.sts(None, "AssumeRoleWithWebIdentity", &params).await
    }
}

/// What a row expects.
pub(crate) enum Expected {
    /// Success, with these elements.
    Ok(&'static [(&'static str, &'static str)]),
    /// This code and text.
    Refused(&'static str, &'static str),
}

/// The refusal of a token.
pub(crate) const fn invalid(message: &'static str) -> Expected {
    Expected::Refused("InvalidIdentityToken", message)
}

/// Compares an answer with what its row expects.
pub(crate) fn check(name: &str, answer: &Result<String, Refusal>, expected: &Expected) {
    match (answer, expected) {
        (Ok(xml), Expected::Ok(elements)) => {
            for (tag, value) in *elements {
                assert_eq!(texts(xml, tag), [*value], "{name}: {tag}");
            }
        }
        (Err(refusal), Expected::Refused(code, message)) => assert_eq!(refusal.parts(), (*code, *message), "{name}"),
        (Ok(_), Expected::Refused(_, message)) => panic!("{name}: accepted instead of {message}"),
        (Err(refusal), Expected::Ok(_)) => panic!("{name}: {refusal:?}"),
    }
}
