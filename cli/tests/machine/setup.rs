use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
};

use crate::{
    home::{Home, VOUCH},
    world::{DEV, DIRECT, HUB, NOT_DECLARED, PROD, World},
};

const OWN: &str = "[default]\nregion = eu-west-1\n\n[profile own]\n# mine\naws_access_key_id = AKIAEXAMPLE\n";

fn home_with(config: &str) -> Home {
    let home = Home::new();
    fs::create_dir_all(home.path(".aws")).unwrap();
    fs::write(home.path(".aws/config"), config).unwrap();
    home
}

fn config(home: &Home) -> String {
    fs::read_to_string(home.path(".aws/config")).unwrap()
}

#[test]
fn a_profile_is_added_and_removed_and_nothing_else_is_touched() {
    let home = home_with(OWN);
    fs::set_permissions(home.path(".aws/config"), fs::Permissions::from_mode(0o640)).unwrap();
    let ran = home.run(&["setup", "aws", "--role", DEV, "--profile", "vouch-dev"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{ran:?}");
    let first = "But this machine does not know your issuer yet. Run: vouch enroll URL, or with a key that is enrolled already: \
                 vouch login URL. Then try: aws sts get-caller-identity --profile vouch-dev\n";
    assert_eq!(ran.stderr, format!("Added profile vouch-dev to ~/.aws/config. {first}"));
    let text = config(&home);
    assert!(text.starts_with(OWN));
    assert!(
        text.contains(&format!("[profile vouch-dev]\ncredential_process = {VOUCH} credential aws --role {DEV}\n")),
        "{text}"
    );
    assert_eq!(fs::metadata(home.path(".aws/config")).unwrap().mode() & 0o777, 0o640);
    assert_eq!(home.run(&["setup", "aws", "--remove", "--profile", "vouch-dev"]).code, 0);
    assert_eq!(config(&home), OWN);
}

#[test]
fn the_program_is_named_plainly_when_its_name_finds_it() {
    let mut home = Home::new();
    let folder = std::path::Path::new(VOUCH).parent().unwrap().to_str().unwrap().to_owned();
    home.set("PATH", &folder);
    assert_eq!(home.run(&["setup", "aws", "--role", DEV]).code, 0);
    assert!(
        config(&home).contains(&format!("[profile vouch]\ncredential_process = vouch credential aws --role {DEV}\n"))
    );
    assert_eq!(home.run(&["setup", "aws", "--role", DIRECT]).code, 0);
    assert!(config(&home).contains("[profile vouch-2]"));
    let before = config(&home);
    assert_eq!(home.run(&["setup", "aws", "--role", DEV]).code, 0);
    assert_eq!(config(&home), before, "the same role again changes nothing");
}

#[test]
fn diff_prints_the_change_and_writes_nothing() {
    let home = home_with(OWN);
    let ran = home.run(&["setup", "aws", "--role", DEV, "--diff"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert!(ran.stdout.starts_with("--- ~/.aws/config\n+++ ~/.aws/config\n@@"), "{}", ran.stdout);
    assert!(ran.stdout.contains("+[profile vouch]"), "{}", ran.stdout);
    assert_eq!(config(&home), OWN);
    assert!(!home.path(".config").exists());
}

#[test]
fn a_profile_of_the_persons_own_is_left_alone() {
    let home = home_with(OWN);
    let ran = home.run(&["setup", "aws", "--role", DEV, "--profile", "own"]);
    assert_eq!(ran.code, 6);
    assert!(
        ran.stderr.starts_with("vouch: profile own exists and was not added by vouch; it is left alone."),
        "{ran:?}"
    );
    assert_eq!(home.run(&["setup", "aws", "--remove", "--profile", "own"]).code, 6);
    assert_eq!(config(&home), OWN);
}

#[test]
fn a_file_that_aws_tools_cannot_read_is_named_by_line_and_left_alone() {
    for (text, why) in [
        ("[default]\nregion = x\n\n[profile broken\nregion = y\n", "line 4: this section has no closing bracket"),
        ("[default]\nregion\n", "line 2: this is neither a section nor `name = value`"),
        ("# mine\nregion = x\n[default]\n", "line 2: this belongs to no section"),
    ] {
        let home = home_with(text);
        let ran = home.run(&["setup", "aws", "--role", DEV]);
        assert_eq!((ran.code, config(&home).as_str()), (6, text), "{ran:?}");
        assert!(ran.stderr.contains(&format!("~/.aws/config: {why}; AWS tools cannot read the file")), "{ran:?}");
        let doctor = home.run(&["doctor", "aws"]);
        assert_eq!(doctor.code, 1);
        assert!(doctor.stdout.starts_with("✗") && doctor.stdout.contains(why), "{doctor:?}");
    }
    let fine = "\u{feff}[default]\nregion = x\n  # aside\ns3 =\n  max_queue_size = 5\n; aside\n[services a]\nx: y\n";
    assert_eq!(home_with(fine).run(&["setup", "aws", "--role", DEV]).code, 0);
}

#[test]
fn a_hub_named_by_hand_goes_into_the_profile() {
    let home = home_with("");
    let ran = home.run(&["setup", "aws", "--role", DEV, "--via", HUB, "--region", "eu-west-1"]);
    assert!(ran.stderr.contains("(reached through arn:aws:iam::999999999999:role/vouch/VouchAccess)"), "{ran:?}");
    let text = config(&home);
    assert!(text.contains(&format!("--role {DEV} --via {HUB} --region eu-west-1\nregion = eu-west-1\n")), "{text}");
}

#[test]
fn a_signed_in_person_is_told_how_the_role_is_reached() {
    let world = World::start();
    let home = Home::at(&world);
    home.login(&world);
    let ran = home.run(&["setup", "aws", "--role", DEV, "--profile", "vouch-dev"]);
    assert_eq!(
        ran.stderr,
        "Added profile vouch-dev to ~/.aws/config (reached through the hub 999999999999). \
         Try: aws sts get-caller-identity --profile vouch-dev\n"
    );
    let doctor = home.run(&["doctor", "aws"]);
    assert_eq!((doctor.code, doctor.stdout.as_str()), (0, "✓ aws          ~/.aws/config: 1 profile is set up\n"));
    let tried = home.run(&["doctor", "aws", "--profile", "vouch-dev"]);
    assert!(
        tried.stdout.starts_with("✓ aws          profile vouch-dev has credentials for arn:aws:iam::111111111111:role"),
        "{tried:?}"
    );
    let roles = home.run(&["aws", "roles"]);
    assert!(roles.stdout.contains("via hub 999999999999"), "{roles:?}");
}

#[test]
fn a_role_the_issuer_refuses_is_named_by_setup_and_by_doctor() {
    let world = World::start();
    let home = Home::at(&world);
    home.login(&world);
    let ran = home.run(&["setup", "aws", "--role", PROD, "--profile", "vouch-prod"]);
    assert_eq!(ran.code, 0);
    assert!(ran.stderr.contains(&format!("But the issuer refuses it to you: {NOT_DECLARED}.")), "{ran:?}");
    let doctor = home.run(&["doctor", "aws"]);
    assert_eq!(doctor.code, 1);
    assert!(doctor.stdout.contains(NOT_DECLARED) && doctor.stdout.contains("vouch-prod"), "{doctor:?}");
}

#[test]
fn usage_errors_have_an_exit_code_of_their_own() {
    let home = Home::new();
    assert_eq!(home.run(&["setup", "aws"]).code, 7);
    assert_eq!(home.run(&["credential", "aws", "--role", "nonsense"]).code, 7);
    assert_eq!(home.run(&["--help"]).code, 0);
    assert_eq!(home.run(&["setup", "aws", "--role", DEV, "--profile", "a b"]).code, 7);
}
