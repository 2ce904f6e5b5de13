//! The `credential_process` line: a command that SDKs split like a shell (botocore) or give to one (Go, Rust).

use std::ffi::OsString;

use crate::{agent::protocol::AwsCredentialsRequest, hot_path};

/// The command for `request`, run by `program`.
#[must_use]
pub fn command(program: &str, request: &AwsCredentialsRequest) -> String {
    let mut words =
        vec![quote(program), "credential".into(), "aws".into(), "--role".into(), quote(&request.role.to_string())];
    if let Some(via) = &request.via {
        words.extend(["--via".to_owned(), quote(&via.to_string())]);
    }
    if let Some(duration) = request.duration {
        words.extend(["--duration".to_owned(), duration.to_string()]);
    }
    if let Some(region) = &request.region {
        words.extend(["--region".to_owned(), region.clone()]);
    }
    words.join(" ")
}

/// What a command asks for, when it is one of ours.
#[must_use]
pub fn request(command: &str) -> Option<AwsCredentialsRequest> {
    let words = split(command)?;
    let program = words.first()?.rsplit('/').next()?;
    let argv: Vec<_> = words.iter().map(OsString::from).collect();
    if program == "vouch" { hot_path::parse(&argv) } else { None }
}

/// The program a command starts.
#[must_use]
pub fn program(command: &str) -> Option<String> {
    split(command)?.into_iter().next()
}

/// A word that a shell and botocore's splitter read back as it is.
#[must_use]
pub fn quote(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=@,+%".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Splits like a POSIX shell without expansions; `None` when a quote is open.
fn split(command: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted: Option<char> = None;
    let mut characters = command.chars();
    while let Some(character) = characters.next() {
        match (quoted, character) {
            (Some(quote), c) if c == quote => quoted = None,
            (None, '\'' | '"') => {
                quoted = Some(character);
                word.get_or_insert_default();
            }
            (None | Some('"'), '\\') => word.get_or_insert_default().push(characters.next()?),
            (None, c) if c.is_ascii_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quoted.is_none().then_some(words)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    const ROLE: &str = "arn:aws:iam::111111111111:role/vouch/VouchAccess";

    fn asking(role: &str) -> AwsCredentialsRequest {
        AwsCredentialsRequest { role: role.parse().unwrap(), via: None, duration: None, region: None }
    }

    #[test]
    fn the_line_is_exactly_the_one_of_the_guide() {
        assert_eq!(command("vouch", &asking(ROLE)), format!("vouch credential aws --role {ROLE}"));
    }

    #[test]
    fn everything_asked_for_is_read_back() {
        let hub = "arn:aws:iam::999999999999:role/vouch/VouchAccess".parse().unwrap();
        let all = AwsCredentialsRequest {
            via: Some(hub),
            duration: Some(900),
            region: Some("eu-west-1".to_owned()),
            ..asking(ROLE)
        };
        assert_eq!(request(&command("/opt/my tools/vouch", &all)), Some(all));
    }

    #[test]
    fn the_command_of_another_program_is_not_ours() {
        for command in
            ["", "aws-vault exec x", "/usr/bin/other credential aws --role x", "vouch status", "vouch 'credential"]
        {
            assert_eq!(request(command), None, "{command}");
        }
    }

    proptest! {
        /// Where the program is installed is the one word that may hold anything: role names and regions hold nothing
        /// that a shell looks at.
        #[test]
        fn whatever_the_path_of_the_program_a_shell_runs_it_and_nothing_else(name in "[ -~]{1,20}") {
            prop_assume!(!name.contains('/') && name != "." && name != "..");
            let folder = tempfile::tempdir().unwrap();
            let place = folder.path().join(&name);
            std::fs::create_dir(&place).unwrap();
            // Prints its own path and what it was given, each on a line.
            let program = place.join("vouch");
            std::fs::write(&program, "#!/bin/sh\nprintf '%s\\n' \"$0\" \"$@\"\n").unwrap();
            std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
            let program = program.to_str().unwrap();
            let line = command(program, &asking(ROLE));
            prop_assert_eq!(request(&line), Some(asking(ROLE)));
            let ran = std::process::Command::new("sh").arg("-c").arg(&line).current_dir(folder.path()).output().unwrap();
            let printed = String::from_utf8(ran.stdout).unwrap();
            prop_assert_eq!(printed.lines().collect::<Vec<_>>(), [program, "credential", "aws", "--role", ROLE]);
        }
    }
}
