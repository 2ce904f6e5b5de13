//! The controller of `VouchUser`: says of every person whether an issuer knows them, and why not.
//!
//! A person's object is written by the issuer at every login, by compare-and-swap. The operator therefore writes the
//! conditions, by compare-and-swap as well, and only when they say something new: an unchanged object costs no request, and a
//! login costs none of the operator's. People are never made, changed or deleted in here.
//!
//! One thing of the issuer's it writes, too: it ends the sessions of somebody who is disabled by an edit of the declaration,
//! as `kubectl vouch disable` does by itself. No pod can do that, because pods write for people who have just made a tap. While
//! somebody is disabled the issuer refuses their sessions anyway; ended they must be before somebody enables them again. A
//! disabling and an enabling while no operator looked leave no trace (`metadata.generation` counts changes and does not say
//! which), so there is nothing to end then.

pub mod directory;
pub mod organization;
pub mod person;
#[cfg(test)]
mod tests;

use std::{
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use kube::runtime::{
    WatchStreamExt as _, applier,
    controller::Action,
    reflector::{self, ObjectRef},
    watcher,
};
use vouch_crds::moment::Moment;

use self::{
    directory::Directory,
    organization::Organization,
    person::{Person, Reported},
};
use crate::{
    context::Context,
    controllers::{KindName, Watched, drain, pass, retry},
    failure::Category,
    reason::Tone,
    status::{self, Finding, StatusError, find, merge, turned},
};

/// How many objects an API server lists at a time.
const PAGE: u32 = 500;

impl KindName for Person {
    const KIND: &'static str = "VouchUser";
}

/// The directory, shared by the watches that fill it and the passes that ask it.
#[derive(Debug, Clone, Default)]
pub struct SharedDirectory(Arc<Mutex<Directory>>);

impl SharedDirectory {
    fn lock(&self) -> MutexGuard<'_, Directory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs until `stop` ends; then people in work are finished.
pub async fn run(context: Arc<Context>, watched: Watched, stop: impl Future<Output = ()> + Send + 'static) {
    let directory = SharedDirectory::default();
    let (store, writer) = reflector::store::<Person>();
    let config = || watcher::Config::default().page_size(PAGE);
    let people = watcher(watched.api::<Person>(&context.reader), config()).default_backoff();
    // What the store holds is never older than what the directory says.
    let people = reflector::reflector(writer, people).map_ok({
        let directory = directory.clone();
        move |event| directory.lock().take(event)
    });
    let issuers = watcher(watched.api::<Organization>(&context.reader), config()).default_backoff().map_ok({
        let directory = directory.clone();
        move |event| directory.lock().take_issuer(event)
    });
    let queue = stream::select(people, issuers)
        .map_ok(|touched: Vec<ObjectRef<Person>>| stream::iter(touched.into_iter().map(Ok)))
        .try_flatten()
        .take_until(stop);
    let passes = applier(
        move |person: Arc<Person>, context| {
            let directory = directory.clone();
            let work = move |person, context| reconcile(person, context, directory);
            Box::pin(pass(person, context, work, status_category))
        },
        |_, failed, context| retry(failed, &context),
        Arc::clone(&context),
        store,
        Box::pin(queue),
        watched.config(),
    );
    drain(passes, &context, |_, _| {}).await;
}

fn status_category(error: &StatusError) -> Category {
    match error {
        StatusError::Api { source, .. } => Category::of(source),
        StatusError::Form { .. } => Category::Invalid,
    }
}

/// One pass over one person.
///
/// # Errors
/// When the status could not be written.
pub async fn reconcile(
    person: Arc<Person>,
    context: Arc<Context>,
    directory: SharedDirectory,
) -> Result<Action, StatusError> {
    let (finding, over) = {
        let directory = directory.lock();
        (directory.finding(&person), directory.sessions_over_before(&person))
    };
    report(&context, &person, finding.as_ref(), over).await?;
    Ok(Action::await_change())
}

/// Writes the condition when it says something new, ends sessions, and tells when a person turns to be ignored, or not to be.
async fn report(
    context: &Context,
    person: &Person,
    finding: Option<&Finding>,
    over: Option<Timestamp>,
) -> Result<(), StatusError> {
    let (before, generation) = (&person.reported, kube::Resource::meta(person).generation);
    let mut next = Reported { sessions_valid_from: over.map(Moment::from), ..before.clone() };
    if let Some(finding) = finding {
        next.conditions = merge(&before.conditions, std::slice::from_ref(finding), generation, (context.now)());
        next.observed_generation = generation;
    }
    let written = status::write(&context.held, person, Some(before), &next).await?;
    if written && over.is_some() {
        tracing::info!(
            namespace = person.namespace(),
            name = person.name(),
            "disabled; sessions that had begun are over"
        );
    }
    let Some(finding) = finding else { return Ok(()) };
    let was_known = find(&before.conditions, finding.kind).is_some();
    let worth_telling = finding.reason.tone() == Tone::Warning || was_known;
    if written && worth_telling && turned(&before.conditions, finding) {
        context.events.tell(person, finding.reason, "Reconcile", &finding.message).await;
    }
    Ok(())
}
