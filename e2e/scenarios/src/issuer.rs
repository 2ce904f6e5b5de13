//! An issuer that runs alone.

use std::{
    fs,
    net::SocketAddr,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use serde::Deserialize;

use crate::{
    binaries, clock,
    manifest::Manifest,
    pki::KeyPairFiles,
    process::{Process, Ran, signal, tied},
    records::{self, Records},
    wait::{PATIENCE, until},
};

/// Its configuration and its data, in its folder.
const CONFIG: &str = "issuer.yaml";
const DATA: &str = "data";
const DATABASE: &str = "issuer.db";

/// An issuer's configuration and data, and its process when it runs.
#[derive(Debug)]
pub struct Issuer {
    folder: PathBuf,
    tls: KeyPairFiles,
    /// Variables it is started with, beside those of the test.
    environment: Vec<(String, String)>,
    process: Option<Process>,
    listeners: Option<Listeners>,
}

/// Where a running issuer listens.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Listeners {
    /// What clients and AWS reach.
    pub public: SocketAddr,
    /// Health, metrics, administration.
    pub private: SocketAddr,
}

/// What an administrator hands to a person.
#[derive(Debug, Clone, Deserialize)]
pub struct Invite {
    /// Whom it is for.
    pub email: String,
    /// What they type.
    pub code: String,
}

impl Issuer {
    /// An issuer whose configuration and data will be in `folder`.
    #[must_use]
    pub fn new(folder: &Path, tls: KeyPairFiles, environment: Vec<(String, String)>) -> Self {
        Self { folder: folder.to_owned(), tls, environment, process: None, listeners: None }
    }

    /// Sets a variable for its next start and for administrators' commands.
    pub fn set(&mut self, variable: &str, value: &str) {
        self.environment.push((variable.to_owned(), value.to_owned()));
    }

    /// Makes the data folder, once.
    #[must_use]
    pub fn initialise(&self) -> Ran {
        self.admin(&["init"])
    }

    /// Replaces the configuration; a running issuer reads it at its next start.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn write(&self, manifest: &Manifest) {
        fs::write(self.config(), manifest.text()).unwrap();
    }

    /// `issuer.yaml`.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.folder.join(CONFIG)
    }

    /// Where it keeps keys and people.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.join(DATA)
    }

    /// All that it has written.
    #[must_use]
    pub fn records(&self) -> Records {
        records::read(&self.data().join(DATABASE))
    }

    /// Starts it and waits until it is ready.
    ///
    /// # Panics
    /// When it does not become ready.
    pub fn start(&mut self) -> Listeners {
        let ready = self.folder.join("issuer.ready");
        let _ = fs::remove_file(&ready);
        let mut command = self.program();
        self.say_where(command.arg("serve"));
        command.args(["--listen", "127.0.0.1:0", "--private-listen", "127.0.0.1:0"]);
        command.arg("--tls-cert").arg(&self.tls.certificate).arg("--tls-key").arg(&self.tls.key);
        command.arg("--ready-file").arg(&ready);
        let mut process = Process::start(&mut command, &self.folder.join("issuer.log"));
        let audit = process.lines();
        let sink = self.folder.join("audit.jsonl");
        std::thread::spawn(move || {
            use std::io::Write as _;
            let Ok(mut file) = fs::File::options().create(true).append(true).open(sink) else { return };
            for line in audit {
                let _ = writeln!(file, "{line}");
            }
        });
        let listeners: Listeners = until("the issuer to be ready", PATIENCE, || {
            if let Some(status) = process.ended() {
                panic!("the issuer ended ({status}):\n{}", process.log());
            }
            fs::read(&ready).ok().and_then(|json| serde_json::from_slice(&json).ok())
        });
        self.process = Some(process);
        self.listeners = Some(listeners);
        listeners
    }

    /// Where it listens.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn listeners(&self) -> Listeners {
        self.listeners.expect("the issuer runs")
    }

    /// Its process id.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.as_ref().expect("the issuer runs").id()
    }

    /// Lets it drain and end.
    ///
    /// # Panics
    /// When it does not run, or ends with a failure.
    pub fn stop(&mut self) {
        let status = self.process.take().expect("the issuer runs").terminate();
        assert!(status.success(), "the issuer ended with {status}");
    }

    /// Kills it, as a power failure would.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Asks it to read its files again.
    pub fn reload(&self) {
        signal(self.id(), rustix::process::Signal::HUP);
    }

    /// Runs an administrator's command.
    #[must_use]
    pub fn admin(&self, arguments: &[&str]) -> Ran {
        self.run(self.program(), arguments)
    }

    /// Runs an administrator's command at another time, such as `-1h`.
    #[must_use]
    pub fn admin_at(&self, offset: &str, arguments: &[&str]) -> Ran {
        let mut command = tied(binaries::path("vouch-issuer"));
        clock::shift(&mut command, offset);
        self.run(command, arguments)
    }

    fn run(&self, mut command: Command, arguments: &[&str]) -> Ran {
        let (subcommands, rest) = arguments.split_at(arguments.iter().take_while(|a| !a.starts_with('-')).count());
        self.say_where(command.args(subcommands));
        command.args(rest);
        Ran::to_the_end(format!("vouch-issuer {}", arguments.join(" ")), &mut command)
    }

    /// Checks the manifest.
    #[must_use]
    pub fn check(&self) -> Ran {
        let mut command = self.program();
        command.arg("check").arg("-f").arg(self.config());
        Ran::to_the_end("vouch-issuer check".to_owned(), &mut command)
    }

    /// What it logged since its first start.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("issuer.log")).unwrap_or_default()
    }

    /// Invites a person.
    ///
    /// # Panics
    /// When the issuer refuses.
    #[must_use]
    pub fn invite(&self, email: &str) -> Invite {
        let ran = self.admin(&["invite", email, "--output", "json"]).succeeded();
        serde_json::from_value(ran.json()).unwrap_or_else(|error| panic!("{error}: {ran}"))
    }

    /// The audit lines so far.
    ///
    /// # Panics
    /// When a line is no JSON.
    #[must_use]
    pub fn audit(&self) -> Vec<serde_json::Value> {
        let text = fs::read_to_string(self.folder.join("audit.jsonl")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn program(&self) -> Command {
        let mut command = tied(binaries::path("vouch-issuer"));
        command.envs(self.environment.iter().cloned()).process_group(0);
        command
    }

    fn say_where(&self, command: &mut Command) {
        command.current_dir(&self.folder).args(["-f", CONFIG, "--data-dir", DATA]);
    }
}
