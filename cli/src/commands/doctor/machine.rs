//! Security keys, the agent and the session on this machine.

use std::{os::unix::fs::MetadataExt as _, path::Path};

use jiff::{Timestamp, tz::TimeZone};

use super::Check;
use crate::{
    agent::{client::Client, hardening, protocol::AgentStatus, session::story},
    commands::agent,
    config::Config,
    env::Variable,
    error::Failure,
    overrides::{self, Override, Reader},
    paths,
    security_key::{Discovery, KeyError, PinState, SecurityKey, ctaphid::UsbKeys},
    wording,
};

/// Which keys are there, and whether they can be used.
pub(super) fn security_keys() -> Vec<Check> {
    judge_keys(&UsbKeys::default())
}

fn judge_keys(keys: &dyn Discovery) -> Vec<Check> {
    const AREA: &str = "security";
    let devices = match keys.devices() {
        Ok(devices) => devices,
        Err(error) => return vec![Check::failed(AREA, &Failure::from(error))],
    };
    if devices.is_empty() {
        return vec![match keys.hidden() {
            Some(error) => Check::failed(AREA, &Failure::from(error)),
            None if Path::new("/sys/class/hidraw").exists() => Check {
                next: Some("Plug it in and run this again".to_owned()),
                ..Check::note(AREA, "no security key is plugged in")
            },
            None => Check::problem(
                AREA,
                "this kernel has no hidraw devices, so no security key can be seen",
                "In WSL, update the kernel (wsl --update) and attach the key with usbipd; in a container, pass it through",
            ),
        }];
    }
    let (mut found, mut checks) = (Vec::new(), Vec::new());
    for device in &devices {
        match keys.open(device).and_then(|key| usable(&*key)) {
            Ok(()) => found.push(format!("{} at {}", device.product, device.path)),
            Err(error) => checks.push(Check::failed(AREA, &Failure::from(error))),
        }
    }
    let count = match found.len() {
        0 => return checks,
        1 => "1 key found".to_owned(),
        count => format!("{count} keys found"),
    };
    checks.insert(0, Check::well(AREA, format!("{count}: {}", found.join(", "))));
    checks
}

/// Whether a key would take the PIN. It is asked how often the PIN may be wrong, which uses up nothing.
fn usable(key: &dyn SecurityKey) -> Result<(), KeyError> {
    match key.info()?.pin {
        PinState::Set if key.pin_retries()? == 0 => Err(KeyError::PinBlocked),
        _ => Ok(()),
    }
}

/// How the agent and its session are.
pub(super) fn agent(config: Option<&Config>) -> Vec<Check> {
    let asked = paths::agent_socket(&Variable::get).and_then(|socket| {
        let status = Client::connect_to(&socket)?.map(|mut client| agent::status(&mut client)).transpose()?;
        Ok((socket, status))
    });
    let folder = paths::runtime_dir(&Variable::get).and_then(|folder| hardening::inspect_folder(&folder));
    let mut checks: Vec<_> = folder.err().iter().map(|failure| Check::failed("agent", failure)).collect();
    checks.extend(match asked {
        Err(failure) => vec![Check::failed("agent", &failure)],
        Ok((socket, None)) => {
            let agent = Check::note("agent", format!("not running; its place is {}", socket.display()));
            let session = Check::note("session", "nobody is signed in");
            vec![
                Check { next: Some("It starts by itself when it is needed".to_owned()), ..agent },
                Check { next: Some(signing_in(config)), ..session },
            ]
        }
        Ok((socket, Some(status))) => {
            let mode = socket.metadata().map(|metadata| metadata.mode() & 0o7777).unwrap_or_default();
            let mut checks = judge_agent(&socket, mode, &status, config, Timestamp::now(), &TimeZone::system());
            let here = overrides::in_effect(Reader::Command, &|name| std::env::var_os(name));
            checks.extend(judge_surroundings(&status, &here, config));
            checks
        }
    });
    checks
}

/// How somebody signs in on a machine that may not know its issuer.
fn signing_in(config: Option<&Config>) -> String {
    config.map_or("Run: vouch enroll URL, or vouch login URL", |_| "Run: vouch login").to_owned()
}

fn judge_agent(
    socket: &Path,
    mode: u32,
    status: &AgentStatus,
    config: Option<&Config>,
    now: Timestamp,
    zone: &TimeZone,
) -> Vec<Check> {
    let path = socket.display();
    let mut checks = vec![if mode & 0o077 == 0 {
        Check::well("agent", format!("socket {path}, mode {mode:04o}"))
    } else {
        Check::problem(
            "agent",
            format!("socket {path} is open to other users (mode {mode:04o})"),
            format!("Run: chmod 600 {path}"),
        )
    }];
    if status.version != env!("CARGO_PKG_VERSION") {
        let finding =
            format!("the agent is of version {}, this command of {}", status.version, env!("CARGO_PKG_VERSION"));
        checks.push(Check::problem("agent", finding, "When it suits you: vouch agent stop, then vouch login"));
    }
    checks.push(match (&status.session, &status.ended) {
        (Some(session), _) => {
            let until = wording::moment(session.expires_at, now, zone);
            Check::well("session", format!("{} is signed in until {until}", session.email))
        }
        (None, ended) => {
            let why = ended.as_ref().map(|ended| format!(" ({})", story(ended, now))).unwrap_or_default();
            Check { next: Some(signing_in(config)), ..Check::note("session", format!("nobody is signed in{why}")) }
        }
    });
    checks
}

/// Whether the agent is the one this command would have started, for the issuer this machine is set up for.
fn judge_surroundings(status: &AgentStatus, here: &[Override], config: Option<&Config>) -> Vec<Check> {
    const ANEW: &str = "vouch agent stop, then vouch login";
    let mut checks = Vec::new();
    let unheard = overrides::unheard_by_agent(here, &status.overrides);
    if !unheard.is_empty() {
        let names: Vec<_> = unheard.iter().map(|given| format!("{}={}", given.name, given.value)).collect();
        let finding = format!("the agent was started without {}, which is set here", names.join(", "));
        checks.push(Check::problem("agent", finding, format!("To make it count: {ANEW}")));
    }
    let only_there: Vec<_> = status.overrides.iter().filter(|given| !here.contains(given)).collect();
    // The same variable with another value has been named already.
    let only_there = only_there.iter().filter(|given| unheard.iter().all(|named| named.name != given.name));
    let names: Vec<_> = only_there.map(|given| format!("{}={}", given.name, given.value)).collect();
    if !names.is_empty() {
        let note =
            Check::note("agent", format!("the agent was started with {}, which is not set here", names.join(", ")));
        checks.push(Check { next: Some(format!("If that is not meant: {ANEW}")), ..note });
    }
    if let (Some(signed_in), Some(config)) = (&status.issuer, config)
        && signed_in != config.issuer.as_str()
    {
        let finding = format!("the session is of {signed_in}, but this machine is set up for {}", config.issuer);
        checks.push(Check::problem("session", finding, "Run: vouch login"));
    }
    checks
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use std::sync::Arc;

    use super::{super::State, *};
    use crate::security_key::{
        Device,
        fake::{FakeBus, FakeKey},
    };

    const NOW: &str = "2026-11-21T12:00:00Z";

    fn status() -> AgentStatus {
        AgentStatus {
            version: "0.0.1".to_owned(),
            pid: 42,
            started_at: NOW.parse().unwrap(),
            issuer: None,
            session: None,
            ended: None,
            credentials: Vec::new(),
            clock_offset_ms: None,
            overrides: Vec::new(),
        }
    }

    struct Keys {
        devices: Vec<Device>,
        hidden: Option<KeyError>,
    }

    impl Discovery for Keys {
        fn devices(&self) -> Result<Vec<Device>, KeyError> {
            Ok(self.devices.clone())
        }

        fn open(&self, device: &Device) -> Result<Arc<dyn SecurityKey>, KeyError> {
            Err(KeyError::NoPermission { node: device.path.clone().into() })
        }

        fn hidden(&self) -> Option<KeyError> {
            self.hidden.clone()
        }
    }

    #[test]
    fn no_permission_is_told_from_no_key() {
        let device = Device { path: "/dev/hidraw3".to_owned(), vendor: 0x1050, product: "YubiKey".to_owned() };
        let closed = judge_keys(&Keys { devices: vec![device], hidden: None }).remove(0);
        assert!(closed.copy.as_ref().unwrap().starts_with("KERNEL=="), "{closed:?}");
        assert!(closed.state == State::Problem && closed.finding.contains("/dev/hidraw3"), "{closed:?}");
        assert!(closed.next.unwrap().contains("udev"));
        let hidden = Some(KeyError::NoDeviceNode { node: "/dev/hidraw3".into() });
        assert_eq!(judge_keys(&Keys { devices: Vec::new(), hidden }).first().unwrap().state, State::Problem);
    }

    #[test]
    fn a_key_whose_pin_is_blocked_is_told_from_one_that_works() {
        let (fine, blocked) = (FakeKey::with_pin("123456"), FakeKey::with_pin("123456"));
        blocked.edit(|state| state.retries = 0);
        let checks = judge_keys(&*FakeBus::with(&[("usb1", &fine), ("usb2", &blocked)]));
        assert_eq!(checks.iter().map(|check| check.state).collect::<Vec<_>>(), [State::Well, State::Problem]);
        assert!(checks[0].finding.starts_with("1 key found") && checks[1].finding.contains("blocked"), "{checks:?}");
    }

    #[test]
    fn an_agent_from_another_shell_or_for_another_issuer_is_told_from_a_well_one() {
        let given = |name: &str| Override { name: name.to_owned(), value: "x".to_owned() };
        let mut status = status();
        status.overrides = vec![given("HTTPS_PROXY")];
        status.issuer = Some("https://old.example.com".to_owned());
        let config = Config { issuer: "https://vouch.example.com".parse().unwrap(), email: None, credential_id: None };
        let checks = judge_surroundings(&status, &[given("VOUCH_CA_BUNDLE")], Some(&config));
        let findings: Vec<_> = checks.iter().map(Check::rendered).collect();
        assert_eq!(
            findings,
            [
                "✗ agent        the agent was started without VOUCH_CA_BUNDLE=x, which is set here. To make it count: vouch \
                 agent stop, then vouch login",
                "· agent        the agent was started with HTTPS_PROXY=x, which is not set here. If that is not meant: vouch \
                 agent stop, then vouch login",
                "✗ session      the session is of https://old.example.com, but this machine is set up for \
                 https://vouch.example.com. Run: vouch login",
            ]
        );
        assert_eq!(judge_surroundings(&status, &[given("HTTPS_PROXY")], None), []);
    }

    #[test]
    fn an_open_socket_and_another_version_are_problems() {
        let (now, status) = (NOW.parse().unwrap(), status());
        let states = |mode| {
            let checks = judge_agent(Path::new("/run/x/agent.sock"), mode, &status, None, now, &TimeZone::UTC);
            checks.into_iter().map(|check| check.state).collect::<Vec<_>>()
        };
        assert_eq!(states(0o600), [State::Well, State::Problem, State::Note]);
        assert_eq!(states(0o666), [State::Problem, State::Problem, State::Note]);
    }

    #[test]
    fn nobody_is_told_to_sign_in_at_an_issuer_that_is_not_known() {
        let (now, status) = (NOW.parse().unwrap(), status());
        let config = Config { issuer: "https://vouch.example.com".parse().unwrap(), email: None, credential_id: None };
        let next = |config| {
            let checks = judge_agent(Path::new("/run/x/agent.sock"), 0o600, &status, config, now, &TimeZone::UTC);
            checks.into_iter().find(|check| check.area == "session").unwrap().next.unwrap()
        };
        assert_eq!(next(Some(&config)), "Run: vouch login");
        assert_eq!(next(None), "Run: vouch enroll URL, or vouch login URL");
    }
}
