//! The developer's side: what the guides ask of alice.

use std::{fs, thread, time::Duration};

use super::{KeySource, narrator::Narrator, stage::Stage};
use crate::{
    developer::Developer,
    guide::{DEVELOPMENT, HUB, PRODUCTION, access_role, developer_role},
    interruption,
    issuer::Invite,
    manifest::ISSUER_URL,
    process::signal,
    virtual_key::VirtualKey,
};

const EMAIL: &str = "alice@example.com";

/// Alice at her machine. Her key is a virtual one, or whatever is plugged in.
#[derive(Debug)]
pub(super) struct Alice {
    machine: Developer,
    key: Option<VirtualKey>,
}

impl Alice {
    pub(super) fn new(stage: &dyn Stage, source: KeySource, narrator: &Narrator) -> Self {
        let mut machine = stage.person("alice");
        if narrator.has_colour() {
            machine.set("NO_COLOR", "");
        }
        let key = (source == KeySource::Virtual).then(|| stage.key("key-of-alice"));
        if let Some(key) = &key {
            machine.insert(key);
        }
        Self { machine, key }
    }

    pub(super) fn enroll(&mut self, code: &str, narrator: &mut Narrator) {
        narrator.command("alice", &format!("vouch enroll {ISSUER_URL}"));
        if self.key.is_some() {
            let invite = Invite { email: EMAIL.to_owned(), code: code.to_owned() };
            narrator.output(&self.machine.enroll(&invite).text);
        } else {
            self.at_this_terminal(&["enroll", ISSUER_URL]);
        }
    }

    pub(super) fn login(&mut self, narrator: &mut Narrator) {
        narrator.command("alice", "vouch login");
        if self.key.is_some() {
            narrator.output(&self.machine.login().text);
        } else {
            self.at_this_terminal(&["login"]);
        }
    }

    pub(super) fn set_up_profiles(&self, narrator: &mut Narrator) {
        for arguments in [
            vec!["setup", "aws", "--role", &developer_role(HUB)],
            vec!["setup", "aws", "--role", &access_role(DEVELOPMENT), "--profile", "vouch-dev"],
            vec!["setup", "aws", "--role", &access_role(PRODUCTION), "--profile", "vouch-prod"],
        ] {
            narrator.command("alice", &format!("vouch {}", arguments.join(" ")));
            let ran = self.machine.vouch(&arguments).succeeded();
            narrator.output(&(ran.stderr + &ran.stdout));
        }
        narrator.command("alice", "cat ~/.aws/config");
        narrator.output(&fs::read_to_string(self.machine.home().join(".aws/config")).unwrap());
    }

    pub(super) fn work(&self, narrator: &mut Narrator) {
        for profile in ["vouch", "vouch-dev", "vouch-prod"] {
            let arguments = ["sts", "get-caller-identity", "--profile", profile];
            narrator.command("alice", &format!("aws {}", arguments.join(" ")));
            narrator.output(&self.machine.aws(&arguments).succeeded().stdout);
        }
        narrator.command("alice", "vouch status");
        narrator.output(&self.machine.vouch(&["status"]).succeeded().stdout);
    }

    /// With a real key the person in front of the screen is alice.
    fn at_this_terminal(&self, arguments: &[&str]) {
        let mut child = self.machine.vouch_command_without_virtual_keys(arguments).spawn().unwrap();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if interruption::received().is_some() {
                // It frees the key before it ends.
                signal(child.id(), rustix::process::Signal::TERM);
                // A program that reads from a terminal it does not own is stopped, and would stay so.
                signal(child.id(), rustix::process::Signal::CONT);
                break child.wait().unwrap();
            }
            thread::sleep(Duration::from_millis(20));
        };
        if status.code() == Some(130) {
            interruption::told_by_another();
        }
        interruption::check();
        assert!(status.success(), "vouch {} ended with {status}", arguments.join(" "));
    }
}
