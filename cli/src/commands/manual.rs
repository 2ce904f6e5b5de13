//! The manual pages: what the command tree says, in the sections a reader of `man` looks for.

use std::io;

use clap::{Command, CommandFactory as _};
use clap_mangen::{
    Man,
    roff::{Roff, bold, roman},
};

use super::reference::{self, EXIT_CODES};
use crate::{args::Arguments, env};

/// The tree without what is hidden: clap completes hidden commands, too.
pub(super) fn public_commands() -> Command {
    let tree = Arguments::command();
    let mut public = Command::new("vouch")
        .version(env!("CARGO_PKG_VERSION"))
        .propagate_version(true)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .args(tree.get_arguments().cloned())
        .subcommands(tree.get_subcommands().filter(|command| !command.is_hide_set()).cloned());
    if let Some(about) = tree.get_about() {
        public = public.about(about.clone());
    }
    public
}

/// Every page with the name of its file.
///
/// # Errors
/// None that happens: pages are written into memory.
pub(super) fn pages() -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut root = public_commands().disable_help_subcommand(true);
    root.build();
    let mut pages = Vec::new();
    collect(&root, None, &mut pages)?;
    Ok(pages)
}

fn collect(command: &Command, parent: Option<&str>, pages: &mut Vec<(String, Vec<u8>)>) -> io::Result<()> {
    let name = parent.map_or_else(|| "vouch".to_owned(), |parent| format!("{parent}-{}", command.get_name()));
    pages.push((format!("{name}.1"), page(command, &name, parent)?));
    command
        .get_subcommands()
        .filter(|child| !child.is_hide_set())
        .try_for_each(|child| collect(child, Some(&name), pages))
}

fn page(command: &Command, name: &str, parent: Option<&str>) -> io::Result<Vec<u8>> {
    let man = Man::new(command.clone().display_name(name.to_owned()));
    // Written here, because the library leaves out an empty date and what follows it moves up (man(7), TH).
    let title = format!(".TH \"{}\" 1 \"\" \"vouch {}\" \"Vouch\"\n", name.to_uppercase(), env!("CARGO_PKG_VERSION"));
    let mut page = title.into_bytes();
    man.render_name_section(&mut page)?;
    synopsis(command).to_writer(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.get_subcommands().any(|child| !child.is_hide_set()) {
        man.render_subcommands_section(&mut page)?;
    }
    exit_status().to_writer(&mut page)?;
    environment().to_writer(&mut page)?;
    see_also(command, name, parent).to_writer(&mut page)?;
    Ok(page)
}

/// As `--help` shows it, with the values that options take.
fn synopsis(command: &Command) -> Roff {
    let usage = reference::usage(command);
    let name = command.get_bin_name().unwrap_or(command.get_name());
    let mut roff = Roff::new();
    roff.control("SH", ["SYNOPSIS"]);
    roff.text([bold(name), roman(usage.strip_prefix(name).unwrap_or(&usage))]);
    roff
}

fn exit_status() -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["EXIT STATUS"]);
    roff.control("TP", []);
    roff.text([bold("0")]);
    roff.text([roman("done")]);
    for (category, meaning) in EXIT_CODES {
        roff.control("TP", []);
        roff.text([bold(category.exit_code().to_string())]);
        roff.text([roman(meaning.replace('`', ""))]);
    }
    roff
}

fn environment() -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["ENVIRONMENT"]);
    for variable in env::ALL {
        roff.control("TP", []);
        roff.text([bold(variable.name)]);
        roff.text([roman(variable.meaning.replace('`', ""))]);
    }
    roff
}

fn see_also(command: &Command, name: &str, parent: Option<&str>) -> Roff {
    let children = command.get_subcommands().filter(|child| !child.is_hide_set());
    let mut others: Vec<_> = parent.map(str::to_owned).into_iter().collect();
    others.extend(children.map(|child| format!("{name}-{}", child.get_name())));
    if parent != Some("vouch") && name != "vouch" {
        others.insert(0, "vouch".to_owned());
    }
    let line: Vec<_> = others.iter().map(|other| format!("{other}(1)")).collect();
    let mut roff = Roff::new();
    roff.control("SH", ["SEE ALSO"]);
    roff.text([roman(line.join(", "))]);
    roff
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn text_of(page: &str) -> String {
        let (_, bytes) = pages().unwrap().into_iter().find(|(name, _)| name == page).unwrap();
        // Roff escapes hyphens.
        String::from_utf8(bytes).unwrap().replace("\\-", "-")
    }

    #[test]
    fn a_page_is_titled_by_its_whole_name_and_the_program() {
        let text = text_of("vouch-enroll.1");
        let title = format!(".TH \"VOUCH-ENROLL\" 1 \"\" \"vouch {}\" \"Vouch\"", env!("CARGO_PKG_VERSION"));
        assert_eq!(text.lines().next().unwrap(), title);
    }

    #[test]
    fn the_synopsis_has_the_values_of_options() {
        let text = text_of("vouch-credential-aws.1");
        assert!(text.contains("--role <ARN>") && !text.contains("<--role>"), "{text}");
        assert!(text.contains("vouch(1), vouch-credential(1)"), "{text}");
    }
}
