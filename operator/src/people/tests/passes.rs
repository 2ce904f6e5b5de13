//! Whole passes against an API server in memory.

use std::sync::{Arc, Mutex};

use kube::runtime::controller::Action;
use tokio::sync::watch;

use super::*;
use crate::{
    context::Context,
    failure::Category,
    people::{SharedDirectory, reconcile, status_category},
    status::StatusError,
    testing::ApiServer,
};

/// People in a cluster, and the operator.
pub(super) struct World {
    pub(super) server: ApiServer,
    context: Arc<Context>,
    directory: SharedDirectory,
}

impl World {
    pub(super) fn new(people: &[Value]) -> Self {
        let server = ApiServer::default();
        let context = server.context(&watch::Sender::default(), || Timestamp::from_second(1_800_000_000).unwrap());
        for value in people {
            server.put(&format!("{PEOPLE}/{}", value["metadata"]["name"].as_str().unwrap()), value.clone());
        }
        let directory = SharedDirectory(Arc::new(Mutex::new(directory(people))));
        Self { server, context, directory }
    }

    pub(super) async fn pass(&self, name: &str) -> Result<Action, StatusError> {
        let person = self.read(name);
        self.directory.lock().take(Event::Apply(person.clone()));
        self.work_on(person).await
    }

    pub(super) async fn work_on(&self, person: Person) -> Result<Action, StatusError> {
        reconcile(Arc::new(person), Arc::clone(&self.context), self.directory.clone()).await
    }

    pub(super) fn read(&self, name: &str) -> Person {
        person(self.server.get(&format!("{PEOPLE}/{name}")).unwrap())
    }

    /// Somebody changes a person.
    pub(super) fn edit(&self, name: &str, change: impl FnOnce(&mut Value)) {
        let mut object = self.server.get(&format!("{PEOPLE}/{name}")).unwrap();
        change(&mut object);
        self.server.put(&format!("{PEOPLE}/{name}"), object);
    }

    /// Somebody changes a person, and the operator hears of it without coming to work on it.
    pub(super) fn see(&self, name: &str, change: impl FnOnce(&mut Value)) {
        self.edit(name, change);
        self.directory.lock().take(Event::Apply(self.read(name)));
    }

    pub(super) fn see_the_end_of(&self, name: &str) {
        self.directory.lock().take(Event::Delete(self.read(name)));
    }

    /// As after a start.
    pub(super) fn forget_everybody(&self) {
        *self.directory.lock() = Directory::default();
    }

    pub(super) fn status_path(&self, name: &str) -> String {
        format!("PATCH {PEOPLE}/{name}/status")
    }

    pub(super) fn status(&self, name: &str) -> Value {
        self.server.get(&format!("{PEOPLE}/{name}")).unwrap()["status"].clone()
    }
}

#[tokio::test]
async fn a_person_is_written_about_once_and_asked_about_never() {
    let world = World::new(&[object("alice", "alice@example.com", 0)]);
    world.pass("alice").await.unwrap();
    assert_eq!(world.server.writes(), [format!("PATCH {PEOPLE}/alice/status")], "and no event");
    assert_eq!(world.status("alice")["conditions"][0]["reason"], "AsDeclared");
    world.pass("alice").await.unwrap();
    assert_eq!(world.server.calls(), []);
}

#[tokio::test]
async fn what_the_issuer_keeps_in_the_status_is_left_to_it() {
    let mut alice = object("alice", "alice@example.com", 0);
    alice["status"] = json!({"id": uid("alice"), "keyCount": 0, "sessionsValidFrom": "2026-01-01T00:00:00.123456Z"});
    let world = World::new(&[alice.clone()]);
    world.pass("alice").await.unwrap();
    let mut status = world.status("alice");
    let members = status.as_object_mut().unwrap();
    members.remove("conditions").unwrap();
    assert_eq!(members.remove("observedGeneration"), Some(json!(1)));
    assert_eq!(status, alice["status"]);
}

#[tokio::test]
async fn somebody_who_is_ignored_is_told_so_once() {
    let world = World::new(&[object("a", "alice@example.com", 0), object("b", "alice@example.com", 1)]);
    world.pass("b").await.unwrap();
    let events: Vec<String> = world.server.paths().into_iter().filter(|path| path.contains("/events/")).collect();
    assert_eq!(events.len(), 1);
    assert_eq!(world.server.get(&events[0]).unwrap()["reason"], "EmailTaken");
    world.server.calls();
    world.pass("b").await.unwrap();
    assert_eq!(world.server.calls(), []);
}

#[tokio::test]
async fn a_login_in_between_is_not_overwritten() {
    let world = World::new(&[object("alice", "alice@example.com", 0)]);
    let stale = world.read("alice");
    let used = json!([{"digest": "d", "expiresAt": "2026-01-01T00:00:00Z"}]);
    world.edit("alice", |alice| alice["status"] = json!({"usedChallenges": used}));
    let error = world.work_on(stale).await.unwrap_err();
    assert_eq!(status_category(&error), Category::Conflict);
    world.pass("alice").await.unwrap();
    assert_eq!(world.status("alice")["usedChallenges"][0]["digest"], "d");
}
