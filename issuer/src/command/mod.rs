//! The command line of `vouch-issuer`: what can be typed, and what each command prints.
//!
//! Standard output carries answers (and, while serving, the audit trail); everything else goes to standard error.

mod accept_url;
mod check;
mod check_endpoint;
mod endpoint_fault;
pub mod env;
pub mod failure;
mod init;
mod manage;
mod open;
mod reference;
mod serve;
pub mod usage;

use std::{error::Error, ffi::OsString, io::Write, net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::Serialize;
use tracing::{Level, Metadata};
use tracing_subscriber::{EnvFilter, filter::filter_fn, layer::SubscriberExt as _, util::SubscriberInitExt as _};
use vouch_crds::duration::Duration;
use vouch_iam::identity::EmailAddress;
use vouch_keyring::Kid;

/// The OIDC issuer of Vouch: short-lived credentials for one touch of a security key.
#[derive(Debug, Parser)]
#[command(
    name = "vouch-issuer",
    version,
    propagate_version = true,
    arg_required_else_help = true,
    override_usage = "vouch-issuer <COMMAND> [OPTIONS]"
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    /// How answers are printed, and failures: JSON has them on standard output as `{"error": …}`
    #[arg(short = 'o', long, global = true, value_enum, default_value_t = Output::Text, value_name = "FORM")]
    output: Output,
    /// What goes to the log on standard error: a level, or directives such as `warn,vouch_issuer=debug`
    #[arg(long, global = true, env = env::LOG, default_value = "info", value_parser = log_filter, value_name = "FILTER")]
    log: String,
    /// How the log looks
    #[arg(long, global = true, env = env::LOG_FORMAT, value_enum, default_value_t = LogFormat::Text, value_name = "FORM")]
    log_format: LogFormat,
}

impl Cli {
    /// How a failure is told. While serving, standard output is the audit trail, whose readers know no other lines.
    const fn form_of_failures(&self) -> Output {
        if matches!(self.command, Command::Serve(_)) { Output::Text } else { self.output }
    }
}

/// How answers are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people
    Text,
    /// For programs
    Json,
}

/// How the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the issuer
    ///
    /// SIGHUP reads the manifest again; with a mistake in it, every mistake is reported and the previous configuration
    /// stays in force. SIGTERM and SIGINT drain: readiness turns false (in a cluster, where endpoints go by the deletion of
    /// the pod, it stays), then no new connection, then requests in flight end. The audit trail goes to standard output, one
    /// JSON object a line, and nothing else does, whatever `--output` says.
    Serve(serve::ServeArgs),
    /// Make the database: an empty store, the root secret and the first signing keys
    ///
    /// Nothing else ever makes keys, and an existing database is left as it is.
    Init(Files),
    /// Give the database to the issuer with the manifest's `spec.url`, after it was another's
    ///
    /// A database serves one URL, for ever: it is in every token, in the providers of AWS and, by its host, in every security
    /// key. This is for the rare case that an issuer is to have another URL all the same. Stop it first.
    AcceptUrl(Files),
    /// Check a manifest and report every mistake in it
    ///
    /// What is right and has no effect in this release is noted: applications (`OidcClient`), because there is no
    /// authorization endpoint yet. Of an `AwsFederation` an issuer reads who may take which role; StackSets, policies and
    /// guardrails are for the operator, which does not carry them out yet.
    Check(Manifest),
    /// Fetch the discovery document and the keys of an issuer, and check them as a verifier would
    CheckEndpoint(check_endpoint::CheckEndpointArgs),
    /// Invite a person to enroll a security key
    Invite(InviteArgs),
    /// Look at people: everybody, unless one is asked for
    Users(UsersArgs),
    /// End every session of a person and allow no new one
    ///
    /// Goes on without a manifest that cannot be read.
    Disable(Person),
    /// Let a disabled person sign in again
    Enable(Person),
    /// Take a security key away from a person
    ///
    /// Goes on without a manifest that cannot be read.
    RemoveKey(RemoveKeyArgs),
    /// End every session of a person, who may sign in again
    ///
    /// Goes on without a manifest that cannot be read.
    Logout(Person),
    /// Look at the signing keys, or change them by order
    Keys(KeysArgs),
    /// Print this reference as Markdown
    #[command(hide = true)]
    Reference,
}

/// Where the manifest is unless somebody says otherwise.
const CONFIG: &str = "/etc/vouch/issuer.yaml";
/// Where the database is unless somebody says otherwise.
const DATA_DIR: &str = "/var/lib/vouch";

#[derive(Debug, Args)]
struct Manifest {
    /// The manifest: VouchIssuer, AwsFederation, VouchUser and OidcClient objects
    #[arg(short = 'f', long = "config", global = true, env = env::CONFIG, default_value = CONFIG, value_name = "FILE")]
    config: PathBuf,
}

#[derive(Debug, Args)]
struct Files {
    #[command(flatten)]
    manifest: Manifest,
    /// The directory with the database
    #[arg(long, global = true, env = env::DATA_DIR, default_value = DATA_DIR, value_name = "DIR")]
    data_dir: PathBuf,
}

#[derive(Debug, Args)]
struct Person {
    /// The person's e-mail address
    email: EmailAddress,
    #[command(flatten)]
    files: Files,
}

#[derive(Debug, Args)]
struct InviteArgs {
    #[command(flatten)]
    person: Person,
    /// Put the person into a group; may be given several times
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// How long the code works, such as 24h [default: spec.enrollment.inviteLifetime]
    #[arg(long, value_name = "DURATION")]
    expires: Option<Duration>,
}

#[derive(Debug, Args)]
struct RemoveKeyArgs {
    #[command(flatten)]
    person: Person,
    /// The key's id, as `users show` prints it
    key_id: String,
    /// Also when it is the person's only key
    #[arg(long)]
    allow_last: bool,
}

#[derive(Debug, Args)]
struct UsersArgs {
    #[command(subcommand)]
    command: Option<UsersCommand>,
    #[command(flatten)]
    files: Files,
}

#[derive(Debug, Subcommand)]
enum UsersCommand {
    /// Everybody, by e-mail address; `users` alone does the same
    List,
    /// One person with their keys
    Show {
        /// The person's e-mail address
        email: EmailAddress,
    },
}

#[derive(Debug, Args)]
struct KeysArgs {
    #[command(subcommand)]
    command: Option<KeysCommand>,
    #[command(flatten)]
    files: Files,
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// Every signing key with its state; `keys` alone does the same
    Show,
    /// Rotate at the first moment at which every verifier knows the next key
    Rotate,
    /// Withdraw a signing key for ever: its tokens and sessions end
    ///
    /// Goes on without a manifest that cannot be read.
    Revoke {
        /// The key's id, as `keys show` prints it
        #[arg(allow_hyphen_values = true)]
        kid: Kid,
        /// Let the next key sign at once, although verifiers that cached the key set do not know it yet
        #[arg(long)]
        now: bool,
    },
    /// Take the clock's word over the dates of the keys, after a clock that was far ahead was put right
    AcceptClock,
}

type Failure = Box<dyn Error + Send + Sync>;

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    let cli = match Cli::try_parse_from(&words) {
        Ok(cli) => cli,
        // Standard output is the audit trail's under `serve`.
        Err(error) => {
            return usage::report(error, usage::asks_for_json(&words) && !words.iter().any(|word| word == "serve"));
        }
    };
    start_log(&cli);
    let output = cli.form_of_failures();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure::report(&failure, output);
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    let output = cli.output;
    match cli.command {
        Command::Reference => Ok(write!(std::io::stdout(), "{}", reference::markdown())?),
        Command::Check(manifest) => print(output, &check::check(&manifest)?),
        Command::CheckEndpoint(args) => print(output, &runtime()?.block_on(check_endpoint::check_endpoint(&args))?),
        Command::Serve(args) => runtime()?.block_on(serve::serve(&args)),
        Command::Init(files) => print(output, &runtime()?.block_on(init::init(&files))?),
        Command::AcceptUrl(files) => print(output, &runtime()?.block_on(accept_url::accept_url(&files))?),
        command => runtime()?.block_on(manage::manage(command, output)),
    }
}

/// Two threads: signing takes tens of microseconds, the store has its own, and each costs memory.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    let threads = std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 4);
    tokio::runtime::Builder::new_multi_thread().worker_threads(threads).max_blocking_threads(8).enable_all().build()
}

fn print(output: Output, answer: &(impl Serialize + std::fmt::Display)) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match output {
        Output::Text => write!(out, "{answer}")?,
        Output::Json => {
            serde_json::to_writer_pretty(&mut out, answer)?;
            writeln!(out)?;
        }
    }
    Ok(())
}

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn start_log(cli: &Cli) {
    let filter = EnvFilter::new(&cli.log);
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false);
    match cli.log_format {
        LogFormat::Text => log.with_target(false).finish().with(filter_fn(is_wanted)).init(),
        LogFormat::Json => log.json().finish().with(filter_fn(is_wanted)).init(),
    }
}

/// Whether a line is ours, or a warning: at finer levels HTTP libraries print headers, and with them tokens. Of warnings not
/// those of the Kubernetes client about single requests: it repeats them for as long as an API server is away, and quotes
/// answers that it cannot read, Secrets included. Whoever has made the request tells of it in better words.
fn is_wanted(line: &Metadata<'_>) -> bool {
    let of_a_request = matches!(line.target(), "kube_client::client" | "kube_client::client::builder");
    line.target().starts_with("vouch") || (*line.level() <= Level::WARN && !of_a_request)
}

/// Directives that `start_log` can take.
fn log_filter(text: &str) -> Result<String, String> {
    match EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(format!("`{text}` is no log filter ({error}); try info, or warn,vouch_issuer=debug")),
    }
}

/// An address to listen on.
fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("`{text}` is no address; the form is 0.0.0.0:8443 or [::]:8443"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use super::*;

    #[test]
    fn a_key_id_may_begin_with_a_dash() {
        let kid = format!("-{}", "a".repeat(42));
        for args in [vec![kid.as_str()], vec![&kid, "--now"], vec!["--now", &kid], vec![&kid, "-f", "a.yaml"]] {
            Cli::try_parse_from([&["vouch-issuer", "keys", "revoke"], args.as_slice()].concat()).unwrap();
        }
    }

    #[test]
    fn the_files_may_stand_before_and_behind_what_is_done_with_them() {
        let first = ["vouch-issuer", "users", "-f", "a.yaml", "--data-dir=b", "show", "alice@example.com"];
        let last = ["vouch-issuer", "users", "show", "alice@example.com", "--data-dir", "b", "-f", "a.yaml"];
        let alone = ["vouch-issuer", "users", "-f", "a.yaml", "--data-dir", "b"];
        for line in [&first[..], &last, &alone] {
            let Command::Users(UsersArgs { files, .. }) = Cli::try_parse_from(line).unwrap().command else { panic!() };
            assert_eq!((files.manifest.config, files.data_dir), ("a.yaml".into(), "b".into()), "{line:?}");
        }
    }
}
