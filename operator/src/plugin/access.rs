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

const ABOUT_ISSUERS: &[&str] = &["status", "invite", "keys", "rotate", "revoke-key", "accept-clock"];
const PEOPLE: &[&str] = &["invite", "users", "disable", "enable", "remove-key", "logout"];
const CHANGES_OF_PEOPLE: &[&str] = &["invite", "disable", "enable", "remove-key", "logout"];
const CHANGES_OF_STATUS: &[&str] = &["invite", "disable", "remove-key", "logout"];
const ORDERS: &[&str] = &["rotate", "revoke-key", "accept-clock"];
const VOUCH: &str = "vouch.sh";

const fn required(commands: &'static [&'static str], resource: &'static str, verbs: &'static [&'static str]) -> Need {
    Need { commands, group: VOUCH, resource, suffix: None, verbs, optional: false }
}

const fn optional(group: &'static str, resource: &'static str, verbs: &'static [&'static str]) -> Need {
    Need { commands: &["status"], group, resource, suffix: None, verbs, optional: true }
}

/// Everything that is needed by anything.
pub const NEEDS: &[Need] = &[
    required(ABOUT_ISSUERS, "vouchissuers", &["list"]),
    required(ORDERS, "vouchissuers", &["get", "patch"]),
    required(PEOPLE, "vouchusers", &["list"]),
    // When somebody else changes the same person in the same moment.
    required(CHANGES_OF_PEOPLE, "vouchusers", &["get"]),
    required(&["invite", "disable", "enable"], "vouchusers", &["patch"]),
    // Somebody new is made, seen to be the only one of the address, and taken back otherwise.
    required(&["invite"], "vouchusers", &["create", "watch", "delete"]),
    required(CHANGES_OF_STATUS, "vouchusers/status", &["patch"]),
    Need {
        commands: &["invite"],
        group: "",
        resource: "secrets",
        suffix: Some("-root-secret"),
        verbs: &["get"],
        optional: false,
    },
    optional(VOUCH, "vouchusers", &["list"]),
    optional(VOUCH, "oidcclients", &["list"]),
    optional("", "pods", &["list"]),
    optional("", ANY_PORT, &["get"]),
];

/// With it, somebody reaches every port of every pod of the namespace. No role of the chart has it.
pub const ANY_PORT: &str = "pods/proxy";

const PAGE: &str = "
## What each command may have to do

In the namespace of the issuer, as rules of RBAC. The chart makes two ClusterRoles for it and binds nobody to them:

```sh
kubectl create rolebinding vouch-viewers --clusterrole vouch-viewer --group support --namespace vouch
kubectl create rolebinding vouch-admins --clusterrole vouch-admin --group platform --namespace vouch
```

`vouch-viewer` gets, lists and watches the four kinds of Vouch, and lists pods: enough for `status`, `users` and `keys`.
`vouch-admin` has that, and what all commands need.

Whoever has `vouch-admin` can become anybody who signs in there: to write `vouchusers/status` is to decide which security
keys a person has, to read NAME-root-secret is to make invites that work, and to patch a VouchIssuer is to choose the image
that its pods run. None of this is in `vouch-viewer`, and nobody needs to read NAME-signing-keys.

A rule can name a Secret but no pattern of names, so `vouch-admin` reads the root secrets of the issuers that the chart's
value `rbac.userRoles.issuers` lists, by default that of an issuer called `vouch`. An invite to another issuer says what is
missing; add the issuer's name to the value, or give its administrators a Role with
`{apiGroups: [\"\"], resources: [secrets], resourceNames: [NAME-root-secret], verbs: [get]}`.

`status --all-namespaces` lists VouchIssuers in all namespaces and has the needs of `status` in each that has one: bind
`vouch-viewer` by a ClusterRoleBinding for it.

`status` says `NotActing` when no operator acts in the cluster, to those who may see it: a ClusterRole with
`{apiGroups: [coordination.k8s.io], resources: [leases], resourceNames: [vouch-operator], verbs: [list]}`, bound by a
ClusterRoleBinding. It is in neither role, for a RoleBinding cannot grant it, and nobody else is told anything about operators.

What is marked as optional, `status` goes without and says less. `pods/proxy`, by which it counts refused sign-ins, is in
neither role: it reaches every port of every pod of the namespace.

| commands | resource | verbs | |
|---|---|---|---|
";

/// The end of the reference page.
#[must_use]
pub fn page() -> String {
    let mut page = PAGE.to_owned();
    for need in NEEDS {
        let commands = need.commands.join(", ");
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
