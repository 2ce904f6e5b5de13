//! The command line of `vouch-operator`.

pub mod env;

use std::{error::Error, io::Write as _, net::SocketAddr, num::NonZeroU32, process::ExitCode};

use clap::Parser;
use tracing_subscriber::EnvFilter;
use vouch_crds::duration::Duration;
use vouch_issuer::command::usage;

use crate::{
    api::RequestRate,
    failure,
    lease::{Timing, TimingError},
    log::{self, LogFormat},
    run::{self, Scope, Settings},
};

/// The operator of Vouch: keeps declared issuers, their keys and their people true in a cluster.
///
/// It runs until it is told to stop (SIGTERM or SIGINT: objects in work are finished, the lease is released) or loses the
/// lease, and then ends with a failure so that it is started again. Any number of replicas may run; one acts.
#[derive(Debug, Parser)]
#[command(name = "vouch-operator", version)]
pub struct Cli {
    /// Act upon the objects of these namespaces [default: the operator's own]
    #[arg(long, env = env::NAMESPACES, value_delimiter = ',', conflicts_with = "cluster", value_name = "NAMESPACE")]
    namespaces: Vec<String>,
    /// Act upon the objects of all namespaces
    #[arg(long, env = env::CLUSTER)]
    cluster: bool,
    /// The image that issuers run unless they declare another
    #[arg(long, env = env::IMAGE, value_name = "IMAGE")]
    image: String,
    /// How many objects of a kind are worked on at once
    #[arg(long, env = env::CONCURRENCY, default_value = "4", value_parser = clap::value_parser!(u16).range(1..), value_name = "COUNT")]
    concurrency: u16,
    /// How many requests a second go to the API server, on average
    #[arg(long, env = env::QPS, default_value = "50", value_name = "COUNT")]
    qps: NonZeroU32,
    /// How many requests may go to the API server at once
    #[arg(long, env = env::BURST, default_value = "100", value_name = "COUNT")]
    burst: NonZeroU32,
    /// For how long nobody else may take the lease after a renewal
    #[arg(long, env = env::LEASE_DURATION, default_value = "15s", value_name = "DURATION")]
    lease_duration: Duration,
    /// For how long after a renewal its holder may write
    #[arg(long, env = env::LEASE_RENEW_DEADLINE, default_value = "10s", value_name = "DURATION")]
    lease_renew_deadline: Duration,
    /// From one look at the lease to the next
    #[arg(long, env = env::LEASE_RETRY_PERIOD, default_value = "2s", value_name = "DURATION")]
    lease_retry_period: Duration,
    /// How long a request about the lease, or one that writes, may take
    #[arg(long, env = env::REQUEST_TIMEOUT, default_value = "5s", value_name = "DURATION")]
    request_timeout: Duration,
    /// The private listener: /livez, /readyz and /metrics, over plain HTTP
    #[arg(long, env = env::LISTEN, default_value = "0.0.0.0:9090", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Where the log's level can be read and changed: GET and PUT /log. Not for the network: forward a port to the pod
    #[arg(long, env = env::ADMIN_LISTEN, default_value = "127.0.0.1:9091", value_name = "ADDRESS")]
    admin_listen: SocketAddr,
    /// What goes to the log on standard error: a level, or directives such as `warn,vouch_operator=debug`
    #[arg(long, env = env::LOG, default_value = "info", value_parser = log::filter, value_name = "FILTER")]
    log: EnvFilter,
    /// How the log looks
    #[arg(long, env = env::LOG_FORMAT, value_enum, default_value_t = LogFormat::Text, value_name = "FORM")]
    log_format: LogFormat,
    /// The pod this process runs in
    #[arg(long, env = env::POD_NAME, hide = true)]
    pod_name: Option<String>,
    /// Its UID
    #[arg(long, env = env::POD_UID, hide = true)]
    pod_uid: Option<String>,
    /// Its namespace, where the lease is [default: that of the credentials]
    #[arg(long, env = env::POD_NAMESPACE, hide = true)]
    pod_namespace: Option<String>,
}

impl Cli {
    /// What to run with.
    ///
    /// # Errors
    /// When two leaders could write at once with these times.
    fn settings(self) -> Result<Settings, TimingError> {
        let timing = Timing::new(
            self.lease_duration.into(),
            self.lease_renew_deadline.into(),
            self.lease_retry_period.into(),
            self.request_timeout.into(),
        )?;
        let scope = match (self.cluster, self.namespaces) {
            (true, _) => Scope::Cluster,
            (false, namespaces) if namespaces.is_empty() => Scope::Own,
            (false, namespaces) => Scope::Namespaces(namespaces),
        };
        Ok(Settings {
            scope,
            image: self.image,
            concurrency: self.concurrency,
            rate: RequestRate { per_second: self.qps, burst: self.burst },
            timing,
            listen: self.listen,
            admin_listen: self.admin_listen,
            pod: self.pod_name.zip(self.pod_uid),
            namespace: self.pod_namespace,
        })
    }
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage::report(error, false),
    };
    let level = log::start(cli.log.clone(), cli.log_format);
    vouch_issuer::memory::keep_private();
    let run = || -> Result<(), Box<dyn Error + Send + Sync>> {
        let settings = cli.settings()?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        Ok(runtime.block_on(run::run(settings, level))?)
    };
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let told = writeln!(std::io::stderr(), "vouch-operator: {}", failure::chain(&*error));
            drop(told);
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    fn settings(arguments: &[&str]) -> Result<Settings, TimingError> {
        let arguments = ["vouch-operator", "--image=vouch-issuer:1"].iter().chain(arguments);
        Cli::try_parse_from(arguments).unwrap().settings()
    }

    #[test]
    fn acts_in_its_own_namespace_unless_told_otherwise() {
        assert_eq!(settings(&[]).unwrap().scope, Scope::Own);
        assert_eq!(settings(&["--cluster"]).unwrap().scope, Scope::Cluster);
        let named = settings(&["--namespaces=a,b"]).unwrap().scope;
        assert_eq!(named, Scope::Namespaces(vec!["a".to_owned(), "b".to_owned()]));
    }

    #[test]
    fn refuses_times_with_which_two_leaders_could_write() {
        let error = settings(&["--lease-renew-deadline=11s"]).unwrap_err();
        assert!(error.to_string().contains("two leaders could write at once"), "{error}");
    }
}
