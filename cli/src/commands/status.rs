//! `vouch status`: who is signed in, until when, and what is at hand.

use std::path::PathBuf;

use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;
use vouch_iam::arn::RoleArn;
use vouch_issuer_api::session::SessionInfo;

use crate::{
    agent::{
        client::Client,
        protocol::{AgentStatus, CachedCredential, EndedSession},
        session::story,
    },
    args::StatusArgs,
    aws_config::{document::Document, file},
    config::Config,
    console::{self, plain},
    env::Variable,
    error::{Category, Failure},
    overrides::{self, Override, Reader},
    paths, table, wording,
};

/// Runs the command. The exit code says whether somebody is signed in.
///
/// # Errors
/// When our own file or the agent cannot be read.
pub fn run(args: &StatusArgs) -> Result<u8, Failure> {
    let config = Config::load()?;
    let agent = Client::connect()?.map(|mut client| super::agent::status(&mut client)).transpose()?;
    // A damaged file of another tool hides its profiles and nothing else.
    let document = file::config_path(&Variable::get).and_then(|path| file::read(&path)).unwrap_or_else(|failure| {
        console::note(&failure.render(false));
        Document::default()
    });
    let place = Place {
        config_file: Config::path()?,
        overrides: overrides::in_effect(Reader::Command, &|name| std::env::var_os(name)),
    };
    let view = View::of(config.as_ref(), agent, &document, place);
    if args.output.json() {
        console::print_json(&view)?;
    } else {
        console::print(&view.rendered(Timestamp::now(), &TimeZone::system()))?;
    }
    Ok(if view.session.is_some() { 0 } else { Category::NotLoggedIn.exit_code() })
}

/// Everything there is to show; also the JSON answer.
#[derive(Debug, Serialize)]
struct View {
    issuer: Option<String>,
    email: Option<String>,
    session: Option<SessionInfo>,
    /// How the last session ended, while there is none.
    ended: Option<EndedSession>,
    agent: Option<AgentView>,
    aws: Vec<ProfileView>,
    #[serde(flatten)]
    place: Place,
}

/// What this command was led by.
#[derive(Debug, Serialize)]
struct Place {
    config_file: PathBuf,
    /// Variables in effect here.
    overrides: Vec<Override>,
}

#[derive(Debug, Serialize)]
struct AgentView {
    version: String,
    pid: u32,
    started_at: Timestamp,
    clock_offset_ms: Option<i64>,
    credentials: Vec<CachedCredential>,
    /// Variables in effect in the agent.
    overrides: Vec<Override>,
}

/// An AWS profile that asks vouch.
#[derive(Debug, Serialize)]
struct ProfileView {
    profile: String,
    role: RoleArn,
    /// The roles assumed, once they were.
    chain: Vec<RoleArn>,
    expires_at: Option<Timestamp>,
}

impl View {
    fn of(config: Option<&Config>, agent: Option<AgentStatus>, document: &Document, place: Place) -> Self {
        let mut view = Self {
            issuer: config.map(|config| config.issuer.to_string()),
            email: config.and_then(|config| config.email.clone()),
            session: None,
            ended: None,
            agent: None,
            aws: Vec::new(),
            place,
        };
        if let Some(agent) = agent {
            view.issuer = agent.issuer.or(view.issuer);
            view.email = agent.session.as_ref().map(|session| session.email.clone()).or(view.email);
            view.session = agent.session;
            view.ended = agent.ended;
            view.agent = Some(AgentView {
                version: agent.version,
                pid: agent.pid,
                started_at: agent.started_at,
                clock_offset_ms: agent.clock_offset_ms,
                credentials: agent.credentials,
                overrides: agent.overrides,
            });
        }
        view.aws = view.profiles(document);
        view
    }

    fn profiles(&self, document: &Document) -> Vec<ProfileView> {
        let cached = self.agent.as_ref().map(|agent| agent.credentials.as_slice()).unwrap_or_default();
        let view = |profile: &crate::aws_config::document::Profile| {
            let request = profile.request.clone()?;
            let found = cached.iter().find(|entry| {
                let held = &entry.request;
                (&held.role, &held.via, held.duration) == (&request.role, &request.via, request.duration)
            });
            Some(ProfileView {
                profile: profile.name.clone(),
                role: request.role,
                chain: found.map(|entry| entry.chain.clone()).unwrap_or_default(),
                expires_at: found.map(|entry| entry.expires_at),
            })
        };
        document.profiles.iter().filter_map(view).collect()
    }

    fn rendered(&self, now: Timestamp, zone: &TimeZone) -> String {
        let mut lines = vec![self.headline(now, zone)];
        if let Some(session) = &self.session {
            let tail = session.key_id.get(session.key_id.len().saturating_sub(4)..).unwrap_or_default();
            let used = wording::moment(session.signed_in_at, now, zone);
            lines.push(format!("key      {} (…{tail}), last used {used}", plain(&session.key_name)));
        }
        if let Some(agent) = &self.agent {
            lines.push(format!("agent    {}", agent.rendered(now, zone)));
        }
        let rows = self.aws.iter().map(|profile| profile.row(now, zone));
        let profiles = table::aligned(rows);
        for (index, line) in profiles.lines().enumerate() {
            lines.push(format!("{}{line}", if index == 0 { "aws      " } else { "         " }));
        }
        lines.push(format!("config   {}", paths::shorten(&Variable::get, &self.place.config_file)));
        for (index, line) in self.variables().into_iter().enumerate() {
            lines.push(format!("{}{line}", if index == 0 { "env      " } else { "         " }));
        }
        lines.join("\n")
    }

    /// The variables in effect, each with whoever reads it where that is not both.
    fn variables(&self) -> Vec<String> {
        let here = &self.place.overrides;
        let there = self.agent.as_ref().map(|agent| agent.overrides.as_slice()).unwrap_or_default();
        let unheard = if self.agent.is_some() { overrides::unheard_by_agent(here, there) } else { Vec::new() };
        let own = here.iter().map(|given| {
            let unheard = if unheard.contains(given) { " (here; the agent runs without it)" } else { "" };
            format!("{}={}{unheard}", plain(&given.name), plain(&given.value))
        });
        let only_there = there.iter().filter(|given| !here.contains(given));
        let others = only_there.map(|given| format!("{}={} (in the agent)", plain(&given.name), plain(&given.value)));
        own.chain(others).collect()
    }

    fn headline(&self, now: Timestamp, zone: &TimeZone) -> String {
        let issuer = self.issuer.as_deref().map(|url| url.trim_start_matches("https://").to_owned());
        let state = match &self.session {
            Some(session) => {
                let left = wording::duration(session.expires_at.as_second() - now.as_second());
                format!("signed in until {} ({left} left)", wording::moment(session.expires_at, now, zone))
            }
            None if issuer.is_none() => {
                "not set up. Run: vouch enroll URL, or with a key that is enrolled already: vouch login URL".to_owned()
            }
            None => match &self.ended {
                Some(ended) => format!("not signed in ({}). Run: vouch login", story(ended, now)),
                None => "not signed in. Run: vouch login".to_owned(),
            },
        };
        [self.email.as_deref().map(plain), issuer, Some(state)].into_iter().flatten().collect::<Vec<_>>().join(" · ")
    }
}

impl AgentView {
    fn rendered(&self, now: Timestamp, zone: &TimeZone) -> String {
        let since = wording::moment(self.started_at, now, zone);
        let count = self.credentials.len();
        let cached = format!("{count} credential{} cached", if count == 1 { "" } else { "s" });
        let next = self.credentials.iter().map(|entry| entry.refresh_at).filter(|at| *at > now).min();
        let next = next.map(|at| format!(", next refresh {}", wording::moment(at, now, zone))).unwrap_or_default();
        let clock = self.clock_offset_ms.and_then(crate::agent::issuer_client::describe_offset);
        let clock = clock.map(|offset| format!("; this machine's clock is {offset}")).unwrap_or_default();
        format!("running since {since}, {cached}{next}{clock}")
    }
}

impl ProfileView {
    fn row(&self, now: Timestamp, zone: &TimeZone) -> [String; 4] {
        let state = match self.expires_at {
            None => "not used yet".to_owned(),
            Some(at) => {
                let until = wording::moment(at, now, zone);
                match self.chain.as_slice() {
                    [hub, _, ..] => format!("fresh until {until}, via hub {}", hub.account()),
                    _ => format!("fresh until {until}"),
                }
            }
        };
        [self.profile.clone(), self.role.account().to_owned(), self.role.name().to_owned(), state]
    }
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
