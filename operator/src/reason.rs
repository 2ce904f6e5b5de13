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
    Invalid(Warning): "The object contradicts itself or the cluster in a way that its schema cannot see.",
        "Change what the message names.";
    NamespaceTaken(Warning): "An older VouchIssuer lives in the namespace. A namespace has one, whose people are its VouchUsers.",
        "Declare it in a namespace of its own, or delete one of the two.";
    ForeignObject(Warning): "An object with a name that the operator needs exists and does not belong to this VouchIssuer. It was left alone.",
        "Delete or rename it, or give the VouchIssuer another name.";
    ApiMissing(Warning): "What is declared needs an API that the cluster does not serve.",
        "Install it (Gateway API or cert-manager), or remove the field. The operator notices within a minute.";
    NotApplied(Warning): "The API server refused or did not answer a write.",
        "Read the message. The operator goes on trying unless the object is invalid; `forbidden` means that its role lacks a rule.";
    TooFewPods(Warning): "No pod, or fewer than may be missing during a rollout, is ready.",
        "Look at the pods: `kubectl get pods -l app.kubernetes.io/instance=NAME`.";
    RolloutStuck(Warning): "A rollout makes no progress.",
        "Look at the newest pods and their events; `kubectl rollout undo` is not needed, old pods go on.";
    EmailTaken(Warning): "An older VouchUser has the same e-mail address. This one is ignored.",
        "Delete one of the two.";
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
