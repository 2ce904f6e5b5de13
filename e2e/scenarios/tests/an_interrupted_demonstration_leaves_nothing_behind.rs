//! `make demo`, stopped in the middle: no process and no folder remains, the agent of alice included.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use rustix::process::Signal;
use vouch_scenarios::{
    binaries,
    process::{Process, Ran, has_ended, signal, tied},
    wait::{PATIENCE, until},
};

#[test]
fn ctrl_c_before_anybody_enrolled() {
    interrupted("vouch-issuer init", Signal::INT, 130);
}

#[test]
fn ctrl_c_while_alice_works() {
    interrupted("vouch setup aws", Signal::INT, 130);
}

#[test]
fn a_polite_request_to_end_while_alice_works() {
    interrupted("aws sts get-caller-identity", Signal::TERM, 143);
}

#[test]
fn a_terminal_that_is_closed_during_the_administrators_work() {
    interrupted("aws iam create-role", Signal::HUP, 129);
}

#[test]
fn a_real_key_without_a_terminal_is_refused_and_leaves_nothing() {
    let folder = tempfile::Builder::new().prefix("demo-").tempdir().unwrap();
    let mut demo = tied("setsid");
    demo.arg("--wait").arg(binaries::path("demo")).args(["--key", "usb"]).env("TMPDIR", folder.path());
    let ran = Ran::to_the_end("demo --key usb".to_owned(), demo.stderr(Stdio::piped()));
    assert_eq!(ran.code, Some(1), "{ran}");
    assert!(ran.stderr.contains("The demonstration stopped here") && ran.stderr.contains("terminal"), "{ran}");
    assert_eq!(remains(folder.path()), Vec::<PathBuf>::new());
}

fn interrupted(after: &str, by: Signal, code: i32) {
    let folder = tempfile::Builder::new().prefix("demo-").tempdir().unwrap();
    let mut command = tied(binaries::path("demo"));
    command.env("TMPDIR", folder.path());
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut demo = Process::start(&mut command, log.path());
    let story = demo.lines();
    let told = story.iter().any(|line| line.contains(after));
    assert!(told, "{after:?} was not told:\n{}", demo.log());

    let own: Vec<u32> = processes().into_iter().filter(|process| is_below(process, demo.id())).collect();
    let agents = agents(folder.path());
    assert!(!own.is_empty(), "the issuer and the stand-in run");
    assert!(after.starts_with("vouch-issuer") || after.contains("iam") || !agents.is_empty(), "alice has an agent");

    signal(demo.id(), by);
    // Terminals and `make` say it more than once.
    signal(demo.id(), by);
    let status = until("the end of the demonstration", PATIENCE, || demo.ended());
    assert_eq!(status.code(), Some(code), "{}", demo.log());
    assert!(demo.log().contains("Interrupted."), "{}", demo.log());
    assert!(!demo.log().contains("stopped here"), "{}", demo.log());
    assert_eq!(remains(folder.path()), Vec::<PathBuf>::new());
    until("every process to be gone", PATIENCE, || own.iter().chain(&agents).all(|id| has_ended(*id)).then_some(()));
}

/// What is left in the folder for temporary files.
fn remains(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// The agents of everybody in the story, by what they write into their lock files.
fn agents(folder: &Path) -> Vec<u32> {
    let locks = remains(folder).into_iter().map(|world| world.join("alice/run/vouch/agent.lock"));
    locks.filter_map(|lock| fs::read_to_string(lock).ok()?.trim().parse().ok()).collect()
}

fn processes() -> Vec<u32> {
    let entries = fs::read_dir("/proc").unwrap();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

/// Whether one process was started by another, directly or not (proc_pid_stat(5)).
fn is_below(process: &u32, ancestor: u32) -> bool {
    let parent = |id: u32| -> Option<u32> {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
    };
    std::iter::successors(parent(*process), |id| parent(*id)).any(|id| id == ancestor)
}
