//! Orders about signing keys. The operator alone changes keys; an order is an annotation of the `VouchIssuer`, and what
//! has been carried out stands in its status.

use std::{fmt, time::Instant};

use jiff::Timestamp;
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde::Serialize;
use serde_json::json;
use vouch_crds::{
    duration::Duration,
    issuer::{KeyState, VouchIssuer, VouchIssuerStatus},
    names::{annotation, condition},
};
use vouch_issuer::admin::{FrontEnd, moment};
use vouch_keyring::Kid;

use super::{
    connect::Connection,
    keys::{IssuerKeys, KeyTable},
    progress,
    trouble::Trouble,
};
use crate::{lease, reason::Reason, status::find, tolerant::Tolerant};

/// From one look to the next.
const INTERVAL: std::time::Duration = std::time::Duration::from_millis(300);

/// What is to be done to the keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Rotate as soon as verifiers know the next key.
    Rotate,
    /// Withdraw a key for ever.
    Revoke {
        /// Which key.
        kid: Kid,
        /// Whether the next key may sign before every verifier knows it.
        now: bool,
    },
    /// Take the clock's word over the dates of the keys.
    AcceptClock,
}

impl Order {
    const fn annotation(&self) -> &'static str {
        match self {
            Self::Rotate => annotation::ROTATE_KEYS,
            Self::Revoke { .. } => annotation::REVOKE_KEY,
            Self::AcceptClock => annotation::ACCEPT_CLOCK,
        }
    }

    /// An order that may be given any number of times is new by its moment.
    fn value(&self, now: Timestamp) -> String {
        match self {
            Self::Revoke { kid, now: false } => kid.to_string(),
            Self::Revoke { kid, now: true } => format!("{kid},now"),
            Self::Rotate | Self::AcceptClock => now.to_string(),
        }
    }

    /// Whether there is something to be done about it at all.
    fn check(&self, issuer: &IssuerKeys, front_end: &FrontEnd) -> Result<(), Trouble> {
        if issuer.paused {
            return Err(Trouble::Paused(issuer.name.clone()));
        }
        let Self::Revoke { kid, now } = self else { return Ok(()) };
        match state(&issuer.status, kid) {
            None => Err(Trouble::UnknownKid {
                issuer: issuer.name.clone(),
                kid: kid.to_string(),
                keys: front_end.command("keys"),
            }),
            // A backup may have brought it back, and only the operator knows.
            Some(KeyState::Revoked) if !now && !is_restored(issuer) => {
                Err(Trouble::AlreadyRevoked { kid: kid.to_string(), waive: waive(front_end, kid) })
            }
            Some(_) => Ok(()),
        }
    }
}

/// The command that lets the next key sign at once, when `revoked` did before.
fn waive(front_end: &FrontEnd, revoked: impl fmt::Display) -> String {
    front_end.command(format_args!("revoke-key {revoked} --now"))
}

/// Whether the Secret publishes a key that was revoked.
fn is_restored(issuer: &IssuerKeys) -> bool {
    find(&issuer.status.conditions, condition::KEYS_READY)
        .is_some_and(|found| found.reason == Reason::KeysRestored.as_str())
}

fn state(status: &VouchIssuerStatus, kid: &Kid) -> Option<KeyState> {
    status.keys.iter().find(|key| key.kid == kid.as_str()).map(|key| key.state)
}

/// What an order did to the signing keys, and what follows from it.
#[derive(Debug, Serialize)]
pub struct KeyOrder {
    /// What the administrator should know now.
    pub consequences: Vec<String>,
    /// The keys as they are now.
    #[serde(flatten)]
    pub table: KeyTable,
}

impl fmt::Display for KeyOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for consequence in &self.consequences {
            writeln!(f, "{consequence}")?;
        }
        writeln!(f)?;
        self.table.fmt(f)
    }
}

/// Gives an order, and waits until the operator has carried it out.
///
/// # Errors
/// When it cannot be given, or the operator refuses it or does not answer in time; the order stands then.
pub async fn give(
    connection: &Connection,
    issuer: &IssuerKeys,
    order: &Order,
    patience: Duration,
    now: fn() -> Timestamp,
) -> Result<KeyOrder, Trouble> {
    order.check(issuer, &connection.front_end)?;
    let api: Api<Tolerant<VouchIssuer>> = Api::namespaced(connection.client.clone(), &connection.namespace);
    let (name, value) = (issuer.name.clone(), order.value(now()));
    let patch = Patch::Merge(json!({"metadata": {"annotations": {order.annotation(): value}}}));
    let given = api.patch(&name, &PatchParams::default(), &patch).await;
    let given = given.map_err(|error| Trouble::api("the order cannot be given", error))?;
    let mut latest = IssuerKeys::try_from(&given)?;
    let deadline = Instant::now() + std::time::Duration::from(patience);
    let mut waiting = progress::Waiting::default();
    while !is_handled(&latest, order, &value) {
        if Instant::now() >= deadline {
            let (annotation, why) = (order.annotation(), why_not(&latest));
            return Err(Trouble::NotCarriedOut { annotation, issuer: name, waited: patience, why });
        }
        waiting.tell("Waiting for the operator to carry out the order.");
        tokio::time::sleep(INTERVAL).await;
        let found = api.get(&name).await;
        let found = found.map_err(|error| Trouble::api(format!("VouchIssuer {name} cannot be read"), error))?;
        latest = IssuerKeys::try_from(&found)?;
    }
    outcome(order, issuer, &latest, &connection.front_end, now())
}

/// A key that was revoked and has come back with a backup is withdrawn with the next order; that it be revoked is on record
/// from before.
fn is_handled(issuer: &IssuerKeys, order: &Order, value: &str) -> bool {
    let handled = issuer.status.handled_orders.get(order.annotation());
    handled.is_some_and(|handled| handled == value) && !is_restored(issuer)
}

/// What keeps the operator from it, as far as it can be seen.
fn why_not(issuer: &IssuerKeys) -> String {
    let failing = [condition::READY, condition::KEYS_READY];
    let failing = failing
        .into_iter()
        .filter_map(|kind| find(&issuer.status.conditions, kind))
        .find(|found| found.status != "True");
    match failing {
        Some(found) if !found.message.is_empty() => format!("{}: {}", found.reason, found.message),
        _ => format!("Does it run? {} names the one that acts", lease::SHOWN_BY),
    }
}

/// What an order came to.
fn outcome(
    order: &Order,
    before: &IssuerKeys,
    after: &IssuerKeys,
    front_end: &FrontEnd,
    now: Timestamp,
) -> Result<KeyOrder, Trouble> {
    let table = KeyTable::of(after, now);
    let earlier = KeyTable::of(before, now);
    let mut consequences = Vec::new();
    match order {
        Order::Rotate => {
            let revoked = table.revoked.iter().max_by_key(|key| key.revoked_at);
            let silence = revoked.and_then(|key| nothing_signs(&table, &key.kid, front_end));
            consequences.push(silence.unwrap_or_else(|| rotated(&earlier, &table, front_end, now)));
        }
        Order::AcceptClock => consequences.push(clock(&earlier, &table).to_owned()),
        Order::Revoke { kid, .. } => {
            if state(&after.status, kid) != Some(KeyState::Revoked) {
                let name = &after.name;
                return Err(Trouble::OrderRefused(format!("Its event says why: kubectl describe vouchissuer {name}")));
            }
            consequences.push(format!(
                "{kid} is withdrawn. AWS and other verifiers refuse its tokens when they next read the key set, and every \
                 session signed with it is over: people sign in again."
            ));
            consequences.extend(nothing_signs(&table, kid, front_end));
        }
    }
    Ok(KeyOrder { consequences, table })
}

/// What an administrator must know when nothing signs since a key was revoked.
fn nothing_signs(table: &KeyTable, revoked: impl fmt::Display, front_end: &FrontEnd) -> Option<String> {
    table.problem.as_ref().filter(|problem| problem.reason == Reason::NothingSigns.as_str())?;
    Some(format!(
        "NOTHING SIGNS: no login and no credential before the next key does. To let it sign now, although verifiers may \
         not know it yet: {}",
        waive(front_end, revoked)
    ))
}

fn rotated(before: &KeyTable, after: &KeyTable, front_end: &FrontEnd, now: Timestamp) -> String {
    match after.next_rotation {
        _ if before.active() != after.active() => {
            "Rotated. Tokens of the earlier key stay valid until they expire.".to_owned()
        }
        Some(at) => format!(
            "The next key signs from {} on: until then verifiers may not have read it. Nothing breaks meanwhile. If the \
             active key has leaked, revoke it instead: {}",
            moment(at.max(now), now),
            front_end.command(format_args!("revoke-key {}", after.active().unwrap_or("KEY")))
        ),
        None => "Nothing to rotate.".to_owned(),
    }
}

fn clock(before: &KeyTable, after: &KeyTable) -> &'static str {
    let dates = |table: &KeyTable| table.keys.iter().map(|key| (key.kid.clone(), key.published_at)).collect::<Vec<_>>();
    let behind = before.problem.as_ref().is_some_and(|problem| problem.reason == Reason::ClockBehind.as_str());
    if behind || dates(before) != dates(after) {
        "Dates that lay ahead of the clock are now; rotation goes on from here."
    } else {
        "No date of the keys lies ahead of the clock; nothing was changed."
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use serde_json::Value;

    use super::*;
    use crate::plugin::issuer;
    use crate::{
        plugin::testing::{condition, connection, issuer_json, kid, later_json, moment as at, path, put, status},
        testing::ApiServer,
    };

    const NOW: &str = "2026-11-21T09:00:00Z";

    fn revoke(letter: char, now: bool) -> Order {
        Order::Revoke { kid: kid(letter).parse().unwrap(), now }
    }

    fn check(order: &Order, issuer: &IssuerKeys) -> Result<(), Trouble> {
        order.check(issuer, &FrontEnd::kubectl_vouch())
    }

    fn came_to(order: &Order, before: &IssuerKeys, after: &IssuerKeys) -> Result<KeyOrder, Trouble> {
        outcome(order, before, after, &FrontEnd::kubectl_vouch(), at(NOW))
    }

    fn changed(change: impl FnOnce(&mut Value)) -> IssuerKeys {
        let mut object = issuer_json("vouch");
        object["status"] = status();
        change(&mut object);
        IssuerKeys::from(&serde_json::from_value::<VouchIssuer>(object).unwrap())
    }

    fn with_keys() -> IssuerKeys {
        changed(|_| {})
    }

    #[test]
    fn every_order_says_what_the_operator_reads() {
        assert_eq!(Order::Rotate.value(at(NOW)), NOW);
        assert_eq!(revoke('Q', false).value(at(NOW)), kid('Q'));
        assert_eq!(revoke('Q', true).value(at(NOW)), format!("{},now", kid('Q')));
    }

    #[test]
    fn a_paused_issuer_is_given_no_order() {
        let issuer = changed(|object| object["spec"]["paused"] = true.into());
        assert!(matches!(check(&Order::Rotate, &issuer), Err(Trouble::Paused(_))));
    }

    #[test]
    fn a_key_that_is_not_there_or_not_any_more_is_not_revoked() {
        let issuer = with_keys();
        assert!(matches!(check(&revoke('x', false), &issuer), Err(Trouble::UnknownKid { .. })));
        assert!(matches!(check(&revoke('r', false), &issuer), Err(Trouble::AlreadyRevoked { .. })));
        check(&revoke('r', true), &issuer).unwrap();
        check(&revoke('Q', false), &issuer).unwrap();
    }

    #[test]
    fn a_key_that_a_backup_has_brought_back_is_revoked_again() {
        let restored = changed(|object| {
            object["status"]["conditions"][1] = condition("KeysReady", "False", "KeysRestored", "It is back.");
        });
        check(&revoke('r', false), &restored).unwrap();
    }

    #[test]
    fn an_order_is_carried_out_when_the_status_has_its_value() {
        let issuer = changed(|object| object["status"]["handledOrders"] = json!({annotation::ROTATE_KEYS: "1"}));
        assert!(is_handled(&issuer, &Order::Rotate, "1"));
        assert!(!is_handled(&issuer, &Order::Rotate, "2"));
        assert!(!is_handled(&issuer, &Order::AcceptClock, "1"));
    }

    #[test]
    fn an_order_from_before_a_backup_came_back_is_not_the_one_that_is_waited_for() {
        let restored = changed(|object| {
            object["status"]["handledOrders"] = json!({annotation::REVOKE_KEY: kid('r')});
            object["status"]["conditions"][1] = condition("KeysReady", "False", "KeysRestored", "It is back.");
        });
        assert!(!is_handled(&restored, &revoke('r', false), &kid('r')));
    }

    #[test]
    fn a_rotation_that_must_wait_says_until_when() {
        let done = came_to(&Order::Rotate, &with_keys(), &with_keys()).unwrap();
        assert!(done.consequences[0].starts_with("The next key signs from Dec 20 "), "{:?}", done.consequences);
    }

    #[test]
    fn a_rotation_that_has_happened_is_told_as_such() {
        let after = changed(|object| {
            object["status"]["keys"][2]["state"] = "Retired".into();
            object["status"]["keys"][3]["state"] = "Active".into();
        });
        let done = came_to(&Order::Rotate, &with_keys(), &after).unwrap();
        assert!(done.consequences[0].starts_with("Rotated."));
    }

    #[test]
    fn a_revocation_after_which_nothing_signs_says_so_and_what_helps() {
        let after = changed(|object| {
            object["status"]["keys"][2]["state"] = "Revoked".into();
            object["status"]["conditions"][1] = condition("KeysReady", "False", "NothingSigns", "Nothing signs.");
        });
        let done = came_to(&revoke('Q', false), &with_keys(), &after).unwrap();
        assert!(done.consequences[0].contains("is withdrawn"));
        assert!(done.consequences[1].ends_with(&format!("kubectl vouch revoke-key {} --now", kid('Q'))));
        // Whoever hopes that a rotation helps is told the same.
        let done = came_to(&Order::Rotate, &after, &after).unwrap();
        let told = &done.consequences[0];
        assert!(told.starts_with("NOTHING SIGNS") && told.ends_with(" --now"), "{told}");
    }

    #[test]
    fn a_revocation_that_the_operator_refused_is_an_error() {
        let refused = came_to(&revoke('Q', false), &with_keys(), &with_keys());
        assert!(matches!(refused, Err(Trouble::OrderRefused(_))));
    }

    #[test]
    fn an_order_that_is_not_carried_out_says_what_is_in_the_way() {
        let issuer = changed(|object| {
            object["status"]["conditions"][1] = condition("KeysReady", "False", "KeySecretMissing", "It is gone.");
        });
        assert_eq!(why_not(&issuer), "KeySecretMissing: It is gone.");
        assert!(why_not(&with_keys()).contains(lease::SHOWN_BY));
    }

    #[tokio::test]
    async fn a_key_that_has_leaked_is_revoked_of_an_issuer_of_a_later_version() {
        let server = ApiServer::default();
        let mut later = later_json("vouch");
        later["status"] = status();
        let path = path(&later);
        put(&server, later);
        let connection = connection(&server);
        let found = issuer::identify(&connection, None).await.unwrap();
        let keys = IssuerKeys::try_from(&found).unwrap();
        let give = async || give(&connection, &keys, &revoke('Q', false), Duration::seconds(0), || at(NOW)).await;
        let waited = give().await;
        assert!(matches!(waited, Err(Trouble::NotCarriedOut { .. })), "{waited:?}");
        assert_eq!(server.get(&path).unwrap()["metadata"]["annotations"][annotation::REVOKE_KEY], kid('Q'));

        let mut done = server.get(&path).unwrap();
        done["status"]["handledOrders"] = json!({annotation::REVOKE_KEY: kid('Q')});
        done["status"]["keys"][2]["state"] = "Revoked".into();
        server.put(&path, done);
        assert!(give().await.unwrap().consequences[0].contains("is withdrawn"));
    }
}
