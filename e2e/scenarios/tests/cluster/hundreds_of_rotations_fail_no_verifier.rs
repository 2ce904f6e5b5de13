//! Hundreds of rotations in weeks that pass in minutes: the operator runs on this machine, by a clock that is moved an hour
//! at a time, and the pods are where they always are. Every pod makes tokens at every hour, and each is verified by copies
//! of the key set that are as old as an issuer may ever allow. AWS, which reads the key set anew, refuses none either.

use std::{collections::BTreeSet, thread};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use vouch_crds::names::{signing_keys, user_object_name};
use vouch_scenarios::{
    binaries,
    clock::Clock,
    guide::{self, HUB, developer_role},
    kubernetes::{
        self, Installation, LEASE, OPERATORS,
        api::{self, Api},
        holder,
        session::{Session, key_ids_of},
        site::{ISSUER, Site},
    },
    process::{Process, Ran, tied},
    verifier,
    wait::{PATIENCE, until},
};

/// The longest `max-age` that an issuer may send: so old is a verifier's copy when it gets a token.
const STEP_MINUTES: i64 = 60;
/// Every other step rotates: a key signs for 75 minutes at least.
const STEPS: i64 = 440;
const ROTATIONS: usize = 200;
/// Between two logins whose credentials AWS gives, in steps.
const SIGN_IN_EVERY: i64 = 40;

/// What the operator that runs on this machine calls itself.
const OUTSIDE: &str = "outside";

/// The operators of the cluster, at rest while this lives.
struct AtRest<'a>(&'a Installation);

impl<'a> AtRest<'a> {
    fn begin(installation: &'a Installation) -> Self {
        let this = Self(installation);
        let _ = this.scale(0).succeeded();
        this.await_operators(0);
        this
    }

    fn scale(&self, replicas: u32) -> Ran {
        let number = format!("--replicas={replicas}");
        self.0.cluster.kubectl(&["scale", "deployment/vouch-operator", "--namespace", OPERATORS, &number])
    }

    fn await_operators(&self, replicas: u32) {
        let what = ["--namespace", OPERATORS, "deployment", "vouch-operator"];
        self.0.cluster.await_object(&format!("{replicas} operators"), &what, |deployment| {
            deployment["status"]["readyReplicas"].as_u64().unwrap_or(0) == u64::from(replicas)
        });
    }
}

impl Drop for AtRest<'_> {
    fn drop(&mut self) {
        let ran = self.scale(2);
        // A second panic would end the process before the cluster is ended.
        if thread::panicking() {
            eprintln!("{ran}");
            return;
        }
        let _ = ran.succeeded();
        self.await_operators(2);
    }
}

/// An operator by another clock; its timers and deadlines go on as they are.
fn operator(site: &Site<'_>, clock: &Clock) -> Process {
    let mut command = tied(binaries::path("vouch-operator"));
    command.args(["--namespaces", site.namespace(), "--image", concat!("vouch-issuer:", env!("CARGO_PKG_VERSION"))]);
    command.args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    command.env("KUBECONFIG", site.cluster().kubeconfig()).env("POD_NAMESPACE", OPERATORS);
    command.env("POD_NAME", OUTSIDE).env("POD_UID", OUTSIDE);
    command.envs(clock.environment()).env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    Process::start(&mut command, &site.folder().join("operator.log"))
}

/// Verifiers that keep the key set of each pod for a whole step, and what they have been given.
#[derive(Default)]
struct Verifiers {
    copies: Vec<Value>,
    signers: BTreeSet<String>,
    tokens: usize,
}

impl Verifiers {
    /// Gets a token of every pod, and has it verified by every copy.
    fn verify(&mut self, pods: &mut [Session], minutes: i64) {
        for pod in pods {
            let token = pod.mint(&developer_role(HUB)).unwrap_or_else(|code| panic!("after {minutes} min: {code}"));
            for copy in &self.copies {
                verifier::verify(&token, copy).unwrap_or_else(|refusal| panic!("after {minutes} min: {refusal}"));
                self.tokens += 1;
            }
            self.signers.insert(verifier::signer(&token));
        }
    }
}

#[test]
fn hundreds_of_rotations_fail_no_verifier() {
    let (installation, _alone) = kubernetes::alone();
    let site = Site::start_with(installation, "rotated", |manifest| {
        manifest.issuer["spec"]["session"] = json!({"lifetime": "5m"});
        manifest.issuer["spec"]["signingKeys"] = json!({
            "jwksMaxAge": "1h", "rotationPeriod": "75m", "publishLead": "65m", "retainRetired": "10m",
        });
        manifest.lift_rate_limits();
    });
    site.cloud.prepare(&guide::direct_role(HUB));
    let (alice, _key) = site.signed_in("alice");
    let person = site.object("vouchuser", &user_object_name("alice@example.com")).expect("alice's VouchUser");
    let mut pods: Vec<_> = site.await_pods(3).iter().map(|pod| Session::at(&site, pod)).collect();
    let _at_rest = AtRest::begin(installation);
    let clock = Clock::new();
    let _operator = operator(&site, &clock);
    site.cluster().await_object("the operator outside to act", &LEASE, |lease| holder(lease) == OUTSIDE);

    let api = Api::of(site.cluster());
    let issuer = api::vouch(site.namespace(), "vouchissuers", ISSUER);
    let secret = api::core(site.namespace(), "secrets", &signing_keys::name(ISSUER));
    let mut verifiers = Verifiers::default();
    for step in 0..STEPS {
        let minutes = step * STEP_MINUTES;
        pods.iter_mut().for_each(|pod| pod.begin(&api.get(&secret), &person));
        clock.set_minutes(minutes);
        let now = Timestamp::now() + SignedDuration::from_mins(minutes);
        api.merge(&issuer, &json!({"metadata": {"annotations": {"example.com/minutes": minutes.to_string()}}}));
        until("the operator to have done what was due", PATIENCE, || {
            let next: Timestamp = api.get(&issuer)["status"]["nextRotation"].as_str()?.parse().ok()?;
            (next > now).then_some(())
        });
        // Some pods may not have heard of it yet, and then all have.
        verifiers.verify(&mut pods, minutes);
        let copies: Vec<_> = pods
            .iter()
            .map(|pod| {
                until("a pod to publish the keys of the Secret", PATIENCE, || {
                    let copy = pod.key_set();
                    (verifier::key_ids(&copy) == key_ids_of(&api.get(&secret))).then_some(copy)
                })
            })
            .collect();
        verifiers.verify(&mut pods, minutes);
        verifiers.copies = copies;
        if step % SIGN_IN_EVERY == 0 {
            alice.login_again();
            let duration = (900 + step).to_string();
            let credential = ["credential", "aws", "--role", &developer_role(HUB), "--duration", &duration];
            let _ = alice.vouch(&credential).succeeded();
        }
    }
    let (tokens, keys) = (verifiers.tokens, verifiers.signers.len());
    eprintln!("{tokens} verifications, {keys} keys signed");
    assert!(keys > ROTATIONS, "only {keys} keys signed in {STEPS} steps");
    let given = site.cloud.standin.calls_of("AssumeRoleWithWebIdentity");
    assert!(given.iter().all(|call| call["errorCode"].is_null()), "AWS refused a token: {given:#?}");
}
