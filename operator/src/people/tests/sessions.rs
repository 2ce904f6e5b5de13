//! Sessions of somebody who is disabled by an edit of the declaration are over, for good.

use super::{passes::World, *};

/// With a security key that began a session at `last_used_at`, the sessions from `valid_from` on being valid.
fn signed_in(valid_from: Timestamp, last_used_at: Timestamp) -> Value {
    let mut alice = enrolled(object("alice", "alice@example.com", 0), Some(&uid("alice")), &[("k", 1)]);
    alice["status"]["keys"][0]["lastUsedAt"] = json!(last_used_at);
    alice["status"]["sessionsValidFrom"] = json!(valid_from);
    alice
}

fn disabled(mut alice: Value, disabled: bool) -> Value {
    alice["spec"]["disabled"] = json!(disabled);
    alice
}

fn just_after(at: Timestamp) -> Value {
    json!(at + jiff::SignedDuration::from_nanos(1))
}

#[tokio::test]
async fn somebody_who_is_disabled_is_written_once_so_that_sessions_that_had_begun_are_over() {
    let world = World::new(&[signed_in(at(2), at(9))]);
    world.pass("alice").await.unwrap();
    assert_eq!(world.status("alice")["sessionsValidFrom"], json!(at(2)), "nobody is disabled");
    world.edit("alice", |alice| alice["spec"]["disabled"] = json!(true));
    let before = world.status("alice");
    world.server.calls();
    world.pass("alice").await.unwrap();
    assert_eq!(world.server.writes(), [world.status_path("alice")]);
    let after = world.status("alice");
    assert_eq!(after["sessionsValidFrom"], just_after(at(9)), "to the nanosecond");
    assert_eq!((&after["keys"], &after["id"]), (&before["keys"], &before["id"]), "the rest is the issuer's");
    world.pass("alice").await.unwrap();
    assert_eq!(world.server.calls(), []);
    world.edit("alice", |alice| alice["spec"]["disabled"] = json!(false));
    world.pass("alice").await.unwrap();
    assert_eq!(world.status("alice")["sessionsValidFrom"], just_after(at(9)));
}

#[tokio::test]
async fn nobody_is_written_about_whose_sessions_are_over() {
    let world = World::new(&[disabled(signed_in(at(10), at(9)), true)]);
    world.pass("alice").await.unwrap();
    world.server.calls();
    world.pass("alice").await.unwrap();
    assert_eq!(world.server.calls(), [], "`kubectl vouch disable` has ended them");
    let mut bob = enrolled(object("bob", "bob@example.com", 0), None, &[("k", 1)]);
    bob["spec"]["disabled"] = json!(true);
    let world = World::new(&[bob]);
    world.pass("bob").await.unwrap();
    assert!(world.status("bob").get("sessionsValidFrom").is_none(), "there never was one");
}

#[tokio::test]
async fn an_enabling_that_comes_before_the_operator_has_written_is_too_late() {
    let world = World::new(&[signed_in(at(2), at(9))]);
    world.pass("alice").await.unwrap();
    world.see("alice", |alice| alice["spec"]["disabled"] = json!(true));
    world.see("alice", |alice| alice["spec"]["disabled"] = json!(false));
    // A session that begins between the enabling and the write goes on.
    world.see("alice", |alice| alice["status"]["keys"][0]["lastUsedAt"] = json!(at(20)));
    world.server.calls();
    world.pass("alice").await.unwrap();
    assert_eq!(world.status("alice")["sessionsValidFrom"], just_after(at(9)));
    assert_eq!(world.server.writes(), [world.status_path("alice")]);
    world.pass("alice").await.unwrap();
    world.edit("alice", |alice| alice["spec"]["groups"] = json!(["a"]));
    world.pass("alice").await.unwrap();
    assert_eq!(world.status("alice")["sessionsValidFrom"], just_after(at(9)), "once");
}

#[tokio::test]
async fn a_write_that_a_pod_was_faster_than_is_made_again_and_takes_nothing_back() {
    let world = World::new(&[disabled(signed_in(at(2), at(9)), true)]);
    let stale = world.read("alice");
    world.edit("alice", |alice| alice["status"]["sessionsValidFrom"] = json!(at(5)));
    assert!(world.work_on(stale).await.is_err());
    assert_eq!(world.status("alice")["sessionsValidFrom"], json!(at(5)));
    world.pass("alice").await.unwrap();
    assert_eq!(world.status("alice")["sessionsValidFrom"], just_after(at(9)));
    let later = disabled(signed_in(at(30), at(9)), true);
    let world = World::new(&[later]);
    world.pass("alice").await.unwrap();
    assert_eq!(world.status("alice")["sessionsValidFrom"], json!(at(30)), "it is only ever raised");
}

#[tokio::test]
async fn sessions_end_before_everybody_is_known_and_without_a_word_about_the_person() {
    let alice = disabled(signed_in(at(2), at(9)), true);
    let world = World::new(&[alice]);
    world.forget_everybody();
    world.pass("alice").await.unwrap();
    assert_eq!(world.status("alice")["sessionsValidFrom"], just_after(at(9)));
    assert!(world.status("alice").get("conditions").is_none());
}

#[tokio::test]
async fn what_cannot_be_read_or_is_gone_is_left_alone() {
    let mut damaged = disabled(signed_in(at(2), at(9)), true);
    damaged["status"]["keys"][0]["credential"] = json!("{}");
    let world = World::new(&[damaged]);
    world.pass("alice").await.unwrap();
    assert_eq!(world.status("alice")["sessionsValidFrom"], json!(at(2)));
    let world = World::new(&[signed_in(at(2), at(9))]);
    world.see("alice", |alice| alice["spec"]["disabled"] = json!(true));
    world.see_the_end_of("alice");
    world.edit("alice", |alice| alice["spec"]["disabled"] = json!(false));
    world.pass("alice").await.unwrap();
    assert_eq!(world.status("alice")["sessionsValidFrom"], json!(at(2)), "another person of the same name");
}
