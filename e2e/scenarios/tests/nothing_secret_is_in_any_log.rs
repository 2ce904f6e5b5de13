//! A whole day's work, then a search for what must never be written down.

use std::{fs, path::Path};

use vouch_scenarios::{
    World,
    developer::PIN,
    guide::{self, DEVELOPMENT, HUB, access_role},
    world::Prepared,
};

/// Every file below a folder.
fn files(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => files(&path, found),
            Ok(kind) if kind.is_file() => found.push(path),
            _ => {}
        }
    }
}

#[test]
fn nothing_secret_is_in_any_log() {
    let mut prepared = Prepared::new();
    prepared.issuer.set("VOUCH_ISSUER_LOG", "trace");
    let world = World::start_prepared(prepared, |manifest| manifest.govern(HUB, &[DEVELOPMENT]));
    world.cloud.prepare(&guide::hub_and_spokes(&[DEVELOPMENT]));
    let invite = world.issuer.invite("alice@example.com");
    let key = world.key("key");
    let mut alice = world.developer("alice");
    alice.set("VOUCH_LOG", "trace");
    alice.insert(&key);
    let enrolled = alice.enroll(&invite);
    let signed_in = alice.login();
    let credentials = alice.vouch(&["credential", "aws", "--role", &access_role(DEVELOPMENT)]).succeeded().json();
    let status = alice.vouch(&["-v", "status", "--output", "json"]).succeeded();

    // The person sees what they type; nothing else may show it.
    let typed = format!("Invite code: {}", invite.code);
    assert!(enrolled.text.contains(&typed), "{enrolled}");
    let after_typing = enrolled.text.replacen(&typed, "", 1);
    let secrets = [
        ("the PIN", PIN.to_owned()),
        ("the invite code", invite.code),
        ("the secret key of AWS", credentials["SecretAccessKey"].as_str().unwrap().to_owned()),
        ("the session token of AWS", credentials["SessionToken"].as_str().unwrap()[..40].to_owned()),
        // Every JWT with a header of two members or more begins like this.
        ("a token", "eyJhbGciOi".to_owned()),
        ("a token", "eyJ0eXAiOi".to_owned()),
        ("a private key", "PRIVATE KEY".to_owned()),
    ];
    let mut places: Vec<(String, Vec<u8>)> =
        [("enroll", after_typing), ("login", signed_in.text), ("status", status.stdout + &status.stderr)]
            .map(|(place, text)| (place.to_owned(), text.into_bytes()))
            .into();
    let mut found = Vec::new();
    files(world.folder(), &mut found);
    let kept = ["tls.key", "attestation-", "key.flash", "/aws/ca-key.pem"];
    let written = found.iter().filter(|path| !kept.iter().any(|name| path.to_string_lossy().contains(name)));
    places.extend(written.map(|path| (path.display().to_string(), fs::read(path).unwrap_or_default())));
    assert!(places.iter().any(|(place, _)| place.ends_with("agent.log")), "the agent has a log");

    for (place, bytes) in &places {
        for (what, secret) in &secrets {
            let there = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!there, "{what} is in {place}");
        }
    }
}
