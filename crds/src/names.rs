//! What objects, labels and annotations are called: the one home of every name that two programs must agree on.
//!
//! The operator writes these names, the pods of an issuer read them, `kubectl vouch` and the tests look for them. None
//! of them may change once a cluster has seen it.

use aws_lc_rs::digest;

/// Who the operator is, as the owner of fields in server-side apply.
pub const FIELD_MANAGER: &str = "vouch-operator";
/// The operator as the reporter of events and as the value of [`label::MANAGED_BY`].
pub const OPERATOR: &str = "vouch-operator";
/// The `Lease` by which replicas of the operator elect one that acts, in the operator's own namespace.
pub const LEASE: &str = "vouch-operator";
/// The longest name a `VouchIssuer` may have: with the longest suffix it still names a Service (RFC 1035).
pub const ISSUER_NAME_LENGTH: usize = 50;

/// Labels of everything that is made for an issuer
/// (<https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/>).
pub mod label {
    /// Always [`APPLICATION`].
    pub const NAME: &str = "app.kubernetes.io/name";
    /// The name of the `VouchIssuer`.
    pub const INSTANCE: &str = "app.kubernetes.io/instance";
    /// Always [`super::OPERATOR`].
    pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
    /// Always [`PRODUCT`].
    pub const PART_OF: &str = "app.kubernetes.io/part-of";
    /// The version of the operator that wrote the object.
    pub const VERSION: &str = "app.kubernetes.io/version";
    /// What part of an issuer an object serves, where several of one kind differ by it.
    pub const COMPONENT: &str = "app.kubernetes.io/component";
    /// The value of [`NAME`].
    pub const APPLICATION: &str = "vouch-issuer";
    /// The value of [`PART_OF`].
    pub const PRODUCT: &str = "vouch";
}

/// Annotations that carry orders of an administrator, and those by which the operator remembers.
pub mod annotation {
    /// On a `VouchIssuer`: rotate the signing keys as soon as verifiers know the next one. Any new value is a new order.
    pub const ROTATE_KEYS: &str = "vouch.sh/rotate-keys";
    /// On a `VouchIssuer`: withdraw a key for ever. Its id; with `,now` behind it the next key signs at once, although
    /// verifiers that cached the key set do not know it yet.
    pub const REVOKE_KEY: &str = "vouch.sh/revoke-key";
    /// On a `VouchIssuer`: take the clock's word over the dates of the keys. Any new value is a new order.
    pub const ACCEPT_CLOCK: &str = "vouch.sh/accept-clock";
    /// On a `VouchIssuer`: make new signing keys in the place of keys that are lost. The value is
    /// `status.keysInitializedAt` of the keys that are given up, so that an order is never carried out twice.
    pub const RECREATE_KEYS: &str = "vouch.sh/recreate-keys";
    /// The orders above, in the order in which they are carried out.
    pub const ORDERS: [&str; 4] = [RECREATE_KEYS, ACCEPT_CLOCK, REVOKE_KEY, ROTATE_KEYS];

    /// On the Secret with the signing keys: the `url` of the issuer whose keys they are.
    pub const ISSUER_URL: &str = "vouch.sh/issuer-url";
    /// On the Secret with the signing keys: a JSON map from an order's annotation to the value that has been carried
    /// out, written together with the keys it changed.
    pub const HANDLED_ORDER: &str = "vouch.sh/handled-order";
    /// On an object that the operator applied: a digest of what it applied.
    pub const APPLIED: &str = "vouch.sh/applied";
}

/// Types of conditions in `status.conditions`.
pub mod condition {
    /// Everything is as declared; otherwise it has the reason of the first condition that is not as it should be.
    pub const READY: &str = "Ready";
    /// A `VouchIssuer` has signing keys that can be read, and rotation goes on.
    pub const KEYS_READY: &str = "KeysReady";
    /// Enough pods of a `VouchIssuer` serve.
    pub const AVAILABLE: &str = "Available";
    /// Pods of a `VouchIssuer` are being replaced or added.
    pub const PROGRESSING: &str = "Progressing";
    /// The operator leaves everything of the object as it is.
    pub const PAUSED: &str = "Paused";
}

/// The Secret with the signing keys. The operator is its only writer, and nobody deletes it but people.
pub mod signing_keys {
    /// The Secret's type.
    pub const TYPE: &str = "vouch.sh/signing-keys";
    /// The member of its data that holds the whole document.
    pub const DATA_KEY: &str = "keys.json";

    /// The Secret of an issuer.
    #[must_use]
    pub fn name(issuer: &str) -> String {
        format!("{issuer}-signing-keys")
    }
}

/// The Secret with the secret from which an issuer derives all others. Made once and never changed.
pub mod root_secret {
    /// The Secret's type.
    pub const TYPE: &str = "vouch.sh/root-secret";
    /// The member of its data that holds the bytes.
    pub const DATA_KEY: &str = "root";

    /// The Secret of an issuer.
    #[must_use]
    pub fn name(issuer: &str) -> String {
        format!("{issuer}-root-secret")
    }
}

/// Ports of a pod of an issuer. Services and policies name them; programs listen on them.
pub mod port {
    /// The public port when pods speak TLS themselves.
    pub const HTTPS: &str = "https";
    /// The public port when something in front of the pods speaks TLS.
    pub const HTTP: &str = "http";
    /// Liveness, readiness and metrics; never reachable from where people are.
    pub const METRICS: &str = "metrics";
    /// Where a pod listens for the public.
    pub const PUBLIC: u16 = 8443;
    /// Where a pod listens for the cluster.
    pub const PRIVATE: u16 = 9090;
}

/// The headless Service by which Prometheus finds the pods.
#[must_use]
pub fn metrics_service(issuer: &str) -> String {
    format!("{issuer}-metrics")
}

/// Selects the objects of the people with an address, of which the definition lets an API server find them.
#[must_use]
pub fn user_field_selector(email: &str) -> String {
    format!("spec.email={email}")
}

/// The name of the object of a person whom an administrator invites by address: a part that people can read, and 64
/// bits of the SHA-256 of the address. Two invitations of one address meet in one object; two addresses do not.
///
/// A person declared by hand may have any name, so what an object is called proves nothing about whose it is.
#[must_use]
pub fn user_object_name(email: &str) -> String {
    const READABLE: usize = 40;
    let letters = email.chars().map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' });
    let readable: String = letters.take(READABLE).collect();
    let hash = digest::digest(&digest::SHA256, email.as_bytes());
    let suffix: String = hash.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    match readable.trim_matches('-') {
        "" => suffix,
        readable => format!("{readable}-{suffix}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_object_of_a_person_is_named_after_the_address() {
        assert_eq!(user_object_name("alice@example.com"), "alice-example-com-ff8d9819fc0e12bf");
    }

    #[test]
    fn addresses_that_read_alike_have_objects_of_their_own() {
        let names = ["a.b@example.com", "a-b@example.com", "a_b@example.com", "a+b@example.com"].map(user_object_name);
        for (index, name) in names.iter().enumerate() {
            assert!(name.starts_with("a-b-example-com-"), "{name}");
            assert!(!names[..index].contains(name), "{name}");
        }
    }

    #[test]
    fn every_name_made_for_the_longest_issuer_is_that_of_a_service() {
        let issuer = "v".repeat(ISSUER_NAME_LENGTH);
        for name in [metrics_service(&issuer), signing_keys::name(&issuer), root_secret::name(&issuer)] {
            assert!(name.len() <= 63, "{name}");
        }
    }

    proptest! {
        #[test]
        fn every_address_makes_a_valid_object_name(email in "\\PC{0,80}") {
            let name = user_object_name(&email);
            prop_assert!(name.len() <= 57);
            prop_assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'));
            prop_assert!(!name.starts_with('-') && !name.ends_with('-'));
        }
    }
}
