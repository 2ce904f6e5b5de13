//! The operator killed before and after every request of an issuer's life, on a real API server: it always comes to the
//! state that it comes to without a crash, one key signs at every moment, and every rotation happens once.
//!
//! A proxy that the test holds stands between the unmodified operator and the API server. One life without a crash tells
//! which requests there are; then each is the last of a process once, in a namespace of its own, and another process goes
//! on. The cluster is the one of `e2e/cluster` without nodes, so no pod ever runs, and the state of an issuer is that of
//! its objects.
//!
//! Every request that changes something is covered on both sides. One that only reads leaves the same state as the one
//! before it, so reads are covered on one side, and where all of them occur: in an installation.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "what fails here fails the test, and what it has covered is told to who asks with --nocapture"
)]

mod call;
mod keys;
mod life;
mod operator;
mod portrait;
mod proxy;

use std::time::Instant;

use futures::{StreamExt as _, stream};
use vouch_control_plane::{ControlPlane, client};

use crate::{
    call::Call,
    life::{LIFE, Reference, World},
    proxy::{Fault, Moment},
};

/// Issuers that live side by side: most of a life is waiting.
const SIDE_BY_SIDE: usize = 16;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_that_dies_at_any_request_is_succeeded_by_one_that_comes_to_the_same_state() {
    let control_plane = ControlPlane::start();
    control_plane.install_definitions();
    let world = World::begin(client(control_plane.kubeconfig()).await).await;
    let begun = Instant::now();
    let references = world.reference().await;
    let faults = faults(&references);
    let lives = faults.iter().map(|(stage, fault)| {
        let (world, references) = (&world, &references);
        async move {
            let outcome = world.crash(references, *stage, fault).await;
            outcome.err().map(|why| format!("{}, killed {:?} {}: {why}", LIFE[*stage].title, fault.moment, fault.call))
        }
    });
    let outcomes: Vec<Option<String>> = stream::iter(lives).buffer_unordered(SIDE_BY_SIDE).collect().await;
    let wrong: Vec<String> = outcomes.into_iter().flatten().collect();
    println!("{} crashes in {} s, {} of them wrong", faults.len(), begun.elapsed().as_secs(), wrong.len());
    assert!(wrong.is_empty(), "{} of {} lives went wrong:\n{}", wrong.len(), faults.len(), wrong.join("\n"));
}

/// Every moment at which a process is to die, with its stage; those that take longest come first.
fn faults(references: &[Reference]) -> Vec<(usize, Fault)> {
    let mut faults = Vec::new();
    for (stage, reference) in references.iter().enumerate().rev() {
        let (changing, reading): (Vec<&Call>, Vec<&Call>) = reference.calls.iter().partition(|call| call.changes());
        // The lease is renewed for ever.
        let changing = changing.into_iter().filter(|call| call.is_first() || !call.is_about("leases"));
        let changing: Vec<&Call> = changing.collect();
        let reading: Vec<&Call> = reading.into_iter().filter(|call| stage == 0 && call.is_first()).collect();
        let (title, all) = (LIFE[stage].title, reference.calls.len());
        println!("{title}: {all} requests, {} that change something, {} reads", changing.len(), reading.len());
        let moments = changing.into_iter().flat_map(|call| [(call, Moment::Before), (call, Moment::After)]);
        let moments = moments.chain(reading.into_iter().map(|call| (call, Moment::Before)));
        faults.extend(moments.map(|(call, moment)| (stage, Fault { call: call.clone(), moment })));
    }
    faults
}
