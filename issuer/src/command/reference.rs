//! The command reference, written from the command line itself so that it cannot differ.

use std::fmt::Write;

use clap::{Arg, ArgAction, Command, CommandFactory};

use super::Cli;

/// `docs/reference/issuer.md`.
pub(super) fn markdown() -> String {
    let mut root = Cli::command();
    root.build();
    let mut text = String::from("# vouch-issuer\n\n<!-- Written by `vouch-issuer reference`; a test compares. -->\n");
    describe(&mut text, &root, "vouch-issuer");
    options(&mut text, "Options of every command", root.get_arguments().filter(|arg| arg.is_global_set()));
    for command in visible(&root) {
        section(&mut text, command, "vouch-issuer");
    }
    environment(&mut text, &root);
    text
}

fn visible(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help")
}

/// Writing to a string cannot fail; `let _` says that the result carries nothing.
fn section(text: &mut String, command: &Command, parent: &str) {
    let name = format!("{parent} {}", command.get_name());
    if visible(command).next().is_some() {
        visible(command).for_each(|sub| section(text, sub, &name));
        return;
    }
    let _ = write!(text, "\n## {name}\n");
    describe(text, command, &name);
    let own = || command.get_arguments().filter(|arg| !arg.is_global_set() && !is_help(arg));
    options(text, "Arguments", own().filter(|arg| arg.is_positional()));
    options(text, "Options", own().filter(|arg| !arg.is_positional()));
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

fn options<'a>(text: &mut String, title: &str, args: impl Iterator<Item = &'a Arg>) {
    let mut rows = args.filter(|arg| !arg.is_hide_set() && !is_help(arg)).peekable();
    if rows.peek().is_none() {
        return;
    }
    let _ = write!(text, "\n| {title} | | default | environment |\n|---|---|---|---|\n");
    for arg in rows {
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let values = arg.get_possible_values();
        let values: Vec<_> =
            values.iter().filter(|_| takes_value(arg)).map(|value| format!("`{}`", value.get_name())).collect();
        let values = if values.is_empty() { String::new() } else { format!(": {}", values.join(", ")) };
        let defaults: Vec<_> = arg
            .get_default_values()
            .iter()
            .filter(|_| takes_value(arg))
            .map(|value| format!("`{}`", value.display()))
            .collect();
        let env = arg.get_env().map(|env| format!("`{}`", env.display())).unwrap_or_default();
        let _ = writeln!(text, "| `{}` | {help}{values} | {} | {env} |", spelling(arg), defaults.join(" "));
    }
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

fn environment(text: &mut String, root: &Command) {
    let mut rows: Vec<(String, String)> = Vec::new();
    collect_environment(root, &mut rows);
    rows.sort();
    rows.dedup();
    text.push_str("\n## Environment\n\nA variable stands in for an option that is not given.\n\n| variable | option |\n|---|---|\n");
    for (variable, option) in rows {
        let _ = writeln!(text, "| `{variable}` | `{option}` |");
    }
}

fn collect_environment(command: &Command, rows: &mut Vec<(String, String)>) {
    let named = command.get_arguments().filter_map(|arg| Some((arg.get_env()?.display().to_string(), spelling(arg))));
    rows.extend(named);
    command.get_subcommands().for_each(|sub| collect_environment(sub, rows));
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
