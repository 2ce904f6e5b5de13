#![allow(clippy::unwrap_used, clippy::panic)]

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
};

use axum::{Router, routing::get};

use super::*;

const IDLE: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(20);

fn limits(total: usize, per_client: usize) -> ConnectionLimits {
    ConnectionLimits { total, per_client, idle: IDLE }
}

fn connections(limits: ConnectionLimits) -> Arc<Connections> {
    Connections::new(limits, ListenerMeter::default())
}

fn client(last: u8) -> Option<IpAddr> {
    Some(IpAddr::from([192, 0, 2, last]))
}

#[test]
fn the_public_listener_leaves_descriptors_for_everything_else() {
    let of = |descriptors| ConnectionLimits::public(descriptors, IDLE);
    assert_eq!(of(1024), limits(768, 192));
    assert_eq!(of(usize::MAX), limits(8192, 2048));
    assert_eq!(of(64), limits(16, 4));
    const { assert!(PRIVATE + 2 * CLOSING < RESERVED / 2) };
}

#[test]
fn a_client_with_its_part_in_use_gets_no_more_and_others_do() {
    let connections = connections(limits(4, 2));
    let now = Instant::now();
    let mut places = vec![connections.admit(client(1), now).unwrap(), connections.admit(client(1), now).unwrap()];
    assert_eq!(connections.admit(client(1), now).unwrap_err(), Refused::Client);
    places.push(connections.admit(client(2), now).unwrap());
    places.push(connections.admit(client(3), now).unwrap());
    assert_eq!(connections.admit(client(4), now).unwrap_err(), Refused::Everybody);
    places.remove(0);
    connections.admit(client(4), now).unwrap();
}

#[test]
fn a_host_has_one_part_whatever_its_ipv6_address() {
    let connections = connections(limits(4, 1));
    let now = Instant::now();
    let _place = connections.admit(Some("2001:db8::1".parse().unwrap()), now).unwrap();
    assert_eq!(connections.admit(Some("2001:db8::2".parse().unwrap()), now).unwrap_err(), Refused::Client);
}

#[test]
fn a_proxy_of_ours_is_bound_by_the_total_alone() {
    let connections = connections(limits(4, 1));
    let now = Instant::now();
    let _places: Vec<_> = (0..4).map(|_| connections.admit(None, now).unwrap()).collect();
    assert_eq!(connections.admit(None, now).unwrap_err(), Refused::Everybody);
}

#[test]
fn the_longest_idle_connection_makes_room_and_none_with_a_request() {
    let connections = connections(limits(3, 3));
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let mut places: Vec<_> = (0..3).map(|n| connections.admit(client(1), at(n)).unwrap()).collect();
    let _in_flight = InFlight::begin(Arc::clone(&places[0].activity));
    let _new = connections.admit(client(2), at(9)).unwrap();
    let told: Vec<_> = places.iter_mut().map(|place| place.told.try_recv().is_ok()).collect();
    assert_eq!(told, [false, true, false]);
}

#[test]
fn a_client_with_its_part_makes_room_for_itself() {
    let connections = connections(limits(9, 1));
    let start = Instant::now();
    let mut others = connections.admit(client(2), start).unwrap();
    let mut first = connections.admit(client(1), start + LEAST_IDLE).unwrap();
    let _second = connections.admit(client(1), start + 2 * LEAST_IDLE).unwrap();
    assert!(first.told.try_recv().is_ok());
    assert!(others.told.try_recv().is_err());
}

#[test]
fn connections_that_do_not_close_are_not_exceeded_without_end() {
    let connections = connections(limits(2, 2));
    let start = Instant::now();
    let after = |n: usize| start + LEAST_IDLE * u32::try_from(n).unwrap();
    let places: Vec<_> = (0..500).map_while(|n| connections.admit(client(1), after(n)).ok()).collect();
    assert_eq!(places.len(), 2 + CLOSING);
}

#[test]
fn what_happens_to_connections_is_counted() {
    let meter = ListenerMeter::default();
    let connections = Connections::new(limits(2, 1), meter.clone());
    let start = Instant::now();
    let counted = || (meter.open.get(), meter.evicted.get(), meter.over_client_limit.get(), meter.over_total.get());
    let places = [connections.admit(client(1), start).unwrap(), connections.admit(client(2), start).unwrap()];
    assert_eq!(counted(), (2, 0, 0, 0));
    connections.admit(client(1), start).unwrap_err();
    connections.admit(client(3), start).unwrap_err();
    assert_eq!(counted(), (2, 0, 1, 1));
    let newest = connections.admit(client(3), start + LEAST_IDLE).unwrap();
    assert_eq!(counted(), (3, 1, 1, 1));
    drop((places, newest));
    assert_eq!(counted(), (0, 1, 1, 1));
}

/// A listener whose `/slow` takes twice as long as a connection may be idle.
async fn serving(limits: ConnectionLimits) -> SocketAddr {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let slow = async move || {
        tokio::time::sleep(2 * limits.idle).await;
        "slow"
    };
    let router = Router::new().route("/", get(async || "quick")).route("/slow", get(slow));
    let gate = Gate::new(connections(limits), |_| false);
    let server = axum_server::from_tcp(socket).unwrap().acceptor(gate);
    tokio::spawn(server.serve(router.into_make_service_with_connect_info::<SocketAddr>()));
    address
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Everything up to the end of the connection. Panics when it does not end.
fn to_the_end(mut stream: &TcpStream) -> String {
    let mut read = Vec::new();
    match stream.read_to_end(&mut read) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("{error}"),
        _ => String::from_utf8_lossy(&read).into_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_without_a_request_is_closed_and_one_with_a_request_is_not() {
    assert_eq!(to_the_end(&connect(serving(limits(4, 4)).await)), "");
    // Long enough for a busy machine to bring a request.
    let address = serving(ConnectionLimits { idle: Duration::from_secs(2), ..limits(4, 4) }).await;
    let asked = ["/", "/slow"].map(|path| {
        let mut stream = connect(address);
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: vouch.example.com\r\n\r\n").as_bytes()).unwrap();
        stream
    });
    for stream in &asked {
        let answer = to_the_end(stream);
        assert!(answer.starts_with("HTTP/1.1 200") && answer.matches("HTTP/1.1").count() == 1, "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pings_do_not_keep_an_http2_connection() {
    let address = serving(limits(4, 4)).await;
    let mut stream = connect(address);
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    let begun = std::time::Instant::now();
    while stream.write_all(b"\0\0\x08\x06\0\0\0\0\0vouching").is_ok() {
        assert!(begun.elapsed() < PATIENCE, "still open");
        std::thread::sleep(IDLE / 10);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_must_make_room_is_closed_for_the_new_one() {
    let address = serving(ConnectionLimits { idle: PATIENCE * 2, ..limits(1, 1) }).await;
    let mut old = connect(address);
    old.write_all(b"GET / HTTP/1.1\r\nhost: vouch.example.com\r\n\r\n").unwrap();
    // An answer says that it has its place.
    let mut first = [0; 12];
    old.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    let begun = std::time::Instant::now();
    let answer = loop {
        let mut new = connect(address);
        // A refused connection may be gone before the request is written.
        let _ = new.write_all(b"GET / HTTP/1.1\r\nhost: vouch.example.com\r\nconnection: close\r\n\r\n");
        let answer = to_the_end(&new);
        if !answer.is_empty() {
            break answer;
        }
        assert!(begun.elapsed() < PATIENCE, "no room was made");
        std::thread::sleep(IDLE);
    };
    assert!(answer.ends_with("quick"), "{answer}");
    assert!(to_the_end(&old).ends_with("quick"));
}
