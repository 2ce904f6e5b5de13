use std::fs;

use crate::{
    home::Home,
    terminal::Terminal,
    world::{DEV, World},
};

const OLD: &str = "issuer = \"https://old.example.com\"\nemail = \"alice@example.com\"\n";

fn config(home: &Home) -> String {
    fs::read_to_string(home.path(".config/vouch/config.toml")).unwrap()
}

fn set_up_for_another(world: &World) -> Home {
    let home = Home::at(world);
    fs::write(home.path(".config/vouch/config.toml"), OLD).unwrap();
    home
}

#[test]
fn another_issuer_is_refused_without_a_terminal_and_what_would_be_lost_is_named() {
    let world = World::start();
    let home = set_up_for_another(&world);
    for command in [&["enroll", &world.url, "--code", "7KQF-29MD-W3XA"][..], &["login", &world.url]] {
        let ran = home.run(command);
        assert_eq!((ran.code, ran.stdout.as_str()), (6, ""), "{ran:?}");
        let sentence = "vouch: this machine is set up for https://old.example.com (alice@example.com), and for one issuer at a time. ";
        assert!(ran.stderr.starts_with(sentence) && ran.stderr.contains("--replace"), "{}", ran.stderr);
        assert_eq!(config(&home), OLD);
    }
}

#[test]
fn at_a_terminal_the_person_is_asked_before_another_issuer_is_contacted() {
    let world = World::start();
    let home = set_up_for_another(&world);
    let mut terminal = Terminal::start(&home.command(&["login", &world.url]));
    terminal.expect("This machine is set up for https://old.example.com (alice@example.com)");
    terminal.expect("Switch? [y/N] ");
    terminal.type_line("");
    let (code, text) = terminal.finish();
    assert_eq!(code, 6, "{text}");
    assert!(text.contains("nothing was changed; this machine stays set up for https://old.example.com"), "{text}");
    assert_eq!((config(&home).as_str(), world.with(|facts| facts.discoveries)), (OLD, 0));
}

#[test]
fn an_invite_code_is_asked_for_by_a_process_that_leaves_no_core_dump() {
    let world = World::start();
    let home = Home::at(&world);
    let mut terminal = Terminal::start(&home.command(&["enroll", &world.url]));
    terminal.expect("Invite code: ");
    let limits = fs::read_to_string(format!("/proc/{}/limits", terminal.id())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"]);
    terminal.type_line("7KQF-29MD-W3XA");
    terminal.expect("There is no such invite. Once more:");
    // What is typed before the question is no answer.
    terminal.expect("Invite code: ");
    terminal.type_line("7KQF-29MD");
    terminal.expect("this one has 8. Once more:");
    terminal.expect("Invite code: ");
    terminal.type_line("7KQF-29MD-W3XB");
    let (code, text) = terminal.finish();
    let codes = ["7KQF-29MD-W3XA", "7KQF-29MD-W3XB"].map(str::to_owned).to_vec();
    assert_eq!((code, world.with(|facts| facts.codes.clone())), (5, codes), "{text}");
}

#[test]
fn an_invite_code_goes_to_nobody_but_an_issuer() {
    let world = World::start();
    let home = Home::at(&world);
    fs::remove_file(home.path(".config/vouch/config.toml")).unwrap();
    world.with(|facts| facts.calls_itself = Some("https://vouch.example.com"));
    let mut terminal = Terminal::start(&home.command(&["enroll", &world.url]));
    terminal.expect("calls itself https://vouch.example.com");
    let (code, text) = terminal.finish();
    assert_eq!((code, world.with(|facts| facts.codes.len())), (6, 0), "{text}");
    let elsewhere = format!("{}/team", world.url);
    let (code, text) = Terminal::start(&home.command(&["login", &elsewhere])).finish();
    assert_eq!(code, 6, "{text}");
    assert!(text.contains(&format!("{elsewhere} does not answer as an issuer does. Check the URL")), "{text}");
    assert!(!home.path(".config/vouch/config.toml").exists());
}

#[test]
fn a_signal_at_a_question_gives_the_terminal_back_with_its_echo() {
    let world = World::start();
    let home = Home::at(&world);
    for signal in [rustix::process::Signal::INT, rustix::process::Signal::TERM, rustix::process::Signal::QUIT] {
        let mut terminal = Terminal::start(&home.command(&["enroll", &world.url]));
        terminal.expect("Invite code: ");
        assert!(!terminal.echoes());
        terminal.signal(signal);
        let ended = terminal.wait();
        assert_eq!(ended, 128 + signal.as_raw());
        assert!(terminal.echoes(), "{signal:?}");
        let (_, text) = terminal.finish();
        assert!(text.contains("Invite code: ") && text.ends_with('\n'), "{signal:?}: {text:?}");
    }
}

#[test]
fn in_the_background_of_a_terminal_it_fails_at_once_and_does_not_hang() {
    let world = World::start();
    let home = Home::at(&world);
    let vouch = home.command(&["login"]);
    let mut shell = std::process::Command::new("sh");
    // `timeout` makes a process group of its own, as a shell does for a job in the background.
    shell.args(["-c", &format!("timeout 15 {} login; exit $?", vouch.get_program().to_str().unwrap())]);
    shell.envs(vouch.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let (code, text) = Terminal::start(&shell).finish();
    assert_eq!(code, 7, "{text}");
    assert!(text.contains("this command runs in the background") && text.contains("timeout --foreground"), "{text}");
}

#[test]
fn a_damaged_configuration_is_named_by_line_and_not_replaced() {
    let world = World::start();
    let home = Home::at(&world);
    fs::write(home.path(".config/vouch/config.toml"), "issuer = 7\n").unwrap();
    let ran = home.run(&["login", &world.url]);
    assert_eq!(ran.code, 6);
    assert!(ran.stderr.contains("config.toml is not valid: line 1: "), "{}", ran.stderr);
    assert_eq!(config(&home), "issuer = 7\n");
}

#[test]
fn a_file_that_is_none_is_said_in_words_with_the_variable_that_names_another() {
    let home = Home::new();
    fs::create_dir_all(home.path(".config/vouch/config.toml")).unwrap();
    fs::create_dir_all(home.path(".aws/config")).unwrap();
    for (command, variable) in
        [(&["login"][..], "VOUCH_CONFIG_DIR"), (&["setup", "aws", "--role", DEV], "AWS_CONFIG_FILE")]
    {
        let ran = home.run(command);
        assert_eq!(ran.code, 6);
        let end = format!("it is a folder. Put that right, or name another place with {variable}\n");
        assert!(ran.stderr.ends_with(&end), "{}", ran.stderr);
    }
}

#[test]
fn what_leads_elsewhere_is_shown_by_status_and_doctor_without_a_proxys_password() {
    let world = World::start();
    let mut home = Home::at(&world);
    home.login(&world);
    home.set("HTTPS_PROXY", "http://alice:s3cret@127.0.0.1:1");
    home.set("NO_PROXY", "localhost");
    let status = home.run(&["status"]);
    assert!(
        status.stdout.contains("\nconfig   ~/.config/vouch/config.toml\nenv      VOUCH_CA_BUNDLE="),
        "{}",
        status.stdout
    );
    assert!(
        status.stdout.contains("HTTPS_PROXY=http://…@127.0.0.1:1 (here; the agent runs without it)"),
        "{}",
        status.stdout
    );
    let doctor = home.run(&["doctor", "agent"]);
    assert_eq!(doctor.code, 1, "{}", doctor.stdout);
    assert!(
        doctor.stdout.contains("the agent was started without HTTPS_PROXY=http://…@127.0.0.1:1"),
        "{}",
        doctor.stdout
    );
    let doctor = home.run(&["doctor", "config"]);
    assert!(
        doctor.stdout.starts_with("✓ config       ~/.config/vouch/config.toml: https://localhost:"),
        "{}",
        doctor.stdout
    );
    for text in [status.stdout, doctor.stdout] {
        assert!(!text.contains("s3cret"), "{text}");
    }
}
