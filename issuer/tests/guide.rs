//! What the guide tells a newcomer to type and to write beside the commands of this program.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use clap::Parser as _;
use support::{Sandbox, succeeded};
use vouch_crds::duration::Duration;

const GUIDE: &str = include_str!("../../docs/getting-started.md");

/// The block of a language that has these words.
fn block(language: &str, words: &str) -> &'static str {
    let blocks = GUIDE.split("```").skip(1).step_by(2).filter_map(|block| block.strip_prefix(&format!("{language}\n")));
    let found: Vec<&str> = blocks.filter(|block| block.contains(words)).collect();
    assert_eq!(found.len(), 1, "{words}: {found:?}");
    found[0]
}

#[test]
fn the_certificate_for_a_first_look_is_one_that_a_server_may_use() {
    let sandbox = Sandbox::initialised();
    succeeded(&sandbox.type_in(block("sh", "openssl req")));
    let [cert, key] = ["cert.pem", "key.pem"].map(|file| sandbox.path(file).to_str().unwrap().to_owned());
    let issuer = sandbox.start_with(&["--tls-cert", &cert, "--tls-key", &key]);
    let target = issuer.public.to_string();
    let check = ["check-endpoint", "https://vouch.example.com", "--connect-to", &target, "--ca-file", &cert];
    assert!(succeeded(&sandbox.run(&check)).contains(" is right: "));
}

#[test]
fn the_unit_of_systemd_starts_what_is_there_and_lets_it_drain() {
    let unit = block("ini", "[Service]");
    let value = |name: &str| unit.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).unwrap();
    let start: Vec<&str> = value("ExecStart").split_whitespace().collect();
    if let Err(error) = vouch_issuer::command::Cli::try_parse_from(&start) {
        panic!("{error}");
    }
    let drain = start.iter().position(|word| *word == "--drain-timeout").map(|at| start[at + 1]).unwrap();
    let seconds = |text: &str| text.parse::<Duration>().unwrap().as_secs();
    assert!(seconds(value("TimeoutStopSec")) > seconds(drain), "systemd kills it while it drains");
    assert_eq!(format!("/var/lib/{}", value("StateDirectory")), "/var/lib/vouch", "where the database is by default");
}
