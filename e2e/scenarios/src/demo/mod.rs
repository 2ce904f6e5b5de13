//! The demonstration: tells the story of the two AWS guides by running it.
//!
//! It runs what people run and prints what they would see; nothing is played back.

mod administrator;
mod alice;
mod alone;
mod in_cluster;
mod narrator;
mod stage;
mod trail;

use std::{
    io::{self, Write as _},
    panic,
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::{Parser, ValueEnum};

use self::{
    administrator::Administrator, alice::Alice, alone::Alone, in_cluster::InCluster, narrator::Narrator, stage::Stage,
};
use crate::{
    guide::{DEVELOPMENT, HUB, PRODUCTION},
    interruption,
};

/// Watch one tap become AWS credentials in two accounts.
#[derive(Debug, Parser)]
#[command(name = "demo")]
pub struct Arguments {
    /// The security key that alice taps
    #[arg(long, value_enum, default_value_t = KeySource::Virtual)]
    pub key: KeySource,
    /// Run the issuer in a Kubernetes that is started for it; needs root
    #[arg(long)]
    pub cluster: bool,
}

/// Where the security key comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KeySource {
    /// A key in software, which touches itself
    Virtual,
    /// Your own, plugged into this machine; it gets one credential, for vouch.example.com
    Usb,
}

/// Tells the whole story.
#[must_use]
pub fn run(arguments: &Arguments) -> ExitCode {
    interruption::listen();
    // Every step is a test of its own; what fails is a sentence already.
    panic::set_hook(Box::new(|failure| say_last(&format!("The demonstration stopped here.\n{}", sentence(failure)))));
    let told = panic::catch_unwind(|| tell(arguments));
    match (told, interruption::received()) {
        (Ok(()), _) => ExitCode::SUCCESS,
        (Err(_), Some(code)) => {
            say_last("Interrupted. Every program of the demonstration has ended, and its folder is gone.");
            ExitCode::from(code)
        }
        (Err(_), None) => ExitCode::FAILURE,
    }
}

/// To a terminal that may be gone; nothing may fail of that, least of all while things are cleaned up.
fn say_last(text: &str) {
    let _ = writeln!(io::stderr(), "\n{text}");
}

fn sentence(failure: &panic::PanicHookInfo<'_>) -> String {
    failure.payload_as_str().unwrap_or("for a reason that cannot be shown").to_owned()
}

fn tell(arguments: &Arguments) {
    let started = Instant::now();
    let mut narrator = Narrator::new();
    narrator.title("One tap, real AWS credentials");
    narrator.say(
        "The programs are the real ones: vouch, vouch-issuer, and the aws command. AWS is played by a stand-in that",
    );
    narrator.say("verifies tokens, signatures and policies as AWS does. Nothing leaves this machine.");
    if arguments.cluster {
        let installation = in_cluster::install(&mut narrator);
        tell_on(&mut InCluster::set(&installation, arguments.key), arguments.key, &mut narrator);
    } else {
        tell_on(&mut Alone::set(arguments.key), arguments.key, &mut narrator);
    }
    narrator.say("");
    narrator
        .say(&format!("That took {}. Everything was on this machine, and is gone now.", seconds(started.elapsed())));
}

fn tell_on(stage: &mut dyn Stage, key: KeySource, narrator: &mut Narrator) {
    stage.start_issuer(narrator);

    let administrator = Administrator::new(stage);
    narrator.chapter("Account 999999999999 trusts it, and gets a role for developers and a hub");
    administrator.prepare_management_account(narrator);
    narrator.chapter("Accounts 111111111111 and 222222222222 get a spoke each, which trusts the hub");
    administrator.prepare_member_accounts(narrator);

    narrator.chapter("Alice is invited, and enrolls her security key");
    let mut alice = Alice::new(stage, key, narrator);
    let code = stage.invite("alice@example.com", narrator);
    alice.enroll(&code, narrator);

    narrator.chapter("A working day begins with one tap");
    alice.login(narrator);

    narrator.chapter("Three profiles for the aws command");
    alice.set_up_profiles(narrator);

    narrator.chapter("From here on she just works");
    stage.forget_calls();
    alice.work(narrator);

    narrator.chapter("What CloudTrail shows in each account");
    let accounts = [(HUB, "the hub"), (DEVELOPMENT, "development"), (PRODUCTION, "production")];
    trail::show(&stage.calls(), &accounts, narrator);
}

fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs())
}
