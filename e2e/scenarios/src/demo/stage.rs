//! What the story is told on: everything around the issuer, and an administrator who runs it in one way or another.

use serde_json::Value;

use super::{KeySource, narrator::Narrator};
use crate::{
    developer::Developer,
    scenery::Scenery,
    standin::AdminKeys,
    virtual_key::{KeyOptions, VirtualKey},
};

/// What the administrator declares. Without a hardware key's root, any key will do.
const MANIFEST: &str = r#"apiVersion: vouch.sh/v1alpha1
kind: VouchIssuer
metadata: {name: vouch}
spec:
  url: https://vouch.example.com
  organization: {name: Example Inc, emailDomains: [example.com]}
AUTHENTICATORS
EXPOSURE---
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

/// The story's surroundings.
pub(super) trait Stage {
    /// Everything but the issuer.
    fn scenery(&self) -> &Scenery;

    /// Shows how an issuer comes to be.
    fn start_issuer(&mut self, narrator: &mut Narrator);

    /// Shows what an administrator sees who invites a person, and returns the code.
    fn invite(&self, email: &str, narrator: &mut Narrator) -> String;

    fn person(&self, name: &str) -> Developer {
        self.scenery().developer(name)
    }

    fn key(&self, name: &str) -> VirtualKey {
        self.scenery().key_with(name, KeyOptions::default())
    }

    fn account(&self, id: &str) -> AdminKeys {
        self.scenery().cloud.admin(id)
    }

    fn forget_calls(&self) {
        self.scenery().cloud.standin.forget_calls();
    }

    fn calls(&self) -> Vec<Value> {
        self.scenery().cloud.standin.calls()
    }
}

/// What is declared: the keys that may be enrolled, and, as further lines of the issuer's spec, how it is exposed.
pub(super) fn manifest(key: KeySource, scenery: &Scenery, exposure: &str) -> String {
    let authenticators = match key {
        KeySource::Virtual => {
            let root = scenery.makers_root().replace('\n', "\n        ");
            format!(
                "  authenticators:\n    policy: YubiKey\n    attestationRoots:\n      pem: |\n        {}",
                root.trim_end()
            )
        }
        KeySource::Usb => "  authenticators: {policy: Any}".to_owned(),
    };
    MANIFEST.replace("AUTHENTICATORS", &authenticators).replace("EXPOSURE", exposure)
}

/// The code in what an administrator sees.
pub(super) fn code_in(shown: &str) -> String {
    let code = shown.lines().skip_while(|line| !line.contains("invite code:")).nth(1).map(str::trim);
    code.unwrap_or_else(|| panic!("no invite code in:\n{shown}")).to_owned()
}

/// A manifest without the lines that nobody reads.
pub(super) fn without_certificates(manifest: &str) -> String {
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
