//! Changing the stored set: read, decide, write by compare-and-swap, and again when somebody else was faster.

use aws_lc_rs::digest;
use jiff::Timestamp;
use vouch_keyring::{
    Change, ChangeContext, ChangeError, DocumentError, KeyError, KeyPolicy, KeySet, Kid, RevokeError,
    SystemKeyGenerator, plan,
};
use zeroize::Zeroizing;

use super::{
    snapshot::Snapshot,
    store::{KeySource, KeyStore, KeyStoreError, Revision, StoredKeys},
};

/// Tries before a conflict is reported: each one means that another writer has succeeded.
const ATTEMPTS: usize = 10;

/// Why the keys in the store cannot be used or changed.
#[derive(Debug, thiserror::Error)]
pub enum KeyStoreFault {
    /// The store does not give the document, or does not take it.
    #[error(transparent)]
    Store(#[from] KeyStoreError),
    /// The document is not what was written.
    #[error("the signing keys cannot be read, and no new ones are made in their place")]
    Document(#[from] DocumentError),
    /// The document publishes keys that this process has seen revoked.
    #[error(
        "the key store publishes the revoked key {kid} again: it was restored from an older backup; revoke the key again"
    )]
    Resurrected {
        /// One of them.
        kid: Kid,
    },
    /// A change is not lawful for this set.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// A key is not revoked.
    #[error(transparent)]
    Revoke(#[from] RevokeError),
    /// No key could be made.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The set cannot be written as a document.
    #[error("the signing keys cannot be written")]
    Serialize(#[source] serde_json::Error),
}

/// Names a document as read: its revision, and its digest to notice what was written past the revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DocumentId {
    revision: Revision,
    sha256: [u8; 32],
}

impl DocumentId {
    fn of(revision: Revision, document: &str) -> Self {
        let mut sha256 = [0; 32];
        let digest = digest::digest(&digest::SHA256, document.as_bytes());
        sha256.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
        Self { revision, sha256 }
    }
}

/// The set in force after [`advance`] or [`read`].
#[derive(Debug)]
pub struct Advance {
    /// The set.
    pub set: KeySet,
    /// The document it was read from or written as.
    pub document: DocumentId,
    /// What was done.
    pub changes: Vec<Change>,
}

/// Reads the set and does what is due at `now`. `known` is what this process holds already.
///
/// # Errors
/// When the store cannot be read or written, or the document is not to be trusted.
pub async fn advance(
    store: &dyn KeyStore,
    policy: &KeyPolicy,
    known: Option<&Snapshot>,
    now: Timestamp,
) -> Result<Advance, KeyStoreFault> {
    let mut attempts = 1;
    loop {
        match advance_once(store, policy, known, now).await {
            Err(KeyStoreFault::Store(KeyStoreError::Conflict)) if attempts < ATTEMPTS => attempts += 1,
            outcome => return outcome,
        }
    }
}

async fn advance_once(
    store: &dyn KeyStore,
    policy: &KeyPolicy,
    known: Option<&Snapshot>,
    now: Timestamp,
) -> Result<Advance, KeyStoreFault> {
    let read = read(store, known).await?;
    if plan(&read.set, policy, now).is_empty() {
        return Ok(read);
    }
    let revision = read.document.revision;
    write(store, read.set, revision, policy, now, |set, context| Ok(set.advance(context)?)).await
}

/// Reads the set and changes nothing. `known` is what this process holds already.
///
/// # Errors
/// When the store cannot be read, or the document is not to be trusted.
pub async fn read(store: &(impl KeySource + ?Sized), known: Option<&Snapshot>) -> Result<Advance, KeyStoreFault> {
    let stored = store.load().await?;
    let document = DocumentId::of(stored.revision, &stored.document);
    let set = match known {
        Some(known) if known.document == document => known.set.clone(),
        _ => KeySet::from_json(&stored.document)?,
    };
    match known.and_then(|known| set.resurrected_since(&known.set).into_iter().next()) {
        Some(kid) => Err(KeyStoreFault::Resurrected { kid }),
        None => Ok(Advance { set, document, changes: Vec::new() }),
    }
}

/// Changes the set on an administrator's order.
///
/// # Errors
/// When the store cannot be read or written, or the order is not lawful.
pub async fn order<F>(
    store: &dyn KeyStore,
    policy: &KeyPolicy,
    now: Timestamp,
    order: F,
) -> Result<Advance, KeyStoreFault>
where
    F: FnOnce(&mut KeySet, &ChangeContext<'_>) -> Result<Vec<Change>, KeyStoreFault> + Clone + Send + 'static,
{
    let mut attempts = 1;
    loop {
        let StoredKeys { document, revision } = store.load().await?;
        let set = KeySet::from_json(&document)?;
        match write(store, set, revision, policy, now, order.clone()).await {
            Err(KeyStoreFault::Store(KeyStoreError::Conflict)) if attempts < ATTEMPTS => attempts += 1,
            outcome => return outcome,
        }
    }
}

/// Makes the first set of an issuer.
///
/// # Errors
/// `Conflict` when the store holds keys already, readable or not.
pub async fn initialize(
    store: &dyn KeyStore,
    policy: &KeyPolicy,
    now: Timestamp,
) -> Result<Vec<Change>, KeyStoreFault> {
    let context = ChangeContext { policy, generator: &SystemKeyGenerator, now };
    let (set, changes) = KeySet::initialize(&context)?;
    store.create(serialize(&set)?).await?;
    Ok(changes)
}

async fn write<F>(
    store: &dyn KeyStore,
    mut set: KeySet,
    revision: Revision,
    policy: &KeyPolicy,
    now: Timestamp,
    order: F,
) -> Result<Advance, KeyStoreFault>
where
    F: FnOnce(&mut KeySet, &ChangeContext<'_>) -> Result<Vec<Change>, KeyStoreFault> + Send + 'static,
{
    let policy = policy.clone();
    // A new RSA key takes up to a second of computing.
    let changed = tokio::task::spawn_blocking(move || {
        let context = ChangeContext { policy: &policy, generator: &SystemKeyGenerator, now };
        let changes = order(&mut set, &context)?;
        let document = serialize(&set)?;
        Ok::<_, KeyStoreFault>((set, document, changes))
    });
    let (set, document, changes) =
        changed.await.map_err(|error| KeyStoreError::Database(crate::database::DatabaseError::Abandoned(error)))??;
    let revision = store.replace(revision, document.clone()).await?;
    Ok(Advance { set, document: DocumentId::of(revision, &document), changes })
}

fn serialize(set: &KeySet) -> Result<Zeroizing<String>, KeyStoreFault> {
    set.to_json().map_err(KeyStoreFault::Serialize)
}
