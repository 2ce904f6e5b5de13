//! Many connections that nobody uses, as one client can open them for nothing.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::{
    io::Write,
    net::TcpStream,
    time::{Duration, Instant},
};

use support::{PATIENCE, Running, Sandbox, client};

const JWKS: &str = "/.well-known/jwks.json";

/// Connections that have asked once and stay open, as far as the issuer takes them.
fn idle_connections(issuer: &Running, number: usize) -> Vec<TcpStream> {
    let request = format!("GET {JWKS} HTTP/1.1\r\nhost: vouch.example.com\r\n\r\n");
    let connections = (0..number).map(|_| {
        let mut stream = TcpStream::connect(issuer.public).unwrap();
        // It fails when the connection is refused, and that is one way not to be stopped by it.
        let _ = stream.write_all(request.as_bytes());
        stream
    });
    connections.collect()
}

#[tokio::test]
async fn more_idle_connections_than_there_are_descriptors_stop_nobody() {
    let sandbox = Sandbox::initialised();
    let issuer = sandbox.start_with_descriptors(512, 512);
    let _idle = idle_connections(&issuer, 700);

    // A kubelet waits two seconds, three times.
    let mut alive = 0;
    for _ in 0..3 {
        let livez = client().get(issuer.private_url("/livez")).timeout(Duration::from_secs(2)).send().await;
        alive += usize::from(livez.is_ok_and(|answer| answer.status() == 200));
    }
    assert!(alive > 0, "{}", issuer.log());
    issuer.becomes("ready").await;

    let elsewhere = reqwest::Client::builder().local_address(std::net::IpAddr::from([127, 0, 0, 2]));
    let elsewhere = elsewhere.timeout(PATIENCE).no_proxy().build().unwrap();
    assert_eq!(elsewhere.get(issuer.url(JWKS)).send().await.unwrap().status(), 200);

    // The same client gets through as well, in the place of one of its own that is idle.
    let begun = Instant::now();
    while client().get(issuer.url(JWKS)).timeout(Duration::from_secs(1)).send().await.is_err() {
        assert!(begun.elapsed() < PATIENCE, "{}", issuer.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let metrics = issuer.metrics().await;
    let refused = "vouch_issuer_connections_refused_total{listener=\"public\",limit=\"client\"} ";
    let refused = metrics.lines().find_map(|line| line.strip_prefix(refused)).unwrap();
    assert_ne!(refused, "0", "{metrics}");
}

#[test]
fn the_soft_limit_of_open_files_is_raised_as_far_as_it_may_be() {
    let sandbox = Sandbox::initialised();
    let issuer = sandbox.start_with_descriptors(256, 700);
    let (soft, hard) = issuer.limits("Max open files");
    assert_eq!((soft.as_str(), hard.as_str()), ("700", "700"));
}
