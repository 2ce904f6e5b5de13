//! What holds for any federations and any question.

use proptest::prelude::*;
use vouch_iam::arn::AccountId;

use super::*;

fn any_allow() -> impl Strategy<Value = Allow> {
    prop_oneof![
        Just(Allow::default()),
        Just(domain("example.com")),
        Just(domain("example.org")),
        Just(group("release")),
        Just(email("alice@example.com")),
    ]
}

fn any_account() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![MANAGEMENT, DEV, PROD, UNKNOWN])
}

fn any_name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["VouchAccess", "VouchDeploy", "vouchdeploy", "VouchHub"])
}

fn any_spoke() -> impl Strategy<Value = Spoke> {
    (any_name(), any_allow(), prop::collection::btree_set(any_account(), 0..3), any::<bool>()).prop_map(
        |(name, allow, accounts, in_organizational_units)| {
            let accounts: Vec<&str> = accounts.into_iter().collect();
            Spoke { in_organizational_units, ..spoke(name, allow, &accounts) }
        },
    )
}

fn any_federation(name: &'static str) -> impl Strategy<Value = Federation> {
    let direct = prop::collection::vec((any_name(), any_allow(), 1_u64..12), 0..3);
    let hub = prop::option::of((any_allow(), prop::collection::vec(any_spoke(), 0..4)));
    (any_account(), direct, hub).prop_map(move |(account, roles, hub)| {
        let account_id: AccountId = account.parse().unwrap();
        let in_home = |name: &str| RoleName::new("/vouch/", name).unwrap().in_account(Partition::Aws, account_id);
        Federation {
            name: name.to_owned(),
            partition: Partition::Aws,
            account: account_id,
            roles: roles
                .into_iter()
                .map(|(name, allow, hours)| DirectRole {
                    role: in_home(name),
                    allow,
                    max_session: Duration::from_secs(hours * 3600),
                })
                .collect(),
            hub: hub.map(|(allow, spokes)| Hub { role: in_home("VouchHub"), allow, spokes }),
        }
    })
}

fn any_federations() -> impl Strategy<Value = Vec<Federation>> {
    (any_federation("a"), any_federation("b"), any_federation("c")).prop_map(|(a, b, c)| vec![a, b, c])
}

fn any_role() -> impl Strategy<Value = RoleArn> {
    (any_account(), any_name()).prop_map(|(account, name)| arn(account, &format!("vouch/{name}")))
}

fn any_question() -> impl Strategy<Value = (&'static str, RoleArn, Option<RoleArn>)> {
    let people = vec!["alice@example.com", "bob@example.com release", "eve@example.org", "mallory@evil-example.com"];
    (prop::sample::select(people), any_role(), prop::option::of(any_role()))
}

fn reversed(federations: &[Federation]) -> Vec<Federation> {
    let mut federations = federations.to_vec();
    federations.reverse();
    for federation in &mut federations {
        federation.roles.reverse();
        if let Some(hub) = &mut federation.hub {
            hub.spokes.reverse();
        }
    }
    federations
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn whom_nothing_matches_never_gets_a_governed_role(
        federations in any_federations(), role in any_role(), via in prop::option::of(any_role())
    ) {
        let answer = ask(&catalogue(&federations), "mallory@evil-example.com guests", &role, via.as_ref());
        prop_assert!(answer.as_ref().map_or(true, |authorized| authorized.federation().is_none()), "{:?}", answer);
        if let Ok(authorized) = answer {
            let governed = federations.iter().any(|federation| {
                let account = authorized.first_hop().account_id();
                federation.account == account
                    || federation.hub.iter().flat_map(|hub| &hub.spokes).any(|spoke| spoke.accounts.contains(&account))
            });
            prop_assert!(!governed, "an assertion for {}", authorized.first_hop());
        }
    }

    #[test]
    fn the_answer_never_depends_on_the_order_of_declaration(
        federations in any_federations(), (person, role, via) in any_question()
    ) {
        let forwards = ask(&catalogue(&federations), person, &role, via.as_ref());
        let backwards = ask(&catalogue(&reversed(&federations)), person, &role, via.as_ref());
        prop_assert_eq!(forwards.as_ref().ok(), backwards.as_ref().ok());
    }

    #[test]
    fn everything_listed_is_granted_as_listed(federations in any_federations(), (person, _, _) in any_question()) {
        let catalogue = catalogue(&federations);
        let mut words = person.split(' ');
        let email = words.next().unwrap().parse().unwrap();
        let groups: Vec<String> = words.map(ToOwned::to_owned).collect();
        let person = Person { email: &email, groups: &groups };
        for listed in catalogue.roles_for(&person) {
            let granted = catalogue.authorize(&person, &listed.role, listed.via.as_ref()).unwrap();
            prop_assert_eq!(granted.federation(), Some(listed.federation.as_str()));
            prop_assert_eq!(granted.chain().len(), 1 + usize::from(listed.via.is_some()));
        }
    }
}
