//! `vouch credential aws` on a hit, which runs before every command that uses AWS, against starting any process.

use std::process::{Command, Stdio};

use vouch_cli::{agent::protocol::AwsCredentials, env::VOUCH_RUNTIME_DIR};

use crate::{
    BenchError, Row,
    agent::Agent,
    compare::{self, Figure},
    measure::command_cpu,
    process::program,
    report::Target,
};

/// Of every helper.
pub(super) const ARGUMENTS: [&str; 2] = ["--role", "arn:aws:iam::111111111111:role/vouch/VouchAccess"];
const ROUNDS: usize = 15;
const RUNS_PER_ROUND: u32 = 40;

/// CPU time of the helper, over that of `true`.
#[must_use]
pub fn row() -> Row {
    Row {
        name: "credential-aws",
        what: "`vouch credential aws`, hit, CPU / `true`",
        target: Target::AtMost(2.5),
        measure,
    }
}

fn measure() -> Result<Figure, BenchError> {
    let agent = Agent::start()?;
    let mut helper = vouch(&agent)?;
    let mut nothing = Command::new("true");
    let ratio = compare::costs(
        ROUNDS,
        || command_cpu(&mut helper, RUNS_PER_ROUND),
        || command_cpu(&mut nothing, RUNS_PER_ROUND),
    )?;
    ratio.map(Figure::from).ok_or_else(|| BenchError::Missing("`true` took no time that can be measured".to_owned()))
}

/// The helper, which has shown that it gets the credentials.
pub(super) fn vouch(agent: &Agent) -> Result<Command, BenchError> {
    let mut helper = Command::new(program("vouch")?);
    helper.args(["credential", "aws"]).args(ARGUMENTS);
    checked(helper, agent)
}

/// A helper that asks this agent, and prints what `credential_process` has to.
pub(super) fn checked(mut helper: Command, agent: &Agent) -> Result<Command, BenchError> {
    let failed = |reason: String| BenchError::Subject { what: "a credential helper", reason };
    helper.env(VOUCH_RUNTIME_DIR.name, agent.runtime_dir()).stdin(Stdio::null());
    let output = helper.output().map_err(BenchError::failed("starting a credential helper"))?;
    let printed = serde_json::from_slice::<AwsCredentials>(&output.stdout);
    match printed {
        Ok(credentials) if output.status.success() && credentials == *agent.credentials() => Ok(helper),
        _ => Err(failed(String::from_utf8_lossy(&output.stderr).into_owned())),
    }
}
