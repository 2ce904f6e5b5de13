#![allow(clippy::unwrap_used)]

use super::*;

fn role(text: &str) -> RoleArn {
    text.parse().unwrap()
}

fn refused(code: &str, message: &str) -> StsError {
    StsError::Refused {
        code: code.to_owned(),
        message: message.to_owned(),
        status: 403,
        request_id: Some("r-1".to_owned()),
    }
}

fn said(hub: bool, code: &str, message: &str) -> Failure {
    let (from, to) = (
        role("arn:aws:iam::999999999999:role/vouch/VouchAccess"),
        role("arn:aws:iam::333333333333:role/vouch/VouchAccess"),
    );
    let hop = Hop {
        from: hub.then_some(&from),
        to: &to,
        issuer: "https://vouch.example.com",
        person: "alice@example.com",
        duration: 7200,
        region: "us-east-1",
    };
    hop.explain(&refused(code, message))
}

/// As AWS writes it for the second step.
fn not_authorized(action: &str, more: &str) -> String {
    format!(
        "User: arn:aws:sts::999999999999:assumed-role/VouchAccess/alice@example.com is not authorized to perform: {action} \
         on resource: arn:aws:iam::333333333333:role/vouch/VouchAccess{more}"
    )
}

#[test]
fn a_missing_action_on_the_second_step_names_both_roles_and_the_action() {
    let failure = said(true, "AccessDenied", &not_authorized("sts:TagSession", ""));
    assert_eq!(
        failure.render(false),
        "vouch: AWS refused the second step, from hub arn:aws:iam::999999999999:role/vouch/VouchAccess to \
         arn:aws:iam::333333333333:role/vouch/VouchAccess: not authorized to perform sts:TagSession. The spoke's trust policy or the hub's \
         permissions policy lacks sts:TagSession. Details: vouch doctor --profile NAME"
    );
    assert_eq!(failure.category, Category::Denied);
    assert!(failure.details.iter().any(|line| line.contains("r-1")));
}

#[test]
fn when_aws_says_which_side_is_at_fault_so_do_we() {
    let spoke = " because no resource-based policy allows the sts:SetSourceIdentity action";
    let failure = said(true, "AccessDenied", &not_authorized("sts:SetSourceIdentity", spoke));
    assert!(failure.message.ends_with("The spoke's trust policy lacks sts:SetSourceIdentity"), "{failure}");
    let hub = " because no identity-based policy allows the sts:AssumeRole action";
    let failure = said(true, "AccessDenied", &not_authorized("sts:AssumeRole", hub));
    assert!(failure.message.contains("The hub's permissions policy lacks sts:AssumeRole"), "{failure}");
}

#[test]
fn a_guardrail_is_named_as_one() {
    let more = " with an explicit deny in a service control policy: arn:aws:organizations::999999999999:policy/o-1/service_control_policy/p-1";
    let failure = said(true, "AccessDenied", &not_authorized("sts:AssumeRole", more));
    assert!(failure.message.ends_with("a service control policy of the organisation denies it"), "{failure}");
}

#[test]
fn the_first_step_tells_a_missing_action_from_a_closed_door() {
    let failure = said(false, "AccessDenied", "Not authorized to perform sts:TagSession");
    assert_eq!(
        failure.message,
        "AWS refused role arn:aws:iam::333333333333:role/vouch/VouchAccess: its trust policy lacks sts:TagSession"
    );
    let failure = said(false, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity");
    assert!(failure.message.contains("does not let alice@example.com in, or there is no such role"), "{failure}");
}

#[test]
fn every_refusal_of_the_token_says_what_to_look_at() {
    let table = [
        ("No OpenIDConnect provider found in your account for https://vouch.example.com", "has no OIDC provider"),
        (
            "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements",
            "has not got the key of https://vouch.example.com that signed the token",
        ),
        (
            "The web identity token provided could not be validated. See the AssumeRoleWithWebIdentity documentation for requirements.",
            "does not accept the audience or the signature of the token for account 333333333333",
        ),
        ("The target role ARN is not present in the roles claim of the identity token", "issued for another role"),
        ("Missing a required claim: iat", "Missing a required claim: iat"),
    ];
    for (message, expected) in table {
        let failure = said(false, "InvalidIdentityToken", message);
        assert!(failure.message.contains(expected), "{failure}");
        assert!(failure.hint.is_some() && failure.category == Category::Denied, "{message}");
    }
}

#[test]
fn other_refusals_are_sentences_too() {
    let table = [
        (
            "ExpiredTokenException",
            "Token expired: current date/time 1 must be before the expiration date/time 0",
            "was too old when AWS got it",
        ),
        ("PackedPolicyTooLarge", "", "session tags are too large"),
        ("RegionDisabledException", "", "not activated for account 333333333333 in region us-east-1"),
        (
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
            "does not allow sessions of 7200 s",
        ),
        (
            "ValidationError",
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
            "7200 s is too long",
        ),
        ("SignatureDoesNotMatch", "Signature expired: 1 is now earlier than 2", "does not take the signature"),
        ("Brandnew", "Some text", "AWS refused role arn:aws:iam::333333333333:role/vouch/VouchAccess: Some text"),
    ];
    for (code, message, expected) in table {
        let failure = said(false, code, message);
        assert!(failure.message.contains(expected), "{code}: {failure}");
        assert!(failure.hint.is_some(), "{code}");
    }
}

#[test]
fn only_what_passes_by_itself_is_tried_again() {
    let with_status = |code: &str, message: &str, status| StsError::Refused {
        code: code.to_owned(),
        message: message.to_owned(),
        status,
        request_id: None,
    };
    for transient in [
        StsError::Unreachable(Vec::new()),
        with_status("IDPCommunicationError", "", 400),
        with_status(
            "InvalidIdentityToken",
            "Couldn't retrieve verification key from your identity provider,  please …",
            400,
        ),
        with_status("Throttling", "Rate exceeded", 400),
        with_status("InternalFailure", "", 500),
        with_status("ServiceUnavailable", "", 503),
    ] {
        assert!(is_transient(&transient), "{transient:?}");
    }
    for lasting in [
        with_status("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", 403),
        with_status("InvalidIdentityToken", "The web identity token provided could not be validated.", 400),
        with_status("ExpiredTokenException", "", 400),
        with_status("ValidationError", "", 400),
    ] {
        assert!(!is_transient(&lasting), "{lasting:?}");
    }
}
