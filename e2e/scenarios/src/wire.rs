//! The wire between the stand-in's proxy and the issuer, at which one can stand and strike.
//!
//! It sees TLS records go by and nothing of what is in them. A blow falls between two records, and nothing else passes
//! meanwhile: what happened before it, and what did not happen any more, is then the same in every run.

use std::{
    io::{self, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

/// Type, version and length (RFC 8446 §5.1).
const RECORD_HEADER: usize = 5;

/// What becomes of the record at which a blow falls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It was on its way already.
    Arrives,
    /// It never left.
    IsLost,
}

/// A relay on this machine. It ends with the process of the test.
#[derive(Debug)]
pub struct Wire {
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    target: SocketAddr,
    passed: usize,
    blow: Option<Blow>,
}

struct Blow {
    after: usize,
    fate: Fate,
    strike: Box<dyn FnOnce() + Send>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("target", &self.target).field("passed", &self.passed).finish_non_exhaustive()
    }
}

impl Wire {
    /// A wire that leads to a server.
    ///
    /// # Panics
    /// When there is no port to listen at.
    #[must_use]
    pub fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Mutex::new(Shared { target, passed: 0, blow: None }));
        let ours = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let target = lock(&ours).target;
                // A server that is down refuses; so does the wire.
                let Ok(server) = TcpStream::connect(target) else { continue };
                let ends = [(&client, &server), (&server, &client)];
                for (from, to) in ends.map(|(from, to)| (from.try_clone().unwrap(), to.try_clone().unwrap())) {
                    let ours = Arc::clone(&ours);
                    thread::spawn(move || carry(&from, &to, &ours));
                }
            }
        });
        Self { address, shared }
    }

    /// Where it begins.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets it lead elsewhere from the next connection on.
    pub fn lead_to(&self, target: SocketAddr) {
        lock(&self.shared).target = target;
    }

    /// How many records have passed, in both directions.
    #[must_use]
    pub fn passed(&self) -> usize {
        lock(&self.shared).passed
    }

    /// Strikes once, at the record that follows `after` others.
    pub fn strike(&self, after: usize, fate: Fate, strike: impl FnOnce() + Send + 'static) {
        lock(&self.shared).blow = Some(Blow { after, fate, strike: Box::new(strike) });
    }

    /// Strikes no more.
    pub fn rest(&self) {
        lock(&self.shared).blow = None;
    }
}

/// Carries records until one end is gone, and closes the other.
fn carry(from: &TcpStream, to: &TcpStream, shared: &Mutex<Shared>) {
    while let Ok(record) = record(from) {
        if lock(shared).pass() == Fate::IsLost || { to }.write_all(&record).is_err() {
            break;
        }
    }
    for end in [from, to] {
        let _ = end.shutdown(Shutdown::Both);
    }
}

fn record(mut from: &TcpStream) -> io::Result<Vec<u8>> {
    let mut record = vec![0; RECORD_HEADER];
    from.read_exact(&mut record)?;
    let length = usize::from(u16::from_be_bytes([record[3], record[4]]));
    record.resize(RECORD_HEADER + length, 0);
    from.read_exact(&mut record[RECORD_HEADER..])?;
    Ok(record)
}

impl Shared {
    fn pass(&mut self) -> Fate {
        let due = self.blow.take_if(|blow| self.passed >= blow.after);
        self.passed += 1;
        due.map_or(Fate::Arrives, |blow| {
            (blow.strike)();
            blow.fate
        })
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
