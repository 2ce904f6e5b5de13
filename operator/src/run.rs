//! Puts the operator together: listeners, election, then the controllers for as long as the lease is held.

use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};

use futures::{FutureExt as _, future::join_all};
use jiff::Timestamp;
use kube::Client;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{oneshot, watch},
};

use crate::{
    api::{self, Instruments, RequestRate},
    apply::{OptionalApis, optional},
    context::{Context, jitter},
    controllers,
    events::Events,
    failure::Retries,
    lease::{BootClock, Campaign, KubeLease, LeaseHeld, Timing, elector::Loss, held},
    log::LogLevel,
    private::{self, ListenError, Shown},
};

/// How long objects in work may take when the program is told to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(15);

/// Whose objects are acted upon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Those of the operator's own namespace.
    Own,
    /// Those of some namespaces.
    Namespaces(Vec<String>),
    /// All.
    Cluster,
}

/// What the operator runs with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whose objects are acted upon.
    pub scope: Scope,
    /// The image that issuers run unless they declare another.
    pub image: String,
    /// How many objects of a kind are worked on at once.
    pub concurrency: u16,
    /// How many requests go to the API server.
    pub rate: RequestRate,
    /// The times of the election.
    pub timing: Timing,
    /// The private listener.
    pub listen: SocketAddr,
    /// Where the log's level can be changed.
    pub admin_listen: SocketAddr,
    /// Name and UID of the pod, when there is one.
    pub pod: Option<(String, String)>,
    /// The operator's own namespace, when it is known.
    pub namespace: Option<String>,
}

/// Why the operator ended, other than because it was told to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No way to the API server.
    #[error("the API server cannot be used")]
    Api(#[from] kube::Error),
    /// No listener.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// No signals.
    #[error("signals cannot be received")]
    Signals(#[from] std::io::Error),
    /// Another replica acts now.
    #[error("stopped, so that only one replica acts")]
    Lost(#[source] Loss),
    /// The task that keeps the lease is gone.
    #[error("the lease is not kept any more")]
    Unkept,
}

/// Runs until the process is told to stop.
///
/// # Errors
/// When it cannot begin, or has lost the lease. The process must end then.
pub async fn run(settings: Settings, level: LogLevel) -> Result<(), RunError> {
    let stop = stop_signal()?;
    let instruments = Instruments::default();
    let config = api::configuration().await?;
    let namespace = settings.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
    // The election has a client of its own: it must not wait behind other requests, and writes before anybody leads.
    let own = api::connect(config.clone(), &instruments, None)?;
    let base = api::connect(config, &instruments, Some(settings.rate))?;
    let identity = identity(settings.pod.as_ref());
    let campaign =
        Campaign::new(identity.clone(), settings.timing, KubeLease::new(own, &namespace), Arc::new(BootClock));
    let shown = Shown { metrics: Arc::clone(&instruments.metrics), standing: campaign.standing() };
    let address = private::serve(settings.listen, private::private(shown)).await?;
    private::serve(settings.admin_listen, private::admin(level)).await?;
    tracing::info!("listening on http://{address}; {identity} takes part in the election in {namespace}");

    let Some((held, keeper)) = campaign.win(base.clone(), stopped(stop.clone())).await else { return Ok(()) };
    let (finished, done) = oneshot::channel::<()>();
    // A task of its own, so that no controller's work delays a renewal.
    let mut keeping = tokio::spawn(keeper.keep(done.map(|_| ())));
    let namespaces = namespaces(&settings.scope, &namespace);
    tokio::select! {
        outcome = &mut keeping => return ended(outcome),
        () = act(base, held, &identity, instruments, &settings, namespaces, stop) => {}
    }
    drop(finished);
    ended(keeping.await)
}

/// Runs every controller until the process is told to stop.
async fn act(
    base: Client,
    held: LeaseHeld,
    identity: &str,
    instruments: Instruments,
    settings: &Settings,
    namespaces: Vec<Option<String>>,
    stop: watch::Receiver<bool>,
) {
    let reader = held::read_only(base);
    let known = watch::Sender::new(optional::discover(&reader, &OptionalApis::default()).await);
    tracing::info!("the cluster serves {:?}", *known.borrow());
    let context = Arc::new(Context {
        reader: reader.clone(),
        events: Events::new(&held, identity),
        held,
        metrics: instruments.metrics,
        outage: instruments.outage,
        apis: known.subscribe(),
        retries: Retries::default(),
        image: settings.image.clone(),
        now: Timestamp::now,
        jitter,
    });
    let following = tokio::spawn(optional::follow(reader, known));
    let running = namespaces.into_iter().map(|namespace| {
        let watched = controllers::Watched { namespace, concurrency: settings.concurrency };
        controllers::run(Arc::clone(&context), watched, stopped(stop.clone()))
    });
    let limit = async {
        stopped(stop.clone()).await;
        tokio::time::sleep(STOP_TIMEOUT).await;
    };
    tokio::select! {
        _ = join_all(running) => {}
        () = limit => tracing::warn!("objects in work were left unfinished; the next leader goes on with them"),
    }
    following.abort();
}

fn ended(outcome: Result<Result<(), Loss>, tokio::task::JoinError>) -> Result<(), RunError> {
    match outcome {
        Ok(Ok(())) => Ok(()),
        Ok(Err(loss)) => Err(RunError::Lost(loss)),
        Err(_) => Err(RunError::Unkept),
    }
}

/// What each watch covers: one namespace, or all (`None`).
fn namespaces(scope: &Scope, own: &str) -> Vec<Option<String>> {
    match scope {
        Scope::Cluster => vec![None],
        Scope::Own => vec![Some(own.to_owned())],
        Scope::Namespaces(names) => names.iter().cloned().map(Some).collect(),
    }
}

/// Belongs to this process alone: two replicas with one identity would both believe that they lead.
fn identity(pod: Option<&(String, String)>) -> String {
    match pod {
        Some((name, uid)) => format!("{name}_{uid}"),
        None => format!("vouch-operator_{:x}_{:x}", std::process::id(), Timestamp::now().as_nanosecond()),
    }
}

fn stop_signal() -> Result<watch::Receiver<bool>, std::io::Error> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
        sender.send_replace(true);
        // Whoever waits for the signal must go on seeing it.
        std::future::pending::<()>().await;
    });
    Ok(receiver)
}

fn stopped(mut stop: watch::Receiver<bool>) -> impl Future<Output = ()> + Send + Sync + 'static {
    let (sender, receiver) = oneshot::channel::<()>();
    tokio::spawn(async move {
        // The sender lives as long as the process.
        let _ = stop.wait_for(|stop| *stop).await;
        drop(sender);
    });
    receiver.map(|_| ())
}
