//! How many connections a listener keeps open, whose they are, and which one makes room when there are too many.
//!
//! Idle connections cost a client nothing and the issuer a descriptor each. Without a bound one client could take all
//! of them, and then neither people nor the database nor the probes of the private listener would get any. A
//! connection with a request in flight is never closed for another.

mod gate;

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{sync::oneshot, time::Instant};

pub(super) use gate::Gate;

use super::limits::network;
use crate::metrics::ListenerMeter;

/// Connections of the public listener at most; each needs some 40 KiB once it speaks TLS and HTTP/2.
const MOST_PUBLIC: usize = 8192;
/// Connections of the public listener at least, however few descriptors there are.
const LEAST_PUBLIC: usize = 16;
/// Connections of the private listener: probes and a few scrapers.
const PRIVATE: usize = 32;
/// Connections that may still be closing when their place has been given away.
const CLOSING: usize = 32;
/// Descriptors for everything else: the private listener, the database, files, requests of our own, and connections
/// that are accepted only to be refused.
const RESERVED: usize = 256;
/// One client may have this part of all connections. Offices share an address, so it is large; four clients together
/// are needed to fill the listener, and then the longest idle connection still makes room.
const CLIENT_PART: usize = 4;
/// A connection that has been idle for less is not asked to make room: its first request may be on its way.
const LEAST_IDLE: Duration = Duration::from_secs(1);

/// What one listener keeps open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ConnectionLimits {
    /// Of everybody.
    pub(super) total: usize,
    /// Of one client address (an IPv6 /64 counts as one).
    pub(super) per_client: usize,
    /// How long one may be without a request.
    pub(super) idle: Duration,
}

impl ConnectionLimits {
    /// For the public listener of a process that may have this many descriptors.
    pub(super) fn public(descriptors: usize, idle: Duration) -> Self {
        let total = descriptors.saturating_sub(RESERVED).clamp(LEAST_PUBLIC, MOST_PUBLIC);
        Self { total, per_client: total / CLIENT_PART, idle }
    }

    /// For the private listener, whose descriptors no other listener can take.
    pub(super) const fn private(idle: Duration) -> Self {
        Self { total: PRIVATE, per_client: PRIVATE, idle }
    }
}

/// Raises the soft limit of open descriptors to what the listeners can use, as far as the hard limit allows, and
/// answers the limit in force.
pub(super) fn raise_descriptor_limit() -> usize {
    let wanted = (MOST_PUBLIC + RESERVED) as u64;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let (now, most) = (current.unwrap_or(u64::MAX), maximum.unwrap_or(u64::MAX));
    let raised = wanted.min(most);
    let in_force = if now >= raised {
        now
    } else {
        match setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum }) {
            Ok(()) => raised,
            Err(error) => {
                tracing::warn!(%error, limit = now, "the limit of open files cannot be raised");
                now
            }
        }
    };
    usize::try_from(in_force).unwrap_or(usize::MAX)
}

/// Why a connection is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    /// The client has its part, all in use.
    #[error("this client has too many connections")]
    Client,
    /// All are in use.
    #[error("there are too many connections")]
    Everybody,
}

/// The open connections of one listener.
#[derive(Debug)]
pub(super) struct Connections {
    limits: ConnectionLimits,
    meter: ListenerMeter,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    entries: HashMap<u64, Entry>,
}

#[derive(Debug)]
struct Entry {
    /// `None`: a proxy of ours, which speaks for many.
    client: Option<IpAddr>,
    activity: Arc<Activity>,
    /// Absent when it has been told.
    make_room: Option<oneshot::Sender<()>>,
}

impl Connections {
    pub(super) fn new(limits: ConnectionLimits, meter: ListenerMeter) -> Arc<Self> {
        Arc::new(Self { limits, meter, open: Mutex::default() })
    }

    /// Gives a new connection a place, if need be that of the client's, or else anybody's, longest idle one.
    ///
    /// `client` is `None` for a proxy of ours, which is bound by the total alone.
    ///
    /// # Errors
    /// When there is no place and no idle connection either.
    fn admit(self: &Arc<Self>, client: Option<IpAddr>, now: Instant) -> Result<Place, Refused> {
        let place = self.place(client.map(network), now);
        match &place {
            Ok(_) => drop(self.meter.open.inc()),
            Err(Refused::Client) => drop(self.meter.over_client_limit.inc()),
            Err(Refused::Everybody) => drop(self.meter.over_total.inc()),
        }
        place
    }

    fn place(self: &Arc<Self>, client: Option<IpAddr>, now: Instant) -> Result<Place, Refused> {
        let ConnectionLimits { total, per_client, .. } = self.limits;
        let mut open = self.open();
        if open.entries.len() >= total + CLOSING {
            return Err(Refused::Everybody);
        }
        let of_client = |entry: &Entry| entry.client == client;
        if client.is_some() && open.staying(of_client) >= per_client {
            open.make_room(of_client, now).ok_or(Refused::Client)?;
            self.meter.evicted.inc();
        } else if open.staying(|_| true) >= total {
            open.make_room(|_| true, now).ok_or(Refused::Everybody)?;
            self.meter.evicted.inc();
        }
        let (make_room, told) = oneshot::channel();
        let activity = Arc::new(Activity::new(now));
        let id = open.next;
        open.next += 1;
        open.entries.insert(id, Entry { client, activity: Arc::clone(&activity), make_room: Some(make_room) });
        drop(open);
        Ok(Place { connections: Arc::clone(self), id, activity, told })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// How many of these have not been told to make room.
    fn staying(&self, of: impl Fn(&Entry) -> bool) -> usize {
        self.entries.values().filter(|entry| entry.make_room.is_some() && of(entry)).count()
    }

    /// Tells the longest idle of these to close; `None` when none is idle.
    fn make_room(&mut self, of: impl Fn(&Entry) -> bool, now: Instant) -> Option<()> {
        let staying = self.entries.values_mut().filter(|entry| entry.make_room.is_some() && of(entry));
        let idle = staying.filter_map(|entry| {
            let since = entry.activity.idle_since()?;
            (now.duration_since(since) >= LEAST_IDLE).then_some((since, entry))
        });
        let (_, entry) = idle.min_by_key(|(since, _)| *since)?;
        // It fails when the connection is closing by itself: that makes room, too.
        let _ = entry.make_room.take()?.send(());
        Some(())
    }
}

/// The place of one open connection; given back when it is dropped.
#[derive(Debug)]
struct Place {
    connections: Arc<Connections>,
    id: u64,
    activity: Arc<Activity>,
    /// Resolves when the connection must make room.
    told: oneshot::Receiver<()>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.open().entries.remove(&self.id);
        self.connections.meter.open.dec();
    }
}

/// What a connection is doing.
#[derive(Debug)]
struct Activity(Mutex<Doing>);

#[derive(Debug)]
struct Doing {
    requests: usize,
    /// When the connection was accepted or its last request ended.
    since: Instant,
}

impl Activity {
    const fn new(since: Instant) -> Self {
        Self(Mutex::new(Doing { requests: 0, since }))
    }

    /// Since when no request is in flight; `None` while one is.
    fn idle_since(&self) -> Option<Instant> {
        let doing = self.doing();
        (doing.requests == 0).then_some(doing.since)
    }

    fn doing(&self) -> MutexGuard<'_, Doing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request in flight, until it is dropped.
#[derive(Debug)]
struct InFlight(Arc<Activity>);

impl InFlight {
    fn begin(activity: Arc<Activity>) -> Self {
        activity.doing().requests += 1;
        Self(activity)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut doing = self.0.doing();
        doing.requests = doing.requests.saturating_sub(1);
        doing.since = Instant::now();
    }
}

#[cfg(test)]
mod tests;
