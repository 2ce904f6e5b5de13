//! An application that uses aws-sdk-rust as its documentation shows, with a profile of `~/.aws/config`.
//!
//! Prints what `GetCallerIdentity` says, or the SDK's own error on stderr.

use std::{io::Write as _, process::ExitCode};

use aws_config::BehaviorVersion;
use aws_sdk_sts::{config::SharedHttpClient, error::DisplayErrorContext};
use aws_smithy_http_client::{
    Builder, Connector,
    proxy::ProxyConfig,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match identity().await {
        Ok(arn) => writeln!(std::io::stdout(), "{arn}").map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS),
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

async fn identity() -> Result<String, Box<dyn std::error::Error>> {
    let config = aws_config::defaults(BehaviorVersion::latest()).http_client(client()?).load().await;
    let answer = aws_sdk_sts::Client::new(&config).get_caller_identity().send().await;
    let answer = answer.map_err(|error| DisplayErrorContext(error).to_string())?;
    Ok(answer.arn.unwrap_or_default())
}

/// Rustls, the proxy of the environment, and the authorities of `AWS_CA_BUNDLE`, which this SDK does not read itself.
fn client() -> Result<SharedHttpClient, Box<dyn std::error::Error>> {
    let mut trust = TrustStore::empty();
    if let Some(bundle) = std::env::var_os("AWS_CA_BUNDLE") {
        trust.add_pem_certificate(std::fs::read(bundle)?);
    }
    let tls = TlsContext::builder().with_trust_store(trust).build()?;
    Ok(Builder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = Connector::builder().proxy_config(ProxyConfig::from_env());
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(|components| components.sleep_impl()));
        connector.tls_provider(Provider::Rustls(CryptoMode::AwsLc)).tls_context(tls.clone()).build()
    }))
}
