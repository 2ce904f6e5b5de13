//! What can be typed after `kubectl vouch`. The verbs and their options are those of an issuer that runs alone.

use std::{ffi::OsString, path::PathBuf};

use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum, error::ErrorKind};
use vouch_crds::{duration::Duration, names::ISSUER_NAME_LENGTH};
use vouch_iam::identity::EmailAddress;
use vouch_keyring::Kid;

/// Vouch in a cluster: see what is wrong, invite people and look after them, and give orders about signing keys.
#[derive(Debug, Parser)]
#[command(name = "kubectl-vouch", bin_name = "kubectl vouch", version, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Where.
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// How answers are printed, and failures: JSON has them on standard output as `{"error": …}`
    #[arg(short, long, global = true, value_enum, default_value_t = Output::Text, value_name = "FORM")]
    pub output: Output,
}

impl Cli {
    /// Reads a command line, of which the first word is the program.
    ///
    /// # Errors
    /// When it is wrong, or asks for the help or the version.
    pub fn read(words: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> Result<Self, clap::Error> {
        let cli = Self::try_parse_from(words)?;
        // The parser sees no conflict between options of a command and options before it.
        let one = [("--namespace <NAMESPACE>", &cli.cluster.namespace), ("--issuer <NAME>", &cli.cluster.issuer)];
        let given = one.into_iter().find(|(_, value)| value.is_some());
        match (&cli.command, given) {
            (Command::Cluster(ClusterCommand::Status(StatusArgs { all_namespaces: true })), Some((option, _))) => {
                let told = format!("the argument '--all-namespaces' cannot be used with '{option}'");
                Err(Self::command().error(ErrorKind::ArgumentConflict, told))
            }
            _ => Ok(cli),
        }
    }
}

/// Which cluster, namespace and issuer.
#[derive(Debug, Clone, Default, Args)]
pub struct ClusterArgs {
    /// The namespace of the issuer [default: that of the context]
    #[arg(short, long, global = true, value_parser = namespace_name, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// The context of the kubeconfig [default: the current one]
    #[arg(long, global = true, value_name = "NAME")]
    pub context: Option<String>,
    /// The kubeconfig [default: as for kubectl]
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The VouchIssuer [default: the one of the namespace]
    #[arg(long, global = true, value_parser = issuer_name, value_name = "NAME")]
    pub issuer: Option<String>,
}

/// What a namespace can be called (RFC 1123, label).
fn namespace_name(name: &str) -> Result<String, String> {
    let is_fitting = is_label(name) && name.len() <= 63;
    is_fitting.then(|| name.to_owned()).ok_or_else(|| {
        "no namespace is called that: a name has at most 63 lower-case letters, digits and dashes, and begins and ends with a \
         letter or a digit"
            .to_owned()
    })
}

/// What a VouchIssuer can be called.
fn issuer_name(name: &str) -> Result<String, String> {
    let is_fitting =
        is_label(name) && name.len() <= ISSUER_NAME_LENGTH && !name.starts_with(|c: char| c.is_ascii_digit());
    is_fitting.then(|| name.to_owned()).ok_or_else(|| {
        format!(
            "no VouchIssuer is called that: a name has at most {ISSUER_NAME_LENGTH} lower-case letters, digits and dashes, \
             begins with a letter and does not end with a dash"
        )
    })
}

fn is_label(name: &str) -> bool {
    let mut letters = name.chars();
    let is_one = letters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    is_one && !name.is_empty() && !name.starts_with('-') && !name.ends_with('-')
}

/// How answers are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people
    Text,
    /// For programs
    Json,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Something that the cluster is asked for.
    #[command(flatten)]
    Cluster(ClusterCommand),
    /// Print a manifest to start from
    #[command(subcommand)]
    Example(Example),
    /// Print a completion script
    ///
    /// `kubectl` prints the script by which kubectl itself completes `kubectl vouch`: an executable file
    /// `kubectl_complete-vouch` on the PATH. The others complete `kubectl-vouch` in a shell.
    Completions(CompletionsArgs),
    /// Print the words that could come next, as kubectl wants them
    #[command(name = "__complete", hide = true)]
    Complete(CompleteArgs),
}

/// Something that the cluster is asked for.
#[derive(Debug, Subcommand)]
pub enum ClusterCommand {
    /// One screen: what runs, what is wrong, and what to do about it
    Status(StatusArgs),
    /// Something about people.
    #[command(flatten)]
    People(PeopleCommand),
    /// Look at the signing keys, or change them by order: `keys rotate` and `rotate` are the same, and so with the other orders
    Keys(KeysArgs),
    /// An order about signing keys.
    #[command(flatten)]
    Order(OrderCommand),
}

/// `status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Every issuer of the cluster, with a screen for each namespace that has one
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
}

/// `keys`.
#[derive(Debug, Args)]
pub struct KeysArgs {
    /// What to do with them.
    #[command(subcommand)]
    pub command: Option<KeysCommand>,
}

/// What to do with signing keys.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Every signing key with its state, and what happens to it next; `keys` alone does the same
    Show,
    /// An order about them.
    #[command(flatten)]
    Order(OrderCommand),
}

/// An order about signing keys.
#[derive(Debug, Subcommand)]
pub enum OrderCommand {
    /// Rotate at the first moment at which every verifier knows the next key
    Rotate(Patience),
    /// Withdraw a signing key for ever: its tokens and sessions end
    #[command(visible_alias = "revoke")]
    RevokeKey(RevokeKeyArgs),
    /// Take the clock's word over the dates of the keys, after a clock that was far ahead was put right
    AcceptClock(Patience),
}

/// Something about people.
#[derive(Debug, Subcommand)]
pub enum PeopleCommand {
    /// Invite a person to enroll a security key
    Invite(InviteArgs),
    /// Look at people: everybody with `list`, one with `show`
    Users(UsersArgs),
    /// End every session of a person and allow no new one
    Disable(Person),
    /// Let a disabled person sign in again
    Enable(Person),
    /// Take a security key away from a person
    RemoveKey(RemoveKeyArgs),
    /// End every session of a person, who may sign in again
    Logout(Person),
}

/// One person.
#[derive(Debug, Args)]
pub struct Person {
    /// The person's e-mail address
    pub email: EmailAddress,
}

/// `invite`.
#[derive(Debug, Args)]
pub struct InviteArgs {
    /// Whom.
    #[command(flatten)]
    pub person: Person,
    /// Put the person into a group; may be given several times
    #[arg(long = "group", value_name = "GROUP")]
    pub groups: Vec<String>,
    /// How long the code works, such as 24h [default: spec.enrollment.inviteLifetime]
    #[arg(long, value_name = "DURATION")]
    pub expires: Option<Duration>,
}

/// `users`.
#[derive(Debug, Args)]
pub struct UsersArgs {
    /// What to look at.
    #[command(subcommand)]
    pub command: Option<Users>,
}

/// What to look at.
#[derive(Debug, Subcommand)]
pub enum Users {
    /// Everybody, by e-mail address; `users` alone does the same
    List,
    /// One person with their keys
    Show(Person),
}

/// `remove-key`.
#[derive(Debug, Args)]
pub struct RemoveKeyArgs {
    /// Whose.
    #[command(flatten)]
    pub person: Person,
    /// The key's id, as `users show` prints it
    pub key_id: String,
    /// Also when it is the person's only key
    #[arg(long)]
    pub allow_last: bool,
}

/// `revoke-key`.
#[derive(Debug, Args)]
pub struct RevokeKeyArgs {
    /// The key's id, as `keys` prints it
    #[arg(allow_hyphen_values = true)]
    pub kid: Kid,
    /// Let the next key sign at once, although verifiers that cached the key set do not know it yet
    #[arg(long)]
    pub now: bool,
    /// How long.
    #[command(flatten)]
    pub patience: Patience,
}

/// How long to wait for the operator.
#[derive(Debug, Clone, Copy, Args)]
pub struct Patience {
    /// How long to wait until the operator has carried the order out. The order stands, however long that takes
    #[arg(long, default_value = "30s", value_name = "DURATION")]
    pub timeout: Duration,
}

/// A manifest to start from.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum Example {
    /// A highly available issuer
    Issuer,
}

/// `completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// For whom
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Who completes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// `kubectl vouch`, in every shell
    Kubectl,
    /// `kubectl-vouch` in bash
    Bash,
    /// `kubectl-vouch` in fish
    Fish,
    /// `kubectl-vouch` in zsh
    Zsh,
}

/// `__complete`.
#[derive(Debug, Args)]
pub struct CompleteArgs {
    /// The words so far; the last one is the one to complete
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub words: Vec<String>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::read(["kubectl-vouch"].into_iter().chain(line.split_whitespace()))
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn where_to_act_may_stand_before_and_behind_the_verb() {
        for line in [
            "-n vouch --context=prod users show alice@example.com",
            "users show alice@example.com -n vouch --context prod",
        ] {
            let cli = parse(line).unwrap();
            assert_eq!(cli.cluster.namespace.as_deref(), Some("vouch"), "{line}");
            assert_eq!(cli.cluster.context.as_deref(), Some("prod"), "{line}");
        }
    }

    #[test]
    fn a_key_id_may_begin_with_a_dash() {
        let kid = format!("-{}", "a".repeat(42));
        for line in
            [format!("revoke-key {kid}"), format!("revoke-key {kid} --now"), format!("revoke-key --now {kid} -o json")]
        {
            parse(&line).unwrap_or_else(|error| panic!("{line}: {error}"));
        }
    }

    #[test]
    fn an_address_and_a_key_id_are_checked_before_the_cluster_is_asked() {
        for line in ["invite alice", "revoke-key abc", "invite alice@example.com --expires soon"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn a_name_that_no_object_can_have_is_told_before_the_cluster_is_asked() {
        for line in
            ["status -n Bad", "status -n=-a", "status -n a_b", "status -n a.b", &format!("keys -n {}", "a".repeat(64))]
        {
            let told = parse(line).unwrap_err().to_string();
            assert!(told.contains("no namespace is called that: a name has at most 63 lower-case letters"), "{told}");
        }
        for line in
            ["keys --issuer 1a", "keys --issuer A", "keys --issuer=", &format!("keys --issuer {}", "a".repeat(51))]
        {
            let told = parse(line).unwrap_err().to_string();
            assert!(told.contains("no VouchIssuer is called that: a name has at most 50"), "{told}");
        }
        for line in ["status -n 1-a", &format!("keys -n {} --issuer a-1", "a".repeat(63))] {
            parse(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        }
    }

    #[test]
    fn an_order_about_keys_stands_behind_keys_too_and_has_the_verb_of_an_issuer_that_runs_alone() {
        let kid = "a".repeat(43);
        for line in [format!("revoke-key {kid} --now"), format!("keys revoke {kid} --now")] {
            let (Command::Cluster(ClusterCommand::Order(order))
            | Command::Cluster(ClusterCommand::Keys(KeysArgs { command: Some(KeysCommand::Order(order)) }))) =
                parse(&line).unwrap().command
            else {
                panic!("another command: {line}")
            };
            assert!(matches!(order, OrderCommand::RevokeKey(RevokeKeyArgs { now: true, .. })), "{order:?}");
        }
        for line in ["keys", "keys show", "keys rotate", "keys accept-clock --timeout 1s"] {
            parse(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        }
    }

    #[test]
    fn every_namespace_is_not_one_of_them() {
        assert!(parse("status -A").is_ok());
        for line in ["status -A -n vouch", "-n vouch status -A", "status -A --issuer vouch", "--issuer vouch status -A"]
        {
            let error = parse(line).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ArgumentConflict, "{line}");
            let option = if line.contains("-n") { "--namespace <NAMESPACE>" } else { "--issuer <NAME>" };
            let told = format!(
                "error: the argument '--all-namespaces' cannot be used with '{option}'\n\nUsage: kubectl vouch "
            );
            assert!(error.to_string().starts_with(&told), "{error}");
        }
        for line in ["-n vouch status", "status --issuer vouch", "-n vouch keys"] {
            assert!(parse(line).is_ok(), "{line}");
        }
    }

    #[test]
    fn people_are_listed_unless_one_is_asked_for() {
        let Command::Cluster(ClusterCommand::People(PeopleCommand::Users(users))) = parse("users").unwrap().command
        else {
            panic!("another command")
        };
        assert!(users.command.is_none());
    }
}
