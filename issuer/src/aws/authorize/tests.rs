#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod laws;

use vouch_iam::arn::Partition;

use super::*;
use crate::config::federation::{DirectRole, Federation, Hub, Spoke};

const MANAGEMENT: &str = "999999999999";
const DEV: &str = "111111111111";
const PROD: &str = "222222222222";
const UNKNOWN: &str = "333333333333";

fn arn(account: &str, role: &str) -> RoleArn {
    format!("arn:aws:iam::{account}:role/{role}").parse().unwrap()
}

fn domain(domain: &str) -> Allow {
    Allow { domains: [domain.parse().unwrap()].into(), ..Allow::default() }
}

fn group(group: &str) -> Allow {
    Allow { groups: [group.to_owned()].into(), ..Allow::default() }
}

fn email(email: &str) -> Allow {
    Allow { emails: [email.parse().unwrap()].into(), ..Allow::default() }
}

fn spoke(name: &str, allow: Allow, accounts: &[&str]) -> Spoke {
    Spoke {
        role: RoleName::new("/vouch/", name).unwrap(),
        allow,
        accounts: accounts.iter().map(|account| account.parse().unwrap()).collect(),
        in_organizational_units: false,
    }
}

fn everywhere(name: &str, allow: Allow) -> Spoke {
    Spoke { in_organizational_units: true, ..spoke(name, allow, &[]) }
}

fn federation(name: &str, account: &str, spokes: Vec<Spoke>) -> Federation {
    let role = arn(account, "vouch/VouchHub");
    Federation {
        name: name.to_owned(),
        partition: Partition::Aws,
        account: account.parse().unwrap(),
        roles: Vec::new(),
        hub: Some(Hub { role, allow: domain("example.com"), spokes }),
    }
}

/// A hub for everybody of example.com, a spoke for them in DEV and PROD, one for releases in PROD, and a direct role.
fn acme() -> Federation {
    let release = Allow { emails: ["bob@example.com".parse().unwrap()].into(), ..group("release") };
    let spokes =
        vec![spoke("VouchAccess", domain("example.com"), &[DEV, PROD]), spoke("VouchDeploy", release, &[PROD])];
    let billing = DirectRole {
        role: arn(MANAGEMENT, "vouch/Billing"),
        allow: group("finance"),
        max_session: Duration::from_secs(4 * 3600),
    };
    Federation { roles: vec![billing], ..federation("vouch/acme", MANAGEMENT, spokes) }
}

fn catalogue(federations: &[Federation]) -> Catalogue {
    Catalogue::new(federations, UngovernedAccounts::Allow)
}

/// Asks on behalf of a person; `email` may be followed by the groups.
fn ask(
    catalogue: &Catalogue,
    person: &str,
    role: &RoleArn,
    via: Option<&RoleArn>,
) -> Result<AuthorizedRole, RoleRefusal> {
    let mut words = person.split(' ');
    let email = words.next().unwrap().parse().unwrap();
    let groups: Vec<String> = words.map(ToOwned::to_owned).collect();
    catalogue.authorize(&Person { email: &email, groups: &groups }, role, via)
}

fn refusal(catalogue: &Catalogue, person: &str, role: &RoleArn, via: Option<&RoleArn>) -> String {
    ask(catalogue, person, role, via).unwrap_err().to_string()
}

#[test]
fn a_spoke_is_reached_through_the_hub_of_its_federation() {
    let authorized = ask(&catalogue(&[acme()]), "alice@example.com", &arn(DEV, "vouch/VouchAccess"), None).unwrap();
    assert_eq!(authorized.chain(), [arn(MANAGEMENT, "vouch/VouchHub"), arn(DEV, "vouch/VouchAccess")]);
    assert_eq!(authorized.first_hop(), &arn(MANAGEMENT, "vouch/VouchHub"));
    assert_eq!(authorized.role(), &arn(DEV, "vouch/VouchAccess"));
    assert_eq!(authorized.federation(), Some("vouch/acme"));
    assert_eq!(authorized.max_session(), Some(Duration::from_secs(3600)));
}

#[test]
fn a_direct_role_is_its_own_first_hop_and_keeps_its_own_maximum() {
    let role = arn(MANAGEMENT, "vouch/Billing");
    let authorized = ask(&catalogue(&[acme()]), "alice@example.com finance", &role, None).unwrap();
    assert_eq!((authorized.first_hop(), authorized.chain()), (&role, vec![role.clone()]));
    assert_eq!(authorized.max_session(), Some(Duration::from_secs(4 * 3600)));
}

#[test]
fn the_hub_itself_may_be_taken_by_whom_it_allows() {
    let hub = arn(MANAGEMENT, "vouch/VouchHub");
    assert_eq!(
        ask(&catalogue(&[acme()]), "alice@example.com", &hub, None).unwrap().chain(),
        std::slice::from_ref(&hub)
    );
    assert!(ask(&catalogue(&[acme()]), "mallory@example.org", &hub, None).is_err());
}

#[test]
fn refuses_a_role_whose_allow_does_not_cover_the_person_and_says_whom_it_does() {
    assert_eq!(
        refusal(&catalogue(&[acme()]), "alice@example.com engineering", &arn(PROD, "vouch/VouchDeploy"), None),
        "alice@example.com may not use role vouch/VouchDeploy in account 222222222222 \
         (AwsFederation vouch/acme allows bob@example.com and group release)"
    );
    for person in ["bob@example.com", "alice@example.com release"] {
        assert!(ask(&catalogue(&[acme()]), person, &arn(PROD, "vouch/VouchDeploy"), None).is_ok(), "{person}");
    }
}

#[test]
fn a_spoke_is_open_only_to_people_whom_the_hub_allows_as_well() {
    let mut acme = acme();
    acme.hub.as_mut().unwrap().spokes.push(spoke("Audit", domain("auditor.example"), &[DEV]));
    assert_eq!(
        refusal(&catalogue(&[acme]), "eve@auditor.example", &arn(DEV, "vouch/Audit"), None),
        "eve@auditor.example may not use role vouch/Audit in account 111111111111: it is reached through the hub \
         role vouch/VouchHub in account 999999999999, which AwsFederation vouch/acme opens to *@example.com"
    );
}

#[test]
fn refuses_a_role_that_no_federation_declares_in_a_governed_account() {
    for (account, role) in [(DEV, "Admin"), (DEV, "vouch/VouchDeploy"), (MANAGEMENT, "vouch/VouchAccess")] {
        let refusal = refusal(&catalogue(&[acme()]), "alice@example.com", &arn(account, role), None);
        assert_eq!(refusal, format!("role {role} in account {account} is not declared by AwsFederation vouch/acme"));
    }
}

#[test]
fn refuses_another_path_or_case_of_a_declared_name_and_says_the_right_one() {
    for role in ["VouchAccess", "vouch/vouchaccess", "Vouch/VouchAccess"] {
        assert_eq!(
            refusal(&catalogue(&[acme()]), "alice@example.com", &arn(DEV, role), None),
            format!(
                "role {role} in account 111111111111 is not declared by AwsFederation vouch/acme, \
                 which declares vouch/VouchAccess"
            )
        );
    }
}

#[test]
fn a_role_in_an_ungoverned_account_is_left_to_that_account() {
    let authorized = ask(&catalogue(&[acme()]), "alice@example.com", &arn(UNKNOWN, "Developer"), None).unwrap();
    assert_eq!(authorized.chain(), [arn(UNKNOWN, "Developer")]);
    assert_eq!((authorized.federation(), authorized.max_session()), (None, None));
}

#[test]
fn refuses_ungoverned_accounts_when_told_to() {
    let catalogue = Catalogue::new(&[acme()], UngovernedAccounts::Deny);
    assert_eq!(
        refusal(&catalogue, "alice@example.com", &arn(UNKNOWN, "Developer"), None),
        "no AwsFederation governs account 333333333333, and this issuer grants roles in governed accounts only"
    );
    let via = arn(MANAGEMENT, "vouch/VouchHub");
    assert!(ask(&catalogue, "alice@example.com", &arn(UNKNOWN, "Developer"), Some(&via)).is_err());
    assert!(ask(&catalogue, "alice@example.com", &arn(DEV, "vouch/VouchAccess"), None).is_ok());
}

#[test]
fn an_account_of_the_same_number_in_another_partition_is_another_account() {
    let china = "arn:aws-cn:iam::111111111111:role/Admin".parse().unwrap();
    assert_eq!(ask(&catalogue(&[acme()]), "alice@example.com", &china, None).unwrap().federation(), None);
}

#[test]
fn an_ungoverned_role_may_be_reached_through_a_hub_that_the_person_may_take() {
    let catalogue = catalogue(&[acme()]);
    let role = arn(UNKNOWN, "Developer");
    for hub in [arn(MANAGEMENT, "vouch/VouchHub"), arn("444444444444", "Hub")] {
        let authorized = ask(&catalogue, "alice@example.com", &role, Some(&hub)).unwrap();
        assert_eq!(authorized.chain(), [hub.clone(), role.clone()]);
        assert_eq!(authorized.first_hop(), &hub);
        assert_eq!(authorized.max_session(), Some(Duration::from_secs(3600)));
    }
}

#[test]
fn refuses_a_hub_in_a_governed_account_that_the_person_may_not_take() {
    let catalogue = catalogue(&[acme()]);
    let role = arn(UNKNOWN, "Developer");
    for (hub, reason) in [
        (arn(MANAGEMENT, "vouch/Billing"), "(AwsFederation vouch/acme allows group finance)"),
        (arn(MANAGEMENT, "Admin"), "is not declared by AwsFederation vouch/acme"),
        (arn(DEV, "vouch/VouchAccess"), "which is itself reached through the hub"),
    ] {
        let refusal = refusal(&catalogue, "alice@example.com", &role, Some(&hub));
        assert!(refusal.contains(reason), "{refusal}");
        assert!(refusal.starts_with("role Developer in account 333333333333 cannot be reached through"), "{refusal}");
    }
}

#[test]
fn refuses_a_hub_in_another_partition() {
    let hub = "arn:aws-cn:iam::444444444444:role/Hub".parse().unwrap();
    let refusal = refusal(&catalogue(&[]), "alice@example.com", &arn(UNKNOWN, "Developer"), Some(&hub));
    assert!(refusal.ends_with("AWS knows no trust between partitions"), "{refusal}");
}

#[test]
fn refuses_a_hub_that_contradicts_the_catalogue() {
    let catalogue = catalogue(&[acme()]);
    let other = arn("444444444444", "Hub");
    assert_eq!(
        refusal(&catalogue, "alice@example.com", &arn(DEV, "vouch/VouchAccess"), Some(&other)),
        "role vouch/VouchAccess in account 111111111111 is reached through the hub \
         arn:aws:iam::999999999999:role/vouch/VouchHub, not through arn:aws:iam::444444444444:role/Hub"
    );
    assert_eq!(
        refusal(&catalogue, "alice@example.com finance", &arn(MANAGEMENT, "vouch/Billing"), Some(&other)),
        "role vouch/Billing in account 999999999999 is taken directly, not through arn:aws:iam::444444444444:role/Hub"
    );
    let right = arn(MANAGEMENT, "vouch/VouchHub");
    assert!(ask(&catalogue, "alice@example.com", &arn(DEV, "vouch/VouchAccess"), Some(&right)).is_ok());
}

#[test]
fn a_spoke_in_organizational_units_is_claimed_wherever_no_federation_names_the_account() {
    let acme = federation("vouch/acme", MANAGEMENT, vec![everywhere("VouchDeploy", group("release"))]);
    let catalogue = catalogue(&[acme]);
    let role = arn(UNKNOWN, "vouch/VouchDeploy");
    let authorized = ask(&catalogue, "alice@example.com release", &role, None).unwrap();
    assert_eq!(authorized.chain(), [arn(MANAGEMENT, "vouch/VouchHub"), role.clone()]);
    assert_eq!(authorized.federation(), Some("vouch/acme"));
    assert!(matches!(ask(&catalogue, "alice@example.com", &role, None), Err(RoleRefusal::NotAllowed { .. })));
    let other_case = arn(UNKNOWN, "vouch/vouchdeploy");
    assert!(matches!(ask(&catalogue, "alice@example.com", &other_case, None), Err(RoleRefusal::Undeclared { .. })));
}

#[test]
fn a_claim_does_not_reach_an_account_that_another_federation_names() {
    let acme = federation("vouch/acme", MANAGEMENT, vec![everywhere("VouchDeploy", domain("example.com"))]);
    let other = federation("vouch/other", "888888888888", vec![spoke("VouchAccess", domain("example.com"), &[PROD])]);
    let catalogue = catalogue(&[acme, other]);
    let role = arn(PROD, "vouch/VouchDeploy");
    assert!(matches!(ask(&catalogue, "alice@example.com", &role, None), Err(RoleRefusal::Undeclared { .. })));
}

#[test]
fn a_claim_reaches_accounts_that_its_own_federation_names_for_other_roles_but_not_its_home() {
    let spokes =
        vec![spoke("VouchAccess", domain("example.com"), &[PROD]), everywhere("VouchDeploy", group("release"))];
    let catalogue = catalogue(&[federation("vouch/acme", MANAGEMENT, spokes)]);
    assert!(ask(&catalogue, "alice@example.com release", &arn(PROD, "vouch/VouchDeploy"), None).is_ok());
    let home = ask(&catalogue, "alice@example.com release", &arn(MANAGEMENT, "vouch/VouchDeploy"), None);
    assert!(matches!(home, Err(RoleRefusal::Undeclared { .. })));
}

#[test]
fn a_declaration_that_names_the_account_precedes_one_that_does_not() {
    let spokes = vec![everywhere("VouchAccess", group("release")), spoke("VouchAccess", domain("example.com"), &[DEV])];
    let catalogue = catalogue(&[federation("vouch/acme", MANAGEMENT, spokes)]);
    assert!(ask(&catalogue, "alice@example.com", &arn(DEV, "vouch/VouchAccess"), None).is_ok());
    assert!(ask(&catalogue, "alice@example.com", &arn(UNKNOWN, "vouch/VouchAccess"), None).is_err());
}

#[test]
fn refuses_as_ambiguous_what_two_federations_claim_and_never_takes_the_first() {
    let claim =
        |name: &str, account: &str| federation(name, account, vec![everywhere("VouchAccess", domain("example.com"))]);
    let federations = [claim("vouch/a", MANAGEMENT), claim("vouch/b", "888888888888")];
    assert_eq!(
        refusal(&catalogue(&federations), "alice@example.com", &arn(UNKNOWN, "vouch/VouchAccess"), None),
        "role vouch/VouchAccess in account 333333333333 is declared by more than one AwsFederation \
         (vouch/a, vouch/b); an administrator must name the account in one of them"
    );
    let named = |name: &str, account: &str| {
        federation(name, account, vec![spoke("VouchAccess", domain("example.com"), &[DEV])])
    };
    let federations = [named("vouch/a", MANAGEMENT), named("vouch/b", "888888888888")];
    let refused = ask(&catalogue(&federations), "alice@example.com", &arn(DEV, "vouch/VouchAccess"), None);
    assert!(matches!(refused, Err(RoleRefusal::Ambiguous { .. })), "{refused:?}");
}

#[test]
fn of_several_claims_of_one_federation_each_must_allow_the_person() {
    let spokes = vec![everywhere("VouchAccess", domain("example.com")), everywhere("VouchAccess", group("release"))];
    let catalogue = catalogue(&[federation("vouch/acme", MANAGEMENT, spokes)]);
    let role = arn(UNKNOWN, "vouch/VouchAccess");
    assert!(ask(&catalogue, "alice@example.com release", &role, None).is_ok());
    assert!(ask(&catalogue, "alice@example.com", &role, None).is_err());
}

#[test]
fn an_empty_allow_allows_nobody() {
    let spokes = vec![spoke("VouchAccess", Allow::default(), &[DEV])];
    let catalogue = catalogue(&[federation("vouch/acme", MANAGEMENT, spokes)]);
    let refusal = refusal(&catalogue, "alice@example.com release", &arn(DEV, "vouch/VouchAccess"), None);
    assert!(refusal.ends_with("(AwsFederation vouch/acme allows nobody)"), "{refusal}");
}

#[test]
fn a_person_sees_their_own_roles_sorted_and_how_each_is_reached() {
    let catalogue = catalogue(&[acme()]);
    let (email, groups) = ("alice@example.com".parse().unwrap(), ["finance".to_owned()]);
    let listed: Vec<String> = catalogue
        .roles_for(&Person { email: &email, groups: &groups })
        .into_iter()
        .map(|role| {
            let via = role.via.map_or("directly".to_owned(), |via| format!("via {via}"));
            format!("{} {via} {}s {}", role.role, role.max_session_seconds, role.federation)
        })
        .collect();
    assert_eq!(
        listed,
        [
            "arn:aws:iam::111111111111:role/vouch/VouchAccess via arn:aws:iam::999999999999:role/vouch/VouchHub 3600s vouch/acme",
            "arn:aws:iam::222222222222:role/vouch/VouchAccess via arn:aws:iam::999999999999:role/vouch/VouchHub 3600s vouch/acme",
            "arn:aws:iam::999999999999:role/vouch/Billing directly 14400s vouch/acme",
        ]
    );
}
