//! Everything at once: the stand-in, the issuer behind it, keys and people.

use std::{
    net::SocketAddr,
    ops::{Deref, DerefMut},
};

use crate::{
    clock::Clock,
    developer::Developer,
    issuer::Issuer,
    manifest::{ISSUER_HOST, Manifest},
    scenery::Scenery,
    virtual_key::VirtualKey,
};

/// A world in a temporary folder whose issuer is not configured yet. Dropping it ends every process and removes the
/// folder.
///
/// Fields are dropped from top to bottom: the issuer before the folder it writes to.
#[derive(Debug)]
pub struct Prepared {
    /// The issuer.
    pub issuer: Issuer,
    scenery: Scenery,
}

impl Prepared {
    /// Starts the stand-in, and makes the authorities of issuer and keys.
    ///
    /// # Panics
    /// When anything does not start.
    #[must_use]
    pub fn new() -> Self {
        Self::amid(Scenery::new(), Vec::new())
    }

    /// The same, with an issuer and people who follow another clock. The stand-in has a knob for that.
    #[must_use]
    pub fn at(clock: &Clock) -> Self {
        Self::amid(Scenery::at(clock), clock.environment())
    }

    fn amid(scenery: Scenery, clock: Vec<(String, String)>) -> Self {
        let tls = scenery.issuers_certificate();
        Self { issuer: Issuer::new(scenery.folder(), tls, clock), scenery }
    }

    /// Starts the issuer, for the first time or again, under its host name.
    pub fn start_issuer(&mut self) {
        let public: SocketAddr = self.issuer.start().public;
        self.cloud.standin.route(ISSUER_HOST, public);
    }

    /// A person who has enrolled a key and is signed in, and the key.
    #[must_use]
    pub fn signed_in(&self, name: &str) -> (Developer, VirtualKey) {
        self.signed_in_by(&self.issuer.invite(&format!("{name}@example.com")))
    }
}

impl Default for Prepared {
    fn default() -> Self {
        Self::new()
    }
}

impl Deref for Prepared {
    type Target = Scenery;

    fn deref(&self) -> &Scenery {
        &self.scenery
    }
}

/// The example organisation, whose issuer runs.
#[derive(Debug)]
pub struct World(Prepared);

impl World {
    /// No account is governed, and none has anything in it.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(|_| {})
    }

    /// The same, with changes to its manifests.
    ///
    /// # Panics
    /// When anything does not start.
    #[must_use]
    pub fn start_with(change: impl FnOnce(&mut Manifest)) -> Self {
        Self::start_prepared(Prepared::new(), change)
    }

    /// The same, in a world that was prepared otherwise.
    ///
    /// # Panics
    /// When the issuer does not start.
    #[must_use]
    pub fn start_prepared(mut prepared: Prepared, change: impl FnOnce(&mut Manifest)) -> Self {
        let mut manifest = Manifest::example(prepared.makers_root());
        change(&mut manifest);
        prepared.issuer.write(&manifest);
        let _ = prepared.issuer.initialise().succeeded();
        prepared.start_issuer();
        Self(prepared)
    }
}

impl World {
    /// Starts the issuer again after it was stopped or killed.
    pub fn restart_issuer(&mut self) {
        self.start_issuer();
    }
}

impl Deref for World {
    type Target = Prepared;

    fn deref(&self) -> &Prepared {
        &self.0
    }
}

impl DerefMut for World {
    fn deref_mut(&mut self) -> &mut Prepared {
        &mut self.0
    }
}
