//! `vouch completions` and `vouch man`: what the command tree says, for shells and for `man`.

use std::{fs, io, path::Path};

use super::manual;
use crate::{
    args::{CompletionsArgs, ManArgs},
    aws_config::process::quote,
    console,
    error::{Category, Failure},
    file_failure::words,
};

/// Prints a completion script.
///
/// # Errors
/// When stdout cannot be written.
pub fn run(args: &CompletionsArgs) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut manual::public_commands(), "vouch", &mut script);
    console::print(String::from_utf8_lossy(&script).trim_end())
}

/// Writes a manual page for every command.
///
/// # Errors
/// [`Category::Configuration`] when the folder cannot be written.
pub fn man(args: &ManArgs) -> Result<(), Failure> {
    let folder = &args.folder;
    let write_all = || {
        fs::create_dir_all(folder)?;
        manual::pages()?.into_iter().try_for_each(|(name, page)| fs::write(folder.join(name), page))
    };
    let written: io::Result<()> = write_all();
    written.map_err(|error| {
        Failure::new(
            Category::Configuration,
            format!("cannot write manual pages into {}: {}", folder.display(), words(&error)),
        )
    })?;
    console::note(&written_into(folder));
    Ok(())
}

fn written_into(folder: &Path) -> String {
    let page = folder.join("vouch.1");
    format!("Wrote the manual pages into {}. Try: man {}", folder.display(), quote(&page.to_string_lossy()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use clap_complete::Shell;

    use super::*;

    #[test]
    fn every_shell_gets_a_script_that_knows_the_commands() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut manual::public_commands(), "vouch", &mut script);
            let script = String::from_utf8(script).unwrap();
            assert!(!script.contains("reference"), "{shell}: what is hidden stays hidden");
            assert!(script.contains("doctor") && script.contains("credential"), "{shell}");
        }
    }

    #[test]
    fn the_command_that_shows_a_page_can_be_pasted() {
        let plain = written_into(Path::new("man1"));
        assert_eq!(plain, "Wrote the manual pages into man1. Try: man man1/vouch.1");
        let quoted = written_into(Path::new("/srv/alice's pages"));
        assert!(quoted.ends_with(r". Try: man '/srv/alice'\''s pages/vouch.1'"), "{quoted}");
    }

    #[test]
    fn every_command_has_a_manual_page() {
        let folder = tempfile::tempdir().unwrap();
        man(&ManArgs { folder: folder.path().join("man1") }).unwrap();
        for page in ["vouch.1", "vouch-login.1", "vouch-credential-aws.1", "vouch-setup-aws.1"] {
            let text = fs::read_to_string(folder.path().join("man1").join(page)).unwrap();
            for section in ["NAME", "SYNOPSIS", "EXIT STATUS", "ENVIRONMENT", "SEE ALSO"] {
                assert!(
                    text.contains(&format!(".SH {section}\n")) || text.contains(&format!(".SH \"{section}\"\n")),
                    "{page} lacks {section}"
                );
            }
        }
        assert!(!folder.path().join("man1/vouch-reference.1").exists());
    }
}
