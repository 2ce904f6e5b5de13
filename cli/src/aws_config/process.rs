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
fn quote(word: &str) -> String {
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
        #[test]
        fn no_role_path_reaches_a_shell_unquoted(path in "/([!-~]{0,20}/)?") {
            let role = format!("arn:aws:iam::111111111111:role{path}Name");
            if let Ok(role) = role.parse() {
                let wanted = AwsCredentialsRequest { role, via: None, duration: None, region: None };
                let role = wanted.role.to_string();
                let line = command("vouch", &wanted);
                prop_assert_eq!(request(&line), Some(wanted));
                let printed = std::process::Command::new("sh")
                    .arg("-c")
                    .arg(line.replacen("vouch", "printf '%s\\n'", 1))
                    .output()
                    .unwrap();
                let printed = String::from_utf8(printed.stdout).unwrap();
                prop_assert_eq!(printed.lines().last(), Some(role.as_str()));
            }
        }
    }
}
