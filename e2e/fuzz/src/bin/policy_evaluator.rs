//! Any pair of documents is refused as malformed or yields a decision; an explicit deny of everything always wins.
//!
//! The input is two policy documents, one a line: the identity policy and the trust policy.
#![no_main]

use std::sync::LazyLock;

use aws_standin::policy::{Context, Decision, Document, Policies, Relation, Request, Requester};
use libfuzzer_sys::fuzz_target;

static DENY_ALL: LazyLock<Document> = LazyLock::new(|| {
    Document::parse(r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}"#)
        .expect("a policy document")
});

fuzz_target!(|documents: &str| {
    let (identity, trust) = documents.split_once('\n').unwrap_or((documents, ""));
    let identity: Vec<Document> = Document::parse(identity).into_iter().collect();
    let requester = Requester::Session {
        account: "999999999999".to_owned(),
        role_arn: "arn:aws:iam::999999999999:role/vouch/VouchAccess".to_owned(),
        role_id: "AROAEXAMPLE".to_owned(),
        session_arn: "arn:aws:sts::999999999999:assumed-role/VouchAccess/alice@example.com".to_owned(),
    };
    let mut context = Context::default();
    context.set("aws:SourceIdentity", "alice@example.com");
    context.set("aws:CurrentTime", "2026-01-02T03:04:05Z");
    context.set_many("aws:TagKeys", ["vouch:Email".to_owned(), "vouch:Domain".to_owned()]);
    let request = Request {
        requester: &requester,
        action: "sts:AssumeRole",
        resource: "arn:aws:iam::111111111111:role/vouch/VouchAccess",
        context: &context,
    };
    let mut policies = Policies { identity, resource: Document::parse(trust).ok(), ..Policies::default() };
    for relation in [Relation::SameAccount, Relation::SameAccountTrust, Relation::CrossAccount, Relation::NoAccount] {
        let _ = policies.decide(relation, &request);
    }
    policies.identity.push(DENY_ALL.clone());
    for relation in [Relation::SameAccount, Relation::SameAccountTrust, Relation::CrossAccount] {
        let decision = policies.decide(relation, &request);
        assert!(matches!(decision, Decision::Denied(_)), "an explicit deny did not win");
    }
});
