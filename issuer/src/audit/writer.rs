//! The one thread that writes the trail. Whoever reads it may be slow, or gone: nobody but this thread waits for that, so
//! that requests are answered, and administration commands have the database, however long it takes.
//!
//! Every line waits in one queue and needs a place there, which is free again when the line has been written: that bounds
//! what waits. What cannot be written is tried again until it can, or the issuer ends. The log is told when something begins
//! and when it ends, not of every line: whoever does not read the trail may not read the log either, and writing it waits
//! for that.

use std::{
    io::{self, ErrorKind, Write},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver as Ended, Sender as Alive, channel as lifeline},
    },
    thread,
    time::Duration,
};

use arc_swap::ArcSwapOption;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

/// Lines that may wait: half a megabyte, and several seconds of the busiest issuer.
pub(super) const QUEUE: usize = 1024;

/// Lines that may wait beyond those, of what is done in any case.
pub(super) const ASIDE: usize = 1024;

/// Lines of one system call.
const BATCH: usize = 64;

/// How long an action waits for room in the queue. What has been checked before it waits is as old as that when it acts.
const PATIENCE: Duration = Duration::from_secs(1);

/// Between two tries of what could not be written.
const RETRY: Duration = Duration::from_millis(250);

/// How long the end of the issuer waits for the last lines.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Why the trail takes no lines.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrailFault {
    /// The system says so.
    #[error("the audit trail cannot be written: {0}")]
    Unwritable(String),
    /// Lines that wait have every place.
    #[error("nobody reads the audit trail")]
    Unread,
    /// Those have every place who have not done yet what their lines will tell.
    #[error("too much waits for its place on the audit trail")]
    Crowded,
}

enum Entry {
    /// With its newline, and the place that it takes until it is written.
    Line(Vec<u8>, OwnedSemaphorePermit),
    /// Everything before it has been written.
    Mark(oneshot::Sender<()>),
}

/// A place in the queue. The line put there is written, whatever else happens in this process.
pub struct Room<'a> {
    place: OwnedSemaphorePermit,
    queue: &'a mpsc::UnboundedSender<Entry>,
}

impl Room<'_> {
    /// Whether the line will be written: not when the thread has ended.
    #[must_use]
    pub(super) fn take(self, line: Vec<u8>) -> bool {
        self.queue.send(Entry::Line(line, self.place)).is_ok()
    }
}

impl std::fmt::Debug for Room<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Room")
    }
}

/// What keeps lines from being written, and how many found no room.
#[derive(Default)]
struct Trouble {
    unwritable: ArcSwapOption<String>,
    /// Rises when the thread begins to write and when it has written everything that was queued: odd while it is behind.
    stint: AtomicU64,
    /// The stint during which somebody waited for room in vain.
    unread: AtomicU64,
    /// Lines for which there was no room, since the thread was last done.
    lost: AtomicU64,
}

impl Trouble {
    fn fault(&self) -> Option<TrailFault> {
        if let Some(error) = self.unwritable.load().as_deref() {
            return Some(TrailFault::Unwritable(error.clone()));
        }
        let stint = self.stint.load(Ordering::SeqCst);
        (is_behind(stint) && self.unread.load(Ordering::SeqCst) == stint).then_some(TrailFault::Unread)
    }

    /// Why there was no room for as long as [`PATIENCE`].
    fn no_room(&self) -> TrailFault {
        let stint = self.stint.load(Ordering::SeqCst);
        if !is_behind(stint) {
            return TrailFault::Crowded;
        }
        if self.unread.swap(stint, Ordering::SeqCst) != stint {
            tracing::error!("nobody reads the audit trail; nobody signs in or gets credentials until somebody does");
        }
        TrailFault::Unread
    }

    fn lose(&self) {
        if self.lost.fetch_add(1, Ordering::SeqCst) == 0 {
            tracing::error!("audit lines are being lost: too many wait to be written");
        }
    }

    /// The thread has something to write.
    fn begin(&self) {
        if !is_behind(self.stint.load(Ordering::SeqCst)) {
            self.stint.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// The thread has written everything.
    fn done(&self) {
        let stint = self.stint.fetch_add(1, Ordering::SeqCst);
        let lost = self.lost.swap(0, Ordering::SeqCst);
        if lost > 0 {
            tracing::error!(lost, "audit lines were lost; what they told of was done all the same");
        }
        if self.unread.load(Ordering::SeqCst) == stint {
            tracing::info!("the audit trail is read again");
        }
    }
}

const fn is_behind(stint: u64) -> bool {
    !stint.is_multiple_of(2)
}

/// The queue in front of the thread. Dropped before `last_words`, which waits for the thread to empty it.
pub(super) struct Writer {
    queue: mpsc::UnboundedSender<Entry>,
    places: Arc<Semaphore>,
    aside: Arc<Semaphore>,
    trouble: Arc<Trouble>,
    _last_words: LastWords,
}

impl Writer {
    pub(super) fn start(out: Box<dyn Write + Send>) -> Self {
        let (queue, entries) = mpsc::unbounded_channel();
        let [places, aside] = [QUEUE, ASIDE].map(|places| Arc::new(Semaphore::new(places)));
        let trouble = Arc::<Trouble>::default();
        let (alive, ended) = lifeline();
        let pen = Pen { out, places: Arc::clone(&places), trouble: Arc::clone(&trouble) };
        let thread = thread::Builder::new().name("audit".to_owned()).spawn(move || pen.write(entries, alive));
        if let Err(error) = thread {
            trouble.unwritable.store(Some(Arc::new(error.to_string())));
        }
        Self { queue, places, aside, trouble, _last_words: LastWords(Mutex::new(ended)) }
    }

    /// Why a line would not be written now.
    pub(super) fn fault(&self) -> Option<TrailFault> {
        self.trouble.fault()
    }

    /// A place for a line. None while the last try to write failed, and none after [`PATIENCE`] without one.
    pub(super) async fn room(&self) -> Result<Room<'_>, TrailFault> {
        if let Some(error) = self.trouble.unwritable.load().as_deref() {
            return Err(TrailFault::Unwritable(error.clone()));
        }
        if let Some(room) = self.room_at_once() {
            return Ok(room);
        }
        match tokio::time::timeout(PATIENCE, Arc::clone(&self.places).acquire_owned()).await {
            Ok(Ok(place)) => Ok(self.at(place)),
            Ok(Err(_)) => Err(TrailFault::Unread),
            Err(_) => Err(self.trouble.no_room()),
        }
    }

    /// A place for a line, if there is one at this moment.
    pub(super) fn room_at_once(&self) -> Option<Room<'_>> {
        Arc::clone(&self.places).try_acquire_owned().ok().map(|place| self.at(place))
    }

    /// A place for the line of what is done in any case, beyond those that everybody gets.
    pub(super) fn room_aside(&self) -> Option<Room<'_>> {
        Arc::clone(&self.aside).try_acquire_owned().ok().map(|place| self.at(place))
    }

    const fn at(&self, place: OwnedSemaphorePermit) -> Room<'_> {
        Room { place, queue: &self.queue }
    }

    /// There was no room for a line.
    pub(super) fn lose(&self) {
        self.trouble.lose();
    }

    /// Puts a line there, however long that takes.
    pub(super) async fn take(&self, line: Vec<u8>) -> Result<(), TrailFault> {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| TrailFault::Unread)?;
        if self.at(place).take(line) { Ok(()) } else { Err(TrailFault::Unread) }
    }

    /// Returns when everything put there before has been written.
    pub(super) async fn written(&self) -> Result<(), TrailFault> {
        let (mark, reached) = oneshot::channel();
        self.queue.send(Entry::Mark(mark)).map_err(|_| TrailFault::Unread)?;
        reached.await.map_err(|_| TrailFault::Unread)
    }
}

/// Waits, but not for ever, until the thread has written what was queued.
struct LastWords(Mutex<Ended<()>>);

impl Drop for LastWords {
    fn drop(&mut self) {
        let ended = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        // Nothing is ever sent: the other end is dropped with the thread.
        let _ = ended.recv_timeout(LAST_WORDS);
    }
}

struct Pen {
    out: Box<dyn Write + Send>,
    places: Arc<Semaphore>,
    trouble: Arc<Trouble>,
}

/// Nothing is written any more, and nobody waits for room.
impl Drop for Pen {
    fn drop(&mut self) {
        self.places.close();
    }
}

impl Pen {
    fn write(mut self, mut entries: mpsc::UnboundedReceiver<Entry>, _alive: Alive<()>) {
        let mut batch = Vec::with_capacity(BATCH);
        let (mut lines, mut places, mut marks) = (Vec::new(), Vec::with_capacity(BATCH), Vec::new());
        while entries.blocking_recv_many(&mut batch, BATCH) > 0 {
            self.trouble.begin();
            for entry in batch.drain(..) {
                match entry {
                    Entry::Line(line, place) => {
                        lines.extend_from_slice(&line);
                        places.push(place);
                    }
                    Entry::Mark(mark) => marks.push(mark),
                }
            }
            if !lines.is_empty() {
                self.put(&mut lines, &entries);
            }
            places.clear();
            if entries.is_empty() {
                self.trouble.done();
            }
            for mark in marks.drain(..) {
                // Whoever asked may have gone.
                let _ = mark.send(());
            }
        }
    }

    /// Writes all of `lines`, if need be again and again; gives up only when the issuer ends.
    fn put(&mut self, lines: &mut Vec<u8>, entries: &mpsc::UnboundedReceiver<Entry>) {
        let mut rest = lines.as_slice();
        while let Err(error) = self.attempt(&mut rest) {
            if self.trouble.unwritable.swap(Some(Arc::new(error.to_string()))).is_none() {
                tracing::error!(%error, "the audit trail cannot be written; nobody signs in or gets credentials until it can");
            }
            if entries.is_closed() {
                tracing::error!(lines = %String::from_utf8_lossy(rest), "audit lines lost");
                break;
            }
            thread::sleep(RETRY);
        }
        lines.clear();
        if !entries.is_closed() && self.trouble.unwritable.swap(None).is_some() {
            tracing::info!("the audit trail is written again");
        }
    }

    fn attempt(&mut self, rest: &mut &[u8]) -> io::Result<()> {
        while !rest.is_empty() {
            match self.out.write(rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => *rest = rest.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.out.flush()
    }
}
