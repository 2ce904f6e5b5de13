//! What an administrator orders by annotations of a `VouchIssuer`, and which of it has been carried out.
//!
//! An order is an annotation whose value is not the one that was carried out last. That one is written into the key
//! Secret by the same write that changes the keys, so that no crash can repeat an order, or lose it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use vouch_crds::names::annotation;
use vouch_keyring::{InvalidKid, Kid, LeadRule};

/// What `vouch.sh/revoke-key` has behind the key when the next one is to sign at once.
const NOW: &str = "now";

/// What is to be done to the keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Take the clock's word over the dates of the keys.
    AcceptClock,
    /// Withdraw a key for ever.
    Revoke {
        /// Which key.
        kid: Kid,
        /// Whether the next key may sign before every verifier knows it.
        lead: LeadRule,
    },
    /// Rotate as soon as verifiers know the next key.
    Rotate,
}

/// An order that has not been carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// The annotation it stands in.
    pub annotation: &'static str,
    /// The annotation's value.
    pub value: String,
    /// What it says, when it can be understood.
    pub order: Result<Order, InvalidKid>,
}

/// The orders that stand on a `VouchIssuer`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Orders(BTreeMap<&'static str, String>);

/// The orders that have been carried out, as the key Secret records them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Handled(BTreeMap<String, String>);

impl Orders {
    /// Those among the annotations of an object.
    #[must_use]
    pub fn of(annotations: Option<&BTreeMap<String, String>>) -> Self {
        let value = |name: &str| annotations.and_then(|annotations| annotations.get(name)).cloned();
        Self(annotation::ORDERS.into_iter().filter_map(|name| Some((name, value(name)?))).collect())
    }

    /// Whether the keys that were made at `initialized_at` are to be given up.
    #[must_use]
    pub fn give_up(&self, initialized_at: Timestamp) -> bool {
        self.0.get(annotation::RECREATE_KEYS).is_some_and(|value| names(value, initialized_at))
    }

    /// What is still to be done to the keys, in the order in which it is.
    #[must_use]
    pub fn pending(&self, handled: &Handled) -> Vec<Pending> {
        let standing = annotation::ORDERS.into_iter().filter_map(|name| Some((name, self.0.get(name)?)));
        let new = standing.filter(|(name, value)| handled.0.get(*name) != Some(*value));
        new.filter_map(|(annotation, value)| {
            let order = match annotation {
                annotation::ACCEPT_CLOCK => Ok(Order::AcceptClock),
                annotation::REVOKE_KEY => revocation(value),
                annotation::ROTATE_KEYS => Ok(Order::Rotate),
                _ => return None,
            };
            Some(Pending { annotation, value: value.clone(), order })
        })
        .collect()
    }

    /// What is recorded with keys that are made anew: orders that stand are about keys that are gone.
    #[must_use]
    pub fn outlived(&self, given_up: bool) -> Handled {
        let outlived = self.0.iter().filter(|(name, _)| given_up || **name != annotation::RECREATE_KEYS);
        Handled(outlived.map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
    }
}

impl Handled {
    /// As an annotation has it. One that nobody can read says that nothing was carried out; every order can be carried
    /// out twice without harm.
    #[must_use]
    pub fn parse(text: Option<&str>) -> Self {
        text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    /// For the annotation.
    ///
    /// # Errors
    /// Never in practice: a map of texts is JSON.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }

    /// By annotation, the value that was the order.
    #[must_use]
    pub const fn by_annotation(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    /// These and one more.
    #[must_use]
    pub fn and(mut self, done: &Pending) -> Self {
        self.0.insert(done.annotation.to_owned(), done.value.clone());
        self
    }

    /// Whether the keys that were made at `initialized_at` have been given up.
    #[must_use]
    pub fn gave_up(&self, initialized_at: Timestamp) -> bool {
        self.0.get(annotation::RECREATE_KEYS).is_some_and(|value| names(value, initialized_at))
    }
}

/// Whether a text is that moment, which a status shows in whole seconds.
fn names(value: &str, moment: Timestamp) -> bool {
    value.trim().parse::<Timestamp>().is_ok_and(|named| named.as_second() == moment.as_second())
}

fn revocation(value: &str) -> Result<Order, InvalidKid> {
    let (kid, lead) = match value.split_once(',') {
        Some((kid, waiver)) if waiver.trim() == NOW => (kid, LeadRule::Waive),
        Some(_) => return Err(InvalidKid),
        None => (value, LeadRule::Keep),
    };
    Ok(Order::Revoke { kid: kid.trim().parse()?, lead })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    const KID: &str = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";

    fn orders(standing: &[(&str, &str)]) -> Orders {
        let annotations = standing.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Orders::of(Some(&annotations))
    }

    #[test]
    fn an_order_is_pending_until_its_value_has_been_carried_out() {
        let standing = orders(&[(annotation::ROTATE_KEYS, "1"), ("example.com/other", "x")]);
        let pending = standing.pending(&Handled::default());
        assert_eq!(pending.len(), 1);
        assert_eq!(pending[0].order, Ok(Order::Rotate));
        let handled = Handled::default().and(&pending[0]);
        assert_eq!(standing.pending(&handled), []);
        assert_eq!(orders(&[(annotation::ROTATE_KEYS, "2")]).pending(&handled).len(), 1);
        assert_eq!(orders(&[]).pending(&handled), []);
    }

    #[test]
    fn what_was_carried_out_survives_being_written_down() {
        let standing = orders(&[(annotation::REVOKE_KEY, KID), (annotation::ACCEPT_CLOCK, "\"quoted\"")]);
        let handled = standing.pending(&Handled::default()).iter().fold(Handled::default(), Handled::and);
        assert_eq!(Handled::parse(Some(&handled.to_json().unwrap())), handled);
        assert_eq!(Handled::parse(Some("{damaged")), Handled::default());
    }

    #[test]
    fn the_clock_is_accepted_before_a_key_is_revoked_and_that_before_a_rotation() {
        let standing = orders(&[
            (annotation::ROTATE_KEYS, "1"),
            (annotation::REVOKE_KEY, &format!("{KID},now")),
            (annotation::ACCEPT_CLOCK, "1"),
        ]);
        let pending: Vec<_> = standing.pending(&Handled::default()).into_iter().map(|pending| pending.order).collect();
        let revoke = Order::Revoke { kid: KID.parse().unwrap(), lead: LeadRule::Waive };
        assert_eq!(pending, [Ok(Order::AcceptClock), Ok(revoke), Ok(Order::Rotate)]);
    }

    #[test]
    fn a_key_id_that_is_none_is_not_guessed() {
        for value in ["", "abc", &format!("{KID},later"), &format!("{KID} now"), &format!("{KID},now,now")] {
            assert_eq!(revocation(value), Err(InvalidKid), "{value}");
        }
        let kept = Order::Revoke { kid: KID.parse().unwrap(), lead: LeadRule::Keep };
        assert_eq!(revocation(&format!(" {KID} ")), Ok(kept));
    }

    #[test]
    fn keys_are_given_up_only_by_the_moment_they_were_made() {
        let made: Timestamp = "2026-01-02T03:04:05.678Z".parse().unwrap();
        assert!(orders(&[(annotation::RECREATE_KEYS, "2026-01-02T03:04:05Z")]).give_up(made));
        for value in ["2026-01-02T03:04:06Z", "", "true", "now"] {
            assert!(!orders(&[(annotation::RECREATE_KEYS, value)]).give_up(made), "{value}");
        }
        assert!(!orders(&[]).give_up(made));
    }
}
