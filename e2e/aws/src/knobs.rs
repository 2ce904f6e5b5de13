//! What a test can turn: everything about AWS that hurts, or that nobody outside AWS knows.
//!
//! Every knob is deterministic: nothing here is random, and counters count calls, not time.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// All knobs, with the defaults that the recordings of real AWS suggest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Knobs {
    /// Seconds after `CreateRole` during which STS answers as if the role did not exist. Real AWS: up to 12.
    pub role_propagation_seconds: u32,
    /// How STS caches an issuer's key set.
    pub jwks: JwksKnobs,
    /// Seconds added to this machine's clock; a lever for expiry, skew and propagation.
    pub clock_offset_seconds: i64,
    /// Action to the number of its next calls that answer `Throttling` with HTTP 400.
    pub throttle: BTreeMap<String, u32>,
    /// Action to the number of its next calls that answer HTTP 500 `InternalFailure`.
    pub fail: BTreeMap<String, u32>,
    /// Action (or `*` for all) to the milliseconds by which its answers are late.
    pub delay_ms: BTreeMap<String, u64>,
    /// Whether web-identity tokens are changed on their way here, as a man in the middle would: they name somebody else.
    pub tamper_tokens: bool,
    /// Length of session tokens in characters.
    pub session_token_chars: usize,
    /// How much of the packed-policy budget a session may use, and how fast texts use it up.
    pub packed: PackedKnobs,
}

/// Caching of discovery documents and key sets. Under `no-cache` AWS was seen to read them anew within two seconds;
/// what it does under a long `max-age` is not known, hence both settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JwksKnobs {
    /// Keep a key set for the `max-age` its issuer sent.
    pub honour_max_age: bool,
    /// Keep every key set this many seconds, whatever the issuer sent.
    pub ttl_override: Option<u32>,
    /// Read the key set anew when a token names a key that the kept one lacks.
    pub refetch_on_unknown_kid: bool,
    /// Answer `IDPCommunicationError` instead of the usual text when the issuer cannot be reached.
    pub unreachable_is_communication_error: bool,
}

/// The packed size of session policies and tags, whose formula AWS does not publish.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PackedKnobs {
    /// Percentage above which a request is refused with `PackedPolicyTooLarge`.
    pub limit_percent: u32,
    /// Characters of policy or tag text that use up one percent.
    pub chars_per_percent: u32,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            role_propagation_seconds: 0,
            jwks: JwksKnobs::default(),
            clock_offset_seconds: 0,
            throttle: BTreeMap::new(),
            fail: BTreeMap::new(),
            delay_ms: BTreeMap::new(),
            tamper_tokens: false,
            session_token_chars: 796,
            packed: PackedKnobs::default(),
        }
    }
}

impl Default for JwksKnobs {
    fn default() -> Self {
        Self {
            honour_max_age: true,
            ttl_override: None,
            refetch_on_unknown_kid: true,
            unreachable_is_communication_error: false,
        }
    }
}

impl Default for PackedKnobs {
    fn default() -> Self {
        Self { limit_percent: 100, chars_per_percent: 30 }
    }
}

/// A fault that a knob asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Injected {
    /// Answer `Throttling`.
    Throttle,
    /// Answer `InternalFailure`.
    Fail,
}

impl Knobs {
    /// Changes only the members that `patch` names, as RFC 7396 merges.
    ///
    /// # Errors
    /// The reason why the result is not a valid set of knobs, for the person who wrote the test.
    pub fn merged(&self, patch: &serde_json::Value) -> Result<Self, String> {
        let mut merged = serde_json::to_value(self).map_err(|error| error.to_string())?;
        merge(&mut merged, patch);
        serde_json::from_value(merged).map_err(|error| format!("these are not knobs of the stand-in: {error}"))
    }

    /// The delay of an action in milliseconds.
    #[must_use]
    pub fn delay_of(&self, action: &str) -> u64 {
        self.delay_ms.get(action).or_else(|| self.delay_ms.get("*")).copied().unwrap_or(0)
    }

    /// Takes one injected fault for an action, counting it down.
    pub fn take_fault(&mut self, action: &str) -> Option<Injected> {
        if take_one(&mut self.throttle, action) {
            Some(Injected::Throttle)
        } else if take_one(&mut self.fail, action) {
            Some(Injected::Fail)
        } else {
            None
        }
    }
}

fn take_one(counters: &mut BTreeMap<String, u32>, action: &str) -> bool {
    match counters.get_mut(action) {
        Some(left) if *left > 0 => {
            *left -= 1;
            true
        }
        _ => false,
    }
}

fn merge(target: &mut serde_json::Value, patch: &serde_json::Value) {
    match (target, patch) {
        (serde_json::Value::Object(target), serde_json::Value::Object(patch)) => {
            for (name, value) in patch {
                merge(target.entry(name.clone()).or_insert(serde_json::Value::Null), value);
            }
        }
        (target, patch) => *target = patch.clone(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{Injected, Knobs};
    use serde_json::json;

    #[test]
    fn a_patch_leaves_the_other_knobs_alone() {
        let knobs = Knobs { clock_offset_seconds: 7, ..Knobs::default() };
        let merged = knobs.merged(&json!({"jwks": {"ttl_override": 60}})).unwrap();
        assert_eq!(merged.clock_offset_seconds, 7);
        assert_eq!(merged.jwks.ttl_override, Some(60));
        assert!(merged.jwks.honour_max_age);
    }

    #[test]
    fn refuses_a_misspelt_knob() {
        assert!(Knobs::default().merged(&json!({"jwks": {"ttl": 60}})).unwrap_err().contains("ttl"));
    }

    #[test]
    fn counts_injected_faults_down() {
        let mut knobs =
            Knobs::default().merged(&json!({"throttle": {"AssumeRole": 1}, "fail": {"AssumeRole": 1}})).unwrap();
        assert_eq!(knobs.take_fault("GetRole"), None);
        assert_eq!(knobs.take_fault("AssumeRole"), Some(Injected::Throttle));
        assert_eq!(knobs.take_fault("AssumeRole"), Some(Injected::Fail));
        assert_eq!(knobs.take_fault("AssumeRole"), None);
    }
}
