//! Starting the agent: the same program, detached from the terminal, ready before anybody goes on.

use std::{
    io::Read as _,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::client::Client;
use crate::error::{Category, Failure};

/// Loading the program from a slow disk included.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// Starts an agent and waits until one answers at `socket`, be it this one or another that was faster.
///
/// # Errors
/// When it ends at once, with its reason, or does not answer in time.
pub fn start(socket: &Path) -> Result<(), Failure> {
    let failed_as = |category: Category, why: &dyn std::fmt::Display| {
        Failure::new(category, format!("cannot start the agent: {why}"))
    };
    let failed = |why: &dyn std::fmt::Display| failed_as(Category::General, why);
    let program = std::env::current_exe().map_err(|error| failed(&error))?;
    let mut child = Command::new(program)
        .args(["agent", "run", "--detach"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| failed(&error))?;
    let deadline = Instant::now() + START_TIMEOUT;
    let mut pause = Duration::from_millis(1);
    while Instant::now() < deadline {
        if Client::connect_to(socket)?.is_some() {
            return Ok(());
        }
        if let Ok(Some(status)) = child.try_wait()
            && !status.success()
        {
            let is_configuration = status.code() == Some(Category::Configuration.exit_code().into());
            let category = if is_configuration { Category::Configuration } else { Category::General };
            return Err(failed_as(category, &last_words(&mut child)));
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
    Err(failed(&"it does not answer").hint("See what it says: vouch agent run"))
}

/// What the agent wrote before it ended.
fn last_words(child: &mut Child) -> String {
    let mut words = String::new();
    if let Some(stderr) = child.stderr.as_mut() {
        let _partial = stderr.take(4096).read_to_string(&mut words);
    }
    let words = words.trim().trim_start_matches("vouch: ");
    if words.is_empty() { "it ended without a word".to_owned() } else { words.to_owned() }
}
