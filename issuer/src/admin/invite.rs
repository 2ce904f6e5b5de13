//! Inviting a person: the one way to a first key.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;
use vouch_crds::duration::Duration;
use vouch_iam::identity::EmailAddress;

use super::{AdminError, Office, moment, users::about};
use crate::{
    audit::Action,
    config::Config,
    identity::{invite::InviteCode, secrets::Secrets},
    store::{
        StoreError,
        record::{Invite, UserId, UserRecord},
    },
};

/// What bounds an invite's life; as in the schema of `spec.enrollment.inviteLifetime`.
const LIFETIME_SECONDS: std::ops::RangeInclusive<u64> = 5 * 60..=30 * 24 * 3600;

/// Whom to invite.
#[derive(Debug, Clone)]
pub struct Invitation {
    /// The person.
    pub email: EmailAddress,
    /// Groups to put the person into; empty leaves the groups as they are.
    pub groups: Vec<String>,
    /// How long the code works; the manifest's default when absent.
    pub expires: Option<Duration>,
}

/// An invite, to hand over. The code is shown here and nowhere else.
#[derive(Debug, Serialize)]
pub struct Invited {
    /// The person.
    pub email: EmailAddress,
    /// The groups the person is in.
    pub groups: Vec<String>,
    /// From this moment on the code is worthless.
    pub expires_at: Timestamp,
    /// What the person types. The code is not in it: other users of a machine can see what is.
    pub command: String,
    /// What the person types when the command asks for it.
    pub code: String,
    /// Keys the person has already.
    pub enrolled_keys: usize,
    /// Whether an earlier invite, never redeemed, has become worthless.
    pub replaced: bool,
    #[serde(skip)]
    now: Timestamp,
}

impl fmt::Display for Invited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} can enroll until {} with:", self.email, moment(self.expires_at, self.now))?;
        writeln!(f, "  {}", self.command)?;
        writeln!(f, "and, when it asks for the invite code:")?;
        writeln!(f, "  {}", self.code)?;
        if self.replaced {
            writeln!(f, "The earlier invite no longer works.")?;
        }
        match self.enrolled_keys {
            0 => Ok(()),
            1 => writeln!(f, "{} has a key already; the invite adds another one.", self.email),
            keys => writeln!(f, "{} has {keys} keys already; the invite adds another one.", self.email),
        }
    }
}

/// An [`Office`] that invites: only this needs what the issuer declares, and the secret with which codes are hashed.
#[derive(Debug)]
pub struct InviteOffice {
    office: Office,
    config: Config,
    secrets: Secrets,
}

impl InviteOffice {
    /// On the records of `office`. `secrets` are the issuer's; whatever was hashed with others would be worthless.
    #[must_use]
    pub const fn new(office: Office, config: Config, secrets: Secrets) -> Self {
        Self { office, config, secrets }
    }

    /// Makes a one-time invite. An earlier one, redeemed or not, is replaced.
    ///
    /// # Errors
    /// When the person may not be invited, or the store fails; no code works then.
    pub async fn invite(&self, invitation: &Invitation) -> Result<Invited, AdminError> {
        let now = self.office.now();
        if !self.config.enrollment.invites {
            return Err(AdminError::InvitesOff(self.office.front_end.clone()));
        }
        self.member(&invitation.email)?;
        let groups = self.invited_groups(invitation)?;
        let expires_at = now.checked_add(self.invite_lifetime(invitation)?).unwrap_or(Timestamp::MAX);
        let code = InviteCode::generate().map_err(|_| AdminError::Random)?;
        let invite = Invite { hash: code.hash(&self.secrets), expires_at, used_at: None };
        self.ensure(&invitation.email, now).await?;
        let (user, replaced) = self
            .office
            .change(&invitation.email, |user| {
                if user.disabled {
                    let front_end = self.office.front_end.clone();
                    return Err(AdminError::Disabled { email: user.email.clone(), front_end });
                }
                if let Some(groups) = &groups {
                    user.groups.clone_from(groups);
                }
                let earlier = user.invite.replace(invite.clone());
                let replaced = earlier.is_some_and(|earlier| earlier.used_at.is_none() && earlier.expires_at > now);
                Ok((replaced, Some(about(user, Action::Invited, None))))
            })
            .await?;
        let code = code.reveal().to_string();
        let command = format!("vouch enroll {}", self.config.url);
        let enrolled_keys = user.keys.len();
        Ok(Invited { email: user.email, groups: user.groups, expires_at, command, code, enrolled_keys, replaced, now })
    }

    /// The address, when it belongs to the organisation.
    fn member(&self, email: &EmailAddress) -> Result<(), AdminError> {
        let organization = &self.config.organization;
        if organization.contains(email) {
            return Ok(());
        }
        Err(AdminError::ForeignDomain {
            email: email.clone(),
            organization: organization.name.clone(),
            domains: organization.email_domains.iter().map(ToString::to_string).collect(),
        })
    }

    /// The groups to set, sorted; `None` leaves them as they are.
    fn invited_groups(&self, invitation: &Invitation) -> Result<Option<Vec<String>>, AdminError> {
        if invitation.groups.is_empty() {
            return Ok(None);
        }
        if self.office.declared(&invitation.email).is_some() {
            return Err(AdminError::Declared { email: invitation.email.clone(), what: "the groups" });
        }
        let mut groups = invitation.groups.clone();
        groups.sort();
        groups.dedup();
        match groups.iter().find(|group| !is_group_name(group)) {
            Some(group) => Err(AdminError::Group(group.clone())),
            None => Ok(Some(groups)),
        }
    }

    fn invite_lifetime(&self, invitation: &Invitation) -> Result<std::time::Duration, AdminError> {
        match invitation.expires {
            None => Ok(self.config.enrollment.invite_lifetime),
            Some(asked) if LIFETIME_SECONDS.contains(&asked.as_secs()) => Ok(asked.into()),
            Some(asked) => Err(AdminError::InviteLifetime(asked)),
        }
    }

    /// Makes the person's record when there is none.
    async fn ensure(&self, email: &EmailAddress, now: Timestamp) -> Result<(), AdminError> {
        if self.office.records.user_by_email(email).await?.is_some() {
            return Ok(());
        }
        match self.office.records.create(&new_user(email.clone(), now)).await {
            Ok(_) | Err(StoreError::Taken(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// A person without keys.
pub(super) fn new_user(email: EmailAddress, now: Timestamp) -> UserRecord {
    UserRecord {
        id: UserId(Uuid::new_v4()),
        email,
        groups: Vec::new(),
        disabled: false,
        created_at: now,
        sessions_valid_from: now,
        keys: Vec::new(),
        invite: None,
        used_challenges: Vec::new(),
    }
}

/// As in the schema of `VouchUser`.
fn is_group_name(text: &str) -> bool {
    text.len() <= 128
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._:/@+-".contains(&b))
}
