//! The page that explains every condition and event, written from the table of reasons.

use vouch_crds::names::{self, condition};

use crate::{
    lease,
    reason::{Reason, Tone},
};

const CONDITIONS: [(&str, &str); 5] = [
    (
        condition::READY,
        "Everything is as declared; otherwise it has the reason of the first condition that is not as it should be.",
    ),
    (condition::KEYS_READY, "The issuer has signing keys that can be read, and they rotate."),
    (condition::AVAILABLE, "Enough pods serve."),
    (condition::PROGRESSING, "Pods are being replaced or added."),
    (condition::PAUSED, "The operator leaves everything of the object as it is."),
];

/// The whole page, as Markdown.
#[must_use]
pub fn page() -> String {
    let mut page = "# Conditions and events\n\n\
        <!-- Written by `cargo run -p vouch-operator --example generate`; a test compares. -->\n\n\
        `kubectl describe` shows both. An event is written when a condition turns, not at every pass. A `VouchIssuer` has \
        all of these conditions, the other kinds have `Ready`:\n\n\
        | condition | `True` means |\n|---|---|\n"
        .to_owned();
    for (name, meaning) in CONDITIONS {
        page.push_str(&format!("| `{name}` | {meaning} |\n"));
    }
    page.push_str(
        "\nEvery reason, with its cause and what to do. Those that want somebody to look are set in bold. `Applied`, \
        `RootSecretReplaced` and those from `KeysCreated` to `OrderRefused` are told by events alone. How to restore, and what \
        to do about a leaked key, is in [operate.md](../operate.md).\n\n",
    );
    page.push_str("| reason | what has happened | what to do |\n|---|---|---|\n");
    for reason in Reason::ALL {
        let name = match reason.tone() {
            Tone::Normal => format!("`{reason}`"),
            Tone::Warning => format!("**`{reason}`**"),
        };
        page.push_str(&format!("| {name} | {} | {} |\n", reason.cause(), reason.cure()));
    }
    page.push_str(&format!(
        "\n`kubectl vouch status` says `NotObserved` of an issuer at which the operator has not looked since it was made or \
        changed. Wait a moment; if it stays so, see whether the operator runs and acts in that namespace: \
        `{}`.\n\
        \nIt says `NotActing` when no operator acts at all: nobody has renewed a Lease `{}` of any namespace for more than five \
        minutes, which is what clocks may differ by, or there is none. Keys do not rotate then and orders wait; pods go on. \
        It is told to those who [may list Leases](kubectl-vouch.md#what-each-command-may-have-to-do).\n",
        lease::SHOWN_BY,
        names::LEASE
    ));
    page
}
