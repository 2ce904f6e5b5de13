//! The log: on standard error, with a level that can be changed while the program runs.

use std::sync::Arc;

use tracing::{Level, Metadata};
use tracing_subscriber::{
    EnvFilter, Registry,
    filter::filter_fn,
    layer::SubscriberExt as _,
    reload::{self, Handle},
    util::SubscriberInitExt as _,
};

/// How the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

/// The level of the log, now.
#[derive(Clone)]
pub struct LogLevel(Arc<Handle<EnvFilter, Registry>>);

/// No level.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is neither a level nor directives such as warn,vouch_operator=debug")]
pub struct LogLevelError(String);

/// Checks a level or directives.
///
/// # Errors
/// When it is neither.
pub fn filter(text: &str) -> Result<EnvFilter, LogLevelError> {
    EnvFilter::try_new(text).ok().filter(|_| !text.is_empty()).ok_or_else(|| LogLevelError(text.to_owned()))
}

/// Begins to log. Only the first call in a process has an effect.
#[must_use]
pub fn start(filter: EnvFilter, format: LogFormat) -> LogLevel {
    let (filter, handle) = reload::Layer::new(filter);
    let registry = tracing_subscriber::registry().with(filter).with(filter_fn(is_told_once));
    let writer = std::io::stderr;
    let started = match format {
        LogFormat::Text => registry.with(tracing_subscriber::fmt::layer().with_writer(writer)).try_init(),
        LogFormat::Json => registry.with(tracing_subscriber::fmt::layer().json().with_writer(writer)).try_init(),
    };
    drop(started);
    LogLevel(Arc::new(handle))
}

impl LogLevel {
    /// As it would be typed.
    #[must_use]
    pub fn show(&self) -> String {
        self.0.with_current(ToString::to_string).unwrap_or_default()
    }

    /// Changes it.
    ///
    /// # Errors
    /// When the text is no level. Nothing changes then.
    pub fn set(&self, text: &str) -> Result<(), LogLevelError> {
        self.0.reload(filter(text)?).map_err(|_| LogLevelError(text.to_owned()))?;
        tracing::info!("the log's level is {text} now");
        Ok(())
    }
}

/// The client tells of every request that fails, and quotes answers that it cannot read, Secrets included. Whoever has made
/// the request tells of it in better words.
fn is_told_once(line: &Metadata<'_>) -> bool {
    *line.level() > Level::WARN || !matches!(line.target(), "kube_client::client" | "kube_client::client::builder")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn the_level_of_the_log_changes_while_the_program_runs() {
        let level = start(filter("warn").unwrap(), LogFormat::Text);
        level.set("error").unwrap();
        assert_eq!(level.show(), "error");
        assert!(level.set("").is_err() && level.set("=!").is_err());
        assert_eq!(level.show(), "error");
    }
}
