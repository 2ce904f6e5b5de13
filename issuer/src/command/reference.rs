//! The reference of the command line and of the HTTP surface, written from both so that it cannot differ.

use std::fmt::Write;

use clap::{Arg, ArgAction, Command, CommandFactory, Id};

use super::Cli;
use crate::http::{
    private::{LIVEZ, METRICS, READYZ},
    router::{Access, routes},
};
use crate::metrics::reference::described;

/// `docs/reference/issuer.md`.
pub(super) fn markdown() -> String {
    let mut root = Cli::command();
    root.build();
    let mut text = String::from("# vouch-issuer\n\n<!-- Written by `vouch-issuer reference`; a test compares. -->\n");
    describe(&mut text, &root, "vouch-issuer");
    table(&mut text, "Options of every command", root.get_arguments().filter(|arg| arg.is_global_set()));
    let everywhere: Vec<&Id> = root.get_arguments().map(Arg::get_id).collect();
    for command in visible(&root) {
        section(&mut text, command, "vouch-issuer", &everywhere);
    }
    http(&mut text);
    metrics(&mut text);
    text
}

fn visible(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help")
}

/// What the command has beside what is `everywhere`. Writing to a string cannot fail; `let _` says that the result carries
/// nothing.
fn section(text: &mut String, command: &Command, parent: &str, everywhere: &[&Id]) {
    let name = format!("{parent} {}", command.get_name());
    if visible(command).next().is_some() {
        visible(command).for_each(|sub| section(text, sub, &name, everywhere));
        return;
    }
    let _ = write!(text, "\n## {name}\n");
    describe(text, command, &name);
    let own = || command.get_arguments().filter(|arg| !everywhere.contains(&arg.get_id()));
    table(text, "Arguments", own().filter(|arg| arg.is_positional()));
    table(text, "Options", own().filter(|arg| !arg.is_positional()));
}

fn is_help(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong | ArgAction::Version)
}

fn describe(text: &mut String, command: &Command, name: &str) {
    let about = command.get_long_about().or_else(|| command.get_about());
    if let Some(about) = about {
        let _ = write!(text, "\n{about}\n");
    }
    let positionals = command.get_positionals().map(|arg| format!(" <{}>", value_name(arg)));
    let subcommand = if visible(command).next().is_some() { " <COMMAND>" } else { "" };
    let _ = write!(text, "\n```\n{name}{subcommand}{} [OPTIONS]\n```\n", positionals.collect::<String>());
}

fn table<'a>(text: &mut String, title: &str, args: impl Iterator<Item = &'a Arg>) {
    let mut rows = args.filter(|arg| !arg.is_hide_set() && !is_help(arg)).peekable();
    if rows.peek().is_none() {
        return;
    }
    let _ = write!(text, "\n| {title} | | default | environment |\n|---|---|---|---|\n");
    for arg in rows {
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let values = quoted(arg.get_possible_values().iter().map(|value| value.get_name().to_owned()));
        let values = if takes_value(arg) && !values.is_empty() { format!(": {values}") } else { String::new() };
        let defaults = arg.get_default_values().iter().filter(|_| takes_value(arg));
        let defaults = quoted(defaults.map(|value| value.display().to_string()));
        let env = quoted(arg.get_env().map(|env| env.display().to_string()).into_iter());
        let _ = writeln!(text, "| `{}` | {help}{values} | {defaults} | {env} |", spelling(arg));
    }
}

fn quoted(words: impl Iterator<Item = String>) -> String {
    words.map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

fn takes_value(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Set | ArgAction::Append)
}

fn value_name(arg: &Arg) -> String {
    let names = arg.get_value_names().unwrap_or_default();
    names.first().map_or_else(|| arg.get_id().as_str().to_uppercase(), ToString::to_string)
}

fn spelling(arg: &Arg) -> String {
    let value = if takes_value(arg) { format!(" {}", value_name(arg)) } else { String::new() };
    match (arg.get_short(), arg.get_long()) {
        (Some(short), Some(long)) => format!("-{short}, --{long}{value}"),
        (None, Some(long)) => format!("--{long}{value}"),
        _ => value.trim().to_owned(),
    }
}

fn http(text: &mut String) {
    text.push_str(
        "\n## The public listener\n\nPaths are under the path of `spec.url`.\n\n| request | needs |\n|---|---|\n",
    );
    for route in routes() {
        let needs = match route.access {
            Access::Document => "nothing, and is not limited",
            Access::Open => "nothing",
            Access::Proof => "a DPoP proof (RFC 9449)",
            Access::Session => "a session token with its DPoP proof",
        };
        let _ = writeln!(text, "| `{} {}` | {needs} |", route.method, route.path);
    }
    let _ = write!(
        text,
        "\n## The private listener\n\n| request | answers |\n|---|---|\n\
         | `GET {LIVEZ}` | 200 while the process answers |\n\
         | `GET {READYZ}` | 200 while traffic should come here, else 503; JSON says what is wrong |\n\
         | `GET {METRICS}` | metrics for Prometheus |\n"
    );
}

fn metrics(text: &mut String) {
    text.push_str("\n## Metrics\n\n| metric | kind | labels | |\n|---|---|---|---|\n");
    for metric in described() {
        let labels = quoted(metric.labels.into_iter());
        let _ = writeln!(text, "| `{}` | {} | {labels} | {} |", metric.name, metric.kind, metric.help);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_reference_in_the_documentation_is_the_current_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/issuer.md");
        let written = std::fs::read_to_string(path).unwrap();
        let current = markdown();
        assert!(written == current, "write it again: vouch-issuer reference > docs/reference/issuer.md");
    }
}
