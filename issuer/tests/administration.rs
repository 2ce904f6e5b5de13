//! Administration by the real program.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use rustix::process::Signal;
use support::{MANIFEST, Running, Sandbox, refused, succeeded, until};
use vouch_issuer::{database::Database, identity::secrets::Secrets, keys::change};

const DECLARED: &str = "\
---
apiVersion: vouch.sh/v1alpha1
kind: VouchUser
metadata: {name: bob}
spec: {email: bob@example.com, groups: [release], disabled: true}
";

#[test]
fn init_makes_a_private_database_once() {
    let sandbox = Sandbox::new();
    let text = sandbox.run(&["init"]);
    assert!(succeeded(&text).contains("Back it up"));
    let mode = std::os::unix::fs::PermissionsExt::mode(&sandbox.database().metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let before = std::fs::read(sandbox.database()).unwrap();
    assert!(refused(&sandbox.run(&["init"])).contains("exists already and is left as it is"));
    assert_eq!(std::fs::read(sandbox.database()).unwrap(), before);
}

#[test]
fn init_with_a_mistake_in_the_manifest_leaves_nothing_behind() {
    let sandbox = Sandbox::with("kind: VouchIssuer");
    refused(&sandbox.run(&["init"]));
    assert!(!sandbox.path("data").exists());
}

#[test]
fn every_mistake_of_a_manifest_is_reported_at_once() {
    let sandbox = Sandbox::with(
        "\
apiVersion: vouch.sh/v1alpha1
kind: VouchIssuer
metadata: {name: vouch}
spec:
  url: https://Vouch.example.com
  organization: {name: Example, emailDomains: []}
  session: {lifetime: 90d}
",
    );
    for command in ["check", "init", "serve"] {
        let message = refused(&sandbox.run(&[command])).to_owned();
        for field in ["spec.url", "spec.organization.emailDomains", "spec.session.lifetime"] {
            assert!(message.contains(field), "{command} does not mention {field}:\n{message}");
        }
    }
}

#[test]
fn a_right_manifest_is_summed_up() {
    let sandbox = Sandbox::with(&format!("{MANIFEST}{DECLARED}"));
    let answer = sandbox.json(&["check"]);
    assert_eq!((&answer["issuer"], &answer["users"]), (&"https://vouch.example.com".into(), &1.into()));
}

#[test]
fn a_failure_is_json_where_json_was_asked_for() {
    let sandbox = Sandbox::with("kind: VouchIssuer");
    for option in ["-o", "--output"] {
        let output = sandbox.run(&["check", option, "json"]);
        assert_eq!(output.status.code(), Some(1));
        assert!(output.stderr.starts_with(b"vouch-issuer: "));
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(answer["error"]["category"], "configuration");
        assert!(!answer["error"]["problems"].as_array().unwrap().is_empty(), "{answer}");
    }
    assert!(sandbox.run(&["check"]).stdout.is_empty());
    let output = sandbox.run(&["check", "--nothing", "-o", "json"]);
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &answer["error"]["category"]), (Some(2), &"usage".into()), "{answer}");
    let serving = sandbox.run(&["serve", "--nothing", "-o", "json"]);
    assert!(serving.stdout.is_empty() && serving.status.code() == Some(2), "the audit trail has no other lines");
}

#[test]
fn an_application_is_said_to_have_no_effect_yet() {
    let client = "---\napiVersion: vouch.sh/v1alpha1\nkind: OidcClient\nmetadata: {name: wiki}\nspec: {issuerRef: {name: vouch}, \
                  displayName: Wiki, redirectUris: ['https://wiki.example.com/cb'], public: true}\n";
    let sandbox = Sandbox::initialised_with(&format!("{MANIFEST}{client}"));
    let text = sandbox.run(&["check"]);
    let text = succeeded(&text);
    assert!(text.contains("0 federations, 0 declared users\nNote: OidcClient wiki has no effect"), "{text}");
    sandbox.start().logs("OidcClient wiki has no effect");
}

#[test]
fn an_invite_prints_what_the_person_types() {
    let sandbox = Sandbox::initialised();
    let text = sandbox.run(&["invite", "Alice@Example.com", "--group", "engineering", "--expires", "24h"]);
    let text = succeeded(&text);
    assert!(text.starts_with("alice@example.com can enroll until "), "{text}");
    let [_, command, _, code, ..] = text.lines().map(str::trim).collect::<Vec<_>>()[..] else { panic!("{text}") };
    assert_eq!(command, "vouch enroll https://vouch.example.com", "the code has no place among arguments");
    assert_eq!(code.split('-').map(str::len).collect::<Vec<_>>(), [4, 4, 4]);
    let stored = std::fs::read(sandbox.database()).unwrap();
    assert!(!String::from_utf8_lossy(&stored).contains(code), "the code is kept");

    let user = sandbox.json(&["users", "show", "alice@example.com"]);
    assert_eq!(user["groups"], serde_json::json!(["engineering"]));
    assert!(user["invited_until"].is_string());
    let again = sandbox.json(&["invite", "alice@example.com"]);
    assert_eq!(again["replaced"], true);
    assert_eq!(again["groups"], serde_json::json!(["engineering"]), "an invite without --group changes no group");
}

#[test]
fn refuses_to_invite_whom_it_cannot_serve_and_says_why() {
    let sandbox = Sandbox::initialised_with(&format!("{MANIFEST}{DECLARED}"));
    for (args, reason) in [
        (vec!["invite", "mallory@example.org"], "not in a domain of Example (example.com)"),
        (vec!["invite", "alice@example.com", "--expires", "60d"], "an invite cannot last for 60d"),
        (vec!["invite", "alice@example.com", "--group", "a b"], "`a b` must be a group"),
        (vec!["invite", "bob@example.com", "--group", "ops"], "declared by a VouchUser in the manifest"),
    ] {
        let output = sandbox.run(&args);
        assert!(refused(&output).contains(reason), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let long = format!("{}@example.com", "a".repeat(60));
    for (email, reason) in
        [("o'neil@example.com", "which AWS refuses in session names"), (&*long, "AWS carries at most 64")]
    {
        let output = sandbox.run(&["invite", email]);
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&output.stderr).contains(reason), "{email}");
    }
    assert_eq!(sandbox.json(&["users", "list"])["users"], serde_json::json!([]), "a refused invite left a record");
}

#[test]
fn a_disabled_person_is_not_invited_until_enabled() {
    let sandbox = Sandbox::initialised();
    sandbox.json(&["invite", "alice@example.com"]);
    assert_eq!(sandbox.json(&["disable", "alice@example.com"])["changed"], true);
    assert_eq!(sandbox.json(&["disable", "alice@example.com"])["changed"], false);
    assert!(refused(&sandbox.run(&["invite", "alice@example.com"])).contains("enable first"));
    sandbox.json(&["enable", "alice@example.com"]);
    sandbox.json(&["invite", "alice@example.com"]);
}

/// The command that a message names.
fn command_in(message: &str, begins: &str) -> String {
    let from = message.find(begins).unwrap_or_else(|| panic!("no {begins} in {message}"));
    message[from..].split(['`', '\n']).next().unwrap().to_owned()
}

#[test]
fn every_command_that_a_message_names_works_when_it_is_pasted() {
    let sandbox = Sandbox::new();
    let at = |verb: &str| format!("vouch-issuer {verb} -f issuer.yaml --data-dir \"bob's data\"");
    let missing = sandbox.type_in(&at("users"));
    let steps = [
        (refused(&missing).to_owned(), "vouch-issuer init"),
        (at("users"), "vouch-issuer users"),
        (at("invite alice@example.com"), "vouch-issuer invite"),
    ];
    for (said, begins) in steps {
        succeeded(&sandbox.type_in(&command_in(&said, begins)));
    }
    succeeded(&sandbox.type_in(&at("disable alice@example.com")));
    let invited = sandbox.type_in(&at("invite alice@example.com"));
    succeeded(&sandbox.type_in(&command_in(refused(&invited), "vouch-issuer enable")));
    let unknown = sandbox.type_in(&at("logout bob@example.com"));
    succeeded(&sandbox.type_in(&command_in(refused(&unknown), "vouch-issuer users")));
    let rotated = sandbox.type_in(&at("keys rotate"));
    let revoked = sandbox.type_in(&command_in(succeeded(&rotated), "vouch-issuer keys revoke"));
    let waived = sandbox.type_in(&command_in(succeeded(&revoked), "vouch-issuer keys revoke"));
    assert!(succeeded(&waived).contains("signs before its lead time is over"));

    sandbox.write(&MANIFEST.replace("vouch.example.com", "other.example.com"));
    let moved = sandbox.type_in(&at("keys"));
    succeeded(&sandbox.type_in(&command_in(refused(&moved), "vouch-issuer accept-url")));
}

#[test]
fn people_and_keys_are_shown_unless_something_else_is_asked_for() {
    let sandbox = Sandbox::initialised();
    sandbox.json(&["invite", "alice@example.com"]);
    assert_eq!(sandbox.json(&["users"]), sandbox.json(&["users", "list"]));
    assert_eq!(sandbox.json(&["users"])["users"][0]["email"], "alice@example.com");
    assert_eq!(sandbox.json(&["keys"]), sandbox.json(&["keys", "show"]));
}

#[test]
fn names_the_person_or_the_key_that_does_not_exist() {
    let sandbox = Sandbox::initialised();
    for command in ["disable", "enable", "logout"] {
        assert!(
            refused(&sandbox.run(&[command, "nobody@example.com"]))
                .contains("nobody with the address nobody@example.com")
        );
    }
    sandbox.json(&["invite", "alice@example.com"]);
    let refusal = sandbox.run(&["remove-key", "alice@example.com", "0123456789abcdef"]);
    assert!(refused(&refusal).contains("alice@example.com has no key 0123456789abcdef"));
}

#[test]
fn logout_ends_every_session_begun_before() {
    let sandbox = Sandbox::initialised();
    sandbox.json(&["invite", "alice@example.com"]);
    let before = sandbox.json(&["users", "show", "alice@example.com"]);
    sandbox.json(&["logout", "alice@example.com"]);
    let after = sandbox.json(&["users", "show", "alice@example.com"]);
    assert!(after["sessions_valid_from"].as_str() > before["sessions_valid_from"].as_str());
}

#[test]
fn rotation_by_order_waits_until_verifiers_know_the_next_key_and_says_so() {
    let sandbox = Sandbox::initialised();
    let before = sandbox.json(&["keys", "show"]);
    let order = sandbox.json(&["keys", "rotate"]);
    assert_eq!(order["keys"][0]["kid"], before["keys"][0]["kid"], "an unknown key signs");
    assert!(order["consequences"][0].as_str().unwrap().contains("The next key signs from"));
    assert!(order["next_transition"].as_str() < before["next_transition"].as_str());
}

#[test]
fn revoking_the_active_key_explains_that_nothing_signs_and_now_lets_the_next_one() {
    let sandbox = Sandbox::initialised();
    let keys = sandbox.json(&["keys", "show"]);
    let (active, next) = (keys["keys"][0]["kid"].as_str().unwrap(), keys["keys"][1]["kid"].as_str().unwrap());
    let text = sandbox.run(&["keys", "revoke", active]);
    let text = succeeded(&text);
    assert!(text.contains("NOTHING SIGNS ES256 until"), "{text}");
    let hoped = sandbox.json(&["keys", "rotate"]);
    let told = hoped["consequences"][0].as_str().unwrap();
    assert!(told.contains("NOTHING SIGNS") && told.ends_with(&format!("keys revoke {active} --now")), "{told}");
    assert!(succeeded(&sandbox.run(&["keys"])).contains("NOTHING SIGNS ES256 until"), "whoever looks is told, too");
    assert!(sandbox.json(&["keys"])["nothing_signs"].as_str().unwrap().ends_with(" --now"));
    let waived = sandbox.json(&["keys", "revoke", active, "--now"]);
    assert!(sandbox.json(&["keys"]).get("nothing_signs").is_none());
    assert_eq!(waived["keys"][0]["kid"], next);
    assert_eq!((&waived["keys"][0]["state"], &waived["keys"][0]["lead_waived"]), (&"active".into(), &true.into()));
    assert_eq!(waived["revoked"][0]["kid"], active);
    let repeated = sandbox.run(&["keys", "revoke", active]);
    let again = refused(&repeated);
    assert!(again.contains("was revoked at") && again.contains(&format!("keys revoke {active} --now")), "{again}");
}

/// By hand, in an emergency, where the manifest is missing or wrong.
#[test]
fn whoever_must_be_stopped_is_stopped_without_a_manifest() {
    let sandbox = Sandbox::initialised();
    sandbox.json(&["invite", "alice@example.com"]);
    let keys = sandbox.json(&["keys"]);
    let issuer = sandbox.start();
    sandbox.write("spec: [");

    let disabled = sandbox.run(&["disable", "alice@example.com"]);
    assert!(succeeded(&disabled).contains("alice@example.com is disabled"));
    let told = String::from_utf8_lossy(&disabled.stderr);
    assert!(told.contains("issuer.yaml:1") && told.contains("going on without the manifest"), "{told}");
    let alice = sandbox.json(&["users", "show", "alice@example.com"]);
    assert_eq!((&alice["disabled"], alice.get("declared")), (&true.into(), None), "what nobody knows is not told");
    sandbox.json(&["logout", "alice@example.com"]);
    assert!(refused(&sandbox.run(&["remove-key", "alice@example.com", "none"])).contains("has no key none"));

    let (active, next) = (keys["keys"][0]["kid"].as_str().unwrap(), keys["keys"][1]["kid"].as_str().unwrap());
    let revoked = sandbox.run(&["keys", "revoke", active]);
    assert!(succeeded(&revoked).contains("NOTHING SIGNS ES256 until a running issuer finds the next key"));
    issuer.logs("NOTHING SIGNS ES256 until");
    let waived = sandbox.json(&["keys", "revoke", active, "--now"]);
    assert_eq!((&waived["keys"][0]["kid"], &waived["revoked"][0]["kid"]), (&next.into(), &active.into()));
    assert!(sandbox.json(&["keys"]).get("nothing_signs").is_none());
    issuer.logs("a key signs again");

    let another = MANIFEST.replace("vouch.example.com", "id.example.com");
    sandbox.write(&another);
    let refusal = sandbox.run(&["logout", "alice@example.com"]);
    assert!(refused(&refusal).contains("belongs to the issuer https://vouch.example.com"));
    assert!(refused(&refusal).contains("this goes on without the manifest, too: -f /dev/null"));
    succeeded(&sandbox.run(&["logout", "alice@example.com", "-f", "/dev/null"]));
    sandbox.write("spec: [");

    for command in [&["enable", "alice@example.com"][..], &["invite", "alice@example.com"], &["keys", "rotate"]] {
        assert!(refused(&sandbox.run(command)).contains("issuer.yaml:1"), "{command:?} went on without the manifest");
    }
    sandbox.write(MANIFEST);
    let after = sandbox.json(&["keys"]);
    assert_eq!((after["keys"].as_array().map(Vec::len), &after["keys"][0]["kid"]), (Some(2), &next.into()));
}

/// The manifest has the last word: whoever stops somebody without it must change it before it can be read again.
#[test]
fn whoever_disables_without_a_manifest_is_told_what_may_undo_it() {
    let sandbox = Sandbox::initialised();
    sandbox.json(&["invite", "alice@example.com"]);
    assert!(sandbox.json(&["disable", "alice@example.com"]).get("warning").is_none());
    sandbox.json(&["enable", "alice@example.com"]);
    sandbox.write("spec: [");
    let disabled = sandbox.json(&["disable", "alice@example.com"]);
    assert!(disabled["warning"].as_str().unwrap().contains("set spec.disabled to true there"), "{disabled}");
    assert!(succeeded(&sandbox.run(&["disable", "alice@example.com"])).ends_with("it has the last word.\n"));
}

/// Nothing is known of what is to sign: not that the other algorithm is still wanted, nor that its next key is too young.
#[test]
fn a_revocation_without_a_manifest_says_no_more_than_is_known() {
    let (both, one) = (format!("{MANIFEST}  signingKeys: {{algorithms: [ES256, RS256]}}\n"), MANIFEST);
    let sandbox = Sandbox::initialised_with(&both);
    let keys = sandbox.json(&["keys"]);
    let of = |algorithm: &str, state: &str| {
        let keys = keys["keys"].as_array().unwrap();
        let found = keys.iter().find(|key| key["algorithm"] == algorithm && key["state"] == state);
        found.unwrap()["kid"].as_str().unwrap().to_owned()
    };
    let rs256 = of("RS256", "active");
    let told = sandbox.run(&["keys", "revoke", &rs256]);
    assert!(succeeded(&told).contains("logins and credentials of AWS go on"), "{}", succeeded(&told));
    sandbox.write("spec: [");
    let told = sandbox.run(&["keys"]);
    assert!(succeeded(&told).contains("NOTHING SIGNS RS256 until a running issuer finds the next key, published "));

    sandbox.write(one);
    let issuer = sandbox.start();
    issuer.logs("listening on");
    sandbox.write("spec: [");
    until("an algorithm that nobody wants any more is missed no more", || {
        sandbox.json(&["keys"]).get("nothing_signs").is_none().then_some(())
    });
}

#[test]
fn accepting_the_clock_changes_nothing_when_no_date_lies_ahead() {
    let sandbox = Sandbox::initialised();
    let order = sandbox.json(&["keys", "accept-clock"]);
    assert!(order["consequences"][0].as_str().unwrap().contains("nothing was changed"));
}

#[tokio::test]
async fn keys_made_while_the_clock_was_ahead_are_pointed_out_and_put_right_by_order() {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("data")).unwrap();
    let config = vouch_issuer::config::load(&sandbox.path("issuer.yaml")).unwrap();
    let database = Database::create(&sandbox.database()).unwrap();
    Secrets::create(&database).await.unwrap();
    let ahead = jiff::Timestamp::now() + std::time::Duration::from_secs(86_400);
    change::initialize(&database, &config.key_policy, ahead).await.unwrap();

    let keys = sandbox.json(&["keys", "show"]);
    assert!(keys["clock_behind_seconds"].as_u64().unwrap() > 86_000);
    assert!(succeeded(&sandbox.run(&["keys", "show"])).contains("keys accept-clock"));
    let issuer = sandbox.start();
    issuer.logs("lie ahead of the clock");

    let order = sandbox.json(&["keys", "accept-clock"]);
    assert!(order["consequences"][0].as_str().unwrap().contains("rotation goes on from here"));
    assert!(order["clock_behind_seconds"].is_null());
    assert_eq!(order["keys"][0]["kid"], keys["keys"][0]["kid"]);
}

#[test]
fn what_administrators_do_is_audited_away_from_the_answer() {
    let sandbox = Sandbox::initialised();
    let output = sandbox.run(&["invite", "alice@example.com", "--output", "json"]);
    let answer: serde_json::Value = serde_json::from_str(succeeded(&output)).unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");

    let mut issuer = sandbox.start();
    let line = audited(&issuer, "invited");
    assert_eq!(line["email"], "alice@example.com");
    assert!(!line.to_string().contains(answer["code"].as_str().unwrap()), "the code is in the audit trail");

    sandbox.json(&["disable", "alice@example.com"]);
    sandbox.json(&["keys", "rotate"]);
    assert_eq!(audited(&issuer, "disabled")["detail"], "by an administrator");
    audited(&issuer, "signing_key");
    let lines = issuer.audit().lines().count();
    issuer.signal(Signal::TERM);
    assert!(issuer.ended(), "{}", issuer.log());

    let issuer = sandbox.start();
    sandbox.json(&["enable", "alice@example.com"]);
    audited(&issuer, "enabled");
    assert_eq!((lines, issuer.audit().lines().count()), (3, 1), "a line is on the trail more than once");
}

/// Waits for a line of the audit trail.
fn audited(issuer: &Running, action: &str) -> serde_json::Value {
    until(action, || {
        let trail = issuer.audit();
        let lines = trail.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        lines.into_iter().find(|line| line["action"] == action)
    })
}

#[test]
fn a_copy_of_the_database_file_alone_is_complete_after_every_command_and_after_serving() {
    let sandbox = Sandbox::initialised();
    let complete = |after: &str| {
        let log = sandbox.path("data").join("issuer.db-wal");
        assert_eq!(std::fs::metadata(log).map_or(0, |log| log.len()), 0, "something is beside the file after {after}");
    };
    complete("init");
    for command in [&["invite", "alice@example.com"][..], &["disable", "alice@example.com"], &["keys", "rotate"]] {
        sandbox.json(command);
        complete(command[0]);
    }
    let mut issuer = sandbox.start();
    audited(&issuer, "disabled");
    issuer.signal(Signal::TERM);
    assert!(issuer.ended(), "{}", issuer.log());
    complete("serve");
}

#[test]
fn a_log_filter_that_makes_no_sense_is_refused() {
    let output = Sandbox::new().run(&["check", "--log", "vouch=loud"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("`vouch=loud` is no log filter"));
}

#[test]
fn a_missing_database_is_named_with_what_to_do() {
    let sandbox = Sandbox::new();
    for command in [vec!["users", "list"], vec!["keys", "show"], vec!["invite", "alice@example.com"]] {
        assert!(refused(&sandbox.run(&command)).contains("create one with `vouch-issuer init`"));
    }
    assert!(!sandbox.database().exists());
}
