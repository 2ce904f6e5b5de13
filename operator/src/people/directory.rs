//! Who is who among the people of a cluster, and what is to be said of each. Pure; nothing in here waits or asks anybody.
//!
//! Nothing in a cluster keeps two objects from claiming one address, one id or one security key. The rules are those of
//! the issuers, so that what is reported is what holds:
//!
//! * An address belongs to the object that was made first, then to the smaller UID. The others with it are nobody, and
//!   nothing in them counts.
//! * An id belongs to the older object, a key to whoever enrolled it first. The other object is ignored as a whole.
//!
//! It also remembers who was seen disabled until their sessions are over, so that an enabling that follows at once, or a write
//! that somebody else was faster than, is not too early.
//!
//! Every question is answered by a look-up: a pass over many people costs as many look-ups.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use jiff::Timestamp;
use kube::runtime::{reflector::ObjectRef, watcher::Event};
use vouch_crds::names::condition;

use super::{
    organization::Organization,
    person::{Known, Person},
};
use crate::{issuer::validate::Sibling, reason::Reason, status::Finding};

/// Namespace and name.
type Key = (Box<str>, Box<str>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum What {
    Email,
    Id,
    Credential,
}

/// Something that only one person of a namespace can have.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Thing {
    namespace: Box<str>,
    what: What,
    text: Box<str>,
}

/// Who claims a thing; the smallest has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Claimant {
    since: Timestamp,
    uid: Box<str>,
    name: Box<str>,
}

/// What an object claims.
type Claims = Vec<(Thing, Claimant)>;

/// The oldest issuer of a namespace has its people.
type Issuers = BTreeMap<Sibling, Vec<String>>;

/// Everybody who is known, and the issuers they belong to.
#[derive(Debug, Default)]
pub struct Directory {
    claimants: HashMap<Thing, BTreeSet<Claimant>>,
    claims: HashMap<Key, Claims>,
    /// Sessions of whom are still to be ended: those begun before this moment.
    unended: HashMap<Key, Timestamp>,
    issuers: HashMap<Box<str>, Issuers>,
    listing: Option<HashSet<Key>>,
    issuer_listing: Option<HashMap<Box<str>, Issuers>>,
    people_known: bool,
    issuers_known: bool,
}

impl Directory {
    /// Takes what a watch has seen of a person. Returns whom something is to be said of anew.
    pub fn take(&mut self, event: Event<Person>) -> Vec<ObjectRef<Person>> {
        match event {
            Event::Init => {
                self.listing = Some(HashSet::new());
                Vec::new()
            }
            Event::InitApply(person) => {
                let key = key(&person);
                self.note_sessions(&key, &person);
                self.put(&key, claims(&person));
                self.listing.get_or_insert_default().insert(key);
                Vec::new()
            }
            Event::InitDone => {
                let listed = self.listing.take().unwrap_or_default();
                let gone: Vec<Key> = self.claims.keys().filter(|key| !listed.contains(*key)).cloned().collect();
                gone.iter().for_each(|key| self.remove(key));
                self.unended.retain(|key, _| listed.contains(key));
                self.people_known = true;
                self.everybody()
            }
            Event::Apply(person) => {
                let (key, claims) = (key(&person), claims(&person));
                self.note_sessions(&key, &person);
                if self.claims.get(&key) == Some(&claims) {
                    return vec![reference(&key)];
                }
                let mut touched = self.around(&key);
                self.put(&key, claims);
                touched.extend(self.around(&key));
                touched.iter().map(reference).collect()
            }
            Event::Delete(person) => {
                let key = key(&person);
                let mut touched = self.around(&key);
                self.remove(&key);
                self.unended.remove(&key);
                touched.remove(&key);
                touched.iter().map(reference).collect()
            }
        }
    }

    /// Takes what a watch has seen of an issuer. Returns whom something is to be said of anew.
    pub fn take_issuer(&mut self, event: Event<Organization>) -> Vec<ObjectRef<Person>> {
        match event {
            Event::Init => {
                self.issuer_listing = Some(HashMap::new());
                Vec::new()
            }
            Event::InitApply(issuer) => {
                put_issuer(self.issuer_listing.get_or_insert_default(), &issuer);
                Vec::new()
            }
            Event::InitDone => {
                self.issuers = self.issuer_listing.take().unwrap_or_default();
                self.issuers_known = true;
                self.everybody()
            }
            Event::Apply(issuer) if issuer.metadata.deletion_timestamp.is_none() => {
                self.change_issuer(&issuer, put_issuer)
            }
            Event::Apply(issuer) | Event::Delete(issuer) => self.change_issuer(&issuer, remove_issuer),
        }
    }

    /// What is to be said of a person; nothing before everybody is known, and nothing of one who is being deleted.
    #[must_use]
    pub fn finding(&self, person: &Person) -> Option<Finding> {
        let known = person.known.as_ref().filter(|_| self.people_known && self.issuers_known)?;
        let refusal = self
            .has_no_address(person, known)
            .or_else(|| is_damaged(known))
            .or_else(|| self.is_somebody_else(person, known))
            .or_else(|| self.has_a_key_of_another(person, known))
            .or_else(|| self.is_outside(person, known));
        Some(match refusal {
            Some((reason, message)) => Finding::new(condition::READY, false, reason, message),
            None => Finding::new(condition::READY, true, Reason::AsDeclared, "Everything is as declared."),
        })
    }

    /// From when on sessions of a person are to be valid, if that is later than the person's object says: of somebody who
    /// is disabled, or was since the operator has looked.
    #[must_use]
    pub fn sessions_over_before(&self, person: &Person) -> Option<Timestamp> {
        let known = person.known.as_ref()?;
        let unended = self.unended.get(&key(person)).copied();
        unended.max(known.sessions_to_end).filter(|over| known.sessions_valid_from.is_some_and(|from| from < *over))
    }

    fn note_sessions(&mut self, key: &Key, person: &Person) {
        let Some(known) = &person.known else { return };
        if let Some(over) = known.sessions_to_end {
            self.unended.insert(key.clone(), over);
        } else if self.unended.get(key).is_some_and(|over| known.sessions_valid_from >= Some(*over)) {
            self.unended.remove(key);
        }
    }

    fn has_no_address(&self, person: &Person, known: &Known) -> Option<(Reason, String)> {
        let email = known.email.as_deref()?;
        let other = self.first(person, What::Email, email)?;
        let message = format!("VouchUser {other} is older and has the address {email}; delete one of the two.");
        Some((Reason::EmailTaken, message))
    }

    fn is_somebody_else(&self, person: &Person, known: &Known) -> Option<(Reason, String)> {
        let other = self.first(person, What::Id, &known.id.0.to_string())?;
        let message = format!("status.id is that of VouchUser {other}: one of them is a copy; delete it.");
        Some((Reason::DuplicateId, message))
    }

    fn has_a_key_of_another(&self, person: &Person, known: &Known) -> Option<(Reason, String)> {
        known.credentials.iter().find_map(|(credential, _)| {
            let other = self.first(person, What::Credential, credential)?;
            let message = format!(
                "A security key of this person is enrolled in VouchUser {other}, too; remove it there or here."
            );
            Some((Reason::DuplicateKey, message))
        })
    }

    fn is_outside(&self, person: &Person, known: &Known) -> Option<(Reason, String)> {
        let Some(domains) = self.domains(person.namespace()) else {
            return Some((
                Reason::NoIssuer,
                "No VouchIssuer lives in this namespace, so nobody knows this person.".to_owned(),
            ));
        };
        let email = known.email.as_deref().unwrap_or_default();
        let domain = email.rsplit_once('@').map_or(email, |(_, domain)| domain);
        let message = || format!("{email} is in none of the domains of the organization ({}).", domains.join(", "));
        (!domains.iter().any(|known| known == domain)).then(|| (Reason::OutsideOrganization, message()))
    }

    /// The domains of the issuer that has a namespace.
    fn domains(&self, namespace: &str) -> Option<&[String]> {
        self.issuers.get(namespace)?.first_key_value().map(|(_, domains)| domains.as_slice())
    }

    /// The other object that has a thing which this one claims.
    fn first(&self, person: &Person, what: What, text: &str) -> Option<&str> {
        let thing = Thing { namespace: person.namespace().into(), what, text: text.into() };
        let mut claimants = self.claimants.get(&thing)?.iter();
        let holder =
            claimants.find(|claimant| what == What::Email || self.has_its_address(&thing.namespace, claimant))?;
        (*holder.uid != *person.uid()).then_some(&holder.name)
    }

    /// Nothing in an object whose address is another's counts.
    fn has_its_address(&self, namespace: &str, claimant: &Claimant) -> bool {
        let claims = self.claims.get(&(namespace.into(), claimant.name.clone()));
        let address = claims.into_iter().flatten().find(|(thing, _)| thing.what == What::Email);
        let holder = address.and_then(|(thing, _)| self.claimants.get(thing)?.first());
        holder.is_some_and(|holder| holder.uid == claimant.uid)
    }

    fn put(&mut self, key: &Key, claims: Claims) {
        self.remove(key);
        for (thing, claimant) in &claims {
            self.claimants.entry(thing.clone()).or_default().insert(claimant.clone());
        }
        self.claims.insert(key.clone(), claims);
    }

    fn remove(&mut self, key: &Key) {
        for (thing, claimant) in self.claims.remove(key).unwrap_or_default() {
            let Some(claimants) = self.claimants.get_mut(&thing) else { continue };
            claimants.remove(&claimant);
            if claimants.is_empty() {
                self.claimants.remove(&thing);
            }
        }
    }

    /// Whoever claims what this one claims, and whoever claims what those claim: an address that changes hands changes
    /// what else counts.
    fn around(&self, key: &Key) -> BTreeSet<Key> {
        let neighbours = |key: &Key| -> Vec<Key> {
            let things = self.claims.get(key).into_iter().flatten();
            let claimants = things.filter_map(|(thing, _)| Some((thing, self.claimants.get(thing)?)));
            let names = claimants.flat_map(|(thing, claimants)| {
                claimants.iter().map(|claimant| (thing.namespace.clone(), claimant.name.clone()))
            });
            names.collect()
        };
        let near: BTreeSet<Key> = neighbours(key).into_iter().chain([key.clone()]).collect();
        let far: Vec<Key> = near.iter().filter(|near| *near != key).flat_map(neighbours).collect();
        near.into_iter().chain(far).collect()
    }

    fn everybody(&self) -> Vec<ObjectRef<Person>> {
        match self.people_known && self.issuers_known {
            true => self.claims.keys().map(reference).collect(),
            false => Vec::new(),
        }
    }

    /// Everybody in a namespace is looked at anew when its domains are others than before.
    fn change_issuer(
        &mut self,
        issuer: &Organization,
        change: impl FnOnce(&mut HashMap<Box<str>, Issuers>, &Organization),
    ) -> Vec<ObjectRef<Person>> {
        let namespace = issuer.metadata.namespace.clone().unwrap_or_default();
        let before = self.domains(&namespace).map(<[String]>::to_vec);
        change(&mut self.issuers, issuer);
        if self.domains(&namespace).map(<[String]>::to_vec) == before {
            return Vec::new();
        }
        let mut touched = self.everybody();
        touched.retain(|person| person.namespace.as_deref() == Some(namespace.as_str()));
        touched
    }
}

fn is_damaged(known: &Known) -> Option<(Reason, String)> {
    let damage = known.damage.as_deref()?;
    Some((Reason::StatusCorrupt, format!("The issuer cannot read this object and ignores it: {damage}.")))
}

fn put_issuer(issuers: &mut HashMap<Box<str>, Issuers>, issuer: &Organization) {
    remove_issuer(issuers, issuer);
    if issuer.metadata.deletion_timestamp.is_none() {
        let namespace = issuer.metadata.namespace.clone().unwrap_or_default();
        let domains = issuer.email_domains.clone();
        issuers.entry(namespace.into()).or_default().insert(Sibling::of(&issuer.metadata), domains);
    }
}

fn remove_issuer(issuers: &mut HashMap<Box<str>, Issuers>, issuer: &Organization) {
    let namespace = issuer.metadata.namespace.as_deref().unwrap_or_default();
    if let Some(found) = issuers.get_mut(namespace) {
        found.retain(|sibling, _| Some(&sibling.name) != issuer.metadata.name.as_ref());
    }
}

fn key(person: &Person) -> Key {
    (person.namespace().into(), person.name().into())
}

fn reference((namespace, name): &Key) -> ObjectRef<Person> {
    ObjectRef::new(name).within(namespace)
}

/// What an object claims, readable or not; nothing when it is on its way out.
fn claims(person: &Person) -> Claims {
    let Some(known) = &person.known else { return Claims::new() };
    let claim = |what, text: &str, since| {
        let thing = Thing { namespace: person.namespace().into(), what, text: text.into() };
        (thing, Claimant { since, uid: person.uid().into(), name: person.name().into() })
    };
    let since = person.created_at();
    let email = known.email.as_deref().map(|email| claim(What::Email, email, since));
    let id = claim(What::Id, &known.id.0.to_string(), since);
    let keys = known.credentials.iter().map(|(credential, since)| claim(What::Credential, credential, *since));
    email.into_iter().chain([id]).chain(keys).collect()
}
