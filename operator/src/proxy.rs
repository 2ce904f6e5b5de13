//! Through which proxy an API server is reached: the one that kubectl would use. The library uses the environment's for
//! loopback, too, and asks whether `NO_PROXY` names the proxy, where the server is meant.

use std::{env, error::Error, iter, net::IpAddr};

use http::Uri;
use ipnet::IpNet;
use kube::{
    Config,
    config::{Kubeconfig, KubeconfigError},
};

/// Corrects what the library has chosen for the cluster of a context, the current one unless another is named.
///
/// # Errors
/// When what names the proxy is no URL.
pub fn choose(config: &mut Config, kubeconfig: &Kubeconfig, context: Option<&str>) -> Result<(), KubeconfigError> {
    let proxy = proxy_for(&config.cluster_url, named_in(kubeconfig, context), |variable| env::var(variable).ok());
    config.proxy_url = proxy.map(|proxy| proxy.parse()).transpose().map_err(KubeconfigError::ParseProxyUrl)?;
    Ok(())
}

/// What an error says of a proxy that was asked for the way to the API server, if it does: a clause without a full stop. The
/// library keeps the type to itself, so it is told by how its words begin.
#[must_use]
pub fn fault(error: &(dyn Error + 'static)) -> Option<String> {
    let told = error.to_string();
    let why = ["tunnel error: ", "SOCKS error: "].iter().find_map(|beginning| told.strip_prefix(beginning))?;
    let cause = iter::successors(error.source(), |&error| error.source()).last().map(ToString::to_string);
    let why = cause.unwrap_or_else(|| why.to_owned());
    Some(format!("the proxy opens no way to it ({why}): see proxy-url in the kubeconfig, HTTPS_PROXY and NO_PROXY"))
}

/// The `proxy-url` of the context's cluster.
fn named_in<'a>(kubeconfig: &'a Kubeconfig, context: Option<&str>) -> Option<&'a str> {
    let context = context.or(kubeconfig.current_context.as_deref())?;
    let context = kubeconfig.contexts.iter().find(|named| named.name == context)?.context.as_ref()?;
    let cluster = kubeconfig.clusters.iter().find(|named| named.name == context.cluster)?.cluster.as_ref()?;
    cluster.proxy_url.as_deref()
}

/// The proxy's URL. That of a kubeconfig holds without exception; that of the environment neither for this machine nor for
/// whom `NO_PROXY` names.
fn proxy_for(server: &Uri, named: Option<&str>, variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    if let Some(named) = named.filter(|named| !named.is_empty()) {
        return Some(with_scheme(named));
    }
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    let either = |name: &str| set(name).or_else(|| set(&name.to_lowercase()));
    let proxy = either(if server.scheme_str() == Some("http") { "HTTP_PROXY" } else { "HTTPS_PROXY" })?;
    let host = server.host()?.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    let port = server.port_u16().unwrap_or(if server.scheme_str() == Some("http") { 80 } else { 443 });
    let exceptions = either("NO_PROXY").unwrap_or_default();
    let is_direct = is_this_machine(&host)
        || exceptions.split(',').any(|exception| names(exception.trim(), &host, &port.to_string()));
    (!is_direct).then(|| with_scheme(&proxy))
}

/// Whether a part of `NO_PROXY` names a server, as Go's programs read it (`golang.org/x/net/http/httpproxy`, `Config.NoProxy`):
/// `*`, a network, an address or a name, which may have a port; all below a name are named, and by `.name` or `*.name`
/// nobody else.
fn names(exception: &str, host: &str, port: &str) -> bool {
    let exception = exception.to_ascii_lowercase();
    let address: Option<IpAddr> = host.parse().ok();
    if exception == "*" {
        return true;
    }
    if let Ok(network) = exception.parse::<IpNet>() {
        return address.is_some_and(|address| network.contains(&address));
    }
    let (name, of_port) = split_port(&exception);
    if of_port.is_some_and(|of_port| of_port != port) {
        return false;
    }
    match (name.parse::<IpAddr>(), address) {
        (Ok(named), Some(address)) => named == address,
        (Err(_), None) => is_at_or_below(host, name),
        _ => false,
    }
}

fn split_port(exception: &str) -> (&str, Option<&str>) {
    let is_address = exception.parse::<IpAddr>().is_ok();
    let (name, port) = match exception.rsplit_once(':') {
        Some((name, port)) if !is_address => (name, Some(port)),
        _ => (exception, None),
    };
    (name.trim_start_matches('[').trim_end_matches(']'), port)
}

fn is_at_or_below(host: &str, name: &str) -> bool {
    let name = name.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(name);
    let has_end =
        |parent: &str| !parent.is_empty() && host.strip_suffix(parent).is_some_and(|rest| rest.ends_with('.'));
    name.strip_prefix('.').map_or_else(|| host == name || has_end(name), has_end)
}

fn with_scheme(proxy: &str) -> String {
    if proxy.contains("://") { proxy.to_owned() } else { format!("http://{proxy}") }
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use serde_json::json;

    use super::*;

    const PROXY: &str = "http://proxy.example.com:3128";

    /// The proxy for a server, in an environment.
    fn chosen(server: &str, named: Option<&str>, environment: &[(&str, &str)]) -> Option<String> {
        let variable =
            |name: &str| environment.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned());
        proxy_for(&server.parse().unwrap(), named, variable)
    }

    #[test]
    fn a_server_is_reached_through_the_proxy_of_the_environment() {
        for variable in ["HTTPS_PROXY", "https_proxy"] {
            let proxy = chosen("https://api.example.com:6443", None, &[(variable, PROXY)]);
            assert_eq!(proxy.as_deref(), Some(PROXY), "{variable}");
            assert_eq!(chosen("http://api.example.com:8001", None, &[(variable, PROXY)]), None, "{variable}");
        }
        let of_http = [("HTTP_PROXY", "proxy.example.com:3128")];
        assert_eq!(chosen("http://api.example.com", None, &of_http).as_deref(), Some(PROXY));
        assert_eq!(chosen("https://api.example.com", None, &of_http), None);
        assert_eq!(chosen("https://api.example.com", None, &[("HTTPS_PROXY", "")]), None);
    }

    #[test]
    fn neither_this_machine_nor_what_no_proxy_names_is_reached_through_it() {
        for (server, excepted) in [
            ("https://localhost:6443", ""),
            ("https://127.0.0.1:6443", ""),
            ("https://[::1]:6443", ""),
            ("https://api.example.com:6443", "example.com"),
            ("https://api.example.com:6443", "other.example.net, .example.com"),
            ("https://API.example.com:6443", "*.Example.com"),
            ("https://api.example.com:6443", "api.example.com:6443"),
            ("https://api.example.com", "example.com:443,"),
            ("https://api.example.com:6443", "*"),
            ("https://10.1.2.3:6443", "localhost,*"),
            ("https://10.1.2.3:6443", "10.0.0.0/8"),
            ("https://10.1.2.3:6443", "10.1.2.3"),
            ("https://10.1.2.3:6443", "10.1.2.3:6443"),
            ("https://[2001:db8::1]:6443", "2001:db8::/32"),
            ("https://[2001:db8::1]:6443", "2001:db8::1"),
            ("https://[2001:db8::1]:6443", "[2001:db8::1]:6443"),
        ] {
            for no_proxy in ["NO_PROXY", "no_proxy"] {
                let environment = [("HTTPS_PROXY", PROXY), (no_proxy, excepted)];
                assert_eq!(chosen(server, None, &environment), None, "{server} {excepted:?}");
            }
        }
    }

    #[test]
    fn whoever_no_proxy_does_not_name_is_reached_through_it() {
        for (server, named) in [
            ("https://api.example.com:6443", "proxy.example.com"),
            ("https://api.example.com:6443", "10.0.0.0/8,,"),
            ("https://api.example.com:6443", "pi.example.com, .api.example.com,*.api.example.com"),
            ("https://api.example.com:6443", "api.example.com:443,."),
            ("https://10.1.2.3:6443", "10.1.2.3:443,11.0.0.0/8,3"),
            ("https://[2001:db8::1]:6443", "2001:db8::2,[2001:db8::1]:443"),
        ] {
            let environment = [("HTTPS_PROXY", PROXY), ("NO_PROXY", named)];
            assert_eq!(chosen(server, None, &environment).as_deref(), Some(PROXY), "{server} {named:?}");
        }
    }

    #[test]
    fn the_proxy_that_a_kubeconfig_names_holds_without_exception() {
        let environment = [("HTTPS_PROXY", "http://other.example.com"), ("NO_PROXY", "*")];
        assert_eq!(chosen("https://127.0.0.1:6443", Some(PROXY), &environment).as_deref(), Some(PROXY));
        assert_eq!(chosen("https://api.example.com", Some(""), &environment), None);
    }

    #[test]
    fn it_is_named_for_the_cluster_of_the_context() {
        let cluster =
            |name: &str, proxy: &str| json!({"name": name, "cluster": {"server": "https://a", "proxy-url": proxy}});
        let context = |name: &str, of: &str| json!({"name": name, "context": {"cluster": of, "user": "alice"}});
        let kubeconfig = json!({
            "clusters": [cluster("first", "http://first"), cluster("second", "http://second")],
            "contexts": [context("one", "first"), context("two", "second")],
            "current-context": "two",
        });
        let kubeconfig: Kubeconfig = serde_json::from_value(kubeconfig).unwrap();
        assert_eq!(named_in(&kubeconfig, None), Some("http://second"));
        assert_eq!(named_in(&kubeconfig, Some("one")), Some("http://first"));
        assert_eq!(named_in(&kubeconfig, Some("three")), None);
    }
}
