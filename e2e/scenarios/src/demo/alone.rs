//! An issuer that runs alone: two commands on one machine.

use std::fs;

use super::{
    KeySource,
    narrator::Narrator,
    stage::{Stage, code_in, manifest, without_certificates},
};
use crate::{manifest::ISSUER_URL, scenery::Scenery, world::Prepared};

/// A prepared world, and what an administrator typed so far.
#[derive(Debug)]
pub(super) struct Alone {
    world: Prepared,
}

impl Alone {
    /// Starts the stand-in and writes the manifest; the issuer does not run yet.
    pub(super) fn set(key: KeySource) -> Self {
        let world = Prepared::new();
        fs::write(world.issuer.config(), manifest(key, &world, "")).unwrap();
        Self { world }
    }
}

impl Stage for Alone {
    fn scenery(&self) -> &Scenery {
        &self.world
    }

    fn start_issuer(&mut self, narrator: &mut Narrator) {
        narrator.chapter("An issuer for Example Inc");
        narrator.command("operations", "cat issuer.yaml");
        narrator.output(&without_certificates(&fs::read_to_string(self.world.issuer.config()).unwrap()));
        narrator.command("operations", "vouch-issuer init -f issuer.yaml --data-dir data");
        narrator.output(&self.world.issuer.initialise().succeeded().stdout);
        narrator.command(
            "operations",
            "vouch-issuer serve -f issuer.yaml --data-dir data --tls-cert tls.pem --tls-key tls.key &",
        );
        self.world.start_issuer();
        narrator.output(&format!("{ISSUER_URL} is ready."));
    }

    fn invite(&self, email: &str, narrator: &mut Narrator) -> String {
        narrator.command("operations", &format!("vouch-issuer invite {email} -f issuer.yaml --data-dir data"));
        let ran = self.world.issuer.admin(&["invite", email]).succeeded();
        narrator.output(&ran.stdout);
        code_in(&ran.stdout)
    }
}
