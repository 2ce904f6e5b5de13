//! The client's end of the agent's socket: blocking, bounded in time and size, and only ever to our own agent.

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    os::unix::net::UnixStream,
    path::Path,
    time::{Duration, Instant},
};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, sockopt};

use super::protocol::MAX_LINE;

/// Most answers fit; a longer one grows the buffer.
const USUAL_LINE: usize = 8 * 1024;

/// Connects to the agent; `None` when none listens.
///
/// # Errors
/// [`io::ErrorKind::PermissionDenied`] when another user listens there, and what the system says otherwise.
pub fn connect(path: &Path, deadline: Instant) -> io::Result<Option<UnixStream>> {
    connect_to(path, rustix::process::geteuid(), deadline)
}

/// The same, to the agent of `owner`.
fn connect_to(path: &Path, owner: rustix::process::Uid, deadline: Instant) -> io::Result<Option<UnixStream>> {
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    // Bounds the connect too: an agent that was stopped leaves it waiting once its backlog is full (unix(7)).
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Send, Some(left(deadline)?))?;
    match rustix::net::connect(&socket, &SocketAddrUnix::new(path)?) {
        Ok(()) => {}
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::CONNREFUSED | rustix::io::Errno::NOTDIR) => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    let stream = UnixStream::from(socket);
    check_peer(&stream, owner)?;
    Ok(Some(stream))
}

/// Refuses a listener that runs as another user.
fn check_peer(stream: &UnixStream, own: rustix::process::Uid) -> io::Result<()> {
    let peer = sockopt::socket_peercred(stream)?.uid;
    if peer == own {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::PermissionDenied, format!("it belongs to user {}", peer.as_raw())))
}

/// Sends one line and reads one line; neither includes its newline.
///
/// # Errors
/// [`io::ErrorKind::TimedOut`] at the deadline, [`io::ErrorKind::UnexpectedEof`] when the agent goes away,
/// [`io::ErrorKind::InvalidData`] when the answer is no single line of at most [`MAX_LINE`] bytes.
pub fn exchange(stream: &UnixStream, mut line: Vec<u8>, deadline: Instant) -> io::Result<Vec<u8>> {
    line.push(b'\n');
    stream.set_write_timeout(Some(left(deadline)?))?;
    (&*stream).write_all(&line).map_err(timed_out)?;
    let mut answer = Vec::with_capacity(USUAL_LINE);
    loop {
        stream.set_read_timeout(Some(left(deadline)?))?;
        let before = answer.len();
        read_some(stream, &mut answer)?;
        if answer.len() == before {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if answer.last() == Some(&b'\n') {
            answer.pop();
            return Ok(answer);
        }
        if answer.len() > MAX_LINE {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the answer is too long"));
        }
    }
}

/// One read into the spare room of `buffer`, which grows when it is full.
fn read_some(mut stream: &UnixStream, buffer: &mut Vec<u8>) -> io::Result<()> {
    let start = buffer.len();
    let end = if start < USUAL_LINE { USUAL_LINE } else { start * 2 };
    buffer.resize(end, 0);
    let read = loop {
        match stream.read(buffer.get_mut(start..).unwrap_or_default()) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => break other.map_err(timed_out),
        }
    };
    buffer.truncate(start + read.as_ref().copied().unwrap_or(0));
    read.map(drop)
}

/// Unix reports an elapsed socket timeout as `EAGAIN`.
fn timed_out(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::WouldBlock { io::ErrorKind::TimedOut.into() } else { error }
}

/// The time until `deadline`; a timeout of zero would mean none.
fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// Takes the agent's lock without waiting; `None` when another agent holds it.
///
/// # Errors
/// When the lock file cannot be opened or locked.
pub fn try_lock(path: &Path) -> io::Result<Option<File>> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let file = File::options().create(true).truncate(false).write(true).mode(0o600).open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(std::fs::TryLockError::WouldBlock) => Ok(None),
        Err(std::fs::TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::{io::BufRead as _, os::unix::net::UnixListener, thread};

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    #[test]
    fn no_socket_and_a_stale_socket_both_mean_no_agent() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.sock");
        assert!(connect(&path, soon()).unwrap().is_none());
        drop(UnixListener::bind(&path).unwrap());
        assert!(connect(&path, soon()).unwrap().is_none());
    }

    #[test]
    fn a_listener_of_another_user_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.sock");
        let _listener = UnixListener::bind(&path).unwrap();
        let own = rustix::process::geteuid();
        assert!(connect_to(&path, own, soon()).unwrap().is_some());
        let other = rustix::process::Uid::from_raw(own.as_raw() + 1);
        assert_eq!(connect_to(&path, other, soon()).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    }

    #[test]
    fn an_agent_that_never_answers_is_given_up_at_the_deadline() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let error = exchange(&ours, b"{}".to_vec(), Instant::now() + Duration::from_millis(50)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn a_line_longer_than_the_buffer_arrives_whole() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let sent = vec![b'x'; 3 * USUAL_LINE + 7];
        let expected = sent.clone();
        let agent = thread::spawn(move || {
            let mut request = String::new();
            io::BufReader::new(&theirs).read_line(&mut request).unwrap();
            (&theirs).write_all(&sent).unwrap();
            (&theirs).write_all(b"\n").unwrap();
            request
        });
        assert_eq!(exchange(&ours, b"ask".to_vec(), soon()).unwrap(), expected);
        assert_eq!(agent.join().unwrap(), "ask\n");
    }

    #[test]
    fn an_agent_that_dies_or_floods_is_an_error() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        drop(theirs);
        let error = exchange(&ours, b"ask".to_vec(), soon()).unwrap_err();
        assert!(matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe), "{error}");
        let (ours, theirs) = UnixStream::pair().unwrap();
        let flood = thread::spawn(move || while (&theirs).write_all(&[b'x'; 65_536]).is_ok() {});
        assert_eq!(exchange(&ours, b"ask".to_vec(), soon()).unwrap_err().kind(), io::ErrorKind::InvalidData);
        drop(ours);
        flood.join().unwrap();
    }

    #[test]
    fn the_lock_is_held_by_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.lock");
        let first = try_lock(&path).unwrap();
        assert!(first.is_some());
        assert!(try_lock(&path).unwrap().is_none());
        drop(first);
        assert!(try_lock(&path).unwrap().is_some());
    }
}
