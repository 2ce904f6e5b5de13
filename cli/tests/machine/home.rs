//! A home folder with nothing in it but what `vouch` puts there, and the program run in it.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;
use vouch_cli::{
    agent::{
        client::Client,
        protocol::{AgentStatus, Reply, Request},
    },
    error::Failure,
};

use crate::world::World;

pub const VOUCH: &str = env!("CARGO_BIN_EXE_vouch");

pub struct Home {
    folder: TempDir,
    environment: Vec<(String, String)>,
}

/// How a command went.
#[derive(Debug, PartialEq, Eq)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Home {
    /// A home that knows no issuer.
    pub fn new() -> Self {
        Self { folder: TempDir::new().unwrap(), environment: Vec::new() }
    }

    /// A home set up for an issuer that nobody asks.
    pub fn set_up() -> Self {
        let home = Self::new();
        fs::create_dir_all(home.path(".config/vouch")).unwrap();
        fs::write(home.path(".config/vouch/config.toml"), "issuer = \"https://vouch.example.com\"\n").unwrap();
        home
    }

    /// A home set up for the issuer of `world`, which it trusts.
    pub fn at(world: &World) -> Self {
        let mut home = Self::new();
        let bundle = home.path("ca.pem");
        fs::write(&bundle, &world.certificate).unwrap();
        home.set("VOUCH_CA_BUNDLE", bundle.to_str().unwrap());
        home.set("AWS_ENDPOINT_URL_STS", &format!("{}/sts/", world.url));
        fs::create_dir_all(home.path(".config/vouch")).unwrap();
        fs::write(home.path(".config/vouch/config.toml"), format!("issuer = \"{}\"\n", world.url)).unwrap();
        home
    }

    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub fn socket(&self) -> PathBuf {
        self.path("run/vouch/agent.sock")
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(VOUCH);
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.folder.path())
            .env("PATH", "/usr/bin:/bin")
            .env("XDG_RUNTIME_DIR", self.path("run"))
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        ran(self.command(arguments).output().unwrap())
    }

    pub fn client(&self) -> Client {
        Client::connect_to(&self.socket()).unwrap().expect("an agent")
    }

    pub fn status(&self) -> AgentStatus {
        match self.client().call(Request::Status).unwrap() {
            Reply::Status(status) => *status,
            other => panic!("{other:?}"),
        }
    }

    /// Signs in with an assertion the issuer of the tests takes.
    pub fn login(&self, world: &World) {
        let reply = self.try_login(world);
        assert!(matches!(reply, Ok(Reply::Session(_))), "{reply:?}");
    }

    /// The same, whatever comes of it.
    pub fn try_login(&self, world: &World) -> Result<Reply, Failure> {
        assert_eq!(self.run(&["agent", "start"]).code, 0);
        let issuer = world.url.clone();
        let mut client = self.client();
        assert!(matches!(
            client.call(Request::LoginChallenge { issuer: issuer.clone() }),
            Ok(Reply::LoginChallenge(_))
        ));
        let assertion = serde_json::from_value(json!({
            "id": "AAAA",
            "rawId": "AAAA",
            "type": "public-key",
            "response": {"authenticatorData": "AAAA", "clientDataJSON": "AAAA", "signature": "AAAA", "userHandle": null},
        }))
        .unwrap();
        client.call(Request::Login { issuer, state: "sealed".to_owned(), assertion: Box::new(assertion) })
    }

    /// `vouch credential aws --role ROLE`, which must succeed.
    pub fn credentials(&self, role: &str) -> Value {
        let ran = self.run(&["credential", "aws", "--role", role]);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
        serde_json::from_str(&ran.stdout).unwrap()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ended = self.run(&["agent", "stop"]);
    }
}

pub fn ran(output: Output) -> Ran {
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Before anything happens that only makes up for news that were lost: watches end after 30 s.
const LATE: Duration = Duration::from_secs(10);

/// Holds three rounds to a time. A machine under load may be late once; a program that keeps its promise is not late every
/// time, and nobody waits so long that something slower has helped.
pub fn assert_promptly(promised: Duration, mut round: impl FnMut() -> Duration) {
    let took = [round(), round(), round()];
    assert!(took.iter().any(|took| *took < promised), "{took:?}");
    assert!(took.iter().all(|took| *took < LATE), "{took:?}");
}

/// Waits until `is_so`, at most `limit`; says how long it took.
pub fn wait_until(limit: Duration, what: &str, mut is_so: impl FnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < limit, "waited {limit:?} in vain until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
    begun.elapsed()
}
