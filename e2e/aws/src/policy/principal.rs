//! Principals of resource policies, and how the requester of a call answers to them.

use serde_json::{Map, Value};

use super::document::{DocumentError, strings};

/// `Principal` or `NotPrincipal`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Principals {
    /// Whether it is the `NotPrincipal` form.
    pub negated: bool,
    /// `"Principal": "*"`.
    pub everyone: bool,
    /// `AWS`: `*`, account ids, ARNs, or unique ids into which IAM turns ARNs of roles and users.
    pub aws: Vec<String>,
    /// `Federated`: provider ARNs and domain names.
    pub federated: Vec<String>,
    /// `Service`: domain names.
    pub service: Vec<String>,
    /// `CanonicalUser`.
    pub canonical_user: Vec<String>,
}

/// Who asks, as a resource policy may name them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Requester {
    /// Nobody.
    Anonymous,
    /// An IAM user.
    User {
        /// Account.
        account: String,
        /// ARN.
        arn: String,
        /// Unique id.
        id: String,
    },
    /// A role session.
    Session {
        /// Account.
        account: String,
        /// ARN of the role, with its path.
        role_arn: String,
        /// Unique id of the role.
        role_id: String,
        /// ARN of the session.
        session_arn: String,
    },
    /// A foreign identity that an OIDC provider vouches for.
    WebIdentity {
        /// ARN of the provider.
        provider_arn: String,
    },
}

impl Requester {
    /// The account of the requester.
    #[must_use]
    pub fn account(&self) -> Option<&str> {
        match self {
            Self::User { account, .. } | Self::Session { account, .. } => Some(account),
            Self::Anonymous | Self::WebIdentity { .. } => None,
        }
    }
}

/// How closely a policy names a requester; it decides what else must agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Named {
    /// Not at all.
    No,
    /// By account: the account's own policies decide further.
    Account,
    /// By role: sufficient in the same account, within boundary and session policies.
    Role,
    /// By itself (user, session, federated identity) or by `*`: sufficient in the same account.
    Exactly,
}

impl Principals {
    /// The principals of a statement, if it has any.
    pub(super) fn of(statement: &Map<String, Value>) -> Result<Option<Self>, DocumentError> {
        match (statement.get("Principal"), statement.get("NotPrincipal")) {
            (None, None) => Ok(None),
            (Some(value), None) => Self::read(value, false).map(Some),
            (None, Some(value)) => Self::read(value, true).map(Some),
            (Some(_), Some(_)) => Err(DocumentError::Syntax),
        }
    }

    fn read(value: &Value, negated: bool) -> Result<Self, DocumentError> {
        let mut principals = Self { negated, ..Self::default() };
        match value {
            Value::String(star) if star == "*" => principals.everyone = true,
            Value::Object(kinds) => {
                for (kind, value) in kinds {
                    let target = match kind.as_str() {
                        "AWS" => &mut principals.aws,
                        "Federated" => &mut principals.federated,
                        "Service" => &mut principals.service,
                        "CanonicalUser" => &mut principals.canonical_user,
                        _ => return Err(DocumentError::Syntax),
                    };
                    *target = strings(value)?;
                }
            }
            _ => return Err(DocumentError::Syntax),
        }
        Ok(principals)
    }

    /// How closely these principals name a requester.
    #[must_use]
    pub fn name(&self, requester: &Requester) -> Named {
        let named = self.name_positively(requester);
        match (self.negated, named) {
            (false, named) => named,
            (true, Named::No) => Named::Exactly,
            (true, _) => Named::No,
        }
    }

    fn name_positively(&self, requester: &Requester) -> Named {
        if self.everyone {
            return Named::Exactly;
        }
        match requester {
            // `{"AWS": "*"}` does not cover a web identity (recorded).
            Requester::WebIdentity { provider_arn } if self.federated.contains(provider_arn) => Named::Exactly,
            Requester::WebIdentity { .. } => Named::No,
            requester => {
                self.aws.iter().map(|principal| aws_principal(principal, requester)).max().unwrap_or(Named::No)
            }
        }
    }
}

fn aws_principal(principal: &str, requester: &Requester) -> Named {
    if principal == "*" {
        return Named::Exactly;
    }
    if let Some(account) = requester.account()
        && is_account(principal, account)
    {
        return Named::Account;
    }
    match requester {
        Requester::User { arn, id, .. } if principal == arn || principal == id => Named::Exactly,
        Requester::Session { session_arn, .. } if principal == session_arn => Named::Exactly,
        Requester::Session { role_arn, role_id, .. } if principal == role_arn || principal == role_id => Named::Role,
        _ => Named::No,
    }
}

/// Whether a principal is an account: its id alone, or the ARN of its root.
fn is_account(principal: &str, account: &str) -> bool {
    let fields: Vec<&str> = principal.splitn(6, ':').collect();
    principal == account || matches!(fields.as_slice(), ["arn", _, "iam", "", id, "root"] if *id == account)
}
