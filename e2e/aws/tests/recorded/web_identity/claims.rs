//! What a session has of its token, and the shape of a request: what a row of the table cannot say.

use serde_json::json;

use super::Recorded;
use crate::support::texts;

#[tokio::test]
async fn a_success_has_the_recorded_members() {
    let recorded = Recorded::start().await;
    let xml = recorded.assume(&recorded.token(|_| {})).await.unwrap();
    assert_eq!(texts(&xml, "Provider"), [recorded.provider.as_str()]);
    assert_eq!(
        texts(&xml, "Arn"),
        ["arn:aws:sts::999999999999:assumed-role/RecordedRoleOf31CharactersXXXXX/session-10"]
    );
    let id = &texts(&xml, "AssumedRoleId")[0];
    assert!(id.starts_with("AROA") && id.ends_with(":session-10"), "{id}");
    assert!(texts(&xml, "AccessKeyId")[0].starts_with("ASIA"));
    let expiration: jiff::Timestamp = texts(&xml, "Expiration")[0].parse().unwrap();
    let left = expiration.as_second() - recorded.aws.standin.now().as_second();
    assert!((3590..=3600).contains(&left), "{left}");
    assert_eq!(texts(&xml, "SourceIdentity"), Vec::<String>::new());
}

#[tokio::test]
async fn the_expiry_of_a_token_does_not_cap_its_session() {
    let recorded = Recorded::start().await;
    let now = recorded.aws.standin.now().as_second();
    let token = recorded.token(|claims| drop(claims.insert("exp".to_owned(), json!(now + 60))));
    let xml = recorded.assume_with(&token, &[("DurationSeconds", "7200")]).await.unwrap();
    let expiration: jiff::Timestamp = texts(&xml, "Expiration")[0].parse().unwrap();
    assert!(expiration.as_second() >= now + 7199);
    let refusal = recorded.assume_with(&token, &[("DurationSeconds", "7201")]).await.unwrap_err();
    assert_eq!(
        refusal.parts(),
        ("ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
    );
}

#[tokio::test]
async fn shape_comes_before_everything_else() {
    let recorded = Recorded::start().await;
    let params = [
        ("RoleArn", recorded.role.as_str()),
        ("RoleSessionName", "a b"),
        ("WebIdentityToken", "no token"),
        ("DurationSeconds", "60"),
    ];
    let refusal = recorded.aws.sts(None, "AssumeRoleWithWebIdentity", &params).await.unwrap_err();
    assert_eq!(refusal.status, 400);
    assert_eq!(
        refusal.parts(),
        (
            "ValidationError",
            "2 validation errors detected: Value 'a b' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*; Value '60' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900"
        )
    );
}
