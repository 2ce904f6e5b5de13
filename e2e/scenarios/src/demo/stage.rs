//! The scenery: a folder, the stand-in, the issuer.

use std::fs;

use serde_json::Value;

use super::{KeySource, narrator::Narrator};
use crate::{
    developer::Developer,
    manifest::ISSUER_URL,
    standin::AdminKeys,
    virtual_key::{KeyOptions, VirtualKey},
    world::Prepared,
};

/// What the administrator declares. Without a hardware key's root, any key will do.
const MANIFEST: &str = r#"apiVersion: vouch.sh/v1alpha1
kind: VouchIssuer
metadata: {name: vouch}
spec:
  url: https://vouch.example.com
  organization: {name: Example Inc, emailDomains: [example.com]}
AUTHENTICATORS
---
apiVersion: vouch.sh/v1alpha1
kind: AwsFederation
metadata: {name: acme}
spec:
  issuerRef: {name: vouch}
  account: "999999999999"
  roles:
  - {name: VouchDeveloper, path: /, allow: {domains: [example.com]}}
  hub: {name: VouchAccess, allow: {domains: [example.com]}}
  spokes:
  - name: VouchAccess
    allow: {domains: [example.com]}
    delivery: External
    targets: {accounts: ["111111111111", "222222222222"]}
"#;

/// A prepared world, and what an administrator typed so far.
#[derive(Debug)]
pub(super) struct Stage {
    world: Prepared,
}

impl Stage {
    /// Starts the stand-in and writes the manifest; the issuer does not run yet.
    pub(super) fn set(key: KeySource) -> Self {
        let world = Prepared::new();
        let authenticators = match key {
            KeySource::Virtual => {
                let root = world.makers_root().replace('\n', "\n        ");
                format!(
                    "  authenticators:\n    policy: YubiKey\n    attestationRoots:\n      pem: |\n        {}",
                    root.trim_end()
                )
            }
            KeySource::Usb => "  authenticators: {policy: Any}".to_owned(),
        };
        fs::write(world.folder().join("issuer.yaml"), MANIFEST.replace("AUTHENTICATORS", &authenticators)).unwrap();
        Self { world }
    }

    pub(super) fn start_issuer(&mut self, narrator: &mut Narrator) {
        narrator.command("operations", "cat issuer.yaml");
        narrator.output(&without_certificates(&fs::read_to_string(self.world.folder().join("issuer.yaml")).unwrap()));
        narrator.command("operations", "vouch-issuer init -f issuer.yaml --data-dir data");
        narrator.output(&self.world.issuer.initialise().succeeded().stdout);
        narrator.command(
            "operations",
            "vouch-issuer serve -f issuer.yaml --data-dir data --tls-cert tls.pem --tls-key tls.key &",
        );
        self.world.start_issuer();
        narrator.output(&format!("{ISSUER_URL} is ready."));
    }

    /// Shows what an administrator sees, and returns the code.
    pub(super) fn invite(&self, email: &str, narrator: &mut Narrator) -> String {
        narrator.command("operations", &format!("vouch-issuer invite {email} -f issuer.yaml --data-dir data"));
        let ran = self.world.issuer.admin(&["invite", email]).succeeded();
        narrator.output(&ran.stdout);
        let code = ran.stdout.lines().skip_while(|line| !line.contains("invite code:")).nth(1).map(str::trim);
        code.unwrap_or_else(|| panic!("no invite code in:\n{ran}")).to_owned()
    }

    pub(super) fn person(&self, name: &str) -> Developer {
        self.world.developer(name)
    }

    pub(super) fn key(&self, name: &str) -> VirtualKey {
        self.world.key_with(name, KeyOptions::default())
    }

    pub(super) fn account(&self, id: &str) -> AdminKeys {
        self.world.cloud.admin(id)
    }

    pub(super) fn forget_calls(&self) {
        self.world.cloud.standin.forget_calls();
    }

    pub(super) fn calls(&self) -> Vec<Value> {
        self.world.cloud.standin.calls()
    }

    pub(super) fn folder(&self) -> String {
        self.world.folder().display().to_string()
    }
}

/// A manifest without the lines that nobody reads.
fn without_certificates(manifest: &str) -> String {
    let mut inside = false;
    let shown = manifest.lines().filter_map(|line| {
        if line.contains("-----BEGIN") {
            inside = true;
            return Some(line.replace("-----BEGIN CERTIFICATE-----", "… the key makers' root certificate …"));
        }
        let hidden = inside;
        inside = inside && !line.contains("-----END");
        (!hidden).then(|| line.to_owned())
    });
    shown.collect::<Vec<_>>().join("\n")
}
