//! Looking at the signing keys, and changing them by order.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;
use vouch_keyring::{Algorithm, Change, KeyPolicy, KeySet, Kid, LeadRule, RevokeError, next_transition};

use super::{AdminError, FrontEnd, moment};
use crate::{
    clock::SharedClock,
    database::{Database, DatabaseError},
    keys::{KeySource as _, KeyStatus, KeyStoreFault, Silence, change, clock_behind, event, silence, statuses},
    outbox,
};

/// Every signing key.
#[derive(Debug, Serialize)]
pub struct KeyTable {
    /// Active first.
    pub keys: Vec<KeyStatus>,
    /// Revoked keys, oldest first.
    pub revoked: Vec<RevokedKey>,
    /// When the planner will change something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_transition: Option<Timestamp>,
    /// What to do where nothing signs since a key was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nothing_signs: Option<String>,
    /// By how many seconds the dates of the keys lie ahead of the clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_behind_seconds: Option<u64>,
    #[serde(skip)]
    front_end: FrontEnd,
    #[serde(skip)]
    now: Timestamp,
}

/// A key that must not come back.
#[derive(Debug, Serialize)]
pub struct RevokedKey {
    /// The `kid`.
    pub kid: String,
    /// When.
    pub revoked_at: Timestamp,
}

impl KeyTable {
    fn of(set: &KeySet, policy: Option<&KeyPolicy>, front_end: &FrontEnd, now: Timestamp) -> Self {
        let revoked = set.revoked().iter();
        Self {
            keys: statuses(set),
            revoked: revoked.map(|key| RevokedKey { kid: key.kid.to_string(), revoked_at: key.revoked_at }).collect(),
            next_transition: policy.and_then(|policy| next_transition(set, policy, now)),
            nothing_signs: None,
            clock_behind_seconds: set.clock_behind_by(now).map(|behind| behind.as_secs()),
            front_end: front_end.clone(),
            now,
        }
    }

    /// The key that signs; of several algorithms, the first one's.
    fn active(&self) -> Option<&str> {
        self.keys.iter().find(|key| key.state == "active").map(|key| key.kid.as_str())
    }
}

impl fmt::Display for KeyTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |at: Option<Timestamp>| at.map_or_else(|| "-".to_owned(), |at| moment(at, self.now));
        writeln!(
            f,
            "{:43}  {:9}  {:8}  {:16}  {:16}  STOPPED",
            "KEY", "ALGORITHM", "STATE", "PUBLISHED", "SIGNS SINCE"
        )?;
        for key in &self.keys {
            let (published, activated) = (at(Some(key.published_at)), at(key.activated_at));
            let algorithm = key.algorithm.as_str();
            write!(
                f,
                "{}  {algorithm:9}  {:8}  {published:16}  {activated:16}  {}",
                key.kid,
                key.state,
                at(key.retired_at)
            )?;
            writeln!(f, "{}", if key.lead_waived { "  (signed before its lead time was over)" } else { "" })?;
        }
        for key in &self.revoked {
            let since = moment(key.revoked_at, self.now);
            writeln!(f, "{}  {:9}  revoked   {:16}  {:16}  {since}", key.kid, "-", "-", "-")?;
        }
        if let Some(next) = self.next_transition {
            writeln!(f, "The next change is due {}.", moment(next, self.now))?;
        }
        if let Some(told) = &self.nothing_signs {
            writeln!(f, "{told}")?;
        }
        if self.clock_behind_seconds.is_some() { writeln!(f, "{}", clock_behind(&self.front_end)) } else { Ok(()) }
    }
}

/// What an order did to the signing keys, and what follows from it.
#[derive(Debug, Serialize)]
pub struct KeyOrder {
    /// In the order in which it happened.
    pub changes: Vec<Change>,
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

/// The signing keys of an issuer that runs alone. In a cluster they are the operator's, who takes orders there.
pub struct KeyOffice {
    /// `None`: the manifest cannot be read.
    policy: Option<KeyPolicy>,
    database: Database,
    clock: SharedClock,
    front_end: FrontEnd,
}

impl fmt::Debug for KeyOffice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyOffice").field("database", &self.database).finish_non_exhaustive()
    }
}

impl KeyOffice {
    /// On an open database. Without `policy` the manifest cannot be read: a key can be revoked all the same, and nothing is
    /// known of what comes next.
    #[must_use]
    pub const fn new(policy: Option<KeyPolicy>, database: Database, clock: SharedClock, front_end: FrontEnd) -> Self {
        Self { policy, database, clock, front_end }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn table(&self, set: &KeySet) -> KeyTable {
        KeyTable::of(set, self.policy.as_ref(), &self.front_end, self.now())
    }

    /// The signing keys as stored.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn keys(&self) -> Result<KeyTable, AdminError> {
        let set = self.stored().await?;
        Ok(KeyTable { nothing_signs: self.nothing_signs(&set), ..self.table(&set) })
    }

    async fn stored(&self) -> Result<KeySet, KeyStoreFault> {
        Ok(KeySet::from_json(&self.database.load().await?.document)?)
    }

    /// Rotates now, or at the first moment at which every verifier knows the next key.
    ///
    /// # Errors
    /// When the keys cannot be read or changed.
    pub async fn rotate_keys(&self) -> Result<KeyOrder, AdminError> {
        let order = self.order(|set, context| Ok(set.force_rotation(context)?)).await?;
        let (now, table) = (self.now(), self.table(&order.set));
        let rotated = order.changes.iter().any(|change| change.kind == vouch_keyring::ChangeKind::Activated);
        if let Some(silence) = self.nothing_signs(&order.set) {
            return Ok(KeyOrder { changes: order.changes, consequences: vec![silence], table });
        }
        let consequence = match table.next_transition {
            _ if rotated => "Rotated. Tokens of the earlier key stay valid until they expire.".to_owned(),
            Some(at) => format!(
                "The next key signs from {} on: until then verifiers may not have read it. Nothing breaks meanwhile. \
                 If the active key has leaked, revoke it instead: {}",
                moment(at, now),
                self.front_end.command(format_args!("keys revoke {}", table.active().unwrap_or("KEY")))
            ),
            None => "Nothing to rotate.".to_owned(),
        };
        Ok(KeyOrder { changes: order.changes, consequences: vec![consequence], table })
    }

    /// Withdraws a key for ever. With `waive` the next key signs at once where nothing else does.
    ///
    /// # Errors
    /// When there is no such key, or the keys cannot be read or changed.
    pub async fn revoke_key(&self, kid: &Kid, waive: bool) -> Result<KeyOrder, AdminError> {
        let lead = if waive { LeadRule::Waive } else { LeadRule::Keep };
        let revoked = kid.clone();
        let order = self
            .order(move |set, context| match set.revoke(&revoked, lead, context) {
                Err(RevokeError::AlreadyRevoked { .. }) if waive => {
                    let waived = Algorithm::ALL.map(|algorithm| set.waive_lead(algorithm, context));
                    Ok(waived.into_iter().collect::<Result<Vec<_>, _>>()?.concat())
                }
                other => Ok(other?),
            })
            .await
            .map_err(|error| match error {
                AdminError::Keys(KeyStoreFault::Revoke(RevokeError::AlreadyRevoked { kid, revoked_at })) => {
                    AdminError::AlreadyRevoked { kid, at: revoked_at, front_end: self.front_end.clone() }
                }
                other => other,
            })?;
        let mut consequences = vec![format!(
            "{kid} is withdrawn. AWS and other verifiers refuse its tokens when they next read the key set, and every \
             session signed with it is over: people sign in again."
        )];
        consequences.extend(self.nothing_signs(&order.set));
        if order.changes.iter().any(|change| change.kind == vouch_keyring::ChangeKind::ActivatedEarly) {
            consequences.push(
                "The next key signs before its lead time is over: a verifier that keeps an older key set refuses its \
                 tokens until it reads the set again."
                    .to_owned(),
            );
        }
        let table = self.table(&order.set);
        Ok(KeyOrder { changes: order.changes, consequences, table })
    }

    /// What an administrator must know when nothing signs since a key was revoked.
    fn nothing_signs(&self, set: &KeySet) -> Option<String> {
        match &self.policy {
            Some(policy) => Some(Silence::of(set, policy)?.with_next_step(&self.front_end, self.now())),
            None => silence::possible(set, &self.front_end, self.now()),
        }
    }

    /// Takes the clock's word over the dates of the keys, after a clock that was far ahead was put right.
    ///
    /// # Errors
    /// When the keys cannot be read or changed.
    pub async fn accept_clock(&self) -> Result<KeyOrder, AdminError> {
        let stored = self.keys().await?;
        let before: Vec<_> = stored.keys.iter().map(|key| key.published_at).collect();
        let order = self
            .order(|set, context| {
                set.accept_clock(context);
                Ok(Vec::new())
            })
            .await?;
        let table = self.table(&order.set);
        let moved = before != table.keys.iter().map(|key| key.published_at).collect::<Vec<_>>();
        let consequence = if moved {
            "Dates that lay ahead of the clock are now; rotation goes on from here."
        } else {
            "No date of the keys lies ahead of the clock; nothing was changed."
        };
        Ok(KeyOrder { changes: order.changes, consequences: vec![consequence.to_owned()], table })
    }

    async fn order<F>(&self, order: F) -> Result<change::Advance, AdminError>
    where
        F: FnOnce(&mut KeySet, &vouch_keyring::ChangeContext<'_>) -> Result<Vec<Change>, KeyStoreFault>
            + Clone
            + Send
            + 'static,
    {
        let policy = match &self.policy {
            Some(policy) => policy.clone(),
            None => KeyPolicy::standing_still(&self.stored().await?),
        };
        let done = change::order(&self.database, &policy, self.now(), order).await?;
        let (now, events) = (self.now(), done.changes.iter().map(event).collect::<Vec<_>>());
        let told = self.database.call(move |connection| {
            let transaction = connection.transaction()?;
            events.iter().try_for_each(|event| outbox::leave(&transaction, now, event))?;
            Ok::<_, DatabaseError>(transaction.commit()?)
        });
        // The keys are changed already, so the order has not failed.
        if let Err(error) = told.await {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, changes = ?done.changes, "the keys are changed, but the audit line is lost");
        }
        Ok(done)
    }
}
