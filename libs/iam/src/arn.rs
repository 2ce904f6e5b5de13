//! Amazon Resource Names of IAM roles.
//!
//! Shape: `arn:PARTITION:iam::ACCOUNT:role/PATH/NAME`, see "IAM identifiers" in the IAM User Guide.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize, de};

/// A separate AWS world: own accounts, own endpoints, no trust across.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Partition {
    /// `aws`, the commercial regions.
    Aws,
    /// `aws-cn`, China.
    AwsCn,
    /// `aws-us-gov`, GovCloud.
    AwsUsGov,
}

impl Partition {
    /// The second field of an ARN.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::AwsCn => "aws-cn",
            Self::AwsUsGov => "aws-us-gov",
        }
    }

    /// The region whose STS endpoint serves when nothing else is configured.
    #[must_use]
    pub const fn default_region(self) -> &'static str {
        match self {
            Self::Aws => "us-east-1",
            Self::AwsCn => "cn-north-1",
            Self::AwsUsGov => "us-gov-west-1",
        }
    }

    /// The partition a region belongs to, by its prefix.
    #[must_use]
    pub fn of_region(region: &str) -> Self {
        if region.starts_with("cn-") {
            Self::AwsCn
        } else if region.starts_with("us-gov-") {
            Self::AwsUsGov
        } else {
            Self::Aws
        }
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The ARN of a role, parsed and valid.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoleArn {
    partition: Partition,
    account: String,
    path: String,
    name: String,
}

/// Why a text is no role ARN. Each message says what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArnError {
    /// Wrong number of parts, or not of IAM.
    #[error("`{0}` is not a role ARN; the form is arn:aws:iam::ACCOUNT:role/PATH/NAME")]
    Shape(String),
    /// A partition this software does not know.
    #[error("partition `{0}` is not one of aws, aws-cn, aws-us-gov")]
    Partition(String),
    /// Not twelve digits.
    #[error("account `{0}` must be 12 digits")]
    Account(String),
    /// Path or name with characters or lengths IAM does not allow.
    #[error("role path or name `{0}` is not valid: up to 512 characters of path, 64 of name, letters, digits and +=,.@_-")]
    Name(String),
}

impl RoleArn {
    /// Builds an ARN from its parts. `path` begins and ends with `/`.
    ///
    /// # Errors
    /// When a part breaks IAM's rules.
    pub fn new(partition: Partition, account: &str, path: &str, name: &str) -> Result<Self, ArnError> {
        if account.len() != 12 || !account.bytes().all(|b| b.is_ascii_digit()) {
            return Err(ArnError::Account(account.to_owned()));
        }
        let path_fits = path.starts_with('/')
            && path.ends_with('/')
            && path.len() <= 512
            && path.bytes().all(|b| (0x21..=0x7e).contains(&b));
        let name_fits = (1..=64).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"+=,.@_-".contains(&b));
        if !path_fits || !name_fits {
            return Err(ArnError::Name(format!("{path}{name}")));
        }
        Ok(Self { partition, account: account.to_owned(), path: path.to_owned(), name: name.to_owned() })
    }

    /// The partition.
    #[must_use]
    pub const fn partition(&self) -> Partition {
        self.partition
    }

    /// Twelve digits.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.account
    }

    /// Begins and ends with `/`; `/` alone for a role without a path.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The role's name, without its path.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for RoleArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "arn:{}:iam::{}:role{}{}", self.partition, self.account, self.path, self.name)
    }
}

impl FromStr for RoleArn {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Self, ArnError> {
        let shape = || ArnError::Shape(text.to_owned());
        let rest = text.strip_prefix("arn:").ok_or_else(shape)?;
        let (partition, rest) = rest.split_once(':').ok_or_else(shape)?;
        let rest = rest.strip_prefix("iam::").ok_or_else(shape)?;
        let (account, role) = rest.split_once(":role").ok_or_else(shape)?;
        let at = role.rfind('/').ok_or_else(shape)?;
        let (path, name) = role.split_at(at + 1);
        let partition = match partition {
            "aws" => Partition::Aws,
            "aws-cn" => Partition::AwsCn,
            "aws-us-gov" => Partition::AwsUsGov,
            other => return Err(ArnError::Partition(other.to_owned())),
        };
        Self::new(partition, account, path, name)
    }
}

impl Serialize for RoleArn {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RoleArn {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}
