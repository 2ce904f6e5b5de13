use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _},
        net::{UnixListener, UnixStream},
    },
    time::{Duration, Instant},
};

use crate::{
    home::{Home, assert_promptly, ran, wait_until},
    world::{DEV, World},
};

const SOON: Duration = Duration::from_secs(30);

#[test]
fn without_an_agent_a_helper_fails_fast_with_one_sentence() {
    let home = Home::set_up();
    assert_promptly(Duration::from_secs(2), || {
        let begun = Instant::now();
        let ran = home.run(&["credential", "aws", "--role", DEV]);
        let took = begun.elapsed();
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
        assert_eq!(ran.stderr, "vouch: you are not signed in. Run: vouch login\n");
        took
    });
    assert!(!home.socket().exists(), "a helper starts no agent");
}

#[test]
fn a_machine_that_knows_no_issuer_says_so_at_once() {
    let home = Home::new();
    for command in [&["credential", "aws", "--role", DEV][..], &["keys", "list"], &["aws", "roles"]] {
        let ran = home.run(command);
        assert_eq!((ran.code, ran.stdout.as_str()), (6, ""), "{ran:?}");
        assert!(
            ran.stderr.starts_with("vouch: this machine does not know your issuer yet. Run: vouch enroll URL"),
            "{ran:?}"
        );
    }
}

#[test]
fn an_agent_without_a_session_is_replaced_when_its_environment_is_another() {
    let mut home = Home::set_up();
    assert_eq!(home.run(&["agent", "start"]).code, 0);
    let first = home.status().pid;
    assert_eq!(home.run(&["agent", "start"]).code, 0);
    assert_eq!(home.status().pid, first, "the same environment, the same agent");
    home.set("HTTPS_PROXY", "http://proxy.example.com:3128");
    assert_eq!(home.run(&["agent", "start"]).code, 0);
    let status = home.status();
    assert_ne!(status.pid, first);
    assert_eq!(status.overrides[0].name, "HTTPS_PROXY");
}

#[test]
fn an_agent_with_a_session_stays_and_its_owner_is_told() {
    let world = World::start();
    let mut home = Home::at(&world);
    home.login(&world);
    let first = home.status().pid;
    home.set("HTTPS_PROXY", "http://proxy.example.com:3128");
    let ran = home.run(&["agent", "start"]);
    assert!(ran.stderr.contains("differs in HTTPS_PROXY") && ran.stderr.contains("vouch agent stop"), "{ran:?}");
    assert_eq!((home.status().pid, home.status().session.is_some()), (first, true));
}

#[test]
fn an_agent_without_a_session_says_so() {
    let home = Home::set_up();
    assert_eq!(home.run(&["agent", "start"]).code, 0);
    let ran = home.run(&["credential", "aws", "--role", DEV]);
    assert_eq!((ran.code, ran.stderr.as_str()), (2, "vouch: you are not signed in. Run: vouch login\n"));
}

#[test]
fn the_socket_and_its_folder_are_for_their_owner_alone() {
    let home = Home::new();
    assert_eq!(home.run(&["agent", "start"]).code, 0);
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().mode() & 0o7777;
    assert_eq!((mode(&home.socket()), mode(home.socket().parent().unwrap())), (0o600, 0o700));
    assert_eq!(mode(&home.path(".local/state/vouch/agent.log")), 0o600);
}

#[test]
fn the_agent_leaves_no_core_dump_and_no_terminal() {
    let home = Home::new();
    assert_eq!(home.run(&["agent", "start"]).code, 0);
    let pid = home.status().pid;
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"]);
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // proc_pid_stat(5): behind the name come state, ppid, pgrp, session, tty.
    let fields: Vec<_> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    assert_eq!((fields[3], fields[4]), (pid.to_string().as_str(), "0"));
}

#[test]
fn twenty_starts_at_once_yield_one_agent() {
    let home = Home::new();
    let start = || {
        let mut start = home.command(&["agent", "start"]);
        start.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap()
    };
    for start in [(); 20].map(|()| start()) {
        let ran = ran(start.wait_with_output().unwrap());
        assert_eq!(ran.code, 0, "{ran:?}");
    }
    let pid = home.status().pid;
    let holder = fs::read_to_string(home.path("run/vouch/agent.lock")).unwrap();
    assert_eq!(holder.trim(), pid.to_string());
}

#[test]
fn a_killed_agents_socket_is_replaced() {
    let home = Home::new();
    assert_eq!(home.run(&["agent", "start"]).code, 0);
    let first = home.status().pid;
    let killed = std::process::Command::new("kill").args(["-9", &first.to_string()]).status().unwrap();
    assert!(killed.success());
    wait_until(SOON, "the agent is gone", || UnixStream::connect(home.socket()).is_err());
    assert!(home.socket().exists());
    assert_eq!(home.run(&["agent", "start"]).code, 0);
    assert_ne!(home.status().pid, first);
}

#[test]
fn a_folder_that_others_can_open_is_refused_with_the_command_that_helps() {
    let home = Home::new();
    let folder = home.path("run/vouch");
    fs::create_dir_all(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    let ran = home.run(&["agent", "start"]);
    assert_eq!(ran.code, 6, "{ran:?}");
    assert!(ran.stderr.contains("is open to other users") && ran.stderr.contains("chmod 700"), "{}", ran.stderr);
    let doctor = home.run(&["doctor", "agent"]);
    assert_eq!(doctor.code, 1);
    assert!(doctor.stdout.contains("is open to other users") && doctor.stdout.contains("chmod 700"), "{doctor:?}");
}

#[test]
fn stop_ends_the_agent_and_removes_its_socket() {
    let home = Home::new();
    assert_eq!(home.run(&["agent", "start"]).code, 0);
    assert_eq!(home.run(&["agent", "stop"]).code, 0);
    assert!(!home.socket().exists());
    assert_eq!(home.run(&["agent", "stop"]).stderr, "No agent runs.\n");
    assert_eq!(home.run(&["agent", "status"]).code, 1);
}

#[test]
fn a_full_disk_costs_the_agent_its_log_and_nothing_else() {
    let home = Home::new();
    fs::create_dir_all(home.path(".local/state/vouch")).unwrap();
    std::os::unix::fs::symlink("/dev/full", home.path(".local/state/vouch/agent.log")).unwrap();
    assert_eq!(home.run(&["agent", "start"]).code, 0);
    let pid = home.status().pid;
    assert!(std::process::Command::new("kill").arg(pid.to_string()).status().unwrap().success());
    wait_until(SOON, "the agent is gone", || {
        !std::path::Path::new(&format!("/proc/{pid}/stat")).exists() || is_zombie(pid)
    });
}

/// Whether a process has ended and nobody has asked how.
fn is_zombie(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "))
}

#[test]
fn nonsense_and_endless_lines_do_not_hurt_the_agent() {
    let home = Home::new();
    assert_eq!(home.run(&["agent", "start"]).code, 0);
    let stream = UnixStream::connect(home.socket()).unwrap();
    let mut answers = BufReader::new(&stream);
    for line in ["", "{", r#"{"v":1,"op":"fly"}"#, "\u{0}\u{1}"] {
        (&stream).write_all(format!("{line}\n").as_bytes()).unwrap();
        let mut answer = String::new();
        answers.read_line(&mut answer).unwrap();
        assert!(answer.starts_with(r#"{"err":"#), "{answer}");
    }
    let flood = UnixStream::connect(home.socket()).unwrap();
    flood.set_write_timeout(Some(SOON)).unwrap();
    let chunk = [b'x'; 65_536];
    let written = (0..64).take_while(|_| (&flood).write_all(&chunk).is_ok()).count();
    assert!(written < 64, "the agent hung up");
    assert_eq!(home.status().credentials, []);
}

#[test]
fn an_agent_of_another_version_is_replaced_and_that_is_said() {
    let home = Home::new();
    fs::create_dir_all(home.path("run/vouch")).unwrap();
    fs::set_permissions(home.path("run/vouch"), fs::Permissions::from_mode(0o700)).unwrap();
    let listener = UnixListener::bind(home.socket()).unwrap();
    let socket = home.socket();
    let old = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut heard = Vec::new();
        for line in BufReader::new(&stream).lines() {
            let line = line.unwrap();
            let is_stop = line.contains(r#""op":"stop""#);
            heard.push(line);
            if is_stop {
                fs::remove_file(&socket).unwrap();
                return heard;
            }
            (&stream).write_all(b"{\"incompatible\":{\"v\":99}}\n").unwrap();
        }
        heard
    });
    let ran = home.run(&["agent", "start"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.stderr.starts_with("The agent of another vouch version was replaced; its session has ended.\n"),
        "{ran:?}"
    );
    assert_eq!(old.join().unwrap().len(), 2);
    assert!(home.status().session.is_none());
}

#[test]
fn a_helper_gives_up_on_an_agent_that_does_not_answer() {
    let mut home = Home::new();
    home.set("VOUCH_TIMEOUT", "1");
    fs::create_dir_all(home.path("run/vouch")).unwrap();
    let _silent = UnixListener::bind(home.socket()).unwrap();
    let begun = Instant::now();
    let ran = home.run(&["credential", "aws", "--role", DEV]);
    assert_eq!((ran.code, ran.stdout.as_str()), (4, ""));
    assert!(ran.stderr.starts_with("vouch: the agent had no answer within 1 s."), "{ran:?}");
    assert!(begun.elapsed() < Duration::from_secs(5));
    fs::remove_file(home.socket()).unwrap();
}
