//! Completion: scripts for shells, and the words that kubectl asks for.
//!
//! kubectl completes a plugin by running `kubectl_complete-NAME` with the words so far. Each line of its answer is a
//! candidate with a description, and the last line tells the shell what else it may do
//! (<https://kubernetes.io/docs/tasks/extend-kubectl/kubectl-plugins/>, "Completion").

use std::fmt::Write as _;

use clap::{Arg, Command, CommandFactory as _};

use super::args::{Cli, Shell};

/// `ShellCompDirectiveNoFileComp` of cobra: no candidate is the name of a file.
const NO_FILES: &str = ":4";
/// `ShellCompDirectiveDefault` of cobra: candidates may be names of files.
const FILES: &str = ":0";

/// What `kubectl_complete-vouch` has to be.
const FOR_KUBECTL: &str = "#!/bin/sh\n\
    # kubectl runs this to complete `kubectl vouch`. Put it on the PATH as kubectl_complete-vouch, executable.\n\
    exec kubectl-vouch __complete -- \"$@\"\n";

/// A completion script.
#[must_use]
pub fn script(shell: Shell) -> String {
    let shell = match shell {
        Shell::Kubectl => return FOR_KUBECTL.to_owned(),
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Fish => clap_complete::Shell::Fish,
        Shell::Zsh => clap_complete::Shell::Zsh,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command().bin_name("kubectl-vouch"), "kubectl-vouch", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// The words that could come next, as kubectl wants them.
#[must_use]
pub fn candidates(words: &[String]) -> String {
    let mut root = Cli::command();
    root.build();
    let (last, before) = words.split_last().map_or(("", &[][..]), |(last, before)| (last.as_str(), before));
    let (command, expecting) = walk(&root, before);
    let mut answer = String::new();
    let mut offer = |word: &str, meaning: String| {
        if word.starts_with(last) {
            let meaning = meaning.lines().next().unwrap_or_default().to_owned();
            let _infallible = writeln!(answer, "{word}\t{meaning}");
        }
    };
    if let Some(option) = expecting {
        for value in option.get_possible_values() {
            offer(value.get_name(), text(value.get_help()));
        }
        answer.push_str(if option.get_id() == "kubeconfig" { FILES } else { NO_FILES });
        answer.push('\n');
        return answer;
    }
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help") {
        offer(sub.get_name(), text(sub.get_about()));
    }
    for value in command.get_positionals().flat_map(Arg::get_possible_values) {
        offer(value.get_name(), text(value.get_help()));
    }
    if last.starts_with('-') {
        for (arg, long) in command.get_arguments().filter_map(|arg| Some((arg, arg.get_long()?))) {
            offer(&format!("--{long}"), text(arg.get_help()));
        }
    }
    answer.push_str(NO_FILES);
    answer.push('\n');
    answer
}

fn text(styled: Option<&clap::builder::StyledStr>) -> String {
    styled.map(ToString::to_string).unwrap_or_default()
}

/// The command that the words lead to, and the option whose value comes next.
fn walk<'a>(root: &'a Command, words: &[String]) -> (&'a Command, Option<&'a Arg>) {
    let (mut command, mut expecting) = (root, None);
    for word in words {
        if expecting.take().is_some() {
            continue;
        }
        if word.starts_with('-') {
            expecting = command.get_arguments().find(|arg| is_named(arg, word) && arg.get_action().takes_values());
        } else if let Some(sub) = command.find_subcommand(word) {
            command = sub;
        }
    }
    (command, expecting)
}

/// `--context=prod` has its value already.
fn is_named(arg: &Arg, word: &str) -> bool {
    let long = word.strip_prefix("--").is_some_and(|name| arg.get_long() == Some(name));
    let mut letters = word.chars().skip(1);
    long || (letters.next().is_some_and(|letter| arg.get_short() == Some(letter)) && letters.next().is_none())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    fn words(line: &str) -> Vec<String> {
        let answer = candidates(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        answer.lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect()
    }

    #[test]
    fn kubectl_is_offered_the_words_that_can_come_next() {
        assert_eq!(words("re"), ["remove-key", "revoke-key", ":4"]);
        assert_eq!(words("users "), ["list", "show", ":4"]);
        assert_eq!(words("-n vouch example "), ["issuer", ":4"]);
        assert_eq!(words("status --output "), ["text", "json", ":4"]);
        assert_eq!(words("status -o j"), ["json", ":4"]);
        assert_eq!(words("completions z"), ["zsh", ":4"]);
        assert_eq!(words("invite alice@example.com --gr"), ["--group", ":4"]);
        assert_eq!(words("--kubeconfig "), [":0"]);
        assert_eq!(words("--context=prod us"), ["users", ":4"]);
        assert!(!words("").iter().any(|word| ["__complete", "help"].contains(&word.as_str())));
    }

    #[test]
    fn every_shell_gets_a_script_that_knows_the_commands() {
        for shell in [Shell::Bash, Shell::Fish, Shell::Zsh] {
            let script = script(shell);
            assert!(script.contains("remove-key") && script.contains("kubectl-vouch"), "{shell:?}");
        }
        assert!(script(Shell::Kubectl).starts_with("#!/bin/sh\n"));
    }
}
