//! The one thread that writes the trail. Whoever reads it may be slow, or gone: nobody but this thread waits for that, so
//! that requests are answered, and administration commands have the database, however long it takes.
//!
//! Lines are not thrown away here before thousands wait. What cannot be written is tried again until it can, or the
//! issuer ends. The log is told when something begins and when it ends, not of every line: whoever does not read the trail
//! may not read the log either, and writing it waits for that.

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
use tokio::sync::{
    mpsc::{self, Permit, error::TrySendError},
    oneshot,
};

/// Lines that may wait: half a megabyte, and several seconds of the busiest issuer.
pub(super) const QUEUE: usize = 1024;

/// Lines that may wait beside the queue, of what must not wait for room in it.
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
    /// The queue is full of lines.
    #[error("nobody reads the audit trail")]
    Unread,
    /// The queue is full of places, whose holders have not done yet what their lines will tell.
    #[error("too much waits for its place on the audit trail")]
    Crowded,
}

enum Entry {
    /// With its newline.
    Line(Vec<u8>),
    /// Everything before it has been written.
    Mark(oneshot::Sender<()>),
}

/// A place in the queue. The line put there is written, whatever else happens in this process.
pub struct Room<'a>(Permit<'a, Entry>);

impl Room<'_> {
    pub(super) fn take(self, line: Vec<u8>) {
        self.0.send(Entry::Line(line));
    }
}

impl std::fmt::Debug for Room<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Room")
    }
}

/// What keeps lines from being written, and what becomes of those that find no room.
#[derive(Default)]
struct Trouble {
    unwritable: ArcSwapOption<String>,
    /// Rises when the thread begins to write and when it has written everything that was queued: odd while it is behind.
    stint: AtomicU64,
    /// The stint during which somebody waited for room in vain.
    unread: AtomicU64,
    aside: Mutex<Aside>,
}

/// Lines that found no room in the queue.
#[derive(Default)]
struct Aside {
    lines: Vec<Vec<u8>>,
    /// Since the thread was last done.
    lost: u64,
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

    /// Keeps a line for when there is room; `false` when too many wait already.
    fn put_aside(&self, line: Vec<u8>) -> bool {
        let mut aside = self.aside();
        if aside.lines.len() < ASIDE {
            aside.lines.push(line);
            return true;
        }
        aside.lost += 1;
        let is_first = aside.lost == 1;
        drop(aside);
        if is_first {
            tracing::error!("audit lines are being lost: too many wait to be written");
        }
        false
    }

    fn aside(&self) -> std::sync::MutexGuard<'_, Aside> {
        self.aside.lock().unwrap_or_else(PoisonError::into_inner)
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
        let lost = std::mem::take(&mut self.aside().lost);
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
    queue: mpsc::Sender<Entry>,
    trouble: Arc<Trouble>,
    _last_words: LastWords,
}

impl Writer {
    pub(super) fn start(out: Box<dyn Write + Send>) -> Self {
        let (queue, entries) = mpsc::channel(QUEUE);
        let trouble = Arc::<Trouble>::default();
        let (alive, ended) = lifeline();
        let pen = Pen { out, trouble: Arc::clone(&trouble) };
        let thread = thread::Builder::new().name("audit".to_owned()).spawn(move || pen.write(entries, alive));
        if let Err(error) = thread {
            trouble.unwritable.store(Some(Arc::new(error.to_string())));
        }
        Self { queue, trouble, _last_words: LastWords(Mutex::new(ended)) }
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
        if let Ok(permit) = self.queue.try_reserve() {
            return Ok(Room(permit));
        }
        match tokio::time::timeout(PATIENCE, self.queue.reserve()).await {
            Ok(Ok(permit)) => Ok(Room(permit)),
            Ok(Err(_)) => Err(TrailFault::Unread),
            Err(_) => Err(self.trouble.no_room()),
        }
    }

    /// Puts a line there, or aside when there is no room at this moment. Whether it will be written.
    #[must_use]
    pub(super) fn take_at_once(&self, line: Vec<u8>) -> bool {
        match self.queue.try_send(Entry::Line(line)) {
            Ok(()) => true,
            Err(TrySendError::Full(Entry::Line(line))) => self.trouble.put_aside(line),
            Err(_) => false,
        }
    }

    /// Puts a line there, however long that takes.
    pub(super) async fn take(&self, line: Vec<u8>) -> Result<(), TrailFault> {
        self.queue.send(Entry::Line(line)).await.map_err(|_| TrailFault::Unread)
    }

    /// Returns when everything put there before has been written.
    pub(super) async fn written(&self) -> Result<(), TrailFault> {
        let (mark, reached) = oneshot::channel();
        self.queue.send(Entry::Mark(mark)).await.map_err(|_| TrailFault::Unread)?;
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
    trouble: Arc<Trouble>,
}

impl Pen {
    fn write(mut self, mut entries: mpsc::Receiver<Entry>, _alive: Alive<()>) {
        let mut batch = Vec::with_capacity(BATCH);
        let (mut lines, mut marks) = (Vec::new(), Vec::new());
        while entries.blocking_recv_many(&mut batch, BATCH) > 0 {
            self.trouble.begin();
            for entry in batch.drain(..) {
                match entry {
                    Entry::Line(line) => lines.extend_from_slice(&line),
                    Entry::Mark(mark) => marks.push(mark),
                }
            }
            self.put_with_those_aside(&mut lines, &entries);
            if entries.is_empty() {
                self.trouble.done();
            }
            for mark in marks.drain(..) {
                // Whoever asked may have gone.
                let _ = mark.send(());
            }
        }
        self.put_with_those_aside(&mut lines, &entries);
    }

    fn put_with_those_aside(&mut self, lines: &mut Vec<u8>, entries: &mpsc::Receiver<Entry>) {
        let aside = std::mem::take(&mut self.trouble.aside().lines);
        aside.iter().for_each(|line| lines.extend_from_slice(line));
        if !lines.is_empty() {
            self.put(lines, entries);
        }
    }

    /// Writes all of `lines`, if need be again and again; gives up only when the issuer ends.
    fn put(&mut self, lines: &mut Vec<u8>, entries: &mpsc::Receiver<Entry>) {
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
