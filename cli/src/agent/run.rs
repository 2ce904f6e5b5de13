//! The agent's process: one per person, behind a lock, with a socket only its owner can open.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    net::UnixListener,
    signal::unix::{SignalKind, signal},
    sync::Semaphore,
};

use super::{
    client::Client,
    connection,
    handler::{Agent, Settings},
    hardening, log, socket,
};
use crate::{
    clock::SystemClock,
    env::{self, Variable},
    error::{Category, Failure},
    file_failure::{cannot, words},
    network::Trust,
    overrides::{self, Reader},
    paths,
};

/// An agent that was told to stop may still hold the lock for a moment.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);

/// More clients than any build starts at once, fewer than the usual limit of open files.
const MOST_CLIENTS: usize = 512;

/// Runs the agent until it is told to stop. Another agent that runs already is as good.
///
/// # Errors
/// When the process cannot be protected, or the socket cannot be made.
pub fn run(detach: bool) -> Result<(), Failure> {
    hardening::protect_process()?;
    if detach {
        leave_terminal()?;
    }
    let path = paths::agent_socket(&Variable::get)?;
    let folder = paths::runtime_dir(&Variable::get)?;
    hardening::private_folder(&folder)?;
    let Some(_lock) = lock(&folder.join("agent.lock"), &path)? else {
        return Ok(());
    };
    let log_folder = if detach { Some(paths::state_dir(&Variable::get)?) } else { None };
    if let Some(folder) = &log_folder {
        fs::create_dir_all(folder).map_err(|error| cannot("make the folder", folder, &env::VOUCH_STATE_DIR, &error))?;
    }
    log::begin(log_folder.as_deref()).map_err(|error| match &log_folder {
        Some(folder) => cannot("write a log into", folder, &env::VOUCH_STATE_DIR, &error),
        None => failed("cannot write its log", &error),
    })?;
    let settings = Settings {
        trust: Trust::of(&Variable::get),
        sts_endpoint: env::AWS_ENDPOINT_URL_STS.text(),
        overrides: overrides::in_effect(Reader::Agent, &|name| std::env::var_os(name)),
    };
    let agent = Agent::new(settings, Arc::new(SystemClock));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| failed("cannot start its runtime", &error))?;
    let done = runtime.block_on(serve(&path, agent));
    // Before the lock goes: the next agent makes its own.
    let _gone = fs::remove_file(&path);
    done.map_err(|error| failed(&format!("cannot listen at {}", path.display()), &error))
}

fn failed(what: &str, error: &io::Error) -> Failure {
    Failure::new(Category::General, format!("{what}: {}", words(error)))
}

/// A session of its own, so that closing the terminal or Ctrl-C in it does not reach the agent.
fn leave_terminal() -> Result<(), Failure> {
    rustix::process::setsid().map_err(|error| failed("cannot leave the terminal", &error.into()))?;
    std::env::set_current_dir("/").map_err(|error| failed("cannot leave the folder", &error))
}

/// Takes the lock; `None` when another agent runs.
fn lock(path: &Path, socket: &Path) -> Result<Option<fs::File>, Failure> {
    let deadline = Instant::now() + LOCK_TIMEOUT;
    loop {
        let lock = socket::try_lock(path).map_err(|error| cannot("lock", path, &env::VOUCH_RUNTIME_DIR, &error))?;
        if let Some(mut lock) = lock {
            // For people who look why an agent is in the way.
            let _note = lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id()));
            return Ok(Some(lock));
        }
        if Client::connect_to(socket)?.is_some() {
            return Ok(None);
        }
        if Instant::now() > deadline {
            let holder = fs::read_to_string(path).unwrap_or_default();
            let message = format!("process {} holds {} but does not answer", holder.trim(), path.display());
            return Err(Failure::new(Category::General, message).hint(format!("End it: kill {}", holder.trim())));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Listens at `path` and serves until a client or a signal says stop.
///
/// # Errors
/// When the socket cannot be made.
pub async fn serve(path: &Path, agent: Arc<Agent>) -> io::Result<()> {
    hardening::remove_stale_socket(path)?;
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    tracing::info!(pid = std::process::id(), version = env!("CARGO_PKG_VERSION"), "agent listens");
    tokio::select! {
        never = accept(listener, Arc::clone(&agent)) => match never {},
        () = agent.stopped() => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        _ = hang_up.recv() => {}
    }
    tracing::info!("agent ends");
    Ok(())
}

async fn accept(listener: UnixListener, agent: Arc<Agent>) -> std::convert::Infallible {
    let owner = rustix::process::geteuid();
    let seats = Arc::new(Semaphore::new(MOST_CLIENTS));
    loop {
        let seat = Arc::clone(&seats).acquire_owned().await;
        match listener.accept().await {
            Ok((stream, _)) => {
                let agent = Arc::clone(&agent);
                tokio::spawn(async move {
                    connection::serve(stream, agent, owner).await;
                    drop(seat);
                });
            }
            Err(error) => {
                // Out of file descriptors: waiting gives clients time to leave.
                tracing::warn!("cannot accept: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}
