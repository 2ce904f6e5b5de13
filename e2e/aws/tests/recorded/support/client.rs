//! Calls to the stand-in, signed by AWS's own signer.

use std::sync::Arc;
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{self, SignableBody, SignableRequest, SignatureLocation, SigningSettings};
use aws_sigv4::sign::v4;
use aws_standin::api::{RawRequest, answer};
use aws_standin::endpoint::{self, Partition};
use aws_standin::standin::Standin;
use aws_standin::world::NewAccount;
use hyper::body::Bytes;
use serde_json::Value;
use url::form_urlencoded;

use super::issuer::Issuer;

/// An access key.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    pub(crate) id: String,
    pub(crate) secret: String,
    pub(crate) token: Option<String>,
}

/// A refusal, as a client sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
}

impl Refusal {
    /// Code and text.
    pub(crate) fn parts(&self) -> (&str, &str) {
        (&self.code, &self.message)
    }
}

/// A stand-in and a way to call it.
pub(crate) struct Aws {
    pub(crate) standin: Arc<Standin>,
}

impl Aws {
    /// A stand-in that knows and trusts some issuers.
    pub(crate) fn new(issuers: &[&Issuer]) -> Self {
        let routes = issuers.iter().map(|issuer| (issuer.host.clone(), issuer.address));
        let roots: Vec<_> = issuers.iter().map(|issuer| issuer.root.path().to_owned()).collect();
        Self { standin: Arc::new(Standin::new(routes, &roots).unwrap()) }
    }

    /// A new account of the organisation `o-example123`, and the keys of its administrator.
    pub(crate) fn account(&self, id: &str) -> Keys {
        self.account_in(id, Partition::Aws, Some("o-example123"))
    }

    /// A new account.
    pub(crate) fn account_in(&self, id: &str, partition: Partition, organization: Option<&str>) -> Keys {
        let new =
            NewAccount { id: id.to_owned(), alias: None, organization: organization.map(str::to_owned), partition };
        let key = self.standin.world().create_account(new, self.standin.now()).unwrap();
        Keys { id: key.id, secret: key.secret.expose().to_owned(), token: None }
    }

    /// Turns knobs.
    pub(crate) fn knobs(&self, patch: &Value) {
        let merged = self.standin.knobs().merged(patch).unwrap();
        *self.standin.knobs() = merged;
    }

    /// A call to IAM.
    pub(crate) async fn iam(&self, keys: &Keys, action: &str, params: &[(&str, &str)]) -> Result<String, Refusal> {
        self.call(Some(keys), "iam.amazonaws.com", action, params).await
    }

    /// A call to STS.
    pub(crate) async fn sts(
        &self,
        keys: Option<&Keys>,
        action: &str,
        params: &[(&str, &str)],
    ) -> Result<String, Refusal> {
        self.call(keys, "sts.us-east-1.amazonaws.com", action, params).await
    }

    /// A call to a host; its XML.
    pub(crate) async fn call(
        &self,
        keys: Option<&Keys>,
        host: &str,
        action: &str,
        params: &[(&str, &str)],
    ) -> Result<String, Refusal> {
        let version = if host.starts_with("iam") { "2010-05-08" } else { "2011-06-15" };
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("Action", action).append_pair("Version", version).extend_pairs(params);
        let request = http::Request::post(format!("https://{host}/"))
            .header("host", host)
            .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
            .body(form.finish())
            .unwrap();
        self.send(keys.map(|keys| (keys, SignatureLocation::Headers)), host, request).await
    }

    /// A presigned GET, as `aws eks get-token` makes it.
    pub(crate) async fn presigned(&self, keys: &Keys, host: &str, query: &str) -> Result<String, Refusal> {
        let request = http::Request::get(format!("https://{host}/?{query}"))
            .header("host", host)
            .header("x-k8s-aws-id", "c")
            .body(String::new());
        self.send(Some((keys, SignatureLocation::QueryParams)), host, request.unwrap()).await
    }

    /// Signs and sends.
    pub(crate) async fn send(
        &self,
        signer: Option<(&Keys, SignatureLocation)>,
        host: &str,
        mut request: http::Request<String>,
    ) -> Result<String, Refusal> {
        if let Some((keys, location)) = signer {
            sign(&mut request, keys, location, host);
        }
        let (parts, body) = request.into_parts();
        let raw = RawRequest { parts, body: Bytes::from(body), host: host.to_owned() };
        let response = answer(&self.standin, &raw).await;
        let status = response.status().as_u16();
        let body = String::from_utf8(response.into_body().to_vec()).unwrap();
        if status == 200 {
            return Ok(body);
        }
        let first = |tag| texts(&body, tag).first().cloned().unwrap_or_default();
        Err(Refusal { status, code: first("Code"), message: first("Message") })
    }

    /// The last record of the call log.
    pub(crate) fn last_call(&self) -> Value {
        let response = self.calls();
        response.last().cloned().unwrap()
    }

    /// All records of the call log.
    pub(crate) fn calls(&self) -> Vec<Value> {
        self.standin.calls().json_lines().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// Signs a request to a host as AWS's SDKs do.
pub(crate) fn sign(request: &mut http::Request<String>, keys: &Keys, location: SignatureLocation, host: &str) {
    let endpoint = endpoint::resolve(host).unwrap();
    let identity = Credentials::new(&keys.id, &keys.secret, keys.token.clone(), None, "test").into();
    let mut settings = SigningSettings::default();
    settings.signature_location = location;
    if location == SignatureLocation::QueryParams {
        settings.expires_in = Some(std::time::Duration::from_secs(60));
    }
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(&endpoint.region)
        .name(endpoint.service.name())
        .time(SystemTime::now())
        .settings(settings)
        .build()
        .unwrap()
        .into();
    let uri = request.uri().to_string();
    let headers: Vec<(String, String)> =
        request.headers().iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let body = request.body().clone();
    let signable =
        SignableRequest::new(request.method().as_str(), uri, headers, SignableBody::Bytes(body.as_bytes())).unwrap();
    let (instructions, _) = http_request::sign(signable, &params).unwrap().into_parts();
    instructions.apply_to_request_http1x(request);
}

/// The texts of all elements with a name, unescaped.
pub(crate) fn texts(xml: &str, tag: &str) -> Vec<String> {
    let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
    xml.split(&open)
        .skip(1)
        .filter_map(|rest| rest.split_once(&close))
        .map(|(text, _)| text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&"))
        .collect()
}
