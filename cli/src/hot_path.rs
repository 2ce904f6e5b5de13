//! `vouch credential aws` on a cache hit: argv, unix socket, stdout, and nothing else.
//!
//! Programs run this for every command, so it must stay near the cost of starting a process: no async runtime, no TLS,
//! no trust store, no clap tree. It never starts a prompt, and it never waits longer than its deadline.

use std::{ffi::OsString, io, process::ExitCode, time::Instant};

use vouch_iam::arn::RoleArn;
use zeroize::Zeroizing;

use crate::{
    agent::{
        client,
        protocol::{AwsCredentialsRequest, CREDENTIALS_PREFIX, Envelope, Request, Response, VERSION},
        socket,
    },
    config::Config,
    console,
    env::Variable,
    error::{Category, Failure},
    paths, region, session_length,
};

/// Runs `argv` when it is a plain `vouch credential aws`; `None` leaves it to clap, which also explains what is wrong.
#[must_use]
pub fn run(argv: &[OsString]) -> Option<ExitCode> {
    let wanted = parse(argv)?;
    let done = region::choose(wanted.region.as_deref(), &Variable::get, &wanted.role)
        .and_then(|region| fetch(AwsCredentialsRequest { region, ..wanted }))
        .and_then(|json| print(&json));
    Some(match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let failure = Config::explain(failure);
            console::note(&failure.render(false));
            ExitCode::from(failure.category.exit_code())
        }
    })
}

/// Asks the agent; the answer is the `credential_process` JSON.
///
/// # Errors
/// [`Category::NotLoggedIn`] when there is no agent or it has no session, and whatever kept it from the credentials.
pub fn fetch(request: AwsCredentialsRequest) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let path = paths::agent_socket(&Variable::get)?;
    let timeout = client::timeout();
    let deadline = Instant::now() + timeout;
    let stream = socket::connect(&path, deadline)
        .map_err(|error| client::unreachable(&path, &error))?
        .ok_or_else(|| Failure::not_signed_in(None))?;
    let line = serde_json::to_vec(&Envelope { v: VERSION, request: Request::AwsCredentials(request) })
        .map_err(|error| Failure::new(Category::General, format!("cannot put the request into words: {error}")))?;
    let answer = socket::exchange(&stream, line, deadline).map_err(|error| client::no_answer(&error, timeout))?;
    credentials_of(Zeroizing::new(answer))
}

/// Cuts the credentials out of the agent's line.
fn credentials_of(mut line: Zeroizing<Vec<u8>>) -> Result<Zeroizing<Vec<u8>>, Failure> {
    if line.starts_with(CREDENTIALS_PREFIX.as_bytes()) && line.ends_with(b"}}") {
        line.pop();
        // The last byte of the prefix, a comma, gives way to the brace that opens the object.
        line.drain(..CREDENTIALS_PREFIX.len() - 1);
        if let Some(first) = line.first_mut() {
            *first = b'{';
        }
        return Ok(line);
    }
    match serde_json::from_slice(&line) {
        Ok(Response::Err(failure)) => Err(failure),
        Ok(Response::Ok(_) | Response::Incompatible { .. }) | Err(_) => Err(client::incompatible()),
    }
}

/// Prints the credentials; nothing else ever goes to stdout.
///
/// # Errors
/// When stdout cannot be written.
pub fn print(json: &[u8]) -> Result<(), Failure> {
    use io::Write as _;
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(json)
        .and_then(|()| stdout.write_all(b"\n"))
        .and_then(|()| stdout.flush())
        .map_err(|error| Failure::new(Category::General, format!("cannot write the credentials to stdout: {error}")))
}

/// Reads `PROGRAM credential aws` with its own options, each at most once, as `--name value` or `--name=value`.
#[must_use]
pub fn parse(argv: &[OsString]) -> Option<AwsCredentialsRequest> {
    let (mut role, mut via, mut duration, mut region) = (None, None, None, None);
    let mut words = argv.iter().skip(1).map(|word| word.to_str());
    if words.next() != Some(Some("credential")) || words.next() != Some(Some("aws")) {
        return None;
    }
    while let Some(word) = words.next() {
        let (name, value) = match word?.split_once('=') {
            Some(pair) => pair,
            None => (word?, words.next()??),
        };
        let slot = match name {
            "--role" => &mut role,
            "--via" => &mut via,
            "--duration" => &mut duration,
            "--region" => &mut region,
            _ => return None,
        };
        if value.starts_with('-') || slot.replace(value).is_some() {
            return None;
        }
    }
    let arn = |text: &str| text.parse::<RoleArn>();
    Some(AwsCredentialsRequest {
        role: arn(role?).ok()?,
        via: via.map(arn).transpose().ok()?,
        duration: duration.map(session_length::parse).transpose().ok()?,
        region: region.map(region::parse).transpose().ok()?,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use clap::Parser as _;
    use proptest::prelude::*;

    use super::*;
    use crate::args::{Arguments, Command, CredentialCommand};

    const SPOKE: &str = "arn:aws:iam::111111111111:role/vouch/VouchAccess";
    const HUB: &str = "arn:aws:iam::999999999999:role/vouch/VouchAccess";

    fn argv(words: &[&str]) -> Vec<OsString> {
        ["vouch", "credential", "aws"].iter().chain(words).map(OsString::from).collect()
    }

    fn by_clap(argv: &[OsString]) -> Option<AwsCredentialsRequest> {
        match Arguments::try_parse_from(argv).ok()?.command {
            Command::Credential(CredentialCommand::Aws(args)) => Some(AwsCredentialsRequest {
                role: args.role,
                via: args.via,
                duration: args.duration,
                region: args.region,
            }),
            _ => None,
        }
    }

    #[test]
    fn reads_every_option_in_both_spellings() {
        let request = parse(&argv(&["--role", SPOKE, "--via=".to_owned().as_str()])).is_none();
        assert!(request, "an empty ARN is left to clap");
        let words = ["--region=eu-west-1", "--role", SPOKE, "--duration", "900", &format!("--via={HUB}")];
        let request = parse(&argv(&words)).unwrap();
        assert_eq!(request.role.to_string(), SPOKE);
        assert_eq!(request.via.unwrap().to_string(), HUB);
        assert_eq!((request.duration, request.region.as_deref()), (Some(900), Some("eu-west-1")));
    }

    #[test]
    fn leaves_everything_unusual_to_clap() {
        for words in [
            &[][..],
            &["--role"],
            &["--role", "no-arn"],
            &["--role", SPOKE, "--role", SPOKE],
            &["--role", SPOKE, "--duration", "60"],
            &["--role", SPOKE, "--region", "EU"],
            &["--role", SPOKE, "--help"],
            &["--role", SPOKE, "-v"],
            &["--role", SPOKE, "more"],
            &["--rôle", SPOKE],
        ] {
            assert!(parse(&argv(words)).is_none(), "{words:?}");
        }
        assert!(parse(&["vouch".into(), "status".into()]).is_none());
    }

    proptest! {
        #[test]
        fn understands_a_command_line_exactly_as_clap_does(words in proptest::collection::vec(prop_oneof![
            Just("--role".to_owned()), Just(SPOKE.to_owned()), Just(format!("--role={SPOKE}")), Just("--via".to_owned()),
            Just(HUB.to_owned()), Just("--duration".to_owned()), Just("900".to_owned()), Just("15m".to_owned()), Just("--duration=99999".to_owned()),
            Just("--region".to_owned()), Just("eu-west-1".to_owned()), Just("--".to_owned()), Just("-v".to_owned()), "[ -~]{0,4}",
        ], 0..7)) {
            let argv = argv(&words.iter().map(String::as_str).collect::<Vec<_>>());
            if let Some(request) = parse(&argv) {
                prop_assert_eq!(Some(request), by_clap(&argv));
            }
        }

        #[test]
        fn no_answer_makes_it_panic_or_print_what_is_no_credential(line in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(json) = credentials_of(Zeroizing::new(line.clone())) {
                prop_assert!(line.starts_with(CREDENTIALS_PREFIX.as_bytes()));
                prop_assert_eq!((json.first(), json.last()), (Some(&b'{'), Some(&b'}')));
            }
        }
    }

    #[test]
    fn prints_only_the_protocols_answer() {
        let line = format!("{CREDENTIALS_PREFIX}\"Version\":1,\"AccessKeyId\":\"ASIA\"}}}}");
        let json = credentials_of(Zeroizing::new(line.into_bytes())).unwrap();
        assert_eq!(std::str::from_utf8(&json).unwrap(), r#"{"Version":1,"AccessKeyId":"ASIA"}"#);
    }

    #[test]
    fn passes_the_agents_refusal_on() {
        let refusal = Failure::not_signed_in(Some("your session ended 12 minutes ago"));
        let line = serde_json::to_vec(&Response::Err(refusal.clone())).unwrap();
        assert_eq!(credentials_of(Zeroizing::new(line)).unwrap_err(), refusal);
        let other = serde_json::to_vec(&Response::Incompatible { v: 2 }).unwrap();
        assert_eq!(credentials_of(Zeroizing::new(other)).unwrap_err().category, Category::NotLoggedIn);
    }
}
