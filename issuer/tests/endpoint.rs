//! `check-endpoint` against the running program, over TLS.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::{fs, net::TcpListener};

use support::{Running, Sandbox, refused, succeeded};

/// Serves with a certificate for `name`, which is its own authority.
fn serve(sandbox: &Sandbox, name: &str) -> Running {
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let (certificate, key) = (sandbox.path("tls.crt"), sandbox.path("tls.key"));
    fs::write(&certificate, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    sandbox.start_with(&["--tls-cert", certificate.to_str().unwrap(), "--tls-key", key.to_str().unwrap()])
}

fn arguments(sandbox: &Sandbox, issuer: &Running, url: &str) -> Vec<String> {
    let authorities = sandbox.path("tls.crt");
    let target = issuer.public.to_string();
    ["check-endpoint", url, "--connect-to", &target, "--ca-file", authorities.to_str().unwrap()]
        .map(str::to_owned)
        .into()
}

fn check(sandbox: &Sandbox, issuer: &Running, url: &str) -> std::process::Output {
    let arguments = arguments(sandbox, issuer, url);
    sandbox.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn an_issuer_is_found_through_another_address_by_its_own_name() {
    let sandbox = Sandbox::initialised();
    let issuer = serve(&sandbox, "vouch.example.com");
    let found = check(&sandbox, &issuer, "https://vouch.example.com");
    assert!(
        succeeded(&found).starts_with("https://vouch.example.com is right: verifiers find it, and 2 keys: "),
        "{found:?}"
    );
    let arguments = arguments(&sandbox, &issuer, "https://vouch.example.com");
    let answer = sandbox.json(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(
        (answer["issuer"].as_str(), answer["keys"].as_array().unwrap().len()),
        (Some("https://vouch.example.com"), 2)
    );
}

#[test]
fn an_issuer_that_is_not_the_one_that_is_asked_for_is_refused() {
    let sandbox = Sandbox::initialised();
    let issuer = serve(&sandbox, "vouch.example.com");
    let elsewhere = refused(&check(&sandbox, &issuer, "https://vouch.example.com/team")).to_owned();
    assert!(elsewhere.contains("answers 404 Not Found. Name the URL as in spec.url"), "{elsewhere}");
    let other_name = refused(&check(&sandbox, &issuer, "https://other.example.com")).to_owned();
    let why = "does not answer: its certificate is for another name than other.example.com (vouch.example.com). ";
    assert!(other_name.contains(why), "{other_name}");
    let next = "Get one with the subjectAltName DNS:other.example.com\n";
    assert!(other_name.ends_with(next), "a library speaks: {other_name}");
}

#[test]
fn a_password_in_a_url_is_not_repeated_wherever_it_stands() {
    let (url, secret) = ("https://vouch.example.com", "https://alice:secret@vouch.example.com");
    for line in [
        &["check-endpoint", secret][..],
        &["check-endpoint", url, secret],
        &["check-endpoint", url, "--connect-to", secret],
        &[secret],
    ] {
        let refused = Sandbox::new().run(&[line, &["-o", "json"]].concat());
        for words in [refused.stderr, refused.stdout].map(|words| String::from_utf8(words).unwrap()) {
            assert!(!refused.status.success() && words.contains("https://…@vouch.example.com"), "{line:?}: {words}");
            assert!(!words.contains("alice") && !words.contains("secret"), "{line:?}: {words}");
        }
    }
}

#[test]
fn a_certificate_of_an_authority_that_was_not_named_is_refused() {
    let sandbox = Sandbox::initialised();
    let issuer = serve(&sandbox, "vouch.example.com");
    let other = rcgen::generate_simple_self_signed(vec!["vouch.example.com".to_owned()]).unwrap();
    fs::write(sandbox.path("tls.crt"), other.cert.pem()).unwrap();
    let words = refused(&check(&sandbox, &issuer, "https://vouch.example.com")).to_owned();
    assert!(
        words.contains("not signed by an authority that is trusted here. ") && words.contains("--ca-file"),
        "{words}"
    );
}

#[test]
fn what_does_not_answer_or_cannot_be_read_is_named() {
    let sandbox = Sandbox::new();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let certificate = rcgen::generate_simple_self_signed(vec!["vouch.example.com".to_owned()]).unwrap();
    let file = sandbox.path("ca.crt");
    fs::write(&file, certificate.cert.pem()).unwrap();
    let run = |target: &str, file: &str| {
        let arguments = ["check-endpoint", "https://vouch.example.com", "--connect-to", target, "--ca-file", file];
        refused(&sandbox.run(&arguments)).to_owned()
    };
    let file = file.to_str().unwrap();
    let refused = run(&closed, file);
    assert!(refused.contains("/openid-configuration does not answer: the connection is refused. Start"), "{refused}");
    assert!(run("nowhere", file).contains("needs a HOST:PORT"));
    fs::write(file, "no certificate").unwrap();
    assert!(run(&closed, file).contains("no certificate authorities"));
    assert!(run(&closed, "/nonexistent.crt").contains("/nonexistent.crt cannot be used"));
}
