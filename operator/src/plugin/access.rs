//! What each command may have to do, as rules of RBAC: the one home of the table that the reference page shows, and that
//! the tests give to somebody to see that it is enough.

use std::fmt::Write as _;

use super::refusal::Rule;

/// The ClusterRole of the chart for those who look.
pub const VIEWER: &str = "vouch-viewer";
/// The ClusterRole of the chart for those who change.
pub const ADMIN: &str = "vouch-admin";

/// What a command needs in the issuer's namespace.
#[derive(Debug, Clone, Copy)]
pub struct Need {
    /// The commands.
    pub commands: &'static [&'static str],
    /// `""` is the core group.
    pub group: &'static str,
    /// With a subresource behind a slash.
    pub resource: &'static str,
    /// Behind the issuer's name: the one object that is needed. Otherwise all.
    pub suffix: Option<&'static str>,
    /// As RBAC names them.
    pub verbs: &'static [&'static str],
    /// Without it the command does less.
    pub optional: bool,
}

const EVERY: &[&str] = &[
    "status",
    "invite",
    "users",
    "disable",
    "enable",
    "remove-key",
    "logout",
    "keys",
    "rotate",
    "revoke-key",
    "accept-clock",
];
const PEOPLE: &[&str] = &["invite", "users", "disable", "enable", "remove-key", "logout"];
const CHANGES_OF_PEOPLE: &[&str] = &["invite", "disable", "enable", "remove-key", "logout"];
const ORDERS: &[&str] = &["rotate", "revoke-key", "accept-clock"];
const VOUCH: &str = "vouch.sh";

/// Everything that is needed by anything.
pub const NEEDS: &[Need] = &[
    Need {
        commands: EVERY,
        group: VOUCH,
        resource: "vouchissuers",
        suffix: None,
        verbs: &["get", "list"],
        optional: false,
    },
    Need { commands: ORDERS, group: VOUCH, resource: "vouchissuers", suffix: None, verbs: &["patch"], optional: false },
    Need {
        commands: PEOPLE,
        group: VOUCH,
        resource: "vouchusers",
        suffix: None,
        verbs: &["get", "list", "watch"],
        optional: false,
    },
    Need {
        commands: &["invite"],
        group: VOUCH,
        resource: "vouchusers",
        suffix: None,
        verbs: &["create", "patch", "delete"],
        optional: false,
    },
    Need {
        commands: &["disable", "enable"],
        group: VOUCH,
        resource: "vouchusers",
        suffix: None,
        verbs: &["patch"],
        optional: false,
    },
    Need {
        commands: CHANGES_OF_PEOPLE,
        group: VOUCH,
        resource: "vouchusers/status",
        suffix: None,
        verbs: &["patch"],
        optional: false,
    },
    Need {
        commands: &["invite"],
        group: "",
        resource: "secrets",
        suffix: Some("-root-secret"),
        verbs: &["get"],
        optional: false,
    },
    Need {
        commands: &["status"],
        group: VOUCH,
        resource: "vouchusers",
        suffix: None,
        verbs: &["list"],
        optional: true,
    },
    Need {
        commands: &["status"],
        group: VOUCH,
        resource: "oidcclients",
        suffix: None,
        verbs: &["list"],
        optional: true,
    },
    Need { commands: &["status"], group: "", resource: "pods", suffix: None, verbs: &["list"], optional: true },
    Need { commands: &["status"], group: "", resource: "pods/proxy", suffix: None, verbs: &["get"], optional: true },
];

const PAGE: &str = "
## What each command may have to do

In the namespace of the issuer, as rules of RBAC. What is marked as optional, `status` goes without and says less. The chart
makes two ClusterRoles of it, to be bound in a namespace: `vouch-viewer` has what `status`, `users` and `keys` need, and
`vouch-admin` has everything.

Whoever may write `vouchusers/status` decides which security keys a person has, and whoever may read NAME-root-secret can
make invites that work: both can become anybody. Neither is in `vouch-viewer`, and nobody needs to read NAME-signing-keys.

| commands | resource | verbs | |
|---|---|---|---|
";

/// The end of the reference page.
#[must_use]
pub fn page() -> String {
    let mut page = PAGE.to_owned();
    for need in NEEDS {
        let commands = if need.commands == EVERY { "all".to_owned() } else { need.commands.join(", ") };
        let name = need.suffix.map(|suffix| format!(", only `NAME{suffix}`")).unwrap_or_default();
        let group = if need.group.is_empty() { String::new() } else { format!(".{}", need.group) };
        let (resource, subresource) = need
            .resource
            .split_once('/')
            .map_or((need.resource, String::new()), |(resource, sub)| (resource, format!("/{sub}")));
        let optional = if need.optional { "optional" } else { "" };
        let _infallible = writeln!(
            page,
            "| {commands} | `{resource}{group}{subresource}`{name} | {} | {optional} |",
            need.verbs.join(", ")
        );
    }
    page
}

/// The rules that a command needs for an issuer.
pub fn rules<'a>(command: &'a str, issuer: &'a str) -> impl Iterator<Item = Rule> + 'a {
    let needs = NEEDS.iter().filter(move |need| need.commands.contains(&command));
    needs.flat_map(move |need| {
        need.verbs.iter().map(move |verb| Rule {
            verb: (*verb).to_owned(),
            group: need.group.to_owned(),
            resource: need.resource.to_owned(),
            name: need.suffix.map(|suffix| format!("{issuer}{suffix}")),
            namespace: None,
        })
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use clap::CommandFactory as _;
    use vouch_crds::names;

    use super::*;
    use crate::plugin::args::Cli;

    #[test]
    fn every_command_that_asks_the_cluster_says_what_it_needs() {
        let without = ["example", "completions", "help"];
        let root = Cli::command();
        for command in root.get_subcommands().filter(|sub| !sub.is_hide_set() && !without.contains(&sub.get_name())) {
            assert!(rules(command.get_name(), "vouch").next().is_some(), "{}", command.get_name());
        }
        for need in NEEDS {
            assert!(need.commands.iter().all(|name| root.find_subcommand(name).is_some()), "{need:?}");
        }
    }

    #[test]
    fn only_an_invite_reads_a_secret_and_never_the_signing_keys() {
        for need in NEEDS.iter().filter(|need| need.resource == "secrets") {
            assert_eq!(need.commands, ["invite"]);
            assert_eq!(need.verbs, ["get"]);
            assert_eq!(format!("vouch{}", need.suffix.unwrap()), names::root_secret::name("vouch"));
        }
    }
}
