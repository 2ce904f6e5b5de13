//! The real operator, as a process of this machine.

use std::{fs::File, net::SocketAddr, process::Stdio};

use tempfile::TempDir;

use super::World;
use crate::{
    BenchError,
    http::{Connection, connect, get},
    measure::{process_cpu_so_far, resident_mib},
    process::{Background, program, tied, until},
};

/// What it says when it listens, before the address.
const LISTENING: &str = "listening on http://";

/// An operator that acts upon one namespace, where its lease is, too.
#[derive(Debug)]
pub struct Operator {
    process: Background,
    address: SocketAddr,
    _folder: TempDir,
}

impl Operator {
    /// Starts one, as it is configured when nobody configures it, but for the rate of its requests: that is as high as
    /// the API server goes, because waiting costs time and no CPU.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(world: &World, namespace: &str) -> Result<Self, BenchError> {
        let folder = tempfile::tempdir().map_err(BenchError::failed("making a folder"))?;
        let path = folder.path().join("operator.log");
        let log = File::create(&path).map_err(BenchError::failed("making a file"))?;
        let mut command = tied(program("vouch-operator")?);
        command.arg("--namespaces").arg(namespace).args([
            "--image",
            "vouch-issuer:1",
            "--qps",
            "10000",
            "--burst",
            "10000",
        ]);
        command.args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
        command.env("KUBECONFIG", world.kubeconfig()).env("POD_NAMESPACE", namespace);
        let mut process = Background::start(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log))?;
        let address = until("starting the operator", || {
            let log = std::fs::read_to_string(&path).unwrap_or_default();
            if let Some(status) = process.ended() {
                return Err(BenchError::Subject { what: "the operator", reason: format!("{status}: {log}") });
            }
            let listening = log.split_once(LISTENING).and_then(|(_, rest)| rest.split_once(';'));
            Ok(listening.and_then(|(address, _)| address.parse().ok()))
        })?;
        Ok(Self { process, address, _folder: folder })
    }

    /// How much the counters of a name have counted together, of those whose labels `counts` accepts.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn counted(&self, counter: &str, counts: impl Fn(&Labels<'_>) -> bool) -> Result<u64, BenchError> {
        let mut connection = Connection::new(connect(self.address)?);
        connection.send(&get("/metrics"))?;
        let body = connection.receive()?.succeeded()?.body;
        let text = String::from_utf8_lossy(&body);
        let samples = text.lines().filter_map(|line| sample(line, counter));
        Ok(samples.filter(|(labels, _)| counts(labels)).map(|(_, count)| count).sum())
    }

    /// Waits until it does nothing but renew its lease.
    ///
    /// # Errors
    /// When it has ended, or goes on and on.
    pub fn settled(&self) -> Result<(), BenchError> {
        self.process.settled()
    }

    /// What it has cost so far.
    ///
    /// # Errors
    /// When it has ended.
    pub fn cpu(&self) -> Result<std::time::Duration, BenchError> {
        Ok(process_cpu_so_far(self.process.id())?)
    }

    /// Its resident memory, in MiB.
    ///
    /// # Errors
    /// When it has ended.
    pub fn resident_mib(&self) -> Result<f64, BenchError> {
        Ok(resident_mib(self.process.id())?)
    }

    /// Stops it in order, so that the next one need not wait for its lease to end.
    ///
    /// # Errors
    /// When it does not stop.
    pub fn stop(self) -> Result<(), BenchError> {
        self.process.stop()
    }
}

/// The labels of a sample, as they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Labels<'a>(&'a str);

impl Labels<'_> {
    /// Whether a label has a value.
    #[must_use]
    pub fn has(&self, name: &str, value: &str) -> bool {
        self.0.split(',').any(|label| label.split_once('=') == Some((name, &format!("\"{value}\""))))
    }
}

/// A line of the OpenMetrics text that is a sample of this counter.
fn sample<'a>(line: &'a str, counter: &str) -> Option<(Labels<'a>, u64)> {
    let (name, rest) = line.split_once('{')?;
    let (labels, count) = rest.split_once("} ")?;
    (name == counter).then_some(())?;
    Some((Labels(labels), count.parse().ok()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_sample_is_told_by_its_name_and_labels() {
        let line = r#"vouch_operator_api_requests_total{verb="patch",resource="vouchusers/status",code="200"} 42"#;
        let (labels, count) = sample(line, "vouch_operator_api_requests_total").unwrap();
        assert_eq!(count, 42);
        assert!(labels.has("verb", "patch") && labels.has("resource", "vouchusers/status"));
        assert!(!labels.has("verb", "update") && !labels.has("resource", "vouchusers"));
        assert_eq!(sample(line, "vouch_operator_api_requests"), None);
        assert_eq!(sample("# EOF", "vouch_operator_api_requests_total"), None);
    }
}
