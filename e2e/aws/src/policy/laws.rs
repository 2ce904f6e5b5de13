//! Laws that hold for all policies.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Context, Decision, Document, Policies, Relation, Request, Requester};

const RELATIONS: [Relation; 3] = [Relation::SameAccount, Relation::SameAccountTrust, Relation::CrossAccount];

fn one_of(values: &'static [&'static str]) -> impl Strategy<Value = String> + Clone {
    proptest::sample::select(values).prop_map(str::to_owned)
}

fn condition() -> impl Strategy<Value = Value> {
    let operator = one_of(&[
        "StringEquals",
        "StringNotEquals",
        "StringLike",
        "StringEqualsIfExists",
        "ForAllValues:StringEquals",
        "ForAnyValue:StringLike",
        "Bool",
        "Null",
        "ArnNotLike",
    ]);
    let key = one_of(&["aws:PrincipalOrgID", "aws:TagKeys", "aws:username", "aws:absent"]);
    let value = one_of(&["alice", "o-example123", "a*", "*", "true", "${aws:username}"]);
    prop_oneof![
        Just(json!({})),
        (operator, key, value).prop_map(|(operator, key, value)| json!({operator: {key: value}})),
    ]
}

fn statement(effect: &'static str) -> impl Strategy<Value = Value> {
    let actions = proptest::collection::vec(one_of(&["*", "s3:*", "s3:Get*", "iam:GetRole"]), 1..3);
    let resource = one_of(&["*", "arn:aws:s3:::bucket/*", "arn:aws:iam::999999999999:role/${aws:username}"]);
    (actions, resource, condition(), any::<bool>()).prop_map(move |(actions, resource, condition, negated)| {
        let action = if negated { "NotAction" } else { "Action" };
        json!({"Effect": effect, action: actions, "Resource": resource, "Condition": condition})
    })
}

fn statements() -> impl Strategy<Value = Vec<Value>> {
    proptest::collection::vec(prop_oneof![statement("Allow"), statement("Deny")], 1..5)
}

fn context() -> impl Strategy<Value = Context> {
    let one = proptest::option::of(one_of(&["alice", "o-example123", "true"]));
    let many = proptest::option::of(proptest::collection::vec(one_of(&["alice", "Team"]), 0..3));
    (one.clone(), one, many).prop_map(|(organization, user, keys)| {
        let mut context = Context::default();
        context.set_if("aws:PrincipalOrgID", organization);
        context.set_if("aws:username", user);
        if let Some(keys) = keys {
            context.set_many("aws:TagKeys", keys);
        }
        context
    })
}

fn access() -> impl Strategy<Value = (String, String)> {
    let action = one_of(&["s3:GetObject", "iam:GetRole", "IAM:getrole", "sts:AssumeRole"]);
    (action, one_of(&["arn:aws:s3:::bucket/key", "arn:aws:iam::999999999999:role/alice"]))
}

fn document(statements: &[Value]) -> Document {
    Document::from_value(&json!({"Version": "2012-10-17", "Statement": statements})).unwrap()
}

/// A resource policy of the same statements, for everyone.
fn for_everyone(statements: &[Value]) -> Document {
    let mut statements = statements.to_vec();
    for statement in &mut statements {
        statement["Principal"] = json!("*");
    }
    document(&statements)
}

fn decide(policies: &Policies, relation: Relation, access: &(String, String), context: &Context) -> Decision {
    let requester = Requester::User {
        account: "999999999999".to_owned(),
        arn: "arn:aws:iam::999999999999:user/alice".to_owned(),
        id: "AIDAALICE".to_owned(),
    };
    policies.decide(relation, &Request { requester: &requester, action: &access.0, resource: &access.1, context })
}

/// Policies with a document in every place that can have one.
fn everywhere(identity: &[Value], resource: &[Value], bound: &[Value]) -> Policies {
    Policies {
        identity: vec![document(identity)],
        resource: Some(for_everyone(resource)),
        boundary: Some(document(bound)),
        ..Policies::default()
    }
}

proptest! {
    #[test]
    fn an_explicit_deny_wins_wherever_it_stands(
        identity in statements(), resource in statements(), bound in statements(), context in context(), access in access(), place in 0..6,
    ) {
        let all = json!({"Effect": "Deny", "Action": "*", "Resource": "*"});
        let deny = document(std::slice::from_ref(&all));
        let mut policies = everywhere(&identity, &resource, &bound);
        match place {
            0 => policies.identity.push(deny),
            1 => policies.resource = Some(for_everyone(&[all])),
            2 => policies.boundary = Some(deny),
            3 => policies.session = Some(vec![deny]),
            4 => policies.service_control.push(deny),
            _ => policies.resource_control.push(deny),
        }
        for relation in RELATIONS {
            let decision = decide(&policies, relation, &access, &context);
            prop_assert!(matches!(decision, Decision::Denied(_)), "{:?}", decision);
        }
    }

    #[test]
    fn another_deny_never_opens_anything(
        identity in statements(), resource in statements(), bound in statements(), deny in statement("Deny"), context in context(), access in access(),
    ) {
        let before = everywhere(&identity, &resource, &bound);
        let mut after = before.clone();
        after.identity.push(document(&[deny]));
        for relation in RELATIONS {
            if decide(&after, relation, &access, &context) == Decision::Allowed {
                prop_assert_eq!(decide(&before, relation, &access, &context), Decision::Allowed);
            }
        }
    }

    #[test]
    fn another_allow_never_closes_anything(
        identity in statements(), resource in statements(), bound in statements(), allow in statement("Allow"), context in context(), access in access(),
    ) {
        let before = everywhere(&identity, &resource, &bound);
        let mut after = before.clone();
        after.identity.push(document(&[allow]));
        for relation in RELATIONS {
            if decide(&before, relation, &access, &context) == Decision::Allowed {
                prop_assert_eq!(decide(&after, relation, &access, &context), Decision::Allowed);
            }
        }
    }

    #[test]
    fn a_bound_never_opens_anything(
        identity in statements(), resource in statements(), bound in statements(), session in statements(), context in context(), access in access(),
    ) {
        let mut before = everywhere(&identity, &resource, &bound);
        before.boundary = None;
        let mut after = everywhere(&identity, &resource, &bound);
        after.session = Some(vec![document(&session)]);
        for relation in RELATIONS {
            if decide(&after, relation, &access, &context) == Decision::Allowed {
                prop_assert_eq!(decide(&before, relation, &access, &context), Decision::Allowed);
            }
        }
    }

    #[test]
    fn the_order_of_statements_does_not_matter(
        identity in statements(), resource in statements(), bound in statements(), context in context(), access in access(),
    ) {
        let reversed = |statements: &[Value]| statements.iter().rev().cloned().collect::<Vec<_>>();
        let there = everywhere(&identity, &resource, &bound);
        let back = everywhere(&reversed(&identity), &reversed(&resource), &reversed(&bound));
        for relation in RELATIONS {
            prop_assert_eq!(decide(&there, relation, &access, &context), decide(&back, relation, &access, &context));
        }
    }

    #[test]
    fn two_accounts_never_agree_on_more_than_one_does(
        identity in statements(), resource in statements(), bound in statements(), context in context(), access in access(),
    ) {
        let policies = everywhere(&identity, &resource, &bound);
        if decide(&policies, Relation::CrossAccount, &access, &context) == Decision::Allowed {
            for relation in RELATIONS {
                prop_assert_eq!(decide(&policies, relation, &access, &context), Decision::Allowed);
            }
        }
    }
}
