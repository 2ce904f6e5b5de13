//! Looking at people, and stopping them.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;
use vouch_iam::identity::EmailAddress;

use super::{AdminError, FrontEnd, Office, moment};
use crate::{
    audit::{Action, Event},
    store::{
        Damaged, Everybody,
        record::{EnrolledKey, UserRecord},
    },
};

/// A person, for an administrator.
#[derive(Debug, Serialize)]
pub struct UserInfo {
    /// Opaque and stable.
    pub id: Uuid,
    /// The address.
    pub email: EmailAddress,
    /// Sorted.
    pub groups: Vec<String>,
    /// No login, no session, no credential.
    pub disabled: bool,
    /// Whether groups and `disabled` come from the manifest; absent while that cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub declared: Option<bool>,
    /// When the record was made.
    pub created_at: Timestamp,
    /// Sessions begun before this moment are over.
    pub sessions_valid_from: Timestamp,
    /// In the order of enrollment.
    pub keys: Vec<UserKey>,
    /// Until when the person can redeem the last invite; absent when there is none to redeem.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invited_until: Option<Timestamp>,
    /// How a disabled person is enabled again.
    #[serde(skip)]
    enabling: String,
    #[serde(skip)]
    now: Timestamp,
}

/// A person's key, for an administrator.
#[derive(Debug, Serialize)]
pub struct UserKey {
    /// What `remove-key` takes.
    pub id: String,
    /// What the person calls it.
    pub name: String,
    /// The model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aaguid: Option<Uuid>,
    /// Whether its maker is proven.
    pub attested: bool,
    /// When it was enrolled.
    pub created_at: Timestamp,
    /// The last assertion.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Timestamp>,
}

impl UserKey {
    fn of(key: &EnrolledKey) -> Self {
        Self {
            id: key.id.clone(),
            name: key.name.clone(),
            aaguid: key.aaguid,
            attested: key.attested,
            created_at: key.created_at,
            last_used_at: key.last_used_at,
        }
    }
}

impl UserInfo {
    fn of(user: &UserRecord, declared: Option<bool>, front_end: &FrontEnd, now: Timestamp) -> Self {
        let enabling = if declared == Some(true) {
            format!("set spec.disabled of the VouchUser to false{}", front_end.then_reload())
        } else {
            front_end.command(format_args!("enable {}", user.email))
        };
        let open = user.invite.as_ref().filter(|invite| invite.used_at.is_none() && invite.expires_at > now);
        Self {
            id: user.id.0,
            email: user.email.clone(),
            groups: user.groups.clone(),
            disabled: user.disabled,
            declared,
            created_at: user.created_at,
            sessions_valid_from: user.sessions_valid_from,
            keys: user.keys.iter().map(UserKey::of).collect(),
            invited_until: open.map(|invite| invite.expires_at),
            enabling,
            now,
        }
    }

    fn state(&self) -> String {
        match (self.disabled, self.keys.len(), self.invited_until) {
            (true, ..) => "disabled".to_owned(),
            (_, 0, Some(until)) => format!("invited until {}", moment(until, self.now)),
            (_, 0, None) => "never enrolled".to_owned(),
            (_, 1, _) => "1 key".to_owned(),
            (_, keys, _) => format!("{keys} keys"),
        }
    }

    fn last_used_at(&self) -> Option<Timestamp> {
        self.keys.iter().filter_map(|key| key.last_used_at).max()
    }
}

impl fmt::Display for UserInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |at: Timestamp| moment(at, self.now);
        let never = || "never".to_owned();
        writeln!(f, "{} · {}", self.email, self.state())?;
        if self.disabled {
            writeln!(f, "disabled no login, no session, no credential; to allow them again: {}", self.enabling)?;
        }
        let source = if self.declared == Some(true) { " (declared by a VouchUser)" } else { "" };
        let groups = if self.groups.is_empty() { "none".to_owned() } else { self.groups.join(", ") };
        writeln!(f, "groups   {groups}{source}")?;
        writeln!(
            f,
            "since    {}, sessions begun before {} are over",
            at(self.created_at),
            at(self.sessions_valid_from)
        )?;
        for key in &self.keys {
            let proof = if key.attested { "attested" } else { "not attested" };
            let used = key.last_used_at.map_or_else(never, at);
            writeln!(
                f,
                "key      {}  {} ({proof}, enrolled {}, last used {used})",
                key.id,
                key.name,
                at(key.created_at)
            )?;
        }
        if let Some(until) = self.invited_until {
            let enabled = if self.disabled { ", once the person may sign in again" } else { "" };
            writeln!(f, "invite   can be redeemed until {}{enabled}", at(until))?;
        }
        Ok(())
    }
}

/// Everybody.
#[derive(Debug, Serialize)]
pub struct UserTable {
    /// By e-mail.
    pub users: Vec<UserInfo>,
    /// Records that nobody can read. Whom they are about cannot sign in.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub damaged: Vec<Damaged>,
    #[serde(skip)]
    front_end: FrontEnd,
}

impl fmt::Display for UserTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.users.is_empty() && self.damaged.is_empty() {
            return writeln!(f, "Nobody yet. Invite somebody: {}", self.front_end.command("invite EMAIL"));
        }
        let width = |of: fn(&UserInfo) -> usize| self.users.iter().map(of).max().unwrap_or_default();
        let email = width(|user| user.email.as_str().len()).max(5);
        let state = width(|user| user.state().chars().count()).max(5);
        writeln!(f, "{:email$}  {:state$}  {:16}  GROUPS", "EMAIL", "STATE", "LAST USED")?;
        for user in &self.users {
            let used = user.last_used_at().map_or_else(|| "-".to_owned(), |at| moment(at, user.now));
            let line = format!(
                "{:email$}  {:state$}  {used:16}  {}",
                user.email.as_str(),
                user.state(),
                user.groups.join(",")
            );
            writeln!(f, "{}", line.trim_end())?;
        }
        self.damaged.iter().try_for_each(|Damaged { what, reason }| writeln!(f, "! {what} cannot be read: {reason}"))
    }
}

/// What was done to a person.
#[derive(Debug, Serialize)]
pub struct Done {
    /// Whose.
    pub email: EmailAddress,
    /// Whether anything was different before.
    pub changed: bool,
    /// What may undo it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    #[serde(skip)]
    sentence: String,
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.sentence)?;
        self.warning.iter().try_for_each(|warning| writeln!(f, "{warning}"))
    }
}

impl Office {
    /// Everybody.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn users(&self) -> Result<UserTable, AdminError> {
        let now = self.now();
        let Everybody { people, damaged } = self.records.users().await?;
        let info = |user: &UserRecord| UserInfo::of(user, self.is_declared(&user.email), &self.front_end, now);
        let users = people.iter().map(|stored| info(&stored.user)).collect();
        Ok(UserTable { users, damaged, front_end: self.front_end.clone() })
    }

    /// One person.
    ///
    /// # Errors
    /// When nobody has the address.
    pub async fn show(&self, email: &EmailAddress) -> Result<UserInfo, AdminError> {
        let stored = self.user(email).await?;
        Ok(UserInfo::of(&stored.user, self.is_declared(email), &self.front_end, self.now()))
    }

    /// Ends every session of a person and allows no new one.
    ///
    /// # Errors
    /// When nobody has the address, or the manifest declares the person enabled.
    pub async fn disable(&self, email: &EmailAddress) -> Result<Done, AdminError> {
        let sentence = format!(
            "{email} is disabled: no login, no session, no credential. AWS sessions that exist end by themselves."
        );
        self.set_disabled(email, true, sentence).await
    }

    /// Lets a person sign in again, with the keys enrolled before.
    ///
    /// # Errors
    /// When nobody has the address, or the manifest declares the person disabled.
    pub async fn enable(&self, email: &EmailAddress) -> Result<Done, AdminError> {
        self.set_disabled(email, false, format!("{email} may sign in again, with the same keys as before.")).await
    }

    async fn set_disabled(&self, email: &EmailAddress, disabled: bool, sentence: String) -> Result<Done, AdminError> {
        if self.declared(email).is_some_and(|declared| declared.disabled != disabled) {
            return Err(AdminError::Declared { email: email.clone(), what: "whether somebody is disabled, here" });
        }
        let now = self.now();
        // Read before, and not in the change: in a cluster that is two writes, and where the second one meets a conflict the
        // next try finds what the first one has declared.
        let changed = self.user(email).await?.user.disabled != disabled;
        let (user, ()) = self
            .change(email, |user| {
                // Also when somebody is disabled already: what disabled them may have been cut off before it ended the
                // sessions, which would live again once the person is enabled.
                if disabled {
                    user.end_sessions(now);
                }
                let action = if disabled { Action::Disabled } else { Action::Enabled };
                let told = user.disabled != disabled;
                user.disabled = disabled;
                Ok(((), told.then(|| about(user, action, None))))
            })
            .await?;
        let warning = self.declared.is_none().then(|| {
            format!(
                "The manifest cannot be read. If it declares {email}, set spec.disabled to {disabled} there before it is \
                 mended: it has the last word."
            )
        });
        Ok(Done { email: user.email, changed, warning, sentence })
    }

    /// Takes a key away from a person; sessions begun with it are over.
    ///
    /// # Errors
    /// When the person has no such key, or it is the last one and `allow_last` is false.
    pub async fn remove_key(&self, email: &EmailAddress, id: &str, allow_last: bool) -> Result<Done, AdminError> {
        let (user, name) = self
            .change(email, |user| {
                let known = user.keys.iter().position(|key| key.id == id);
                let Some(position) = known else {
                    let (email, id) = (user.email.clone(), id.to_owned());
                    return Err(AdminError::UnknownKey { email, id, front_end: self.front_end.clone() });
                };
                if user.keys.len() == 1 && !allow_last {
                    return Err(AdminError::LastKey { email: user.email.clone(), id: id.to_owned() });
                }
                Ok((user.keys.remove(position).name, Some(about(user, Action::KeyRemoved, Some(id)))))
            })
            .await?;
        let rest = match user.keys.len() {
            0 => format!("No key is left; invite again: {}", self.front_end.command(format_args!("invite {email}"))),
            1 => "1 key is left.".to_owned(),
            keys => format!("{keys} keys are left."),
        };
        Ok(Done {
            email: user.email,
            changed: true,
            warning: None,
            sentence: format!("Key {id} ({name}) of {email} is removed. {rest}"),
        })
    }

    /// Ends every session of a person, who may sign in again at once.
    ///
    /// # Errors
    /// When nobody has the address.
    pub async fn logout(&self, email: &EmailAddress) -> Result<Done, AdminError> {
        let now = self.now();
        let (user, ()) = self
            .change(email, |user| {
                user.end_sessions(now);
                Ok(((), Some(about(user, Action::LoggedOutEverywhere, None))))
            })
            .await?;
        let sentence = format!("Every session of {email} is over. AWS sessions that exist end by themselves.");
        Ok(Done { email: user.email, changed: true, warning: None, sentence })
    }
}

/// The audit line of a change of a record.
pub(super) fn about(user: &UserRecord, action: Action, key_id: Option<&str>) -> Event {
    Event {
        user_id: Some(user.id),
        email: Some(user.email.clone()),
        key_id: key_id.map(str::to_owned),
        detail: Some("by an administrator".to_owned()),
        ..Event::new(action)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::admin::invite::new_user;

    #[test]
    fn whoever_looks_at_a_disabled_person_reads_what_that_means_and_how_to_end_it() {
        let now = Timestamp::UNIX_EPOCH;
        let mut user = new_user("alice@example.com".parse().unwrap(), now);
        let front_end = FrontEnd::vouch_issuer().with("-f", "issuer.yaml");
        let text = |user: &UserRecord, declared| UserInfo::of(user, Some(declared), &front_end, now).to_string();
        assert!(!text(&user, false).contains("disabled"));
        user.disabled = true;
        let (line, rest) = ("disabled no login, no session, no credential; to allow them again: ", "\ngroups ");
        let own = text(&user, false);
        assert!(own.contains(&format!("{line}vouch-issuer enable alice@example.com -f issuer.yaml{rest}")), "{own}");
        let declared = text(&user, true);
        let by_manifest = "set spec.disabled of the VouchUser to false in the manifest and reload the issuer (SIGHUP)";
        assert!(declared.contains(&format!("{line}{by_manifest}{rest}")), "{declared}");
    }

    #[test]
    fn a_record_that_cannot_be_read_is_listed_after_everybody_else_with_the_reason() {
        let (what, reason) = ("bob@example.com (VouchUser bob)".to_owned(), "status.id is that of VouchUser alice");
        let damaged = vec![Damaged { what, reason: reason.to_owned() }];
        let text = UserTable { users: Vec::new(), damaged, front_end: FrontEnd::kubectl_vouch() }.to_string();
        let line = "! bob@example.com (VouchUser bob) cannot be read: status.id is that of VouchUser alice\n";
        assert!(text.starts_with("EMAIL") && text.ends_with(line), "{text}");
    }
}
