//! The controller of `VouchUser`: says of every person whether an issuer knows them, and why not.
//!
//! A person's object is written by the issuer at every login, by compare-and-swap. The operator therefore writes the
//! conditions and nothing else, and only when they say something new: an unchanged object costs no request, and a login
//! costs none of the operator's. People are never made, changed or deleted in here.

pub mod directory;
pub mod person;
#[cfg(test)]
mod tests;

use std::{
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use kube::runtime::{
    WatchStreamExt as _, applier,
    controller::Action,
    reflector::{self, ObjectRef},
    watcher,
};
use vouch_crds::issuer::VouchIssuer;

use self::{
    directory::Directory,
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
    let issuers = watcher(watched.api::<VouchIssuer>(&context.reader), config()).default_backoff().map_ok({
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
        context,
        store,
        Box::pin(queue),
        watched.config(),
    );
    drain(passes, |_, _| {}).await;
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
/// When the conditions could not be written.
pub async fn reconcile(
    person: Arc<Person>,
    context: Arc<Context>,
    directory: SharedDirectory,
) -> Result<Action, StatusError> {
    let Some(finding) = directory.lock().finding(&person) else { return Ok(Action::await_change()) };
    report(&context, &person, &finding).await?;
    Ok(Action::await_change())
}

/// Writes the condition when it says something new, and tells when a person turns to be ignored, or not to be.
async fn report(context: &Context, person: &Person, finding: &Finding) -> Result<(), StatusError> {
    let (before, generation) = (&person.reported, kube::Resource::meta(person).generation);
    let conditions = merge(&before.conditions, std::slice::from_ref(finding), generation, (context.now)());
    let next = Reported { conditions, observed_generation: generation };
    let written = status::write(&context.held, person, Some(before), &next).await?;
    let was_known = find(&before.conditions, finding.kind).is_some();
    let worth_telling = finding.reason.tone() == Tone::Warning || was_known;
    if written && worth_telling && turned(&before.conditions, finding) {
        context.events.tell(person, finding.reason, "Reconcile", &finding.message).await;
    }
    Ok(())
}
