//! Conditions against contexts: absent keys, several values, negation, types.

#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::{Condition, ConditionError};
use crate::policy::Context;
use crate::policy::document::Version;

fn context() -> Context {
    let mut context = Context::default();
    context.set("aws:PrincipalOrgID", "o-example123");
    context.set("aws:username", "Alice");
    context.set("aws:SourceIp", "192.0.2.7");
    context.set("aws:EpochTime", "1800000000");
    context.set("aws:PrincipalArn", "arn:aws:iam::999999999999:role/vouch/VouchAccess");
    context.set("aws:SecureTransport", "true");
    context.set("aws:Count", "7");
    context.set_many("aws:TagKeys", ["Team".to_owned(), "Email".to_owned()]);
    context.set_many("aws:NoKeys", []);
    context
}

fn holds(block: &Value) -> bool {
    let conditions = Condition::list(block).unwrap();
    conditions.iter().all(|condition| condition.holds(Version::V2012, &context()))
}

fn table(rows: &[(&str, &str, Value, bool)]) {
    for (operator, key, value, expected) in rows {
        let block = json!({*operator: {*key: value}});
        assert_eq!(holds(&block), *expected, "{block}");
    }
}

#[test]
fn compares_single_values() {
    table(&[
        ("StringEquals", "aws:username", json!("Alice"), true),
        ("StringEquals", "AWS:USERNAME", json!("Alice"), true),
        ("StringEquals", "aws:username", json!("alice"), false),
        ("StringEquals", "aws:username", json!(["bob", "Alice"]), true),
        ("StringEquals", "aws:username", json!("Al*"), false),
        ("StringEquals", "aws:username", json!([]), false),
        ("StringNotEquals", "aws:username", json!(["bob", "Alice"]), false),
        ("StringNotEquals", "aws:username", json!("bob"), true),
        ("StringEqualsIgnoreCase", "aws:username", json!("ALICE"), true),
        ("StringNotEqualsIgnoreCase", "aws:username", json!("ALICE"), false),
        ("StringLike", "aws:username", json!("A?i*"), true),
        ("StringNotLike", "aws:username", json!("A*"), false),
        ("ArnLike", "aws:PrincipalArn", json!("arn:aws:iam::*:role/vouch/*"), true),
        ("ArnEquals", "aws:PrincipalArn", json!("arn:aws:iam::*:role/vouch/*"), true),
        ("ArnNotLike", "aws:PrincipalArn", json!("arn:aws:iam::*:role/vouch/*"), false),
        ("ArnLike", "aws:PrincipalArn", json!("*"), false),
        ("Bool", "aws:SecureTransport", json!(true), true),
        ("Bool", "aws:SecureTransport", json!("False"), false),
        ("NumericLessThanEquals", "aws:Count", json!(7), true),
        ("NumericNotEquals", "aws:Count", json!("7"), false),
        ("DateGreaterThan", "aws:EpochTime", json!("2020-01-01T00:00:00Z"), true),
        ("IpAddress", "aws:SourceIp", json!("192.0.2.0/24"), true),
        ("NotIpAddress", "aws:SourceIp", json!(["198.51.100.0/24", "192.0.2.0/24"]), false),
    ]);
}

#[test]
fn an_absent_key_satisfies_negation_and_if_exists_alone() {
    table(&[
        ("StringEquals", "aws:absent", json!("x"), false),
        ("StringLike", "aws:absent", json!("*"), false),
        ("StringNotEquals", "aws:absent", json!("x"), true),
        ("ArnNotLike", "aws:absent", json!("*"), true),
        ("NotIpAddress", "aws:absent", json!("0.0.0.0/0"), true),
        ("NumericNotEquals", "aws:absent", json!("1"), true),
        ("Bool", "aws:absent", json!("false"), false),
        ("StringEqualsIfExists", "aws:absent", json!("x"), true),
        ("BoolIfExists", "aws:absent", json!("true"), true),
        ("StringEqualsIfExists", "aws:username", json!("x"), false),
        ("Null", "aws:absent", json!("true"), true),
        ("Null", "aws:absent", json!(false), false),
        ("Null", "aws:username", json!("false"), true),
        ("ForAllValues:StringEquals", "aws:absent", json!("x"), true),
        ("ForAnyValue:StringEquals", "aws:absent", json!("x"), false),
        ("ForAnyValue:StringNotEquals", "aws:absent", json!("x"), false),
    ]);
}

#[test]
fn several_values_need_a_set_operator() {
    table(&[
        ("StringEquals", "aws:TagKeys", json!("Team"), false),
        ("StringNotEquals", "aws:TagKeys", json!("Other"), false),
        ("StringEqualsIfExists", "aws:TagKeys", json!("Team"), false),
        ("ForAllValues:StringEquals", "aws:TagKeys", json!(["Team", "Email", "Other"]), true),
        ("ForAllValues:StringEquals", "aws:TagKeys", json!("Team"), false),
        ("ForAnyValue:StringEquals", "aws:TagKeys", json!("Team"), true),
        ("ForAnyValue:StringEquals", "aws:TagKeys", json!("Other"), false),
        ("ForAnyValue:StringNotEquals", "aws:TagKeys", json!("Team"), true),
        ("ForAllValues:StringNotEquals", "aws:TagKeys", json!("Team"), false),
        ("ForAllValues:StringNotEquals", "aws:TagKeys", json!("Other"), true),
        ("ForAllValues:StringEquals", "aws:NoKeys", json!("x"), true),
        ("ForAnyValue:StringEquals", "aws:NoKeys", json!("x"), false),
    ]);
}

#[test]
fn variables_stand_for_values_of_the_request() {
    table(&[
        ("StringEquals", "aws:username", json!("${aws:username}"), true),
        ("StringEquals", "aws:PrincipalOrgID", json!("${aws:ResourceOrgID}"), false),
        ("StringNotEquals", "aws:PrincipalOrgID", json!("${aws:ResourceOrgID}"), true),
        ("StringLike", "aws:PrincipalArn", json!("*/${aws:absent, 'VouchAccess'}"), true),
    ]);
}

#[test]
fn all_conditions_must_hold() {
    assert!(holds(
        &json!({"StringEquals": {"aws:username": "Alice", "aws:PrincipalOrgID": "o-example123"}, "Bool": {"aws:SecureTransport": "true"}})
    ));
    assert!(!holds(&json!({"StringEquals": {"aws:username": "Alice", "aws:PrincipalOrgID": "o-other"}})));
    assert!(holds(&json!({})));
}

#[test]
fn refuses_operators_that_do_not_exist() {
    for name in ["StringEqual", "stringEquals", "ForSomeValues:StringEquals", "NullIfExists", "NumericLike", "DateLess"]
    {
        let error = Condition::list(&json!({name: {"k": "v"}})).unwrap_err();
        assert_eq!(error, ConditionError::Operator(name.to_owned()));
    }
    for block in [json!([]), json!({"StringEquals": "x"}), json!({"StringEquals": {"k": {"a": "b"}}})] {
        assert_eq!(Condition::list(&block).unwrap_err(), ConditionError::Syntax);
    }
}
