use std::process::Stdio;

use crate::{
    home::{Home, ran},
    world::{DEV, DIRECT, HUB, PROD, World},
};

fn signed_in() -> (World, Home) {
    let world = World::start();
    let home = Home::at(&world);
    home.login(&world);
    (world, home)
}

#[test]
fn a_direct_role_is_one_call_and_the_answer_is_the_protocols() {
    let (world, home) = signed_in();
    let credentials = home.credentials(DIRECT);
    assert_eq!(credentials["Version"], 1);
    assert_eq!(credentials["AccessKeyId"], "ASIA1");
    let members: Vec<_> = credentials.as_object().unwrap().keys().collect();
    assert_eq!(members, ["AccessKeyId", "Expiration", "SecretAccessKey", "SessionToken", "Version"]);
    assert_eq!(world.with(|facts| facts.sts.clone()), [format!("AssumeRoleWithWebIdentity {DIRECT} 3600")]);
}

#[test]
fn a_spoke_is_reached_through_its_hub() {
    let (world, home) = signed_in();
    assert_eq!(home.credentials(DEV)["AccessKeyId"], "ASIA2");
    let expected = [format!("AssumeRoleWithWebIdentity {HUB} 900"), format!("AssumeRole {DEV} 3600")];
    assert_eq!(world.with(|facts| facts.sts.clone()), expected);
}

#[test]
fn fifty_parallel_helpers_cause_one_chain() {
    let (world, home) = signed_in();
    let helpers: Vec<_> = (0..50)
        .map(|_| {
            let mut command = home.command(&["credential", "aws", "--role", DEV]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let answers: Vec<_> = helpers.into_iter().map(|helper| ran(helper.wait_with_output().unwrap())).collect();
    assert!(answers.iter().all(|answer| answer.code == 0 && answer == &answers[0]), "{answers:?}");
    assert_eq!(world.with(|facts| (facts.sts.len(), facts.tokens)), (2, 1));
}

#[test]
fn a_hit_asks_neither_the_issuer_nor_aws() {
    let (world, home) = signed_in();
    let first = home.credentials(DEV);
    world.with(|facts| facts.issuer_is_down = true);
    assert_eq!(home.credentials(DEV), first);
    assert_eq!(world.with(|facts| (facts.sts.len(), facts.tokens)), (2, 1));
}

#[test]
fn an_unusual_command_line_gets_the_same_answer() {
    let (_world, home) = signed_in();
    let plain = home.run(&["credential", "aws", "--role", DEV]);
    let verbose = home.run(&["-v", "credential", "aws", "--role", DEV]);
    assert_eq!(plain, verbose);
}

#[test]
fn the_issuers_refusal_reaches_the_person_word_for_word() {
    let (world, home) = signed_in();
    let ran = home.run(&["credential", "aws", "--role", PROD]);
    assert_eq!((ran.code, ran.stdout.as_str()), (5, ""));
    assert_eq!(
        ran.stderr,
        "vouch: alice@example.com may not use role vouch/VouchDeploy in account 222222222222 (AwsFederation vouch/acme \
         allows bob@example.com). Ask an administrator, or run: vouch aws roles\n"
    );
    assert!(world.with(|facts| facts.sts.is_empty()));
}

#[test]
fn a_refusal_of_aws_names_the_step_and_what_is_missing() {
    let (world, home) = signed_in();
    let text = "User: arn:aws:sts::999999999999:assumed-role/VouchAccess/alice@example.com is not authorized to perform: sts:TagSession on resource: arn:aws:iam::111111111111:role/vouch/VouchAccess";
    world.with(|facts| facts.sts_refuses = Some(("AssumeRole", "AccessDenied", text)));
    let ran = home.run(&["credential", "aws", "--role", DEV]);
    assert_eq!((ran.code, ran.stdout.as_str()), (5, ""));
    assert!(
        ran.stderr.starts_with(
            "vouch: AWS refused the second step, from hub arn:aws:iam::999999999999:role/vouch/VouchAccess to \
             arn:aws:iam::111111111111:role/vouch/VouchAccess: not authorized to perform sts:TagSession."
        ),
        "{}",
        ran.stderr
    );
    assert_eq!(world.with(|facts| facts.sts.len()), 2, "a refusal is not tried again");
    let verbose = home.run(&["-v", "credential", "aws", "--role", DEV]);
    assert!(verbose.stderr.contains("AWS request id aws-1"), "{}", verbose.stderr);
}

#[test]
fn more_than_an_hour_through_a_hub_is_refused_with_a_sentence() {
    let (world, home) = signed_in();
    let ran = home.run(&["credential", "aws", "--role", DEV, "--duration", "7200"]);
    assert_eq!(ran.code, 7);
    assert!(ran.stderr.contains("AWS gives roles that are reached through a hub at most 3600 s"), "{}", ran.stderr);
    assert!(world.with(|facts| facts.sts.is_empty()));
    assert_eq!(home.run(&["credential", "aws", "--role", DIRECT, "--duration", "7200"]).code, 0);
}

#[test]
fn a_region_of_another_partition_is_refused_before_anybody_is_asked() {
    let (world, mut home) = signed_in();
    home.set("AWS_REGION", "cn-north-1");
    let ran = home.run(&["credential", "aws", "--role", DEV]);
    assert_eq!((ran.code, ran.stdout.as_str()), (6, ""));
    assert!(ran.stderr.starts_with("vouch: AWS_REGION cn-north-1 is in partition aws-cn, but role"), "{}", ran.stderr);
    assert_eq!(world.with(|facts| facts.tokens), 0);
}
