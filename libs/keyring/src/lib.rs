//! The signing-key set of an issuer: states, the pure rotation planner, JWKS, signing, and the stored document.
//!
//! It exists so that rotation never breaks a verifier: a key is **next** (published, does not sign), then **active**
//! (signs), then **retired** (published, does not sign), then removed; a revoked key is withdrawn at once. Whoever
//! keeps a set (the operator in a cluster, the issuer alone) asks [`plan`] what is due, applies it, stores the
//! document, and sleeps until [`next_transition`].
//!
//! It must never let a key sign that verifiers may not know, publish an empty set, withdraw a key that a living token
//! needs, or show private key material. It has no clock, no runtime and no I/O.

mod algorithm;
mod change;
mod document;
mod emergency;
mod jwks;
mod key;
mod plan;
mod policy;
mod public;
mod set;
mod sign;
mod state;
mod thumbprint;

pub use algorithm::Algorithm;
pub use change::{Change, ChangeContext, ChangeError, ChangeKind};
pub use document::DocumentError;
pub use emergency::{LeadRule, RevokeError};
pub use jwks::Jwks;
pub use key::{KeyError, KeyGenerator, PrivateKey, SystemKeyGenerator};
pub use plan::{Action, next_rotation, next_transition, plan};
pub use policy::{KeyPolicy, KeyPolicySettings, PolicyError, PolicyProblem};
pub use public::{PublicKey, VerifyingKey};
pub use set::KeySet;
pub use sign::{NoSigner, SignError, Signer};
pub use state::{EXPIRY_GRACE, Key, KeyState, Lead, Tombstone};
pub use thumbprint::{InvalidKid, Kid};
