//! Whether an operator acts. Where nothing has changed since it went, no object shows that it is gone.
//!
//! Whoever may not list Leases is told nothing about it, and nobody is told of an absence that may not be one: keys bear
//! hours without an operator, and people do not bear false alarms.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, ResourceExt as _, api::ListParams};
use vouch_crds::names::{self, label};
use vouch_issuer::admin::moment;

use super::findings::Finding;
use crate::{
    lease::{self, Timing},
    plugin::{connect::Connection, trouble::Trouble},
};

/// For how long a Lease may look as if nobody renewed it, beyond the duration that it names itself. Its moments are of other
/// clocks than the one here, and that of a laptop may be wrong by minutes.
const CLOCKS: SignedDuration = SignedDuration::from_mins(5);
/// What does not happen meanwhile.
const MEANWHILE: &str =
    "Keys do not rotate, orders wait, and no change of an object takes effect; pods go on with what they have.";

/// The Leases of all operators of the cluster; nothing where whoever asks may not list them.
///
/// # Errors
/// When the API server does not answer, or fails.
pub(super) async fn leases(connection: &Connection) -> Result<Option<Vec<Lease>>, Trouble> {
    let ours = ListParams::default().fields(&format!("metadata.name={}", names::LEASE));
    match Api::all(connection.client.clone()).list(&ours).await {
        Ok(found) => Ok(Some(found.items)),
        Err(kube::Error::Api(status)) if [401, 403].contains(&status.code) => {
            let _tolerated = connection.refusals.take();
            Ok(None)
        }
        Err(error) => Err(Trouble::api("the Leases of operators cannot be listed", error)),
    }
}

/// What to say when no operator acts. There may be several, each for some namespaces: one that acts is enough for silence.
pub(super) fn absence(leases: &[Lease], now: Timestamp) -> Option<Finding> {
    if leases.iter().any(|lease| is_fresh(lease, now)) {
        return None;
    }
    let (message, next) = match leases.iter().max_by_key(|lease| last_write(lease)) {
        None => (
            format!("None is installed, or none has acted yet: no namespace has a Lease {}. {MEANWHILE}", names::LEASE),
            format!(
                "If it was installed a moment ago, wait; otherwise see why it does not run, or install the chart: {}",
                shown_by("--all-namespaces")
            ),
        ),
        Some(last) => (
            format!("None acts: {}. {MEANWHILE}", farewell(last, now)),
            format!(
                "See whether it is still installed, and why it does not run: `{}`. The one that acts is named by: {}",
                shown_by(&format!("-n {}", last.namespace().unwrap_or_default())),
                lease::SHOWN_BY
            ),
        ),
    };
    let (object, reason) = ("Operator".to_owned(), "NotActing".to_owned());
    Some(Finding { object, reason, message, next: Some(next), wrong: true })
}

/// Whether its holder may act, or is about to: of a Lease that was given back, another takes possession within seconds.
fn is_fresh(lease: &Lease, now: Timestamp) -> bool {
    let duration = lease.spec.as_ref().and_then(|spec| spec.lease_duration_seconds).map(i64::from).unwrap_or_default();
    let longest = SignedDuration::try_from(Timing::LONGEST).unwrap_or_default();
    let duration = SignedDuration::from_secs(duration).clamp(SignedDuration::ZERO, longest);
    last_write(lease).is_some_and(|at| now.duration_since(at) <= CLOCKS + duration)
}

/// When the Lease was renewed, by the clock of the operator's node or by that of the API server, whichever is later: a node
/// whose clock is behind renews its Lease as well.
fn last_write(lease: &Lease) -> Option<Timestamp> {
    let renewed = lease.spec.as_ref().and_then(|spec| spec.renew_time.as_ref()).map(|time| time.0);
    let managers = lease.metadata.managed_fields.iter().flatten();
    let written = managers
        .filter(|entry| entry.manager.as_deref() == Some(names::FIELD_MANAGER))
        .filter_map(|entry| entry.time.as_ref().map(|time| time.0));
    written.chain(renewed).max()
}

/// How the last operator has gone.
fn farewell(lease: &Lease, now: Timestamp) -> String {
    let namespace = lease.namespace().unwrap_or_default();
    let lease_of = format!("Lease {} in namespace {namespace}", names::LEASE);
    let holder = lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref()).unwrap_or_default();
    match last_write(lease).map(|at| moment(at, now)) {
        None => format!("nobody has ever taken the {lease_of}"),
        Some(at) if holder.is_empty() => format!("the last one gave the {lease_of} back at {at}"),
        Some(at) => format!("the last one renewed the {lease_of} at {at}"),
    }
}

/// The command that shows operators, and how they do.
fn shown_by(place: &str) -> String {
    format!("kubectl get deployments,pods {place} -l {}={}", label::NAME, names::OPERATOR)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        plugin::{
            status::{look, look_everywhere, screen::Screen},
            testing::{connection, issuer_json, lease_json as lease, moment as at, put, put_lease, status},
        },
        testing::ApiServer,
    };

    const NOW: &str = "2026-11-21T09:00:00Z";

    /// An API server with an issuer that is as declared, and Leases.
    fn server(leases: &[Value]) -> ApiServer {
        let server = ApiServer::default();
        let mut issuer = issuer_json("vouch");
        issuer["status"] = status();
        put(&server, issuer);
        leases.iter().for_each(|lease| put_lease(&server, lease.clone()));
        server
    }

    async fn screen(server: &ApiServer) -> Screen {
        look(&connection(server), None, at(NOW)).await.unwrap()
    }

    async fn assert_silent(server: &ApiServer) {
        let screen = screen(server).await;
        assert!(screen.healthy && screen.findings.is_empty() && screen.unknown.is_empty(), "{screen}");
        assert!(screen.to_string().ends_with("\nEverything is as declared.\n"), "{screen}");
    }

    async fn told(server: &ApiServer) -> (String, String) {
        let screen = screen(server).await;
        assert!(!screen.healthy && screen.unknown.is_empty(), "{screen}");
        let json = serde_json::to_value(&screen).unwrap();
        let findings = json["findings"].as_array().unwrap();
        assert_eq!(findings.len(), 1, "{json}");
        assert_eq!((&findings[0]["object"], &findings[0]["reason"]), (&json!("Operator"), &json!("NotActing")));
        let text = |member: &str| findings[0][member].as_str().unwrap().to_owned();
        let lines = format!("\n✗ Operator: NotActing: {}\n→ {}\n", text("message"), text("next"));
        assert!(screen.to_string().ends_with(&lines), "{screen}");
        (text("message"), text("next"))
    }

    #[tokio::test]
    async fn an_operator_that_acts_is_asked_for_once_and_not_told_of() {
        let server = server(&[lease("vouch-system", "a", "2026-11-21T08:59:58.000000Z")]);
        assert_silent(&server).await;
        let asked = server.calls().into_iter().filter(|call| call.path == "/apis/coordination.k8s.io/v1/leases");
        let queries: Vec<String> = asked.map(|call| call.query).collect();
        assert_eq!(queries, ["&fieldSelector=metadata.name%3Dvouch-operator"]);
    }

    #[tokio::test]
    async fn an_operator_that_is_silent_is_told_of_with_its_last_word_and_the_way_to_it() {
        let (message, next) = told(&server(&[lease("vouch-system", "a", "2026-11-21T08:50:00.000000Z")])).await;
        let last = moment(at("2026-11-21T08:50:00Z"), at(NOW));
        let renewed =
            format!("the last one renewed the Lease vouch-operator in namespace vouch-system at {last}. Keys do");
        assert!(message.contains(&renewed), "{message}");
        let way = "`kubectl get deployments,pods -n vouch-system -l app.kubernetes.io/name=vouch-operator`";
        assert!(next.contains(way) && next.ends_with(lease::SHOWN_BY), "{next}");
    }

    #[tokio::test]
    async fn a_lease_that_was_given_back_is_taken_by_another_or_told_of() {
        assert_silent(&server(&[lease("vouch-system", "", "2026-11-21T08:59:00.000000Z")])).await;
        let (message, _) = told(&server(&[lease("vouch-system", "", "2026-11-21T08:50:00.000000Z")])).await;
        assert!(message.starts_with("None acts: the last one gave the Lease vouch-operator in "), "{message}");
    }

    #[tokio::test]
    async fn a_cluster_without_an_operator_is_told_of() {
        let (message, next) = told(&server(&[])).await;
        assert!(
            message.starts_with("None is installed, or none has acted yet: no namespace has a Lease "),
            "{message}"
        );
        assert!(
            next.ends_with(": kubectl get deployments,pods --all-namespaces -l app.kubernetes.io/name=vouch-operator")
        );
        let mut unwritten = lease("vouch-system", "", NOW);
        unwritten["spec"] = json!({});
        assert!(told(&server(&[unwritten])).await.0.contains("nobody has ever taken the Lease"));
    }

    #[tokio::test]
    async fn of_several_operators_one_that_acts_is_enough_and_the_last_that_did_is_named() {
        let old = lease("team-a", "a", "2026-11-20T08:50:00.000000Z");
        let older = lease("team-b", "b", "2026-11-19T08:50:00.000000Z");
        assert_silent(&server(&[old.clone(), lease("team-c", "c", "2026-11-21T08:59:00.000000Z")])).await;
        let (message, next) = told(&server(&[old, older])).await;
        assert!(message.contains("in namespace team-a ") && next.contains(" -n team-a "), "{message} {next}");
    }

    #[tokio::test]
    async fn clocks_that_differ_are_no_absence() {
        for renewed in ["2026-11-21T08:55:00.000000Z", "2026-11-21T09:30:00.000000Z"] {
            assert_silent(&server(&[lease("vouch-system", "a", renewed)])).await;
        }
        let entry = |manager: &str| {
            let mut slow = lease("vouch-system", "a", "2026-11-21T08:00:00.000000Z");
            let entry = json!({"manager": manager, "operation": "Update", "time": "2026-11-21T08:59:58Z"});
            slow["metadata"]["managedFields"] = json!([entry]);
            slow
        };
        assert_silent(&server(&[entry(names::FIELD_MANAGER)])).await;
        told(&server(&[entry("kubectl-edit")])).await;
    }

    #[tokio::test]
    async fn a_lease_that_is_renewed_rarely_is_given_its_time_and_a_damaged_one_no_more_than_any() {
        let lasting = |seconds: i32, renewed: &str| {
            let mut lease = lease("vouch-system", "a", renewed);
            lease["spec"]["leaseDurationSeconds"] = seconds.into();
            lease
        };
        assert_silent(&server(&[lasting(600, "2026-11-21T08:46:00.000000Z")])).await;
        told(&server(&[lasting(i32::MAX, "2026-11-21T08:44:00.000000Z")])).await;
    }

    #[tokio::test]
    async fn whoever_may_not_list_leases_is_told_nothing_about_operators() {
        for code in [401, 403] {
            let server = server(&[]);
            server.fail(move |call| call.path.ends_with("/leases").then_some(code));
            assert_silent(&server).await;
        }
    }

    #[tokio::test]
    async fn leases_that_cannot_be_read_hide_nothing_else() {
        let server = server(&[]);
        server.fail(|call| call.path.ends_with("/leases").then_some(500));
        let screen = screen(&server).await;
        assert!(screen.healthy && screen.findings.is_empty() && !screen.issuers.is_empty(), "{screen}");
        assert!(screen.unknown[0].starts_with("the Leases of operators cannot be listed: "), "{screen}");
        let screens = look_everywhere(&connection(&server), at(NOW)).await.unwrap();
        assert!(screens.healthy && screens.namespaces[0].unknown.is_empty());
        assert!(screens.to_string().starts_with("? the Leases of operators cannot be listed: "), "{screens}");
    }

    #[tokio::test]
    async fn an_absence_is_told_once_for_the_whole_cluster() {
        let server = server(&[]);
        let mut second = issuer_json("vouch");
        second["metadata"]["namespace"] = "second".into();
        second["status"] = status();
        server.put("/apis/vouch.sh/v1alpha1/namespaces/second/vouchissuers/vouch", second);
        let screens = look_everywhere(&connection(&server), at(NOW)).await.unwrap();
        let text = screens.to_string();
        assert!(text.starts_with("✗ Operator: NotActing: ") && text.contains("\n\nNamespace second\n"), "{text}");
        assert_eq!((text.matches("NotActing").count(), text.matches("Namespace ").count()), (1, 2), "{text}");
        let json = serde_json::to_value(&screens).unwrap();
        assert_eq!((&json["healthy"], &json["findings"][0]["reason"]), (&json!(false), &json!("NotActing")));
        assert_eq!(json["namespaces"][0]["healthy"], true);
        let asked = server.calls().into_iter().filter(|call| call.path.ends_with("/leases")).count();
        assert_eq!(asked, 1);
    }
}
