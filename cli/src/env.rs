//! Every environment variable the program reads, in one place. The page `docs/reference/environment.md` is made from
//! this list.

use std::ffi::OsString;

/// Which part of the page a variable belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Where files and sockets are.
    Places,
    /// How the network is reached.
    Network,
    /// What is asked of AWS.
    Aws,
    /// How the program behaves.
    Behaviour,
}

/// One variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// Its part of the page.
    pub group: Group,
    /// Who reads it: the command, or the agent in the environment of whichever command started it.
    pub read_by: &'static str,
    /// One or two sentences.
    pub meaning: &'static str,
}

impl Variable {
    /// Its value; an empty one counts as unset.
    #[must_use]
    pub fn get(&self) -> Option<OsString> {
        std::env::var_os(self.name).filter(|value| !value.is_empty())
    }

    /// Its value as text; one that is not UTF-8 counts as unset.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        self.get().and_then(|value| value.into_string().ok())
    }
}

impl Variable {
    /// Whether the agent reads it.
    #[must_use]
    pub fn is_read_by_agent(&self) -> bool {
        self.read_by != COMMAND
    }
}

const COMMAND: &str = "command";
const AGENT: &str = "agent";
const BOTH: &str = "command and agent";

/// Folder of `config.toml`.
pub const VOUCH_CONFIG_DIR: Variable = Variable {
    name: "VOUCH_CONFIG_DIR",
    group: Group::Places,
    read_by: COMMAND,
    meaning: "Folder of `config.toml`. Default: `$XDG_CONFIG_HOME/vouch`, else `~/.config/vouch`.",
};
/// Folder of the agent's socket.
pub const VOUCH_RUNTIME_DIR: Variable = Variable {
    name: "VOUCH_RUNTIME_DIR",
    group: Group::Places,
    read_by: BOTH,
    meaning: "Folder of the agent's socket and lock, mode 0700. Default: `$XDG_RUNTIME_DIR/vouch`, else \
              `~/.local/state/vouch/run`.",
};
/// Folder of the agent's log.
pub const VOUCH_STATE_DIR: Variable = Variable {
    name: "VOUCH_STATE_DIR",
    group: Group::Places,
    read_by: BOTH,
    meaning: "Folder of `agent.log`. Default: `$XDG_STATE_HOME/vouch`, else `~/.local/state/vouch`.",
};
/// XDG Base Directory Specification.
pub const XDG_CONFIG_HOME: Variable = Variable {
    name: "XDG_CONFIG_HOME",
    group: Group::Places,
    read_by: COMMAND,
    meaning: "See `VOUCH_CONFIG_DIR`. A relative path is ignored, as the XDG specification asks.",
};
/// XDG Base Directory Specification.
pub const XDG_RUNTIME_DIR: Variable =
    Variable { name: "XDG_RUNTIME_DIR", group: Group::Places, read_by: BOTH, meaning: "See `VOUCH_RUNTIME_DIR`." };
/// XDG Base Directory Specification.
pub const XDG_STATE_HOME: Variable =
    Variable { name: "XDG_STATE_HOME", group: Group::Places, read_by: BOTH, meaning: "See `VOUCH_STATE_DIR`." };
/// The home folder.
pub const HOME: Variable = Variable {
    name: "HOME",
    group: Group::Places,
    read_by: BOTH,
    meaning: "The home folder. Default: the one in the user database.",
};
/// Finds the program again in profiles.
pub const PATH: Variable = Variable {
    name: "PATH",
    group: Group::Places,
    read_by: COMMAND,
    meaning: "`vouch setup aws` writes plain `vouch` into a profile when that name finds this program here, and its \
              absolute path otherwise.",
};

/// A further file of trusted certificate authorities.
pub const VOUCH_CA_BUNDLE: Variable = Variable {
    name: "VOUCH_CA_BUNDLE",
    group: Group::Network,
    read_by: BOTH,
    meaning: "PEM file of certificate authorities to trust beside the system's, for the issuer and for AWS.",
};
/// The AWS tools' name for the same.
pub const AWS_CA_BUNDLE: Variable = Variable {
    name: "AWS_CA_BUNDLE",
    group: Group::Network,
    read_by: BOTH,
    meaning: "The same, under the name the AWS tools use.",
};
/// Replaces the system's authorities (OpenSSL).
pub const SSL_CERT_FILE: Variable = Variable {
    name: "SSL_CERT_FILE",
    group: Group::Network,
    read_by: BOTH,
    meaning: "PEM file of certificate authorities to trust instead of the system's, as OpenSSL has it.",
};
/// Replaces the system's authorities (OpenSSL).
pub const SSL_CERT_DIR: Variable = Variable {
    name: "SSL_CERT_DIR",
    group: Group::Network,
    read_by: BOTH,
    meaning: "Folder of certificate authorities to trust instead of the system's, as OpenSSL has it.",
};
/// Proxy for `https` (upper or lower case).
pub const HTTPS_PROXY: Variable = Variable {
    name: "HTTPS_PROXY",
    group: Group::Network,
    read_by: BOTH,
    meaning: "Proxy for the issuer and for AWS, such as `http://proxy.example.com:3128`. Also `https_proxy`, `ALL_PROXY`, \
              `all_proxy`.",
};
/// Hosts that are reached without the proxy.
pub const NO_PROXY: Variable = Variable {
    name: "NO_PROXY",
    group: Group::Network,
    read_by: BOTH,
    meaning: "Hosts, domains and networks that are reached without the proxy, separated by commas. Also `no_proxy`.",
};

/// Region of the STS endpoint.
pub const AWS_REGION: Variable = Variable {
    name: "AWS_REGION",
    group: Group::Aws,
    read_by: COMMAND,
    meaning: "Region whose STS endpoint issues credentials, unless `--region` names one. Default: `us-east-1`, \
              `cn-north-1` or `us-gov-west-1`, by the role's partition. Credentials that are cached already serve \
              every region, whichever endpoint they came from.",
};
/// Region of the STS endpoint, second choice.
pub const AWS_DEFAULT_REGION: Variable = Variable {
    name: "AWS_DEFAULT_REGION",
    group: Group::Aws,
    read_by: COMMAND,
    meaning: "The same, when `AWS_REGION` is not set.",
};
/// The AWS configuration file.
pub const AWS_CONFIG_FILE: Variable = Variable {
    name: "AWS_CONFIG_FILE",
    group: Group::Aws,
    read_by: COMMAND,
    meaning: "The file `vouch setup aws` edits. Default: `~/.aws/config`.",
};
/// The AWS credentials file, whose profiles win over the configuration file.
pub const AWS_SHARED_CREDENTIALS_FILE: Variable = Variable {
    name: "AWS_SHARED_CREDENTIALS_FILE",
    group: Group::Aws,
    read_by: COMMAND,
    meaning: "Only read, to notice static keys that would win over a profile. Default: `~/.aws/credentials`.",
};
/// Another STS endpoint.
pub const AWS_ENDPOINT_URL_STS: Variable = Variable {
    name: "AWS_ENDPOINT_URL_STS",
    group: Group::Aws,
    read_by: AGENT,
    meaning: "STS endpoint to use instead of the regional one, for a private endpoint. `https`, or on this machine.",
};

/// Static keys in the environment.
pub const AWS_ACCESS_KEY_ID: Variable = Variable {
    name: "AWS_ACCESS_KEY_ID",
    group: Group::Aws,
    read_by: COMMAND,
    meaning: "Only looked at by `vouch doctor`: most AWS tools take static keys of the environment before any profile.",
};
/// The profile AWS tools use.
pub const AWS_PROFILE: Variable = Variable {
    name: "AWS_PROFILE",
    group: Group::Aws,
    read_by: COMMAND,
    meaning: "Only looked at by `vouch doctor`, to notice a profile that is not there.",
};

/// How long a helper waits.
pub const VOUCH_TIMEOUT: Variable = Variable {
    name: "VOUCH_TIMEOUT",
    group: Group::Behaviour,
    read_by: COMMAND,
    meaning: "Seconds a command waits for an answer of the agent, 1 to 600. Default: 60.",
};
/// What the agent writes into its log.
pub const VOUCH_LOG: Variable = Variable {
    name: "VOUCH_LOG",
    group: Group::Behaviour,
    read_by: AGENT,
    meaning: "What the agent logs, such as `debug` or `vouch_cli=trace`. Default: `info`. No level shows a secret.",
};
/// No colours (<https://no-color.org>).
pub const NO_COLOR: Variable = Variable {
    name: "NO_COLOR",
    group: Group::Behaviour,
    read_by: COMMAND,
    meaning: "Prompts on the terminal are not coloured when it is set.",
};

/// All of them, in the order of the page.
pub const ALL: &[&Variable] = &[
    &VOUCH_CONFIG_DIR,
    &VOUCH_RUNTIME_DIR,
    &VOUCH_STATE_DIR,
    &XDG_CONFIG_HOME,
    &XDG_RUNTIME_DIR,
    &XDG_STATE_HOME,
    &HOME,
    &PATH,
    &VOUCH_CA_BUNDLE,
    &AWS_CA_BUNDLE,
    &SSL_CERT_FILE,
    &SSL_CERT_DIR,
    &HTTPS_PROXY,
    &NO_PROXY,
    &AWS_REGION,
    &AWS_DEFAULT_REGION,
    &AWS_CONFIG_FILE,
    &AWS_SHARED_CREDENTIALS_FILE,
    &AWS_ENDPOINT_URL_STS,
    &AWS_ACCESS_KEY_ID,
    &AWS_PROFILE,
    &VOUCH_TIMEOUT,
    &VOUCH_LOG,
    &NO_COLOR,
];
