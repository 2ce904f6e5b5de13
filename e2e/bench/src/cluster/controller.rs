//! The control: the least that a controller can be, with the same libraries, the same TLS and as many threads as the
//! operator. It watches issuers and does nothing about them.

use std::{
    convert::Infallible,
    io::{self, BufRead as _, BufReader, Write as _},
    process::Stdio,
    sync::Arc,
};

use futures::StreamExt as _;
use kube::{
    Api, Client,
    runtime::{
        Controller,
        controller::Action,
        watcher::{self},
    },
};
use vouch_crds::issuer::VouchIssuer;

use super::World;
use crate::{
    BenchError,
    process::{Background, program, tied},
};

/// Starts one in a namespace that has an issuer, and returns when it has seen that.
///
/// # Errors
/// When it does not start.
pub fn start(world: &World, namespace: &str) -> Result<Background, BenchError> {
    let (own, theirs) = io::pipe().map_err(BenchError::failed("making a pipe"))?;
    let mut command = tied(program("controller-control")?);
    command.arg(namespace).env("KUBECONFIG", world.kubeconfig()).stdin(Stdio::null()).stdout(theirs);
    let process = Background::start(&mut command)?;
    // Its end of the pipe: a control that fails ends the stream.
    drop(command);
    let mut line = String::new();
    BufReader::new(own).read_line(&mut line).map_err(BenchError::failed("starting the control"))?;
    match line.is_empty() {
        true => Err(BenchError::Subject { what: "the control", reason: "it has ended".to_owned() }),
        false => Ok(process),
    }
}

/// The control itself. It prints a line for every issuer that it has seen.
///
/// # Errors
/// When there is no way to an API server.
pub fn run(namespace: &str) -> io::Result<()> {
    // An error says that it was chosen already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let client = Client::try_default().await.map_err(io::Error::other)?;
        let issuers: Api<VouchIssuer> = Api::namespaced(client, namespace);
        let passes = Controller::new(issuers, watcher::Config::default()).run(
            |_, _| async { Ok::<_, Infallible>(Action::await_change()) },
            |_, _, _| Action::await_change(),
            Arc::new(()),
        );
        passes
            .for_each(|outcome| async move {
                if let Ok((issuer, _)) = outcome {
                    // Nobody may be listening any more.
                    let _ = writeln!(io::stdout(), "{}", issuer.name);
                }
            })
            .await;
        Ok(())
    })
}
