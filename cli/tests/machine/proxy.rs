use std::{
    io::{self, BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use crate::{
    home::Home,
    world::{DEV, World},
};

/// An HTTP proxy that only tunnels, and keeps the names of those it was asked for.
fn proxy() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let record = Arc::clone(&asked);
    thread::spawn(move || {
        for client in listener.incoming() {
            let client = client.unwrap();
            let request: Vec<_> =
                BufReader::new(&client).lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
            let target = request[0].strip_prefix("CONNECT ").unwrap().split(' ').next().unwrap().to_owned();
            let server = TcpStream::connect(&target).unwrap();
            record.lock().unwrap().push(target);
            (&client).write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
            let (mut up, mut down) = ((client.try_clone().unwrap(), server.try_clone().unwrap()), (server, client));
            thread::spawn(move || io::copy(&mut up.0, &mut up.1));
            thread::spawn(move || io::copy(&mut down.0, &mut down.1));
        }
    });
    (url, asked)
}

#[test]
fn the_proxy_of_the_environment_carries_the_issuer_and_aws() {
    let world = World::start();
    let (url, asked) = proxy();
    let mut home = Home::at(&world);
    home.set("HTTPS_PROXY", &url);
    home.login(&world);
    home.credentials(DEV);
    let host = world.url.trim_start_matches("https://");
    let asked = asked.lock().unwrap();
    assert!(!asked.is_empty() && asked.iter().all(|target| target == host), "{asked:?}");
}

#[test]
fn a_proxy_that_is_not_there_is_blamed_and_not_the_issuer() {
    let world = World::start();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (proxy, why) in [
        ("prxy.invalid:3128".to_owned(), "the name of the proxy is not known"),
        (closed.to_string(), "the proxy refuses the connection"),
    ] {
        let mut home = Home::at(&world);
        home.set("HTTPS_PROXY", &format!("http://alice:s3cret@{proxy}"));
        let ran = home.run(&["doctor", "issuer"]);
        let sentence = format!("through the proxy {proxy}: {why}. Correct HTTPS_PROXY");
        assert!(ran.stdout.contains(&sentence) && !ran.stdout.contains("s3cret"), "{ran:?}");
    }
}

#[test]
fn a_host_in_no_proxy_is_reached_without_it() {
    let world = World::start();
    let (url, asked) = proxy();
    let mut home = Home::at(&world);
    home.set("HTTPS_PROXY", &url);
    home.set("NO_PROXY", "localhost");
    home.login(&world);
    home.credentials(DEV);
    assert!(asked.lock().unwrap().is_empty());
}
