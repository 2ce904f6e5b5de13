//! What a federation may declare.

use std::collections::BTreeSet;

use super::*;

const FEDERATION: &str = "issuerRef: {name: vouch}
account: '999999999999'
";

fn federation(more: &str) -> String {
    with("AwsFederation", "acme", &format!("{FEDERATION}{more}"))
}

const HUB: &str = "hub: {name: Hub, allow: {domains: [example.com]}}\n";

#[test]
fn refuses_federations_that_could_not_work() {
    let allow = "allow: {domains: [example.com]}";
    let wrong = [
        (String::new(), "spec: declares no role; add roles, or a hub and spokes"),
        (
            format!("spokes: [{{name: A, {allow}, targets: {{accounts: ['111111111111']}}}}]"),
            "spec: spokes are reached through a hub; declare spec.hub",
        ),
        (
            format!("{HUB}roles: [{{name: Hub, {allow}}}]"),
            "spec.hub.name: must differ from the names in spec.roles: IAM has one role of a name in an account",
        ),
        (
            format!("{HUB}spokes: [{{name: A, {allow}, targets: {{}}}}]"),
            "spec.spokes[0].targets: must name at least one organizational unit or account",
        ),
        (
            format!(
                "{HUB}spokes: [{{name: A, {allow}, delivery: Direct, targets: {{organizationalUnits: [ou-abcd-12345678]}}}}]"
            ),
            "spec.spokes[0].targets.organizationalUnits: delivery Direct works account by account; name targets.accounts, \
             or choose StackSet",
        ),
        (
            format!(
                "{HUB}spokes: [{{name: A, {allow}, targets: {{accounts: ['111111111111']}}, overrides: [{{accounts: ['222222222222']}}]}}]"
            ),
            "spec.spokes[0].overrides: may only name accounts of targets.accounts, or accounts of targets.organizationalUnits",
        ),
        (
            "roles: [{name: A, allow: {domains: ['*.example.com']}}]".to_owned(),
            "spec.roles[0].allow.domains[0]: must be a domain in lower case, such as example.com",
        ),
        (
            format!("roles: [{{name: A/B, {allow}}}]"),
            "spec.roles[0].name: must be a role's name without its path: letters, digits and +=,.@_-",
        ),
        (
            format!("roles: [{{name: A, path: vouch, {allow}}}]"),
            "spec.roles[0].path: must begin and end with a slash, such as /vouch/ or /",
        ),
        (
            format!("roles: [{{name: A, {allow}, maxSessionDuration: 13h}}]"),
            "spec.roles[0].maxSessionDuration: must be from 1h to 12h",
        ),
        (
            format!("roles: [{{name: A, {allow}}}, {{name: A, {allow}}}]"),
            "spec.roles[1]: A is there already; once is enough",
        ),
        (
            format!("roles: [{{name: {}, {allow}}}]", "n".repeat(58)),
            "spec.roles[0].name: path and name together must have at most 64 characters, or the console cannot switch to the role",
        ),
    ];
    for (spec, reason) in wrong {
        assert_eq!(reasons(&federation(&spec)), [reason], "{spec}");
    }
}

#[test]
fn two_declarations_of_one_role_are_refused_whatever_path_and_case() {
    let allow = "allow: {domains: [example.com]}";
    let spoke = |name: &str, account: &str| format!("{{name: {name}, {allow}, targets: {{accounts: ['{account}']}}}}");
    let text =
        federation(&format!("{HUB}spokes: [{}, {}]", spoke("Deploy", "111111111111"), spoke("deploy", "111111111111")));
    assert_eq!(
        reasons(&text),
        [
            "spec.spokes[1].name: declares role vouch/deploy in account 111111111111, which AwsFederation acme declares already \
         (spec.spokes[0].name); IAM has one role of a name in an account"
        ]
    );
    let text = federation(&format!("{HUB}spokes: [{}]", spoke("Hub", "999999999999")));
    assert!(reasons(&text)[0].contains("declares already (spec.hub.name)"));

    let first = federation(&format!("{HUB}spokes: [{}]", spoke("Access", "111111111111")));
    let second = object(
        "AwsFederation",
        "other",
        &format!(
            "issuerRef: {{name: vouch}}\naccount: '888888888888'\n{HUB}spokes: [{}]",
            spoke("Access", "111111111111")
        ),
    );
    let reasons = reasons(&format!("{first}---\n{second}"));
    assert_eq!(reasons.len(), 1);
    assert!(
        reasons[0].contains("role vouch/Access in account 111111111111, which AwsFederation acme declares already")
    );
}

#[test]
fn spokes_of_organizational_units_and_overrides_govern_what_they_name() {
    let text = federation(&format!(
        "{HUB}spokes: [{{name: Access, allow: {{groups: [x]}}, targets: {{organizationalUnits: [ou-abcd-12345678]}}, \
         overrides: [{{accounts: ['222222222222']}}]}}]"
    ));
    let config = load_str(&text).unwrap();
    let spoke = &config.federations[0].hub.as_ref().unwrap().spokes[0];
    assert!(spoke.in_organizational_units);
    assert_eq!(spoke.accounts, BTreeSet::from(["222222222222".parse().unwrap()]));
}
