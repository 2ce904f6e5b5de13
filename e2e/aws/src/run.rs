//! Arguments, start and stop of the program.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::front::authority::{Authority, AuthorityError};
use crate::standin::{Standin, TrustError};
use crate::{control, front};

/// A strict stand-in for AWS behind an HTTP proxy on loopback.
#[derive(Debug, Parser)]
#[command(name = "aws-standin", version)]
pub struct Arguments {
    /// Folder of the certificate authority; created when it does not exist, reused when it does.
    #[arg(long, value_name = "DIR")]
    pub state_dir: PathBuf,
    /// A host that is reached at an address of this machine: tunnelled for clients, resolved for key sets.
    #[arg(long = "route", value_name = "HOST=IP:PORT", value_parser = parse_route)]
    pub routes: Vec<(String, SocketAddr)>,
    /// A PEM file of roots that the stand-in trusts when it reads an issuer's documents; there are no others.
    #[arg(long = "trust-ca", value_name = "FILE")]
    pub trust_ca: Vec<PathBuf>,
    /// End when standard input is closed, so that a test that dies takes its stand-in with it.
    #[arg(long)]
    pub exit_with_stdin: bool,
}

/// Why the program could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The certificate authority could not be created or read.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// A root of `--trust-ca` could not be read.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// No listener, signal handler or answer on standard output.
    #[error("cannot serve on loopback: {0}")]
    Io(#[from] std::io::Error),
}

/// Runs the stand-in until it is told to end.
pub async fn run(arguments: Arguments) -> ExitCode {
    match serve(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "aws-standin: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(arguments: Arguments) -> Result<(), StartError> {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    let authority = Authority::open(&arguments.state_dir)?;
    let ca = authority.path().to_owned();
    let standin = Arc::new(Standin::new(arguments.routes, &arguments.trust_ca)?);
    let proxy = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let controller = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let ready = serde_json::json!({
        "proxy": format!("http://{}", proxy.local_addr()?),
        "control": format!("http://{}", controller.local_addr()?),
        "ca": ca,
    });
    {
        let mut stdout = std::io::stdout().lock();
        writeln!(stdout, "{ready}")?;
        stdout.flush()?;
    }
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        () = front::serve(proxy, Arc::clone(&standin), authority) => {}
        () = control::serve(controller, standin) => {}
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
        () = stdin_closed(), if arguments.exit_with_stdin => {}
    }
    Ok(())
}

/// Waits for the end of standard input on a thread of its own, which the end of the program does not wait for.
async fn stdin_closed() {
    let (closed, wait) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        let _ = closed.send(());
    });
    let _ = wait.await;
}

fn parse_route(text: &str) -> Result<(String, SocketAddr), String> {
    let (host, address) = text.split_once('=').ok_or_else(|| format!("'{text}' is not HOST=IP:PORT"))?;
    let address = address.parse().map_err(|error| format!("'{address}' is not IP:PORT: {error}"))?;
    Ok((host.to_ascii_lowercase(), address))
}
