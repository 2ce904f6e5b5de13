//! The one thread that writes the trail. Whoever reads it may be slow, or gone: nobody but this thread waits for that, so
//! that requests are answered, and administration commands have the database, however long it takes.
//!
//! Lines are never thrown away here. What cannot be written is tried again until it can, or the issuer ends.

use std::{
    io::{self, ErrorKind, Write},
    sync::{
        Arc, Mutex, PoisonError,
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
const QUEUE: usize = 1024;

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
    /// The queue is full.
    #[error("nobody reads the audit trail")]
    Unread,
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

/// The queue in front of the thread. Dropped before `last_words`, which waits for the thread to empty it.
pub(super) struct Writer {
    queue: mpsc::Sender<Entry>,
    unwritable: Arc<ArcSwapOption<String>>,
    _last_words: LastWords,
}

impl Writer {
    pub(super) fn start(out: Box<dyn Write + Send>) -> Self {
        let (queue, entries) = mpsc::channel(QUEUE);
        let unwritable = Arc::<ArcSwapOption<String>>::default();
        let (alive, ended) = lifeline();
        let pen = Pen { out, unwritable: Arc::clone(&unwritable) };
        let thread = thread::Builder::new().name("audit".to_owned()).spawn(move || pen.write(entries, alive));
        if let Err(error) = thread {
            unwritable.store(Some(Arc::new(error.to_string())));
        }
        Self { queue, unwritable, _last_words: LastWords(Mutex::new(ended)) }
    }

    /// Why a line would not be written now.
    pub(super) fn fault(&self) -> Option<TrailFault> {
        let unwritable = self.unwritable.load();
        match unwritable.as_deref() {
            Some(error) => Some(TrailFault::Unwritable(error.clone())),
            None => (self.queue.capacity() == 0).then_some(TrailFault::Unread),
        }
    }

    /// A place for a line. None while the last try to write failed, and none after [`PATIENCE`] without one.
    pub(super) async fn room(&self) -> Result<Room<'_>, TrailFault> {
        if let Some(error) = self.unwritable.load().as_deref() {
            return Err(TrailFault::Unwritable(error.clone()));
        }
        if let Ok(permit) = self.queue.try_reserve() {
            return Ok(Room(permit));
        }
        match tokio::time::timeout(PATIENCE, self.queue.reserve()).await {
            Ok(Ok(permit)) => Ok(Room(permit)),
            Ok(Err(_)) | Err(_) => Err(TrailFault::Unread),
        }
    }

    /// Puts a line there if there is room at this moment.
    pub(super) fn try_take(&self, line: Vec<u8>) -> Result<(), TrailFault> {
        self.queue.try_send(Entry::Line(line)).map_err(|refused| match refused {
            TrySendError::Full(_) | TrySendError::Closed(_) => self.fault().unwrap_or(TrailFault::Unread),
        })
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
    unwritable: Arc<ArcSwapOption<String>>,
}

impl Pen {
    fn write(mut self, mut entries: mpsc::Receiver<Entry>, _alive: Alive<()>) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut lines = Vec::new();
        while entries.blocking_recv_many(&mut batch, BATCH) > 0 {
            for entry in batch.drain(..) {
                match entry {
                    Entry::Line(line) => lines.extend_from_slice(&line),
                    Entry::Mark(mark) => {
                        self.put(&mut lines, &entries);
                        // Whoever asked may have gone.
                        let _ = mark.send(());
                    }
                }
            }
            self.put(&mut lines, &entries);
        }
    }

    /// Writes all of `lines`, if need be again and again; gives up only when the issuer ends.
    fn put(&mut self, lines: &mut Vec<u8>, entries: &mpsc::Receiver<Entry>) {
        let mut rest = lines.as_slice();
        while let Err(error) = self.attempt(&mut rest) {
            if self.unwritable.swap(Some(Arc::new(error.to_string()))).is_none() {
                tracing::error!(%error, "the audit trail cannot be written; nobody signs in or gets credentials until it can");
            }
            if entries.is_closed() {
                tracing::error!(lines = %String::from_utf8_lossy(rest), "audit lines lost");
                break;
            }
            thread::sleep(RETRY);
        }
        lines.clear();
        if !entries.is_closed() && self.unwritable.swap(None).is_some() {
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
