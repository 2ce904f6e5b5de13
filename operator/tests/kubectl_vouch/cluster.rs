//! A control plane, an operator, and `kubectl vouch` in somebody's name.

use std::{
    fs,
    io::Write as _,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

/// How long anything may take that is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A control plane without nodes. It ends with this process, however that ends.
pub(crate) struct Cluster {
    program: PathBuf,
    folder: String,
    pub(crate) kubeconfig: PathBuf,
    pub(crate) scratch: tempfile::TempDir,
}

/// What a program said.
#[derive(Debug)]
pub(crate) struct Said {
    success: bool,
    out: String,
    pub(crate) err: String,
}

impl Said {
    fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { success: output.status.success(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// The answer of a command that was carried out.
    pub(crate) fn answer(self) -> String {
        assert!(self.success, "{}", self.err);
        self.out
    }

    pub(crate) fn json(self) -> Value {
        serde_json::from_str(&self.answer()).unwrap()
    }

    /// The words of a command that was not carried out: one line, and nothing for programs.
    pub(crate) fn refusal(self) -> String {
        assert!(!self.success && self.out.is_empty(), "it was carried out: {}", self.out);
        assert!(self.err.starts_with("kubectl vouch: ") && !self.err.contains("ApiError"), "{}", self.err);
        self.err
    }
}

impl Cluster {
    pub(crate) fn up() -> Self {
        let program = std::env::var_os("VOUCH_CLUSTER").map(PathBuf::from).filter(|path| path.exists());
        let program = program.expect("VOUCH_CLUSTER names no program; run: make test-kubectl");
        let output = Command::new(&program)
            .args(["up", "-nodes", "0", "-owner-pid", &std::process::id().to_string()])
            .env_remove("CLUSTER_DIR")
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        assert!(output.status.success(), "the cluster does not start");
        let exports = String::from_utf8(output.stdout).unwrap();
        let value = |name: &str| {
            let line = exports.lines().find_map(|line| line.strip_prefix(&format!("export {name}=")));
            line.unwrap_or_else(|| panic!("no {name} in: {exports}")).trim_matches(['"', '\'']).to_owned()
        };
        let scratch = tempfile::tempdir().unwrap();
        Self { program, folder: value("CLUSTER_DIR"), kubeconfig: value("KUBECONFIG").into(), scratch }
    }

    /// The custom resources, and a namespace for people.
    pub(crate) fn install(&self) {
        self.kubectl(&["create", "namespace", "vouch"]);
        for definition in vouch_crds::definitions() {
            self.apply(&definition.to_yaml().unwrap(), &["--server-side"]);
        }
        self.kubectl(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"]);
    }

    /// What kubectl prints when it succeeds.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> String {
        let output = self.kubectl_command(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// What somebody else is told, whatever it is.
    pub(crate) fn kubectl_as(&self, user: &str, arguments: &[&str]) -> String {
        let output = self.kubectl_command(arguments).args(["--as", user]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    fn kubectl_command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("kubectl").args(arguments).env("CLUSTER_DIR", &self.folder).env("KUBECONFIG", &self.kubeconfig);
        command
    }

    pub(crate) fn apply(&self, manifest: &str, options: &[&str]) -> String {
        let arguments = [&["apply", "--filename", "-"], options].concat();
        let mut child = self
            .kubectl_command(&arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(manifest.as_bytes()).unwrap();
        Said::of(&child.wait_with_output().unwrap()).answer()
    }

    /// A field of the issuer.
    pub(crate) fn issuer(&self, path: &str) -> String {
        self.kubectl(&["get", "vouchissuer", "vouch", "-n", "vouch", "-o", &format!("jsonpath={{{path}}}")])
    }

    /// The plugin in the namespace of the issuer.
    pub(crate) fn vouch(&self, arguments: &[&str]) -> Said {
        self.vouch_with(&self.kubeconfig, &[arguments, &["-n", "vouch"]].concat())
    }

    pub(crate) fn vouch_with(&self, kubeconfig: &PathBuf, arguments: &[&str]) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-vouch"));
        command.args(arguments).env("KUBECONFIG", kubeconfig).env("TZ", "UTC");
        Said::of(&command.output().unwrap())
    }

    /// A kubeconfig that differs in its user or its server.
    pub(crate) fn kubeconfig_with(&self, name: &str, change: impl FnOnce(&mut Value)) -> PathBuf {
        let mut config: Value =
            serde_json::from_str(&self.kubectl(&["config", "view", "--raw", "-o", "json"])).unwrap();
        change(&mut config);
        let path = self.scratch.path().join(name);
        fs::write(&path, config.to_string()).unwrap();
        path
    }

    /// The operator, until this is dropped.
    pub(crate) fn operator(&self) -> Operator {
        let log = fs::File::create(self.scratch.path().join("operator.log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_vouch-operator"));
        command.args([
            "--namespaces=vouch",
            "--image=vouch-issuer:1",
            "--listen=127.0.0.1:0",
            "--admin-listen=127.0.0.1:0",
        ]);
        command.env("KUBECONFIG", &self.kubeconfig).env("POD_NAMESPACE", "vouch").stderr(log).stdout(Stdio::null());
        Operator(command.spawn().unwrap())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = Command::new(&self.program).arg("down").env("CLUSTER_DIR", &self.folder).output();
    }
}

/// A process of the operator.
pub(crate) struct Operator(Child);

impl Drop for Operator {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits for something that must come.
pub(crate) fn until(what: &str, mut has_come: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !has_come() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(200));
    }
}
