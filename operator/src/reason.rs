//! Every reason that a condition or an event can have, with its cause and what to do: the table that the reference page
//! is written from, and the only source of reasons in this crate.

use std::fmt;

/// Whether a reason is as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Nothing to do.
    Normal,
    /// Somebody must look.
    Warning,
}

macro_rules! reasons {
    ($($name:ident($tone:ident): $cause:literal, $cure:literal;)*) => {
        /// Why a condition is as it is, or what an event is about.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason {
            $(#[doc = $cause] $name,)*
        }

        impl Reason {
            /// Every reason, in the order of the reference.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The word in conditions and events.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// What has happened.
            #[must_use]
            pub const fn cause(self) -> &'static str {
                match self { $(Self::$name => $cause,)* }
            }

            /// What to do.
            #[must_use]
            pub const fn cure(self) -> &'static str {
                match self { $(Self::$name => $cure,)* }
            }

            /// Whether somebody must look.
            #[must_use]
            pub const fn tone(self) -> Tone {
                match self { $(Self::$name => Tone::$tone,)* }
            }
        }
    };
}

reasons! {
    AsDeclared(Normal): "Everything is as declared.", "Nothing.";
    RollingOut(Normal): "Pods are being replaced or added.", "Nothing; wait, or look at the pods when it takes long.";
    Paused(Normal): "`spec.paused` is true: the operator leaves everything as it is. Running pods go on; keys do not rotate.",
        "Set `spec.paused` to false.";
    Running(Normal): "`spec.paused` is false.", "Nothing.";
    Applied(Normal): "The operator has written or removed objects.", "Nothing.";
    Invalid(Warning): "The object contradicts itself or the cluster in a way that its schema cannot see, the API server takes an object that is made of it for invalid, or this version of the operator cannot read it. What was made before goes on, and keys that exist rotate unless `KeysReady` says that they do not.",
        "Change what the message names, or the rule of the cluster that it quotes; go forward to the version that could read the object. The operator tries again within five minutes.";
    ConfigurationRefused(Warning): "The objects that configure the issuer contradict each other, or one of them cannot be read. Pods go on with the configuration that they had: nothing that was changed since holds, and a pod that starts does not become ready.",
        "Change what the message names. The operator looks again within a minute.";
    NamespaceTaken(Warning): "An older VouchIssuer lives in the namespace. A namespace has one, whose people are its VouchUsers.",
        "Declare it in a namespace of its own, or delete one of the two.";
    ForeignObject(Warning): "An object with a name that the operator needs exists and does not belong to this VouchIssuer. It was left alone.",
        "Delete or rename it, or give the VouchIssuer another name.";
    ApiMissing(Warning): "What is declared needs an API that the cluster does not serve.",
        "Install it (Gateway API or cert-manager), or remove the field. The operator notices within a minute.";
    NotApplied(Warning): "The API server forbade a request, or did not answer it.",
        "Read the message. The operator goes on trying; `forbidden` means that its role lacks a rule.";
    TooFewPods(Warning): "No pod, or fewer than may be missing during a rollout, is ready.",
        "Where the message quotes the API server, ask by the command in it what it says now, and change that; otherwise look at the pods: `kubectl get pods -n NAMESPACE -l app.kubernetes.io/instance=NAME`.";
    RolloutStuck(Warning): "A rollout makes no progress, or the API server refuses its pods: by a quota, or for a PriorityClass that is not there.",
        "Where the message quotes the API server, ask by the command in it what it says now, and change that; otherwise look at the newest pods and their events. `kubectl rollout undo` is not needed: old pods that serve go on.";
    KeySecretMissing(Warning): "The issuer had signing keys, and their Secret is gone. No new keys are made; pods go on with the last ones they read.",
        "Restore the Secret from a backup. If there is none, set the annotation that the message names: new keys are made, every session ends, and AWS refuses tokens until it has read the new keys.";
    KeySecretCorrupt(Warning): "The Secret with the signing keys is empty, or not what the operator wrote into it. It was left alone; pods go on with the last keys they read.",
        "Restore the Secret from a backup, or give its keys up with the annotation that the message names.";
    ForeignKeys(Warning): "A Secret with the name that the issuer's keys or its root secret have belongs to an issuer of another URL, or does not say whose it is. It was left alone.",
        "Move away what the message names, or annotate it with `vouch.sh/issuer-url` when it was restored by hand.";
    KeysRestored(Warning): "The Secret publishes a key that was revoked: it was restored from an older backup. Nothing rotates.",
        "Revoke the key again (`kubectl vouch revoke-key KEY -n NAMESPACE`), or restore a later backup.";
    RootSecretCorrupt(Warning): "The Secret from which sealed state is derived does not have 32 bytes. It was left alone.",
        "Restore it from a backup, or delete it: a new one is made, and pending invites are void.";
    RootSecretReplaced(Warning): "The Secret from which sealed state is derived was gone, and a new one was made.",
        "Invite people again whose invites were pending.";
    NothingSigns(Warning): "The signing key was revoked, and the next one is not yet known to every verifier. Nobody can sign in.",
        "Wait until the moment in the message, or let the next key sign at once, by the command in it: `kubectl vouch revoke-key KEY --now -n NAMESPACE`.";
    ClockBehind(Warning): "The dates of the signing keys lie ahead of the operator's clock. Nothing rotates until it has caught up.",
        "Put the clock of the node right; if it is right, take its word: `kubectl vouch accept-clock -n NAMESPACE`.";
    KeysCreated(Normal): "The first signing keys of an issuer were made.", "Include the Secret in a backup.";
    KeysAdopted(Normal): "An issuer took over the Secrets of an earlier one of the same name and URL.", "Nothing.";
    KeysRecreated(Warning): "New signing keys were made by order, in the place of keys that are lost.",
        "Tell people to sign in again. AWS reads the new keys by itself.";
    KeyPublished(Normal): "A key was made and published. It signs when every verifier has had the time to read it.", "Nothing.";
    KeyActivated(Normal): "A key has begun to sign in the place of the one before it.", "Nothing.";
    KeyActivatedEarly(Warning): "A key has begun to sign, by order, before every verifier had the time to read it.",
        "Nothing: refusals end when verifiers read the key set again.";
    KeyRetired(Normal): "A key has stopped signing. It stays published while its tokens live.", "Nothing.";
    KeyRemoved(Normal): "A key is not published any more; its time was over.", "Nothing.";
    KeyRevoked(Warning): "A key was withdrawn for ever, by order.", "Tell people to sign in again if the key had signed.";
    KeyLost(Warning): "The key that signed is not in the Secret any more: an older backup was restored.",
        "Tell people to sign in again; restore a later backup if there is one.";
    RotationOrdered(Normal): "A rotation was ordered; it happens as soon as verifiers know the next key.", "Nothing.";
    ClockAccepted(Normal): "Dates of keys that lay ahead of the clock were set to the present, by order.", "Nothing.";
    OrderRefused(Warning): "An order to change the keys could not be carried out. It is not tried again.",
        "Read the message, and write another value into the annotation.";
    NoIssuer(Warning): "The issuer that the object needs is not there: its namespace has none, or none of that name.",
        "Declare a VouchIssuer in the namespace, or correct `spec.issuerRef`.";
    OutsideOrganization(Warning): "The e-mail address is in none of the domains of the issuer's organization.",
        "Add the domain to `spec.organization.emailDomains` of the VouchIssuer, or delete the VouchUser.";
    EmailTaken(Warning): "An older VouchUser has the same e-mail address. This one is ignored.",
        "Delete one of the two.";
    DuplicateId(Warning): "Another VouchUser has the same `status.id`: one of them is a copy. The younger one is ignored.",
        "Delete the copy.";
    DuplicateKey(Warning): "A security key is enrolled in another VouchUser, too. The younger one is ignored.",
        "Delete the copy, or remove the key from it: `kubectl vouch remove-key`.";
    StatusCorrupt(Warning): "What the issuer keeps of a person cannot be read. The VouchUser is ignored.",
        "Restore the object's status from a backup, or delete the VouchUser and invite the person again.";
    SecretMissing(Warning): "The Secret that the object names is not there, or lacks the key that it names.",
        "Make it, or correct the reference. The operator looks again within a minute.";
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn every_reason_says_what_has_happened_and_what_to_do() {
        for reason in Reason::ALL {
            assert!(reason.cause().ends_with('.') && reason.cure().ends_with('.'), "{reason}");
            assert!(reason.as_str().chars().all(|c| c.is_ascii_alphabetic()), "{reason}");
        }
    }
}
