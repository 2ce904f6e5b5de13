//! What the operator reports of a `VouchIssuer`.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SigningAlgorithm;
use crate::schema;

/// The state of an issuer.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct VouchIssuerStatus {
    /// `Ready`, `KeysReady`, `Available`, `Progressing`, `Paused`.
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
    /// The generation that this status is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Pods that serve and pods wanted, such as `3/3`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<String>,
    /// The id of the key that signs ES256 tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_key: Option<String>,
    /// When the next key begins to sign.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_rotation: Option<Time>,
    /// When signing keys were first made, or made again by order. Once it is set, keys that are missing are lost, not
    /// yet to be made: nothing makes new ones but the order `vouch.sh/recreate-keys`, whose value is this moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys_initialized_at: Option<Time>,
    /// Every published or revoked key, the oldest first.
    pub keys: Vec<KeyStatus>,
    /// Orders about signing keys that have been carried out or refused: by annotation, the value that was the order.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16))]
    pub handled_orders: BTreeMap<String, String>,
}

/// A signing key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyStatus {
    /// The RFC 7638 thumbprint.
    pub kid: String,
    /// What it signs.
    pub algorithm: SigningAlgorithm,
    /// Where it stands in its life.
    pub state: KeyState,
    /// When it was published.
    pub published_at: Time,
    /// When it began to sign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activated_at: Option<Time>,
    /// When it stopped signing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired_at: Option<Time>,
}

/// Where a signing key stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum KeyState {
    /// Published; does not sign yet.
    Next,
    /// Signs.
    Active,
    /// Published; does not sign any more.
    Retired,
    /// Withdrawn at once, by request.
    Revoked,
}

impl KeyState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Next, Self::Active, Self::Retired, Self::Revoked];

    /// As objects have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Next => "Next",
            Self::Active => "Active",
            Self::Retired => "Retired",
            Self::Revoked => "Revoked",
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_described_in_the_words_of_objects() {
        assert_eq!(json!(KeyState::ALL), json!(KeyState::ALL.map(KeyState::as_str)));
        assert_eq!(json!(SigningAlgorithm::ALL), json!(SigningAlgorithm::ALL.map(SigningAlgorithm::as_str)));
    }
}
