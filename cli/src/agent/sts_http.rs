//! Lets the AWS SDK speak through the program's own HTTP client, so that there is one TLS stack, one trust store and
//! one set of proxies.

use aws_sdk_sts::config::{
    HttpClient, RuntimeComponents,
    http::{HttpRequest, HttpResponse},
};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
    result::ConnectorError,
};
use aws_smithy_types::body::SdkBody;

/// The shared client, as the SDK wants it.
#[derive(Debug, Clone)]
pub struct SharedClient(pub reqwest::Client);

impl HttpClient for SharedClient {
    /// Time limits come with each operation; the client has its own for connecting.
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for SharedClient {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.0.clone();
        HttpConnectorFuture::new(async move { exchange(client, request).await })
    }
}

async fn exchange(client: reqwest::Client, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
    // Every request of STS is a form in memory.
    let request = request.map(|body| body.bytes().map(<[u8]>::to_vec).unwrap_or_default());
    let request = reqwest::Request::try_from(request).map_err(|error| ConnectorError::user(error.into()))?;
    let response = client.execute(request).await.map_err(connector_error)?;
    let mut answer = http::Response::builder().status(response.status());
    if let Some(headers) = answer.headers_mut() {
        headers.clone_from(response.headers());
    }
    let body = response.bytes().await.map_err(connector_error)?;
    let answer = answer.body(SdkBody::from(body)).map_err(|error| ConnectorError::user(error.into()))?;
    HttpResponse::try_from(answer).map_err(|error| ConnectorError::other(error.into(), None))
}

fn connector_error(error: reqwest::Error) -> ConnectorError {
    if error.is_timeout() {
        ConnectorError::timeout(error.into())
    } else if error.is_builder() {
        ConnectorError::user(error.into())
    } else {
        ConnectorError::io(error.into())
    }
}
