//! `setup/packages` at the hands of an ordinary user: it says what is missing and how to get it, and never hangs.
//!
//! Debian's programs are played by scripts; what the scripts were asked is in a file beside them.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;
use vouch_scenarios::{process::Ran, terminal::Terminal};

#[test]
fn what_is_there_asks_for_nothing() {
    let machine = Machine::with(&[("apt-get", "note; exit 1"), ("sudo", "note; exit 1")]);
    let ran = machine.packages(&["there"]).succeeded();
    assert_eq!((ran.stderr.as_str(), machine.asked()), ("", String::new()));
}

#[test]
fn without_sudo_root_is_told_what_to_run() {
    let machine = Machine::with(&[("apt-get", "note; exit 1")]);
    let ran = machine.packages(&["there", "one", "two"]).failed(1, "As root, run: apt-get install");
    assert!(ran.stderr.trim_end().ends_with("one two"), "{ran}");
    assert_eq!(machine.asked(), "");
}

#[test]
fn a_password_that_nobody_can_type_is_not_waited_for() {
    let machine = Machine::with(&[("apt-get", "note; exit 1"), ("sudo", "note; exit 1")]);
    let _ = machine.packages(&["one"]).failed(1, "Run: sudo apt-get install --no-install-recommends one");
    assert_eq!(machine.asked(), "sudo -n true\n");
}

#[test]
fn at_a_terminal_sudo_asks_before_its_output_goes_to_a_log() {
    let sudo = r#"note; case "$1" in -n) exit 1;; -v) read -rp "password: " word </dev/tty; [ "$word" = right ];; *) "$@";; esac"#;
    let machine = Machine::with(&[("apt-get", "note"), ("sudo", sudo)]);
    let mut terminal = machine.at_terminal(&["one"]);
    terminal.expect("password: ");
    terminal.type_line("right");
    terminal.expect("installing Debian packages: one");
    let _ = terminal.finish().succeeded();
    assert!(machine.asked().contains("install --yes --no-install-recommends one"), "{}", machine.asked());

    let mut terminal = machine.at_terminal(&["one"]);
    terminal.expect("password: ");
    terminal.type_line("wrong");
    let _ = terminal.finish().failed(1, "sudo does not let");
}

#[test]
fn a_failure_of_apt_is_shown_with_its_last_words() {
    let machine = Machine::with(&[("apt-get", "echo no such package; exit 100"), ("sudo", r#"[ "$1" = -n ] || "$@""#)]);
    let ran = machine.packages(&["one"]).failed(1, "apt-get failed");
    assert!(ran.stderr.contains("no such package"), "{ran}");
}

#[test]
fn another_system_than_debian_is_told_what_to_look_for() {
    let _ = Machine::with(&[])
        .packages(&["one", "two"])
        .failed(1, "this is no Debian; install what corresponds to: one two");
}

/// A folder of programs, and nobody's root.
struct Machine {
    folder: TempDir,
}

impl Machine {
    /// With the real shell, and with `dpkg-query`, which knows one package, and an `id` that is not root's.
    fn with(programs: &[(&str, &str)]) -> Self {
        let machine = Self { folder: tempfile::Builder::new().prefix("setup-").tempdir().unwrap() };
        for real in ["bash", "env", "mktemp", "rm", "setpriv", "setsid", "tail"] {
            let found =
                ["/usr/bin", "/bin"].map(|folder| Path::new(folder).join(real)).into_iter().find(|p| p.exists());
            std::os::unix::fs::symlink(found.unwrap(), machine.program(real)).unwrap();
        }
        machine.add("dpkg-query", r#"[ "${!#}" = there ] && printf installed"#);
        machine.add("id", r#"[ "$1" = -u ] && echo 1000 || echo alice"#);
        for (name, script) in programs {
            machine.add(name, script);
        }
        machine
    }

    fn add(&self, name: &str, script: &str) {
        let note = format!(r#"note() {{ echo "{name} ${{words[*]}}" >>"{}"; }}"#, self.program("asked").display());
        let path = self.program(name);
        fs::write(&path, format!("#!/bin/bash\nwords=(\"$@\")\n{note}\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn program(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What the programs were asked that write it down.
    fn asked(&self) -> String {
        fs::read_to_string(self.program("asked")).unwrap_or_default()
    }

    fn command(&self, names: &[&str]) -> Command {
        let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../setup/packages"));
        command.args(names).env_clear().env("PATH", self.folder.path());
        command
    }

    /// Without a terminal.
    fn packages(&self, names: &[&str]) -> Ran {
        let command = self.command(names);
        let mut detached = Command::new("setsid");
        detached.arg("--wait").arg(command.get_program()).args(names).env_clear().env("PATH", self.folder.path());
        Ran::to_the_end(format!("setup/packages {}", names.join(" ")), &mut detached)
    }

    fn at_terminal(&self, names: &[&str]) -> Terminal {
        Terminal::start(format!("setup/packages {}", names.join(" ")), &self.command(names))
    }
}
