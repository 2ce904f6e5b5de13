//! Other tools' files are edited inside a marked block, and nowhere else.

use std::fs;

use vouch_scenarios::{
    World,
    guide::{DEVELOPMENT, HUB, access_role, developer_role},
};

/// Everything that a careless editor would tidy: odd spacing, comments, CRLF, no final newline.
const FOREIGN: &str = "# mine\r\n[default]\nregion=eu-central-1\n\n\n[profile  work ]\n  sso_start_url = https://x\t\n; end\n[profile last]\nrole_arn = arn:aws:iam::1:role/x";

#[test]
fn setup_leaves_every_other_byte_of_the_aws_configuration_alone() {
    let world = World::start();
    let alice = world.developer("alice");
    let config = alice.home().join(".aws/config");
    fs::create_dir_all(config.parent().unwrap()).unwrap();
    fs::write(&config, FOREIGN).unwrap();

    let role = developer_role(HUB);
    let diff = alice.vouch(&["setup", "aws", "--role", &role, "--diff"]).succeeded();
    assert!(diff.stdout.contains("+[profile vouch]"), "{diff}");
    assert_eq!(fs::read_to_string(&config).unwrap(), FOREIGN, "--diff writes nothing");

    let _ = alice.vouch(&["setup", "aws", "--role", &role]).succeeded();
    let _ = alice.vouch(&["setup", "aws", "--role", &access_role(DEVELOPMENT)]).succeeded();
    let both = fs::read_to_string(&config).unwrap();
    assert!(both.starts_with(FOREIGN), "{both}");
    for profile in ["[profile vouch]", "[profile vouch-2]"] {
        assert!(both.contains(profile), "{both}");
    }

    let taken = alice.vouch(&["setup", "aws", "--role", &role, "--profile", "work"]);
    let _ = taken.failed(6, "work");
    assert_eq!(fs::read_to_string(&config).unwrap(), both, "a profile that is not ours is refused");

    let _ = alice.vouch(&["setup", "aws", "--remove"]).succeeded();
    let line_end = "\r\n";
    let left = fs::read_to_string(&config).unwrap();
    assert_eq!(
        left,
        format!("{FOREIGN}{line_end}"),
        "the last line got the line end it lacked, in the file's own style"
    );
}
