//! `docs/reference/kubectl-vouch.md`, written from the command line and from the table of rights, so that it cannot
//! differ from either.

use std::fmt::Write as _;

use clap::{Arg, Command, CommandFactory as _};

use super::{access, args::Cli};

const INTRODUCTION: &str = "\
Put `kubectl-vouch` on the PATH, and kubectl runs it as `kubectl vouch`. It talks to the API server with the kubeconfig of
kubectl and with nothing else: what somebody may do with it is decided by roles of the cluster (see
[below](#what-each-command-may-have-to-do)). It has the verbs of an issuer that runs alone ([vouch-issuer](issuer.md)): an order
about signing keys may have `keys` before it, and `revoke-key` is `revoke`, too.

It uses the proxy that kubectl uses: `proxy-url` of the kubeconfig, or `HTTPS_PROXY` for every server that `NO_PROXY` does not
name; `http://`, `https://`, and `socks5://` with a port and without a password. Where there is a proxy, it cannot read a `NO_PROXY`
with an empty part or with `*` beside others, and says so.

What a program reads goes to stdout, what a person reads to stderr. Every failure is one sentence and a next step; the exit
status is 0 when the command was carried out, 1 when it was not, 2 when the command line is wrong. With `--output json` a command
that was not carried out prints on stdout, in place of its answer, an object whose only member is `error`; it has `category`
(`configuration` when the VouchIssuer is wrong, with every mistake in `problems`, `usage` when the command line is, otherwise
`general`), `exit_code`, `message` and, where there are any, `causes`. `vouch-issuer` prints the same.

An API server that cannot be reached for a moment, or asks for patience (429, 503), is asked again, for five seconds in all and
as often as its `Retry-After` allows; a request that may have been carried out only when it reads.
";

/// The whole page.
#[must_use]
pub fn page() -> String {
    let mut root = Cli::command();
    root.build();
    let mut page = String::from("# kubectl vouch\n\n<!-- Generated from the command line; a test compares. -->\n\n");
    page.push_str(INTRODUCTION);
    page.push_str("\n## Options of every command\n\n");
    table(&mut page, root.get_arguments().filter(|arg| arg.is_global_set()));
    visible(&root).for_each(|command| section(&mut page, command, "kubectl vouch", &root));
    page.push_str(&access::page());
    page
}

fn visible(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help")
}

/// Writing to a string cannot fail.
fn section(page: &mut String, command: &Command, parent: &str, root: &Command) {
    let name = format!("{parent} {}", command.get_name());
    if visible(command).next().is_some() {
        // An order about keys has a section of its own.
        let own = visible(command).filter(|sub| root.find_subcommand(sub.get_name()).is_none());
        own.for_each(|sub| section(page, sub, &name, root));
        return;
    }
    let about = command.get_long_about().or_else(|| command.get_about()).map(ToString::to_string).unwrap_or_default();
    let positionals: String = command.get_positionals().map(|arg| format!(" {}", spelling(arg))).collect();
    let own: Vec<&Arg> = command.get_arguments().filter(|arg| !arg.is_global_set() && !is_help(arg)).collect();
    let _infallible = write!(page, "\n## {name}\n\n{about}\n\n```\n{name}{positionals} [OPTIONS]\n```\n");
    if !own.is_empty() {
        page.push('\n');
        table(page, own.into_iter());
    }
}

fn is_help(arg: &Arg) -> bool {
    ["help", "version"].contains(&arg.get_id().as_str())
}

fn table<'a>(page: &mut String, args: impl Iterator<Item = &'a Arg>) {
    page.push_str("| option | meaning | default |\n|---|---|---|\n");
    for arg in args.filter(|arg| !is_help(arg)) {
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let values = quoted(arg.get_possible_values().iter().map(|value| value.get_name().to_owned()));
        let takes_value = arg.get_action().takes_values();
        let values = if takes_value && !values.is_empty() { format!(": {values}") } else { String::new() };
        let defaults = arg.get_default_values().iter().filter(|_| takes_value);
        let defaults = quoted(defaults.map(|value| value.display().to_string()));
        let _infallible = writeln!(page, "| `{}` | {help}{values} | {defaults} |", spelling(arg));
    }
}

fn quoted(words: impl Iterator<Item = String>) -> String {
    words.map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

fn spelling(arg: &Arg) -> String {
    let names = arg.get_value_names().unwrap_or_default();
    let value = names.first().map_or_else(|| arg.get_id().as_str().to_uppercase(), ToString::to_string);
    let value = if arg.get_action().takes_values() { value } else { String::new() };
    match (arg.get_short(), arg.get_long()) {
        (Some(short), Some(long)) => format!("-{short}, --{long} {value}").trim_end().to_owned(),
        (None, Some(long)) => format!("--{long} {value}").trim_end().to_owned(),
        _ => format!("<{value}>"),
    }
}
