//! Dozens of rotations in days that pass in minutes: the operator runs on this machine, by a clock that is moved, and the
//! pods are where they always are. AWS, which reads the key set anew for every token, refuses none; and a verifier that
//! keeps the key set for the longest time that an issuer may allow knows the key of every one.

use std::{collections::BTreeSet, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use vouch_scenarios::{
    binaries,
    clock::Clock,
    guide::{self, HUB, developer_role},
    kubernetes::{self, Installation, OPERATORS, site::Site},
    process::{Process, tied},
    wait::{PATIENCE, until},
};

/// The longest `max-age` that an issuer may send: so old is a verifier's copy when it gets a token.
const STEP_MINUTES: i64 = 60;
const STEPS: i64 = 150;
/// Before what signed the session is forgotten.
const LOGIN_MINUTES: i64 = 3 * 60;
/// One every five hours.
const ROTATIONS: usize = 28;

/// The operators of the cluster, at rest while this lives.
struct AtRest<'a>(&'a Installation);

impl<'a> AtRest<'a> {
    fn begin(installation: &'a Installation) -> Self {
        let this = Self(installation);
        this.scale(0);
        this
    }

    fn scale(&self, replicas: u32) {
        let number = format!("--replicas={replicas}");
        let _ = self.0.cluster.kubectl(&["scale", "deployment/vouch-operator", "--namespace", OPERATORS, &number]);
        let what = ["--namespace", OPERATORS, "deployment", "vouch-operator"];
        self.0.cluster.await_object(&format!("{replicas} operators"), &what, |deployment| {
            deployment["status"]["readyReplicas"].as_u64().unwrap_or(0) == u64::from(replicas)
        });
    }
}

impl Drop for AtRest<'_> {
    fn drop(&mut self) {
        self.scale(2);
    }
}

/// An operator by another clock; its timers and deadlines go on as they are.
fn operator(site: &Site<'_>, clock: &Clock) -> Process {
    let mut command = tied(binaries::path("vouch-operator"));
    command.args(["--namespaces", site.namespace(), "--image", concat!("vouch-issuer:", env!("CARGO_PKG_VERSION"))]);
    command.args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    command.env("KUBECONFIG", site.cluster().kubeconfig()).env("POD_NAMESPACE", OPERATORS);
    command.env("POD_NAME", "outside").env("POD_UID", "outside");
    command.envs(clock.environment()).env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    Process::start(&mut command, &site.folder().join("operator.log"))
}

/// The keys of tokens for AWS that the pods have made since a moment.
fn signers(site: &Site<'_>, since: Timestamp) -> BTreeSet<String> {
    let selector = "--selector=app.kubernetes.io/name=vouch-issuer";
    let logs = site.kubectl(&["logs", selector, "--tail=200", &format!("--since-time={since}")]).succeeded();
    let lines = logs.stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["action"] == "minted").filter_map(|line| line["kid"].as_str().map(str::to_owned)).collect()
}

#[test]
fn dozens_of_rotations_fail_no_verifier() {
    let (installation, _alone) = kubernetes::alone();
    let site = Site::start_with(installation, "rotated", |manifest| {
        manifest.issuer["spec"]["session"] = json!({"lifetime": "3h"});
        manifest.issuer["spec"]["signingKeys"] = json!({
            "jwksMaxAge": "1h", "rotationPeriod": "5h", "publishLead": "65m", "retainRetired": "235m",
        });
    });
    site.cloud.prepare(&guide::direct_role(HUB));
    let (alice, _key) = site.signed_in("alice");
    let _at_rest = AtRest::begin(installation);
    let clock = Clock::new();
    let _operator = operator(&site, &clock);

    let published = || -> BTreeSet<String> { site.published_keys().into_iter().collect() };
    let (mut kept, mut login_at) = (published(), 0);
    let mut all = BTreeSet::new();
    for step in 0..STEPS {
        let minutes = step * STEP_MINUTES;
        clock.set_minutes(minutes);
        let now = Timestamp::now() + SignedDuration::from_mins(minutes);
        site.annotate("example.com/minutes", &minutes.to_string());
        until("the operator to have done what was due", Duration::from_secs(60), || {
            let next: Timestamp = site.issuer()["status"]["nextRotation"].as_str()?.parse().ok()?;
            (next > now).then_some(())
        });
        if minutes - login_at >= LOGIN_MINUTES {
            alice.login_again();
            login_at = minutes;
        }
        let since = Timestamp::now() - SignedDuration::from_secs(1);
        let duration = (900 + step).to_string();
        let _ =
            alice.vouch(&["credential", "aws", "--role", &developer_role(HUB), "--duration", &duration]).succeeded();
        let signed = until("the audit line of the token", PATIENCE, || {
            let signers = signers(&site, since);
            (!signers.is_empty()).then_some(signers)
        });
        assert!(signed.is_subset(&kept), "after {minutes} minutes {signed:?} sign, and a verifier knows {kept:?}");
        all.extend(signed);
        kept = published();
    }
    let tokens = site.cloud.standin.calls_of("AssumeRoleWithWebIdentity");
    let refused = tokens.iter().filter(|call| !call["errorCode"].is_null()).count();
    assert_eq!(refused, 0, "AWS refused {refused} of {} tokens", tokens.len());
    assert!(all.len() > ROTATIONS, "only {} keys signed in {STEPS} steps", all.len());
}
