//! Signed requests, as AWS's own signer makes them: who is answered, who is refused, and how.

use serde_json::json;

use aws_standin::endpoint::Partition;

use crate::support::{Aws, Keys, Refusal, texts};

async fn identity(aws: &Aws, keys: &Keys) -> Result<String, Refusal> {
    aws.sts(Some(keys), "GetCallerIdentity", &[]).await
}

fn refusal(status: u16, code: &str, message: &str) -> Refusal {
    Refusal { status, code: code.to_owned(), message: message.to_owned() }
}

#[tokio::test]
async fn tells_a_signer_who_it_is() {
    let aws = Aws::new(&[]);
    let keys = aws.account("999999999999");
    let xml = identity(&aws, &keys).await.unwrap();
    assert_eq!(texts(&xml, "Account"), ["999999999999"]);
    assert_eq!(texts(&xml, "Arn"), ["arn:aws:iam::999999999999:user/admin"]);
    assert!(texts(&xml, "UserId")[0].starts_with("AIDA"));
    for host in ["sts.amazonaws.com", "sts.eu-west-1.amazonaws.com"] {
        aws.call(Some(&keys), host, "GetCallerIdentity", &[]).await.unwrap();
    }
}

#[tokio::test]
async fn refuses_keys_that_are_not_what_they_should_be() {
    let aws = Aws::new(&[]);
    let keys = aws.account("999999999999");
    let invalid = refusal(403, "InvalidClientTokenId", "The security token included in the request is invalid.");
    let unknown = Keys { id: "AKIAUNKNOWNUNKNOWN00".to_owned(), ..keys.clone() };
    assert_eq!(identity(&aws, &unknown).await.unwrap_err(), invalid);
    let with_token = Keys { token: Some("token".to_owned()), ..keys.clone() };
    assert_eq!(identity(&aws, &with_token).await.unwrap_err(), invalid);
    let wrong = Keys { secret: "wrong".to_owned(), ..keys.clone() };
    let mismatch = identity(&aws, &wrong).await.unwrap_err();
    assert_eq!((mismatch.status, mismatch.code.as_str()), (403, "SignatureDoesNotMatch"));
    let unsigned = aws.sts(None, "GetCallerIdentity", &[]).await.unwrap_err();
    assert_eq!(unsigned, refusal(403, "MissingAuthenticationToken", "Request is missing Authentication Token"));
}

#[tokio::test]
async fn keys_are_unknown_in_another_partition() {
    let aws = Aws::new(&[]);
    let commercial = aws.account("999999999999");
    let china = aws.account_in("111111111111", Partition::China, None);
    let host = "sts.cn-north-1.amazonaws.com.cn";
    let xml = aws.call(Some(&china), host, "GetCallerIdentity", &[]).await.unwrap();
    assert_eq!(texts(&xml, "Arn"), ["arn:aws-cn:iam::111111111111:user/admin"]);
    assert_eq!(
        aws.call(Some(&commercial), host, "GetCallerIdentity", &[]).await.unwrap_err().code,
        "InvalidClientTokenId"
    );
    assert_eq!(identity(&aws, &china).await.unwrap_err().code, "InvalidClientTokenId");
    let govcloud = aws.account_in("222222222222", Partition::GovCloud, None);
    aws.call(Some(&govcloud), "sts.us-gov-west-1.amazonaws.com", "GetCallerIdentity", &[]).await.unwrap();
    aws.call(Some(&govcloud), "iam.us-gov.amazonaws.com", "ListRoles", &[]).await.unwrap();
}

#[tokio::test]
async fn a_clock_that_is_off_by_more_than_five_minutes_is_refused() {
    let aws = Aws::new(&[]);
    let keys = aws.account("999999999999");
    for (offset, accepted) in [(290, true), (310, false), (-290, true), (-310, false)] {
        aws.knobs(&json!({"clock_offset_seconds": offset}));
        assert_eq!(identity(&aws, &keys).await.is_ok(), accepted, "{offset}");
    }
}

#[tokio::test]
async fn accepts_a_presigned_request_for_fifteen_minutes() {
    let aws = Aws::new(&[]);
    let keys = aws.account("999999999999");
    let query = "Action=GetCallerIdentity&Version=2011-06-15";
    for (offset, accepted) in [(0, true), (890, true), (910, false)] {
        aws.knobs(&json!({"clock_offset_seconds": offset}));
        let answer = aws.presigned(&keys, "sts.us-east-1.amazonaws.com", query).await;
        assert_eq!(answer.is_ok(), accepted, "{offset}: {answer:?}");
    }
}

#[tokio::test]
async fn injects_faults_and_logs_them() {
    let aws = Aws::new(&[]);
    let keys = aws.account("999999999999");
    aws.knobs(&json!({"throttle": {"GetCallerIdentity": 1}, "fail": {"GetCallerIdentity": 1}}));
    assert_eq!(identity(&aws, &keys).await.unwrap_err(), refusal(400, "Throttling", "Rate exceeded"));
    assert_eq!(aws.last_call()["errorCode"], "Throttling");
    assert_eq!(identity(&aws, &keys).await.unwrap_err().status, 500);
    identity(&aws, &keys).await.unwrap();
    assert_eq!(aws.last_call()["userIdentity"]["type"], "IAMUser");
    assert!(aws.last_call().get("errorCode").is_none());
}

#[tokio::test]
async fn does_not_know_actions_that_do_not_exist() {
    let aws = Aws::new(&[]);
    let keys = aws.account("999999999999");
    let unknown = aws.sts(Some(&keys), "AssumeEverything", &[]).await.unwrap_err();
    assert_eq!(
        unknown,
        refusal(400, "InvalidAction", "Could not find operation AssumeEverything for version 2011-06-15")
    );
    assert_eq!(aws.sts(Some(&keys), "GetSessionToken", &[]).await.unwrap_err().code, "AccessDenied");
}
