//! Two issuers in two namespaces of one cluster know nothing of each other; a second one in a namespace is refused, and
//! the first goes on.

use vouch_crds::names::user_object_name;
use vouch_scenarios::{
    developer::unlock,
    kubernetes::{
        self,
        site::{Site, condition_of},
    },
};

#[test]
fn two_issuers_in_two_namespaces_have_their_own_keys_and_people() {
    let (installation, _together) = kubernetes::together();
    let [here, there] = ["here", "there"].map(|namespace| Site::start(installation, namespace));
    let (keys_here, keys_there) = (here.published_keys(), there.published_keys());
    assert!(keys_here.iter().all(|kid| !keys_there.contains(kid)), "{keys_here:?} {keys_there:?}");

    let (_bob, _bobs_key) = there.signed_in("bob");
    let (_alice, key) = here.signed_in("alice");
    let mut stranger = there.developer("alice");
    stranger.insert(&key);
    let mut terminal = stranger.vouch_at_terminal(&["login", "https://vouch.example.com"]);
    unlock(&mut terminal);
    terminal.expect("is not enrolled at vouch.example.com");
    terminal.interrupt();
    assert!(!terminal.finish().status.success());
    let alice = user_object_name("alice@example.com");
    assert!(there.object("vouchuser", &alice).is_none());
    assert!(here.object("vouchuser", &alice).is_some());
}

#[test]
fn a_second_issuer_of_a_namespace_is_refused() {
    let (installation, _together) = kubernetes::together();
    let site = Site::start(installation, "taken");
    let mut second = site.manifest();
    second.issuer["metadata"]["name"] = "second".into();
    second.issuer["spec"]["url"] = "https://second.example.com".into();
    site.apply(&second);
    let what = ["--namespace", site.namespace(), "vouchissuer", "second"];
    let refused = site.cluster().await_object("a refusal", &what, |issuer| {
        condition_of(issuer, "Ready").is_some_and(|ready| ready["reason"] == "NamespaceTaken")
    });
    let ready = condition_of(&refused, "Ready").unwrap();
    assert_eq!(ready["status"], "False");
    assert!(ready["message"].as_str().unwrap().contains("VouchIssuer vouch is older"), "{ready}");
    assert!(site.object("deployment", "second").is_none());
    assert!(site.object("secret", "second-signing-keys").is_none());
    site.await_condition("Ready", "True", "AsDeclared");
}
