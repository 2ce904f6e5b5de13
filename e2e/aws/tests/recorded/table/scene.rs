//! The set-up of the recordings (A.1), around the program as it is shipped to tests: its proxy, its TLS, its control API.

use std::collections::BTreeMap;

use aws_sigv4::http_request::SignatureLocation;
use serde_json::{Map, Value, json};
use tokio::process::Child;
use url::form_urlencoded;

use super::outcome::Outcome;
use super::sent::{Claim, Sent};
use crate::program;
use crate::support::{Issuer, Keys, TestKey, sign};

const ACCOUNT: &str = "999999999999";
const OTHER_ACCOUNT: &str = "111111111111";
/// 31 characters, as in the recordings.
const ROLE: &str = "RecordedRoleOf31CharactersXXXXX";
/// 10 characters, as in the recordings.
const SESSION: &str = "session-10";
const STS: &str = "sts.us-east-1.amazonaws.com";
const IAM: &str = "iam.amazonaws.com";

/// An issuer with `no-cache`, a provider without thumbprints and with two client ids, a role of two hours whose trust
/// has no condition; three RSA and three EC keys, the RSA ones sharing one modulus.
pub(super) struct Scene {
    http: reqwest::Client,
    control: String,
    issuer: Issuer,
    signers: BTreeMap<&'static str, TestKey>,
    discovery: Value,
    admin: Keys,
    other_admin: Keys,
    _stranger: Issuer,
    _program: Child,
    _folder: tempfile::TempDir,
}

impl Scene {
    pub(super) async fn start() -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let issuer = Issuer::start("issuer.example.com").await;
        let stranger = Issuer::start("stranger.example.com").await;
        let folder = tempfile::tempdir().unwrap();
        let routes = [&issuer, &stranger].map(|issuer| format!("{}={}", issuer.host, issuer.address));
        let trusted = issuer.root.path().to_str().unwrap();
        let arguments = ["--trust-ca", trusted, "--route", &routes[0], "--route", &routes[1], "--exit-with-stdin"];
        let (program, ready) = program::start(&folder, &arguments).await;
        let text = |name: &str| ready[name].as_str().unwrap().to_owned();
        let authority = reqwest::Certificate::from_pem(&std::fs::read(text("ca")).unwrap()).unwrap();
        let proxied = reqwest::Proxy::https(text("proxy")).unwrap();
        let http = reqwest::Client::builder().proxy(proxied).add_root_certificate(authority).build().unwrap();
        let signers = [
            ("rsa", TestKey::rsa()),
            ("other", TestKey::rsa()),
            ("P-256", TestKey::ec("P-256")),
            ("P-384", TestKey::ec("P-384")),
            ("P-521", TestKey::ec("P-521")),
        ];
        let mut discovery = Value::Null;
        issuer.change(|documents| discovery = documents.discovery.clone());
        let control = text("control");
        let (admin, other_admin) =
            (administrator(&http, &control, ACCOUNT).await, administrator(&http, &control, OTHER_ACCOUNT).await);
        let scene = Self {
            http,
            control,
            issuer,
            signers: signers.into(),
            discovery,
            admin,
            other_admin,
            _stranger: stranger,
            _program: program,
            _folder: folder,
        };
        scene.set_up().await;
        scene
    }

    async fn set_up(&self) {
        let url = self.issuer.url.as_str();
        let clients = [("ClientIDList.member.1", "client-a"), ("ClientIDList.member.2", "client-b")];
        self.iam("CreateOpenIDConnectProvider", &[&[("Url", url)][..], &clients].concat()).await;
        // An issuer whose certificate is not trusted, and a thumbprint of another.
        let zeros = "0".repeat(40);
        let stranger = [("Url", "https://stranger.example.com"), ("ThumbprintList.member.1", zeros.as_str())];
        self.iam("CreateOpenIDConnectProvider", &[&stranger[..], &clients].concat()).await;
        self.create_role().await;
    }

    async fn create_role(&self) {
        let trust = self.trust(&[]);
        let role = [("RoleName", ROLE), ("MaxSessionDuration", "7200"), ("AssumeRolePolicyDocument", trust.as_str())];
        self.iam("CreateRole", &role).await;
    }

    /// A signing key by name.
    pub(super) fn key(&self, name: &str) -> &TestKey {
        &self.signers[name]
    }

    /// The key set of the main run.
    pub(super) fn main_keys(&self) -> Vec<Value> {
        let rsa = ["rsa-1", "rsa-2", "rsa-3"].map(|kid| self.key("rsa").jwk(kid));
        let ec = [("P-256", "ec-1"), ("P-384", "ec-2"), ("P-521", "ec-3")].map(|(name, kid)| self.key(name).jwk(kid));
        rsa.into_iter().chain(ec).collect()
    }

    /// A text with the ARNs of this scene.
    pub(super) fn fill(&self, template: &str) -> String {
        let role = format!("arn:aws:iam::{ACCOUNT}:role/{ROLE}");
        let provider = format!("arn:aws:iam::{ACCOUNT}:oidc-provider/{}", self.issuer.host);
        template.replace("{provider}", &provider).replace("{ROLE}", &role.to_uppercase()).replace("{role}", &role)
    }

    /// Plays a row: changes the world as it says, makes the call, and puts the world back.
    pub(super) async fn play(&self, sent: &Sent) -> Outcome {
        let keys = sent.keys.as_ref().map_or_else(|| self.main_keys(), |keys| keys(self));
        self.issuer.publish(keys);
        self.issuer.change(|documents| {
            documents.discovery = self.discovery.clone();
            match &sent.discovery {
                Some((member, Value::Null)) => drop(documents.discovery.as_object_mut().unwrap().remove(*member)),
                Some((member, value)) => documents.discovery[*member] = value.clone(),
                None => {}
            }
            documents.status = sent.issuer_status.unwrap_or(200);
        });
        if sent.new_role {
            self.iam("DeleteRole", &[("RoleName", ROLE)]).await;
            self.create_role().await;
        }
        if !sent.trust.is_empty() {
            self.set_trust(&self.trust(&sent.trust)).await;
        }
        if let Some(knobs) = &sent.knobs {
            self.control(self.http.put(format!("{}/knobs", self.control)).json(knobs)).await;
        }
        let sent_at = jiff::Timestamp::now().as_second();
        let outcome = self.call(sent, sent_at).await;
        if sent.knobs.is_some() {
            self.control(self.http.delete(format!("{}/knobs", self.control))).await;
        }
        if !sent.trust.is_empty() {
            self.set_trust(&self.trust(&[])).await;
        }
        outcome
    }

    async fn call(&self, sent: &Sent, sent_at: i64) -> Outcome {
        let (role, token) = (self.fill("{role}"), self.token(sent, sent_at));
        let mut params: BTreeMap<&str, String> =
            BTreeMap::from([("RoleArn", role), ("RoleSessionName", SESSION.to_owned())]);
        if !sent.assume_role {
            params.insert("WebIdentityToken", token);
        }
        params.extend(sent.params.iter().map(|(name, value)| (*name, self.fill(value))));
        let params: Vec<(&str, &str)> = params.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let (action, signer) = if sent.assume_role {
            ("AssumeRole", Some(&self.other_admin))
        } else {
            ("AssumeRoleWithWebIdentity", None)
        };
        let (status, xml) = self.query(STS, signer, action, &params).await;
        Outcome { status, xml, sent_at }
    }

    fn token(&self, sent: &Sent, now: i64) -> String {
        let claims = json!({"iss": self.issuer.url, "aud": "client-a", "sub": "subject-0123", "iat": now - 10, "exp": now + 900});
        let mut claims: Map<String, Value> = claims.as_object().unwrap().clone();
        for claim in &sent.claims {
            let (name, value) = match claim {
                Claim::Set(name, value) => (name, value.clone()),
                Claim::Without(name) => {
                    claims.remove(*name);
                    continue;
                }
                Claim::At(name, seconds) => (name, json!(now + seconds)),
                Claim::AtText(name, seconds) => (name, json!((now + seconds).to_string())),
                Claim::AtHalf(name, seconds) => (name, json!((now + seconds) as f64 + 0.5)),
            };
            claims.insert((*name).to_owned(), value);
        }
        let payload = self.fill(&Value::Object(claims).to_string());
        let payload = format!("{{{}{}", sent.first_members, &payload[1..]);
        let header = sent.header.clone().unwrap_or_else(|| json!({"alg": "RS256", "typ": "JWT", "kid": "rsa-1"}));
        let token = self.key(sent.signer.unwrap_or("rsa")).token(&header, &payload);
        sent.tampered.map_or(token.clone(), |change| change(self, &token))
    }

    /// The recorded trust policy, with changes to its statement.
    fn trust(&self, changes: &[(&str, Value)]) -> String {
        let actions = ["sts:AssumeRoleWithWebIdentity", "sts:TagSession", "sts:SetSourceIdentity"];
        let mut statement =
            json!({"Effect": "Allow", "Principal": {"Federated": self.fill("{provider}")}, "Action": actions});
        for (member, value) in changes {
            statement[*member] = value.clone();
        }
        self.fill(&json!({"Version": "2012-10-17", "Statement": [statement]}).to_string())
    }

    async fn set_trust(&self, document: &str) {
        self.iam("UpdateAssumeRolePolicy", &[("RoleName", ROLE), ("PolicyDocument", document)]).await;
    }

    async fn iam(&self, action: &str, params: &[(&str, &str)]) {
        let (status, xml) = self.query(IAM, Some(&self.admin), action, params).await;
        assert_eq!(status, 200, "{action}: {xml}");
    }

    /// A call as clients make it.
    async fn query(&self, host: &str, signer: Option<&Keys>, action: &str, params: &[(&str, &str)]) -> (u16, String) {
        let version = if host == IAM { "2010-05-08" } else { "2011-06-15" };
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("Action", action).append_pair("Version", version).extend_pairs(params);
        let mut request = http::Request::post(format!("https://{host}/"))
            .header("host", host)
            .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
            .body(form.finish())
            .unwrap();
        if let Some(keys) = signer {
            sign(&mut request, keys, SignatureLocation::Headers, host);
        }
        let answer = self.http.execute(request.try_into().unwrap()).await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn control(&self, request: reqwest::RequestBuilder) {
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }
}

async fn administrator(http: &reqwest::Client, control: &str, id: &str) -> Keys {
    let answer = http.post(format!("{control}/accounts")).json(&json!({"id": id})).send().await.unwrap();
    let keys: Value = answer.json().await.unwrap();
    let text = |name: &str| keys[name].as_str().unwrap().to_owned();
    Keys { id: text("access_key_id"), secret: text("secret_access_key"), token: None }
}
