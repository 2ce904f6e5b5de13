//! The real program in a directory of its own.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

use std::{
    fs::File,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::Once,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

pub const MANIFEST: &str = "\
apiVersion: vouch.sh/v1alpha1
kind: VouchIssuer
metadata: {name: vouch}
spec:
  url: https://vouch.example.com
  organization: {name: Example, emailDomains: [example.com]}
";

/// Nothing here takes longer, except on a machine that is stuck.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct Sandbox {
    dir: tempfile::TempDir,
}

impl Sandbox {
    /// A manifest, and no database.
    pub fn new() -> Self {
        Self::with(MANIFEST)
    }

    pub fn with(manifest: &str) -> Self {
        let sandbox = Self { dir: tempfile::tempdir().unwrap() };
        sandbox.write(manifest);
        sandbox
    }

    /// A manifest and a database.
    pub fn initialised() -> Self {
        Self::initialised_with(MANIFEST)
    }

    pub fn initialised_with(manifest: &str) -> Self {
        let sandbox = Self::with(manifest);
        succeeded(&sandbox.run(&["init"]));
        sandbox
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn database(&self) -> PathBuf {
        self.path("data").join("issuer.db")
    }

    pub fn write(&self, manifest: &str) {
        std::fs::write(self.path("issuer.yaml"), manifest).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vouch-issuer"));
        command.args(args).env("VOUCH_ISSUER_CONFIG", self.path("issuer.yaml"));
        command.env("VOUCH_ISSUER_DATA_DIR", self.path("data"));
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs a line as it is typed in a shell, in the directory of the sandbox and without any variable that says where files
    /// are.
    pub fn type_in(&self, line: &str) -> Output {
        let programs = Path::new(env!("CARGO_BIN_EXE_vouch-issuer")).parent().unwrap();
        let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
        let mut shell = Command::new("sh");
        shell.args(["-c", line]).current_dir(self.dir.path()).env("PATH", path);
        shell.env_remove("VOUCH_ISSUER_CONFIG").env_remove("VOUCH_ISSUER_DATA_DIR");
        shell.output().unwrap()
    }

    /// Runs a command that answers in JSON.
    pub fn json(&self, args: &[&str]) -> Value {
        let output = self.run(&[args, &["--output", "json"]].concat());
        serde_json::from_str(succeeded(&output)).unwrap()
    }

    pub fn start(&self) -> Running {
        self.start_with(&[])
    }

    /// Serves, and waits until both listeners accept.
    pub fn start_with(&self, args: &[&str]) -> Running {
        self.start_as(self.command(&[]), args)
    }

    /// Serves with this soft and this hard limit of open files.
    pub fn start_with_descriptors(&self, soft: u32, hard: u32) -> Running {
        let program = self.command(&[]);
        let mut command = Command::new("sh");
        let script = format!("ulimit -Sn {soft} && ulimit -Hn {hard} && exec \"$0\" \"$@\"");
        command.arg("-c").arg(script).arg(program.get_program());
        command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
        self.start_as(command, &[])
    }

    fn start_as(&self, mut command: Command, args: &[&str]) -> Running {
        let ready = self.path("ready.json");
        let _ = std::fs::remove_file(&ready);
        let log = self.path("log");
        command.args(["serve", "--listen", "127.0.0.1:0", "--private-listen", "127.0.0.1:0"]);
        command.args(args).arg("--ready-file").arg(&ready);
        command.stdout(File::create(self.path("audit")).unwrap()).stderr(File::create(&log).unwrap());
        let mut child = command.stdin(Stdio::null()).spawn().unwrap();
        let addresses: Value = until("the ready file", || {
            if let Some(status) = child.try_wait().unwrap() {
                panic!("{status}: {}", std::fs::read_to_string(&log).unwrap());
            }
            serde_json::from_slice(&std::fs::read(&ready).ok()?).ok()
        });
        let address = |name: &str| addresses[name].as_str().unwrap().parse().unwrap();
        Running { public: address("public"), private: address("private"), child, log, audit: self.path("audit") }
    }
}

pub struct Running {
    pub public: SocketAddr,
    pub private: SocketAddr,
    child: Child,
    log: PathBuf,
    audit: PathBuf,
}

impl Running {
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    pub fn audit(&self) -> String {
        std::fs::read_to_string(&self.audit).unwrap()
    }

    /// Waits for a line of the log.
    pub fn logs(&self, text: &str) {
        until(text, || self.log().contains(text).then_some(()));
    }

    /// Memory in use that is not a page of a file.
    pub fn anonymous_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// The soft and the hard limit in force, as `/proc/PID/limits` calls it.
    pub fn limits(&self, name: &str) -> (String, String) {
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", self.child.id())).unwrap();
        let line = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        let mut words = line.split_whitespace().map(str::to_owned);
        (words.next().unwrap(), words.next().unwrap())
    }

    /// Waits for the end; whether it was a good one.
    pub fn ended(&mut self) -> bool {
        until("the end of the process", || self.child.try_wait().unwrap()).success()
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.public)
    }

    pub fn private_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.private)
    }

    pub async fn get(&self, path: &str) -> reqwest::Response {
        client().get(self.url(path)).send().await.unwrap()
    }

    pub async fn ready(&self) -> (u16, Value) {
        let response = client().get(self.private_url("/readyz")).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// Waits until readiness says `status`.
    pub async fn becomes(&self, status: &str) -> (u16, Value) {
        self.reports("status", |said| said == status, status).await
    }

    /// Waits until a field of readiness is so; `what` says how.
    pub async fn reports(&self, field: &str, is_so: impl Fn(&str) -> bool, what: &str) -> (u16, Value) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (code, body) = self.ready().await;
            if body[field].as_str().is_some_and(&is_so) {
                return (code, body);
            }
            assert!(Instant::now() < deadline, "never {what}: {body}\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub async fn metrics(&self) -> String {
        client().get(self.private_url("/metrics")).send().await.unwrap().text().await.unwrap()
    }

    /// Waits for a line of the metrics.
    pub async fn measures(&self, line: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.metrics().await.lines().any(|measured| measured == line) {
            assert!(Instant::now() < deadline, "never {line}\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn client() -> reqwest::Client {
    client_trusting(None)
}

pub fn client_trusting(certificate: Option<&Path>) -> reqwest::Client {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| rustls::crypto::aws_lc_rs::default_provider().install_default().unwrap());
    let mut builder = reqwest::Client::builder().timeout(PATIENCE).no_proxy().pool_max_idle_per_host(0);
    if let Some(path) = certificate {
        let certificate = reqwest::Certificate::from_pem(&std::fs::read(path).unwrap()).unwrap();
        builder = builder.tls_certs_only([certificate]);
    }
    builder.build().unwrap()
}

/// Polls until there is a value, for a bounded time.
pub fn until<T>(what: &str, mut poll: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = poll() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

pub fn succeeded(output: &Output) -> &str {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::str::from_utf8(&output.stdout).unwrap()
}

/// What a failed command said; it printed nothing else.
pub fn refused(output: &Output) -> &str {
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.stdout.is_empty(), "an answer came with the refusal");
    std::str::from_utf8(&output.stderr).unwrap()
}
