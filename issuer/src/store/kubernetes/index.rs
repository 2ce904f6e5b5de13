//! Who is who among the objects. Pure; nothing in here waits or asks anybody.
//!
//! Nothing in a cluster keeps two objects from claiming one e-mail address, one id or one credential. The rules, the same
//! in every replica and in the operator:
//!
//! * An address belongs to the object that was created first, then to the smaller UID. The other objects with it are
//!   nobody: no lookup finds them, and nothing in them counts.
//! * An id belongs to the older object, a credential to whoever enrolled it first. The other object is unreadable as a
//!   whole: a person with somebody else's key is a person to be looked at, not to be let in.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use jiff::Timestamp;

use super::object::{Claims, Object, SharedObject};
use crate::store::{
    Everybody, StoreError, Stored,
    record::{UserId, UserRecord},
};

/// What a person can be looked up by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Claimed {
    Email,
    Id,
    Credential,
    Invite,
}

/// What belongs to somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    Email,
    Id,
    Credential,
    Invite,
}

impl From<Taken> for StoreError {
    fn from(taken: Taken) -> Self {
        Self::Taken(match taken {
            Taken::Email => "the e-mail address",
            Taken::Id => "the user id",
            Taken::Credential => "the credential id",
            Taken::Invite => "the invite",
        })
    }
}

/// Where an object was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// In the stream of changes, in the order of their revisions.
    Watch,
    /// In the answer to a write of this process.
    Write,
    /// In the answer to a question; what it claims may have been there for long.
    Read,
}

/// One object's claim to one thing. Claims to the same thing are in the order of their right to it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Claim {
    what: Claimed,
    text: Box<str>,
    since: Timestamp,
    uid: Box<str>,
}

#[derive(Debug)]
struct Claimant {
    object: SharedObject,
    /// The revision with which the claim appeared; 0 when it was there before anybody looked.
    revision: u64,
}

/// A list of everything that is on its way.
#[derive(Debug, Default)]
struct Listing {
    listed: HashSet<Box<str>>,
    /// Seen otherwise since the list was begun: the list may be older.
    newer: HashSet<Box<str>>,
}

/// All objects that are known.
#[derive(Debug, Default)]
pub(super) struct Index {
    objects: HashMap<Box<str>, SharedObject>,
    claims: BTreeMap<Claim, Claimant>,
    listing: Option<Listing>,
}

impl Index {
    /// A list of everything begins.
    pub(super) fn begin_list(&mut self) {
        self.listing = Some(Listing::default());
    }

    /// An object of the list. What this process has seen since the list was begun is newer.
    pub(super) fn list(&mut self, object: Object) {
        let Some(listing) = &mut self.listing else { return };
        listing.listed.insert(object.name.clone());
        let newer = listing.newer.contains(&object.name);
        let known = self.objects.get(&object.name);
        if !(newer && known.is_some_and(|known| !object.is_as_new_as(known))) {
            self.put(object, 0);
        }
    }

    /// The list is complete: what is not in it is gone.
    pub(super) fn end_list(&mut self) {
        let Some(Listing { listed, newer }) = self.listing.take() else { return };
        let known = self.objects.keys();
        let gone: Vec<_> = known.filter(|name| !listed.contains(*name) && !newer.contains(*name)).cloned().collect();
        gone.iter().for_each(|name| self.remove(name));
    }

    /// An object as it was seen, unless it was seen newer already. The newest look at it is returned.
    pub(super) fn take(&mut self, object: Object, origin: Origin) -> SharedObject {
        if let Some(listing) = &mut self.listing {
            listing.newer.insert(object.name.clone());
        }
        if let Some(known) = self.objects.get(&object.name).filter(|known| !object.is_as_new_as(known)) {
            return Arc::clone(known);
        }
        let revision = if origin == Origin::Read { 0 } else { object.revision() };
        self.put(object, revision)
    }

    /// An object is gone; with `uid` only if it is that one, and not a later one of the same name.
    pub(super) fn forget(&mut self, name: &str, uid: Option<&str>) {
        let known = self.objects.get(name);
        if known.is_some_and(|known| uid.is_none_or(|uid| uid == &*known.uid)) {
            self.remove(name);
        }
    }

    fn put(&mut self, object: Object, revision: u64) -> SharedObject {
        let object = Arc::new(object);
        let earlier = self.objects.insert(object.name.clone(), Arc::clone(&object));
        let mut earlier: BTreeMap<Claim, u64> = earlier
            .iter()
            .flat_map(|earlier| claims(earlier))
            .filter_map(|claim| self.claims.remove_entry(&claim))
            .map(|(claim, claimant)| (claim, claimant.revision))
            .collect();
        for claim in claims(&object) {
            let revision = earlier.remove(&claim).unwrap_or(revision);
            self.claims.insert(claim, Claimant { object: Arc::clone(&object), revision });
        }
        object
    }

    fn remove(&mut self, name: &str) {
        for claim in self.objects.remove(name).iter().flat_map(|object| claims(object)) {
            self.claims.remove(&claim);
        }
    }

    /// Everybody's claims to one thing, the best first; of objects that have their address.
    fn claimants(&self, what: Claimed, text: &str) -> impl Iterator<Item = &Claimant> {
        let all = self.all_claimants(what, text);
        all.filter(move |claimant| what == Claimed::Email || self.has_its_address(&claimant.object))
    }

    fn all_claimants(&self, what: Claimed, text: &str) -> impl Iterator<Item = &Claimant> {
        let first = Claim { what, text: text.into(), since: Timestamp::MIN, uid: Box::default() };
        let text = first.text.clone();
        let from = self.claims.range(first..);
        from.take_while(move |(claim, _)| claim.what == what && claim.text == text).map(|(_, claimant)| claimant)
    }

    fn has_its_address(&self, object: &Object) -> bool {
        let email = object.email.as_deref();
        let holder = email.and_then(|email| self.all_claimants(Claimed::Email, email).next());
        holder.is_some_and(|holder| holder.object.uid == object.uid)
    }

    /// Who has something, and the record; the record of an object with something of another's cannot be read.
    pub(super) fn find(&self, what: Claimed, text: &str) -> Result<Option<(SharedObject, Stored)>, StoreError> {
        let Some(claimant) = self.claimants(what, text).next() else { return Ok(None) };
        let object = Arc::clone(&claimant.object);
        let stored = object.stored()?;
        match self.contested(&object, &stored.user) {
            Some(reason) => Err(object.corrupt(reason)),
            None => Ok(Some((object, stored))),
        }
    }

    fn contested(&self, object: &Object, user: &UserRecord) -> Option<String> {
        let other = |what, text: &str| {
            let holder = &self.claimants(what, text).next()?.object;
            (holder.uid != object.uid).then(|| holder.name.clone())
        };
        if let Some(other) = other(Claimed::Id, &user.id.0.to_string()) {
            return Some(format!("status.id is that of VouchUser {other}"));
        }
        user.keys.iter().find_map(|key| {
            let other = other(Claimed::Credential, &key.credential_id.0)?;
            Some(format!("key {} is enrolled in VouchUser {other}, too; remove it from one of them", key.id))
        })
    }

    /// The object of a person.
    pub(super) fn object_of(&self, id: UserId) -> Option<SharedObject> {
        self.claimants(Claimed::Id, &id.0.to_string()).next().map(|claimant| Arc::clone(&claimant.object))
    }

    /// What of a record belongs to another object than `own`.
    pub(super) fn taken(&self, user: &UserRecord, own: Option<&Object>) -> Option<Taken> {
        let by_another = |what, text: &str| {
            let mut claimants = self.claimants(what, text);
            claimants.any(|claimant| own.is_none_or(|own| own.uid != claimant.object.uid))
        };
        if own.is_none() && by_another(Claimed::Email, user.email.as_str()) {
            return Some(Taken::Email);
        }
        if by_another(Claimed::Id, &user.id.0.to_string()) {
            return Some(Taken::Id);
        }
        if user.keys.iter().any(|key| by_another(Claimed::Credential, &key.credential_id.0)) {
            return Some(Taken::Credential);
        }
        let invite = user.invite.as_ref();
        invite.is_some_and(|invite| by_another(Claimed::Invite, &invite.hash.0)).then_some(Taken::Invite)
    }

    /// What of an object that was just written another object claimed in an earlier revision. Of any number of writers
    /// who have seen each other's revisions, the first one alone has lost nothing.
    pub(super) fn lost(&self, written: &Object) -> Option<Taken> {
        let earlier = |claim: &Claim| {
            let mut claimants = self.claimants(claim.what, &claim.text);
            claimants.any(|other| other.object.uid != written.uid && other.revision < written.revision())
        };
        claims(written).find(|claim| earlier(claim)).map(|claim| match claim.what {
            Claimed::Email => Taken::Email,
            Claimed::Id => Taken::Id,
            Claimed::Credential => Taken::Credential,
            Claimed::Invite => Taken::Invite,
        })
    }
}

/// Everybody among these objects, by e-mail.
pub(super) fn everybody(objects: Vec<Object>) -> Result<Everybody, StoreError> {
    let mut index = Index::default();
    index.begin_list();
    objects.into_iter().for_each(|object| index.list(object));
    index.end_list();
    let emails = index.claims.keys().filter(|claim| claim.what == Claimed::Email).map(|claim| &claim.text);
    let mut emails: Vec<_> = emails.collect();
    emails.dedup();
    let found = emails.into_iter().map(|email| index.find(Claimed::Email, email));
    Everybody::of(found.filter_map(|found| found.map(|found| found.map(|(_, stored)| stored)).transpose()))
}

/// What an object claims, readable or not.
fn claims(object: &Object) -> impl Iterator<Item = Claim> {
    let claim = |what, text: Box<str>, since| Claim { what, text, since, uid: object.uid.clone() };
    let since = object.created_at;
    let Claims { credentials, invite } = object.claims();
    let email = object.email.clone().map(|email| claim(Claimed::Email, email, since));
    let id = claim(Claimed::Id, object.user_id().0.to_string().into(), since);
    let invite = invite.map(|hash| claim(Claimed::Invite, hash, since));
    let credentials: Vec<_> =
        credentials.into_iter().map(|(id, since)| claim(Claimed::Credential, id, since)).collect();
    email.into_iter().chain([id]).chain(credentials).chain(invite)
}
