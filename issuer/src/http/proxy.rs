//! Where a request really comes from.
//!
//! `X-Forwarded-For` is what a client claims unless the peer is a proxy of ours, so it is read only then, and only as
//! far as proxies of ours have written it.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;
use ipnet::IpNet;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// The client behind `peer`: the last address of the forwarding chain that is not one of the `trusted` proxies.
///
/// A chain that cannot be read ends the walk: what comes before it was not written by a proxy of ours.
pub(super) fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_ours = |address: IpAddr| trusted.iter().any(|network| network.contains(&address));
    let mut client = peer.to_canonical();
    if !is_ours(client) {
        return client;
    }
    let lines = headers.get_all(FORWARDED_FOR).iter().rev();
    let hops = lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(','));
    for hop in hops {
        let Some(address) = address(hop.trim()) else { break };
        client = address.to_canonical();
        if !is_ours(client) {
            break;
        }
    }
    client
}

/// The address of one hop. Some proxies write the port after it, and brackets around an IPv6 address (RFC 7239 §6).
fn address(hop: &str) -> Option<IpAddr> {
    let bare = || hop.parse().ok();
    let with_port = || hop.parse().ok().map(|socket: SocketAddr| socket.ip());
    let in_brackets = || hop.strip_prefix('[')?.strip_suffix(']')?.parse().ok().map(IpAddr::V6);
    bare().or_else(with_port).or_else(in_brackets)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use axum::http::HeaderValue;

    use super::*;

    fn client(trusted: &str, peer: &str, forwarded: &[&str]) -> String {
        let trusted: Vec<IpNet> = trusted.split_whitespace().map(|network| network.parse().unwrap()).collect();
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(FORWARDED_FOR, HeaderValue::from_str(line).unwrap());
        }
        super::client(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn a_stranger_cannot_claim_another_address() {
        assert_eq!(client("", "192.0.2.9", &["198.51.100.1"]), "192.0.2.9");
        assert_eq!(client("10.0.0.0/8", "192.0.2.9", &["198.51.100.1"]), "192.0.2.9");
    }

    #[test]
    fn the_last_address_not_of_ours_is_the_client() {
        assert_eq!(client("10.0.0.0/8", "10.1.2.3", &["203.0.113.5, 198.51.100.1"]), "198.51.100.1");
        assert_eq!(client("10.0.0.0/8", "10.1.2.3", &["203.0.113.5", "198.51.100.1, 10.9.9.9"]), "198.51.100.1");
        assert_eq!(client("10.0.0.0/8", "::ffff:10.1.2.3", &["::ffff:198.51.100.1"]), "198.51.100.1");
        assert_eq!(client("2001:db8::/32", "2001:db8::1", &["2001:db9::7"]), "2001:db9::7");
    }

    #[test]
    fn a_hop_may_have_a_port_and_brackets() {
        for (hop, address) in [
            ("198.51.100.1:567", "198.51.100.1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[::ffff:198.51.100.1]:443", "198.51.100.1"),
        ] {
            assert_eq!(client("10.0.0.0/8", "10.1.2.3", &[hop]), address, "{hop}");
            assert_eq!(client("10.0.0.0/8", "10.1.2.3", &[&format!("{hop}, 10.9.9.9:80")]), address, "{hop}");
        }
        for hop in ["198.51.100.1:", "198.51.100.1:99999", "[198.51.100.1]", "[2001:db8::1", "[]", ":443", ""] {
            assert_eq!(client("10.0.0.0/8", "10.1.2.3", &[hop]), "10.1.2.3", "{hop}");
        }
    }

    #[test]
    fn an_unreadable_hop_ends_the_walk() {
        assert_eq!(client("10.0.0.0/8", "10.1.2.3", &["198.51.100.1, unknown"]), "10.1.2.3");
        assert_eq!(client("10.0.0.0/8", "10.1.2.3", &["198.51.100.1, unknown, 10.4.4.4"]), "10.4.4.4");
        assert_eq!(client("10.0.0.0/8", "10.1.2.3", &[]), "10.1.2.3");
    }
}
