//! What a row sends: a good token and a good world, but for some things.

use std::fmt;

use serde_json::{Value, json};

use super::scene::Scene;

/// One thing that differs from the good token.
pub(super) enum Claim {
    /// A claim with a value.
    Set(&'static str, Value),
    /// No such claim.
    Without(&'static str),
    /// So many seconds from now.
    At(&'static str, i64),
    /// The same as a decimal text.
    AtText(&'static str, i64),
    /// The same and half a second.
    AtHalf(&'static str, i64),
}

/// Makes something of the scene.
pub(super) type Of<T> = Box<dyn Fn(&Scene) -> T + Send + Sync>;

/// A call. Every row begins in the same world; nothing stays for the next.
#[derive(Default)]
pub(super) struct Sent {
    pub(super) claims: Vec<Claim>,
    /// Members before the others of the payload, as JSON text.
    pub(super) first_members: &'static str,
    pub(super) header: Option<Value>,
    pub(super) signer: Option<&'static str>,
    pub(super) keys: Option<Of<Vec<Value>>>,
    /// Changes the finished token.
    pub(super) tampered: Option<fn(&Scene, &str) -> String>,
    /// Members of the discovery document; null removes one.
    pub(super) discovery: Option<(&'static str, Value)>,
    pub(super) issuer_status: Option<u16>,
    /// The statement of the trust policy, changed.
    pub(super) trust: Vec<(&'static str, Value)>,
    /// The role is created anew before the call.
    pub(super) new_role: bool,
    pub(super) knobs: Option<Value>,
    pub(super) params: Vec<(&'static str, &'static str)>,
    /// `AssumeRole` by the administrator of another account instead.
    pub(super) assume_role: bool,
    /// In words, for the table.
    said: Vec<String>,
}

/// The good token.
pub(super) fn token() -> Sent {
    Sent::default()
}

/// `AssumeRole` across accounts, for 900 seconds.
pub(super) fn assume_role() -> Sent {
    let sent = Sent { assume_role: true, ..Sent::default() };
    sent.trust("Principal", json!({"AWS": "arn:aws:iam::111111111111:root"}))
        .trust("Action", json!(["sts:AssumeRole", "sts:SetSourceIdentity"]))
        .param("DurationSeconds", "900")
}

impl Sent {
    fn say(mut self, words: String) -> Self {
        self.said.push(words);
        self
    }

    fn claim(mut self, claim: Claim, words: String) -> Self {
        self.claims.push(claim);
        self.say(words)
    }

    pub(super) fn with(self, name: &'static str, value: Value) -> Self {
        let words = format!("{name} {}", shortened(&value.to_string()));
        self.claim(Claim::Set(name, value), words)
    }

    pub(super) fn without(self, name: &'static str) -> Self {
        self.claim(Claim::Without(name), format!("no {name}"))
    }

    pub(super) fn at(self, name: &'static str, seconds: i64) -> Self {
        self.claim(Claim::At(name, seconds), format!("{name} now{seconds:+}"))
    }

    pub(super) fn at_text(self, name: &'static str, seconds: i64) -> Self {
        self.claim(Claim::AtText(name, seconds), format!("{name} \"now{seconds:+}\""))
    }

    pub(super) fn at_half(self, name: &'static str, seconds: i64) -> Self {
        self.claim(Claim::AtHalf(name, seconds), format!("{name} now{seconds:+}.5"))
    }

    pub(super) fn first_members(mut self, members: &'static str) -> Self {
        self.first_members = members;
        self.say(format!("payload begins {members}"))
    }

    pub(super) fn header(mut self, header: Value) -> Self {
        let words = format!("header {header}");
        self.header = Some(header);
        self.say(words)
    }

    /// The key that signs: `rsa`, `other` (RSA too), `P-256`, `P-384` or `P-521`.
    pub(super) fn signed_by(mut self, key: &'static str) -> Self {
        self.signer = Some(key);
        self.say(format!("signed by {key}"))
    }

    pub(super) fn keys(
        mut self,
        words: &'static str,
        keys: impl Fn(&Scene) -> Vec<Value> + Send + Sync + 'static,
    ) -> Self {
        self.keys = Some(Box::new(keys));
        self.say(format!("key set: {words}"))
    }

    pub(super) fn tampered(mut self, words: &'static str, change: fn(&Scene, &str) -> String) -> Self {
        self.tampered = Some(change);
        self.say(words.to_owned())
    }

    pub(super) fn discovery(mut self, member: &'static str, value: Value) -> Self {
        let words = format!("discovery document: {member} {value}");
        self.discovery = Some((member, value));
        self.say(words)
    }

    pub(super) fn issuer_status(mut self, status: u16) -> Self {
        self.issuer_status = Some(status);
        self.say(format!("the issuer answers {status}"))
    }

    pub(super) fn trust(mut self, member: &'static str, value: Value) -> Self {
        let words = format!("trust: {member} {value}");
        self.trust.push((member, value));
        self.say(words)
    }

    pub(super) fn condition(self, operator: &str, key: &str, value: impl Into<Value>) -> Self {
        let value: Value = value.into();
        self.trust("Condition", json!({operator: {key: value}}))
    }

    pub(super) fn new_role(mut self) -> Self {
        self.new_role = true;
        self.say("the role is new".to_owned())
    }

    pub(super) fn knobs(mut self, knobs: Value) -> Self {
        let words = format!("stand-in: {knobs}");
        self.knobs = Some(knobs);
        self.say(words)
    }

    pub(super) fn param(mut self, name: &'static str, value: &'static str) -> Self {
        self.params.push((name, value));
        self.say(format!("{name}={}", shortened(value)))
    }
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.assume_role { "AssumeRole" } else { "good token" };
        if self.said.is_empty() { f.write_str(what) } else { write!(f, "{what}, but {}", self.said.join("; ")) }
    }
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= 120 {
        return text.to_owned();
    }
    format!("{}… ({} characters)", text.chars().take(60).collect::<String>(), text.chars().count())
}
