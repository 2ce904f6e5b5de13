//! The command line. Syntax only: what a command means lives in [`crate::commands`].

use std::{ffi::OsString, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use vouch_iam::arn::RoleArn;
use vouch_issuer_api::shown::without_passwords;

use crate::{issuer_url::IssuerUrl, region, session_length};

/// Short-lived credentials from one tap of a security key.
#[derive(Debug, Parser)]
#[command(name = "vouch", version, propagate_version = true, max_term_width = 100)]
pub struct Arguments {
    /// Show request ids and the chain of causes when something fails
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Arguments {
    /// Reads a command line, of which the first word is the program.
    ///
    /// # Errors
    /// When it is wrong, or asks for the help or the version. No password that it has is shown.
    pub fn read(words: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> Result<Self, clap::Error> {
        Self::try_parse_from(words).map_err(without_passwords)
    }
}

/// Every command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Register your first security key with an invite code
    Enroll(EnrollArgs),
    /// Sign in with a tap of your security key
    Login(LoginArgs),
    /// Forget the session and every cached credential
    Logout(LogoutArgs),
    /// Show who is signed in, until when, and what is cached
    Status(StatusArgs),
    /// List, add, rename or remove your security keys
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Print a credential for another program
    #[command(subcommand)]
    Credential(CredentialCommand),
    /// Set up other tools to use vouch
    #[command(subcommand)]
    Setup(SetupCommand),
    /// Look at AWS as vouch sees it
    #[command(subcommand)]
    Aws(AwsCommand),
    /// Check this machine, the issuer and the set-up, and say what to do
    Doctor(DoctorArgs),
    /// Control the agent, which holds the session; it starts by itself when needed
    #[command(subcommand)]
    Agent(AgentCommand),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
    /// Write the manual pages into a folder
    Man(ManArgs),
    /// Print a page of the reference documentation
    #[command(hide = true)]
    Reference(ReferenceArgs),
}

impl Command {
    /// How the answer is to be printed; text for commands that leave no choice.
    #[must_use]
    pub fn output(&self) -> Output {
        match self {
            Self::Enroll(args) => args.output,
            Self::Login(args) => args.output,
            Self::Logout(args) => args.output,
            Self::Status(args) => args.output,
            Self::Doctor(args) => args.output,
            Self::Setup(SetupCommand::Aws(args)) => args.output,
            Self::Keys(
                KeysCommand::List(output)
                | KeysCommand::Add { output, .. }
                | KeysCommand::Rename { output, .. }
                | KeysCommand::Remove { output, .. },
            )
            | Self::Aws(AwsCommand::Roles(output))
            | Self::Agent(AgentCommand::Status(output)) => *output,
            Self::Credential(_) | Self::Agent(_) | Self::Completions(_) | Self::Man(_) | Self::Reference(_) => {
                Output::default()
            }
        }
    }
}

/// How an answer is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// For people
    #[default]
    Text,
    /// For scripts
    Json,
}

/// The `--output` option.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct Output {
    /// How to print the answer
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: OutputFormat,
}

impl Output {
    /// Whether JSON is wanted.
    #[must_use]
    pub fn json(self) -> bool {
        self.output == OutputFormat::Json
    }
}

/// `vouch enroll`.
#[derive(Debug, Args)]
pub struct EnrollArgs {
    /// The issuer, such as https://vouch.example.com
    #[arg(value_name = "URL", value_parser = IssuerUrl::from_person)]
    pub url: IssuerUrl,
    /// The invite code: other users of this machine can see it here. Without it you are asked; when standard input is
    /// no terminal, its first line is the code. A terminal is needed all the same, for the PIN of the key
    #[arg(long, value_name = "CODE")]
    pub code: Option<String>,
    /// What to call the key (default: its model)
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Switch to this issuer without asking when the machine is set up for another
    #[arg(long)]
    pub replace: bool,
    /// The `--output` option.
    #[command(flatten)]
    pub output: Output,
}

/// `vouch login`.
#[derive(Debug, Args)]
pub struct LoginArgs {
    /// The issuer, on a machine that does not know it yet (default: the configured one)
    #[arg(value_name = "URL", value_parser = IssuerUrl::from_person)]
    pub url: Option<IssuerUrl>,
    /// Sign in again although you are signed in
    #[arg(long)]
    pub force: bool,
    /// Switch to the issuer named without asking when the machine is set up for another
    #[arg(long, requires = "url")]
    pub replace: bool,
    /// The `--output` option.
    #[command(flatten)]
    pub output: Output,
}

/// `vouch logout`.
#[derive(Debug, Args)]
pub struct LogoutArgs {
    /// End your sessions on every machine
    #[arg(long)]
    pub everywhere: bool,
    /// The `--output` option.
    #[command(flatten)]
    pub output: Output,
}

/// `vouch status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// The `--output` option.
    #[command(flatten)]
    pub output: Output,
}

/// `vouch keys`.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// List your enrolled keys
    List(Output),
    /// Enroll a further key, with a tap of one you have
    Add {
        /// What to call it (default: its model)
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// The `--output` option.
        #[command(flatten)]
        output: Output,
    },
    /// Rename a key
    Rename {
        /// Its id, or the start of it (see: vouch keys list)
        #[arg(value_name = "ID")]
        id: String,
        /// The new name, up to 64 characters
        #[arg(value_name = "NAME")]
        name: String,
        /// The `--output` option.
        #[command(flatten)]
        output: Output,
    },
    /// Remove a key; needs a touch of any key you have
    Remove {
        /// Its id, or the start of it (see: vouch keys list)
        #[arg(value_name = "ID")]
        id: String,
        /// Also when it is your last one
        #[arg(long)]
        allow_last: bool,
        /// The `--output` option.
        #[command(flatten)]
        output: Output,
    },
}

/// `vouch credential`.
#[derive(Debug, Subcommand)]
pub enum CredentialCommand {
    /// AWS credentials for a role, as `credential_process` wants them
    Aws(CredentialAwsArgs),
}

/// `vouch credential aws`.
#[derive(Debug, Args)]
pub struct CredentialAwsArgs {
    /// The role to assume
    #[arg(long, value_name = "ARN")]
    pub role: RoleArn,
    /// The hub role to go through, in an account that no federation governs
    #[arg(long, value_name = "ARN")]
    pub via: Option<RoleArn>,
    /// How long the credentials shall last, in seconds or such as 15m or 1h (default: 1h)
    #[arg(long, value_name = "DURATION", value_parser = session_length::parse)]
    pub duration: Option<u32>,
    /// Whose STS endpoint to ask when none are cached (default: AWS_REGION, else AWS_DEFAULT_REGION, else by partition)
    #[arg(long, value_name = "REGION", value_parser = region::parse)]
    pub region: Option<String>,
}

/// `vouch setup`.
#[derive(Debug, Subcommand)]
pub enum SetupCommand {
    /// Add an AWS profile that gets its credentials from vouch
    Aws(SetupAwsArgs),
}

/// `vouch setup aws`.
#[derive(Debug, Args)]
pub struct SetupAwsArgs {
    /// The role the profile shall use (needed unless something is removed)
    #[arg(long, value_name = "ARN", required_unless_present = "remove")]
    pub role: Option<RoleArn>,
    /// The profile's name (default: vouch, then vouch-2, and so on)
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// The profile's region
    #[arg(long, value_name = "REGION", value_parser = region::parse)]
    pub region: Option<String>,
    /// The hub role to go through, in an account that no federation governs
    #[arg(long, value_name = "ARN")]
    pub via: Option<RoleArn>,
    /// Print what would change and write nothing
    #[arg(long)]
    pub diff: bool,
    /// Remove what vouch added: the profile named, those of the role named, or all of them
    #[arg(long, conflicts_with_all = ["region", "via"])]
    pub remove: bool,
    /// The `--output` option.
    #[command(flatten)]
    pub output: Output,
}

/// `vouch aws`.
#[derive(Debug, Subcommand)]
pub enum AwsCommand {
    /// List the roles you may take
    Roles(Output),
}

/// `vouch doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Check only this
    #[arg(value_enum, value_name = "AREA")]
    pub area: Option<DoctorArea>,
    /// Get credentials for this AWS profile, to see where it fails
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// The `--output` option.
    #[command(flatten)]
    pub output: Output,
}

/// What `vouch doctor` looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DoctorArea {
    /// The configuration file, and variables that lead elsewhere
    Config,
    /// Only the variables
    Environment,
    /// The issuer: reachable, trusted, same clock, same name
    Issuer,
    /// Security keys on this machine
    Security,
    /// The agent and the session
    Agent,
    /// Only the session
    Session,
    /// AWS profiles
    Aws,
}

/// `vouch agent`.
#[derive(Debug, Subcommand)]
pub enum AgentCommand {
    /// Start it, unless it runs
    Start,
    /// Say how it is
    Status(Output),
    /// End it, and with it the session
    Stop,
    /// Be the agent, in the foreground
    Run {
        /// Leave the terminal and log into a file
        #[arg(long, hide = true)]
        detach: bool,
    },
}

/// `vouch completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// `vouch man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// The folder; it is made when it is missing
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
}

/// `vouch reference`.
#[derive(Debug, Args)]
pub struct ReferenceArgs {
    /// The page
    #[arg(value_enum)]
    pub page: ReferencePage,
}

/// A generated page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReferencePage {
    /// docs/reference/cli.md
    Cli,
    /// docs/reference/environment.md
    Environment,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_tree_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_duration_aws_never_grants_is_refused() {
        for seconds in ["899", "43201", "-1", "13h"] {
            let argv =
                ["vouch", "credential", "aws", "--role", "arn:aws:iam::111111111111:role/x", "--duration", seconds];
            assert!(Arguments::try_parse_from(argv).is_err(), "{seconds}");
        }
    }

    #[test]
    fn a_password_in_a_url_is_not_repeated_wherever_it_stands() {
        let told = |line: &[&str]| Arguments::read([&["vouch"], line].concat()).unwrap_err().to_string();
        let known = "vouch.example.com";
        for url in
            ["https://alice:secret@vouch.example.com", "http://alice:secret@vouch.example.com", "alice:secret@vouch"]
        {
            for line in [
                &["enroll", url][..],
                &["login", url],
                &["logout", url],
                &["enroll", known, url],
                &[url],
                &["keys", url],
            ] {
                let told = told(line);
                assert!(told.contains("…@vouch") && !told.contains("alice") && !told.contains("secret"), "{told}");
            }
        }
        let told = told(&["login", "--issuer=https://alice:secret@vouch.example.com"]);
        assert!(!told.contains("secret"), "{told}");
    }

    #[test]
    fn a_person_in_the_place_of_the_issuer_is_named() {
        let told = Arguments::read(["vouch", "login", "alice@example.com"]).unwrap_err().to_string();
        assert!(told.contains("invalid value 'alice@example.com'"), "{told}");
    }

    #[test]
    fn setup_needs_a_role_unless_it_removes() {
        assert!(Arguments::try_parse_from(["vouch", "setup", "aws"]).is_err());
        assert!(Arguments::try_parse_from(["vouch", "setup", "aws", "--remove"]).is_ok());
    }
}
