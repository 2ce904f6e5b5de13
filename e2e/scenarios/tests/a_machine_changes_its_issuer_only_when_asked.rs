//! A machine is set up for one issuer at a time, and nothing of the one before is lost.

use std::fs;

use vouch_scenarios::{World, developer::unlock, manifest::ISSUER_URL};

const EARLIER: &str = "issuer = \"https://old.example.com\"\nemail = \"alice@old.example.com\"\n";

#[test]
fn a_machine_changes_its_issuer_only_when_asked() {
    let world = World::start();
    let (_desktop, key) = world.signed_in("alice");
    let mut laptop = world.developer("alice-on-the-road");
    laptop.insert(&key);
    let folder = laptop.home().join(".config/vouch");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("config.toml"), EARLIER).unwrap();

    let refused = laptop.vouch(&["login", ISSUER_URL]).failed(6, "add --replace");
    assert!(refused.stderr.contains("https://old.example.com (alice@old.example.com)"), "{refused}");
    assert_eq!(fs::read_to_string(folder.join("config.toml")).unwrap(), EARLIER);

    let mut login = laptop.vouch_at_terminal(&["login", ISSUER_URL]);
    login.expect("Switch? [y/N] ");
    login.type_line("y");
    unlock(&mut login);
    login.expect("Signed in as alice@example.com");
    login.expect(
        "The configuration for https://old.example.com is kept as ~/.config/vouch/config.old.example.com.toml.",
    );
    let _ = login.finish().succeeded();
    assert_eq!(fs::read_to_string(folder.join("config.old.example.com.toml")).unwrap(), EARLIER);
    let config = fs::read_to_string(folder.join("config.toml")).unwrap();
    assert!(config.starts_with(&format!("issuer = \"{ISSUER_URL}\"\nemail = \"alice@example.com\"\n")), "{config}");
    let status = laptop.vouch(&["status", "--output", "json"]).succeeded().json();
    assert_eq!(status["session"]["email"], "alice@example.com");
}
