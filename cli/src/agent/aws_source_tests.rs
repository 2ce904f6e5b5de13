#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::{collections::VecDeque, sync::Mutex};

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::clock::{Clock as _, tests::ManualClock};

const HUB: &str = "arn:aws:iam::999999999999:role/vouch/VouchAccess";
const DEV: &str = "arn:aws:iam::111111111111:role/vouch/VouchAccess";
const PROD: &str = "arn:aws:iam::222222222222:role/vouch/VouchAccess";

/// What reached STS: the role, who asked, for how long, where.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Asked {
    role: String,
    by: String,
    duration: u32,
    region: String,
    session_name: String,
}

/// An issuer with a catalogue and an STS that keeps a record; `errors` has what goes wrong at its next calls, `None` for nothing.
struct World {
    clock: Arc<ManualClock>,
    hub_of: Vec<(&'static str, &'static str)>,
    tokens: Mutex<u32>,
    asked: Mutex<Vec<Asked>>,
    errors: Mutex<VecDeque<Option<StsError>>>,
}

impl World {
    fn new(hub_of: &[(&'static str, &'static str)], errors: impl IntoIterator<Item = StsError>) -> Arc<Self> {
        Arc::new(Self {
            clock: ManualClock::at("2026-11-21T09:30:00Z"),
            hub_of: hub_of.to_vec(),
            tokens: Mutex::new(0),
            asked: Mutex::default(),
            errors: Mutex::new(errors.into_iter().map(Some).collect()),
        })
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    fn answer(&self, assume: Assume, by: String) -> BoxFuture<'static, Result<RoleSession, StsError>> {
        let number = {
            let mut asked = self.asked.lock().unwrap();
            let Assume { role, session_name, duration, region } = assume;
            asked.push(Asked { role: role.to_string(), by, duration, region, session_name });
            asked.len()
        };
        let error = self.errors.lock().unwrap().pop_front().flatten();
        let expires_at: Timestamp = self.clock.now() + SignedDuration::from_secs(i64::from(duration_of(&self.asked())));
        Box::pin(async move {
            tokio::task::yield_now().await;
            match error {
                Some(error) => Err(error),
                None => Ok(RoleSession {
                    access_key_id: format!("ASIA{number}"),
                    secret_access_key: Zeroizing::new("secret".to_owned()),
                    session_token: Zeroizing::new("token".to_owned()),
                    expires_at,
                }),
            }
        })
    }
}

fn duration_of(asked: &[Asked]) -> u32 {
    asked.last().map_or(0, |asked| asked.duration)
}

impl Tokens for World {
    fn aws_token(&self, request: AwsTokenRequest) -> BoxFuture<'static, Result<AwsTokenResponse, IssuerError>> {
        *self.tokens.lock().unwrap() += 1;
        let hub =
            self.hub_of.iter().find(|(role, _)| *role == request.role.to_string()).map(|(_, hub)| hub.parse().unwrap());
        let hub = request.via.or(hub);
        let response = AwsTokenResponse {
            web_identity_token: "jwt".to_owned(),
            expires_at: self.clock.now(),
            chain: hub.into_iter().chain([request.role]).collect(),
            session_name: "alice@example.com".to_owned(),
        };
        Box::pin(async move { Ok(response) })
    }

    fn issuer(&self) -> String {
        "https://vouch.example.com".to_owned()
    }

    fn person(&self) -> String {
        "alice@example.com".to_owned()
    }
}

impl Sts for World {
    fn with_web_identity(
        &self,
        assume: Assume,
        token: Zeroizing<String>,
    ) -> BoxFuture<'static, Result<RoleSession, StsError>> {
        self.answer(assume, token.to_string())
    }

    fn with_role(&self, assume: Assume, hub: RoleSession) -> BoxFuture<'static, Result<RoleSession, StsError>> {
        self.answer(assume, hub.access_key_id)
    }
}

fn source(world: &Arc<World>) -> AwsSource {
    AwsSource::new(world.clone(), world.clone())
}

fn request(role: &str) -> AwsCredentialsRequest {
    AwsCredentialsRequest { role: role.parse().unwrap(), via: None, duration: None, region: None }
}

fn refused(code: &str, message: &str) -> StsError {
    StsError::Refused { code: code.to_owned(), message: message.to_owned(), status: 403, request_id: None }
}

#[tokio::test]
async fn a_direct_role_is_one_step_and_may_last_twelve_hours() {
    let world = World::new(&[], []);
    let request = AwsCredentialsRequest { duration: Some(43_200), ..request(DEV) };
    let obtained = source(&world).obtain(request).await.unwrap();
    assert_eq!(obtained.credentials.access_key_id, "ASIA1");
    assert_eq!(obtained.chain.len(), 1);
    let expected = Asked {
        role: DEV.to_owned(),
        by: "jwt".to_owned(),
        duration: 43_200,
        region: "us-east-1".to_owned(),
        session_name: "alice@example.com".to_owned(),
    };
    assert_eq!(world.asked(), [expected]);
}

#[tokio::test]
async fn a_spoke_is_assumed_with_the_hubs_session_under_the_same_name() {
    let world = World::new(&[(DEV, HUB)], []);
    let obtained = source(&world).obtain(request(DEV)).await.unwrap();
    let asked = world.asked();
    assert_eq!((asked[0].role.as_str(), asked[0].by.as_str()), (HUB, "jwt"));
    assert_eq!((asked[1].role.as_str(), asked[1].by.as_str()), (DEV, "ASIA1"));
    assert_eq!(asked[0].session_name, asked[1].session_name);
    assert_eq!(obtained.chain.iter().map(ToString::to_string).collect::<Vec<_>>(), [HUB, DEV]);
}

#[tokio::test]
async fn each_spoke_has_a_hub_session_of_its_own() {
    let world = World::new(&[(DEV, HUB), (PROD, HUB)], []);
    let source = source(&world);
    let (dev, prod) = tokio::join!(source.obtain(request(DEV)), source.obtain(request(PROD)));
    assert!(dev.is_ok() && prod.is_ok());
    assert_eq!(world.asked().iter().filter(|asked| asked.role == HUB).count(), 2);
    assert_eq!(*world.tokens.lock().unwrap(), 2);
}

#[tokio::test]
async fn chained_role_caps_duration_and_says_so() {
    let world = World::new(&[(DEV, HUB)], []);
    let request = AwsCredentialsRequest { duration: Some(7200), ..request(DEV) };
    let failure = source(&world).obtain(request).await.unwrap_err();
    assert_eq!(failure.category, Category::Usage);
    assert!(failure.message.contains("at most 3600 s"), "{failure}");
    assert!(world.asked().is_empty(), "AWS was not asked");
}

#[tokio::test]
async fn the_hub_is_taken_for_the_shortest_time_and_the_spoke_for_the_time_asked() {
    let world = World::new(&[(DEV, HUB)], []);
    source(&world).obtain(AwsCredentialsRequest { duration: Some(1800), ..request(DEV) }).await.unwrap();
    assert_eq!(world.asked().iter().map(|asked| asked.duration).collect::<Vec<_>>(), [900, 1800]);
}

#[tokio::test]
async fn each_partition_has_its_own_default_region() {
    for (partition, region) in [("aws", "us-east-1"), ("aws-cn", "cn-north-1"), ("aws-us-gov", "us-gov-west-1")] {
        let world = World::new(&[], []);
        let role = format!("arn:{partition}:iam::111111111111:role/VouchDeveloper");
        source(&world).obtain(request(&role)).await.unwrap();
        assert_eq!(world.asked()[0].region, region);
    }
}

#[tokio::test(start_paused = true)]
async fn a_hiccup_of_aws_is_tried_again() {
    let hiccup =
        refused("InvalidIdentityToken", "Couldn't retrieve verification key from your identity provider,  please …");
    let world = World::new(&[], [hiccup, StsError::Unreachable(Vec::new())]);
    assert!(source(&world).obtain(request(DEV)).await.is_ok());
    assert_eq!(world.asked().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_not_tried_again_and_names_its_step() {
    let world = World::new(&[(DEV, HUB)], [refused("AccessDenied", "Not authorized to perform sts:TagSession")]);
    let failure = source(&world).obtain(request(DEV)).await.unwrap_err();
    assert!(
        failure.message.starts_with("AWS refused role arn:aws:iam::999999999999:role/vouch/VouchAccess"),
        "{failure}"
    );
    assert_eq!(world.asked().len(), 1);

    let world = World::new(&[(DEV, HUB)], []);
    let second = refused("AccessDenied", "not authorized to perform: sts:AssumeRole");
    world.errors.lock().unwrap().extend([None, Some(second)]);
    let failure = source(&world).obtain(request(DEV)).await.unwrap_err();
    assert!(
        failure.message.starts_with("AWS refused the second step, from hub arn:aws:iam::999999999999:"),
        "{failure}"
    );
}

#[test]
fn an_answer_that_is_not_for_the_role_asked_is_refused() {
    let grant = |chain: &[&str]| AwsTokenResponse {
        web_identity_token: "jwt".to_owned(),
        expires_at: Timestamp::UNIX_EPOCH,
        chain: chain.iter().map(|role| role.parse().unwrap()).collect(),
        session_name: "alice@example.com".to_owned(),
    };
    for chain in [&[][..], &[PROD], &[DEV, PROD], &["arn:aws-cn:iam::999999999999:role/Hub", DEV]] {
        assert!(Route::check(&request(DEV), grant(chain)).is_err(), "{chain:?}");
    }
    assert!(Route::check(&request(DEV), grant(&[HUB, DEV])).is_ok());
}
