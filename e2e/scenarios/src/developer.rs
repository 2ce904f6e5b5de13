//! A person at one machine: a home folder, a terminal, security keys, and the tools that person uses.

use std::{
    fs,
    os::unix::{net::UnixStream, process::CommandExt as _},
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

use crate::{
    binaries,
    cloud::{ApiError, boto3, call_with},
    issuer::Invite,
    manifest::ISSUER_URL,
    process::{self, Ran, tied},
    terminal::{Finished, Terminal},
    virtual_key::VirtualKey,
};

/// The PIN that every person here gives to every key.
pub const PIN: &str = "271828";

/// A person at one machine.
#[derive(Debug)]
pub struct Developer {
    home: PathBuf,
    environment: Vec<(String, String)>,
    /// What is plugged into this machine.
    sockets: Vec<PathBuf>,
    preload: PathBuf,
}

impl Developer {
    /// A fresh home folder. `environment` leads every program to the world's proxy.
    ///
    /// # Panics
    /// When the folder cannot be made.
    #[must_use]
    pub fn new(home: PathBuf, preload: PathBuf, mut environment: Vec<(String, String)>) -> Self {
        let place = |name: &str| home.join(name).display().to_string();
        for (variable, folder) in [
            ("XDG_CONFIG_HOME", ".config"),
            ("XDG_STATE_HOME", ".local/state"),
            ("XDG_CACHE_HOME", ".cache"),
            ("XDG_RUNTIME_DIR", "run"),
        ] {
            fs::create_dir_all(home.join(folder)).unwrap();
            environment.push((variable.to_owned(), place(folder)));
        }
        environment.push(("HOME".to_owned(), home.display().to_string()));
        Self { home, environment, sockets: Vec::new(), preload }
    }

    /// The home folder.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Plugs a key into this machine.
    pub fn insert(&mut self, key: &VirtualKey) {
        self.sockets.push(key.socket());
    }

    /// Pulls every key out of this machine.
    pub fn pull_out_keys(&mut self) {
        self.sockets.clear();
    }

    /// Sets an environment variable of this person's shell.
    pub fn set(&mut self, variable: &str, value: &str) {
        self.environment.push((variable.to_owned(), value.to_owned()));
    }

    /// A program in this person's environment.
    #[must_use]
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(self.environment.iter().cloned()).current_dir(&self.home);
        command
    }

    /// `vouch` in this person's environment, with the keys that are plugged in.
    #[must_use]
    pub fn vouch_command(&self, arguments: &[&str]) -> Command {
        let mut command = self.vouch_command_without_virtual_keys(arguments);
        let sockets: Vec<String> = self.sockets.iter().map(|socket| socket.display().to_string()).collect();
        let clock = self.environment.iter().find(|(name, _)| name == "LD_PRELOAD").map(|(_, library)| library.as_str());
        let libraries = [self.preload.to_str(), clock].into_iter().flatten().collect::<Vec<_>>().join(":");
        command.env("LD_PRELOAD", libraries).env("VFIDO_SOCKETS", sockets.join(":"));
        command
    }

    /// `vouch` in this person's environment, with the keys of this very machine.
    #[must_use]
    pub fn vouch_command_without_virtual_keys(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(binaries::path("vouch"));
        command.args(arguments);
        command
    }

    /// Runs `vouch` without a terminal, as other programs do.
    #[must_use]
    pub fn vouch(&self, arguments: &[&str]) -> Ran {
        let vouch = self.vouch_command(arguments);
        let mut detached = tied("setsid");
        detached.args(["--wait"]).arg(vouch.get_program()).args(arguments);
        detached.env_clear().current_dir(&self.home);
        detached.envs(vouch.get_envs().filter_map(|(name, value)| value.map(|value| (name, value))));
        Ran::to_the_end(format!("vouch {}", arguments.join(" ")), &mut detached)
    }

    /// Runs `vouch` at a terminal.
    #[must_use]
    pub fn vouch_at_terminal(&self, arguments: &[&str]) -> Terminal {
        Terminal::start(format!("vouch {}", arguments.join(" ")), &self.vouch_command(arguments))
    }

    /// Enrolls the key that is plugged in, choosing its PIN when it has none.
    ///
    /// # Panics
    /// When it does not go as it should.
    pub fn enroll(&self, invite: &Invite) -> Finished {
        let mut terminal = self.start_enrolling(invite);
        unlock(&mut terminal);
        terminal.expect("Enrolled");
        terminal.finish().succeeded()
    }

    /// Begins to enroll and gives the invite code.
    ///
    /// # Panics
    /// When the code is not asked for.
    #[must_use]
    pub fn start_enrolling(&self, invite: &Invite) -> Terminal {
        let mut terminal = self.vouch_at_terminal(&["enroll", ISSUER_URL]);
        terminal.expect("Invite code: ");
        terminal.type_line(&invite.code);
        terminal
    }

    /// Signs in on a machine that knows no issuer.
    ///
    /// # Panics
    /// When it does not go as it should.
    pub fn login_for_the_first_time(&self) -> Finished {
        self.sign_in(&["login", ISSUER_URL])
    }

    /// Signs in with the key that is plugged in.
    ///
    /// # Panics
    /// When it does not go as it should.
    pub fn login(&self) -> Finished {
        self.sign_in(&["login"])
    }

    /// Signs in again although the session has not ended.
    ///
    /// # Panics
    /// When it does not go as it should.
    pub fn login_again(&self) -> Finished {
        self.sign_in(&["login", "--force"])
    }

    /// Enrolls a spare key with a touch of the one that is plugged in. Both are plugged in afterwards.
    ///
    /// # Panics
    /// When it does not go as it should.
    pub fn add_key(&mut self, spare: &mut VirtualKey, name: &str) {
        spare.pull_out();
        self.insert(spare);
        let mut add = self.vouch_at_terminal(&["keys", "add", "--name", name]);
        unlock(&mut add);
        add.expect("Insert the new security key");
        spare.insert();
        unlock(&mut add);
        add.expect(&format!("Enrolled \"{name}\""));
        let _ = add.finish().succeeded();
    }

    fn sign_in(&self, arguments: &[&str]) -> Finished {
        let mut terminal = self.vouch_at_terminal(arguments);
        unlock(&mut terminal);
        terminal.expect("Signed in as");
        terminal.finish().succeeded()
    }

    /// Writes a profile for a role.
    ///
    /// # Panics
    /// When it is refused.
    pub fn set_up_profile(&self, profile: &str, role: &str) {
        let _ = self.vouch(&["setup", "aws", "--role", role, "--profile", profile]).succeeded();
    }

    /// Runs the real `aws` command.
    #[must_use]
    pub fn aws(&self, arguments: &[&str]) -> Ran {
        let mut command = self.command(binaries::aws_clients().join("aws"));
        command.process_group(0);
        Ran::to_the_end(format!("aws {}", arguments.join(" ")), command.args(arguments))
    }

    /// Runs an application with aws-sdk-rust; it prints who it is.
    #[must_use]
    pub fn aws_sdk_rust(&self, profile: &str) -> Ran {
        let mut command = self.command(binaries::path("sdk-client"));
        Ran::to_the_end("sdk-client".to_owned(), command.env("AWS_PROFILE", profile))
    }

    /// Makes one call with boto3 under a profile.
    ///
    /// # Panics
    /// When boto3 cannot be run.
    ///
    /// # Errors
    /// What AWS or boto3 said.
    pub fn boto3(&self, profile: &str, service: &str, operation: &str, parameters: &Value) -> Result<Value, ApiError> {
        let mut python = boto3();
        python.env_clear().envs(self.environment.iter().cloned()).current_dir(&self.home);
        let call = json!({"profile": profile, "service": service, "operation": operation, "parameters": parameters});
        call_with(&mut python, &json!([call])).remove(0)
    }

    /// The socket of this person's agent.
    #[must_use]
    pub fn agent_socket(&self) -> PathBuf {
        self.home.join("run/vouch/agent.sock")
    }

    /// The process id of this person's agent, when one runs.
    #[must_use]
    pub fn agent(&self) -> Option<u32> {
        agent_at(&self.agent_socket())
    }
}

/// The process that listens at a socket, when one does.
#[must_use]
pub fn agent_at(socket: &Path) -> Option<u32> {
    let stream = UnixStream::connect(socket).ok()?;
    let peer = rustix::net::sockopt::socket_peercred(&stream).ok()?;
    u32::try_from(peer.pid.as_raw_nonzero().get()).ok()
}

/// Answers the question for the PIN; a key that has none gets one.
///
/// # Panics
/// When the program ends before that.
pub fn unlock(terminal: &mut Terminal) {
    let unlocked = unlock_unless_it_ends(terminal);
    assert!(unlocked.is_some(), "the PIN was not asked for:\n{}", terminal.text());
}

/// The same with a program that may end at any moment, which is `None`.
pub fn unlock_unless_it_ends(terminal: &mut Terminal) -> Option<()> {
    let (needs_pin, _) = terminal.expect_or_end(&["left): ", "[Y/n] "])?;
    if needs_pin == 1 {
        terminal.type_line("y");
        terminal.expect_or_end(&["New PIN: "])?;
        terminal.type_line(PIN);
        terminal.expect_or_end(&["New PIN again: "])?;
    }
    terminal.type_line(PIN);
    Some(())
}

impl Drop for Developer {
    /// The agent is a daemon: nobody else would end it.
    fn drop(&mut self) {
        if let Some(id) = self.agent() {
            process::kill(id);
        }
    }
}
