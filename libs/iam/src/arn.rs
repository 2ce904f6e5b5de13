//! Amazon Resource Names of IAM roles.
//!
//! Shape: `arn:PARTITION:iam::ACCOUNT:role/PATH/NAME`, see "IAM identifiers" in the IAM User Guide. A text that was
//! parsed here is written back byte for byte: what is compared with AWS's answers may not be rewritten on the way.

use std::{fmt, str::FromStr, sync::Arc};

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
    /// Every partition.
    pub const ALL: [Self; 3] = [Self::Aws, Self::AwsCn, Self::AwsUsGov];

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

impl FromStr for Partition {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Self, ArnError> {
        Self::ALL
            .into_iter()
            .find(|partition| partition.as_str() == text)
            .ok_or_else(|| ArnError::Partition(text.to_owned()))
    }
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
    #[error(
        "role path or name `{0}` is not valid: up to 512 characters of path, 64 of name, letters, digits and +=,.@_-"
    )]
    Name(String),
}

/// The twelve digits of an AWS account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId([u8; 12]);

impl AccountId {
    /// Twelve digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // They are ASCII digits, so this is always text.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for AccountId {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Self, ArnError> {
        let digits = <[u8; 12]>::try_from(text.as_bytes()).ok().filter(|digits| digits.iter().all(u8::is_ascii_digit));
        digits.map(Self).ok_or_else(|| ArnError::Account(text.to_owned()))
    }
}

/// A role's path and name: what it is called in whatever account it exists. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoleName {
    path_and_name: Arc<str>,
    path_length: usize,
}

impl RoleName {
    /// `path` begins and ends with `/`; `/` alone for a role without a path. IAM takes any visible character in a path;
    /// here it has those of a name, because lists of ARNs are split and matched by some of the others (`;`, `*`, `?`).
    ///
    /// # Errors
    /// When a part breaks these rules.
    pub fn new(path: &str, name: &str) -> Result<Self, ArnError> {
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"+=,.@_-".contains(&b);
        let path_fits = path.starts_with('/')
            && path.ends_with('/')
            && path.len() <= 512
            && path.bytes().all(|b| b == b'/' || is_plain(b));
        let name_fits = (1..=64).contains(&name.len()) && name.bytes().all(is_plain);
        let path_and_name = format!("{path}{name}");
        if path_fits && name_fits {
            Ok(Self { path_and_name: path_and_name.into(), path_length: path.len() })
        } else {
            Err(ArnError::Name(path_and_name))
        }
    }

    /// Begins and ends with `/`; `/` alone for a role without a path.
    #[must_use]
    pub fn path(&self) -> &str {
        self.path_and_name.get(..self.path_length).unwrap_or_default()
    }

    /// The name without the path. IAM has one role of a name in an account, whatever the path and the case of its
    /// letters ("Name requirements", IAM User Guide).
    #[must_use]
    pub fn name(&self) -> &str {
        self.path_and_name.get(self.path_length..).unwrap_or_default()
    }

    /// The role of this path and name in an account.
    #[must_use]
    pub fn in_account(&self, partition: Partition, account: AccountId) -> RoleArn {
        RoleArn { partition, account, role: self.clone() }
    }
}

/// As people say it: `vouch/VouchAccess`, or `VouchDeveloper` for a role without a path.
impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.path_and_name.trim_start_matches('/'))
    }
}

/// The ARN of a role, parsed and valid. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoleArn {
    partition: Partition,
    account: AccountId,
    role: RoleName,
}

impl RoleArn {
    /// Builds an ARN from its parts. `path` begins and ends with `/`.
    ///
    /// # Errors
    /// When a part breaks IAM's rules.
    pub fn new(partition: Partition, account: &str, path: &str, name: &str) -> Result<Self, ArnError> {
        Ok(Self { partition, account: account.parse()?, role: RoleName::new(path, name)? })
    }

    /// The partition.
    #[must_use]
    pub const fn partition(&self) -> Partition {
        self.partition
    }

    /// Twelve digits.
    #[must_use]
    pub fn account(&self) -> &str {
        self.account.as_str()
    }

    /// The account.
    #[must_use]
    pub const fn account_id(&self) -> AccountId {
        self.account
    }

    /// Path and name.
    #[must_use]
    pub const fn role_name(&self) -> &RoleName {
        &self.role
    }

    /// Begins and ends with `/`; `/` alone for a role without a path.
    #[must_use]
    pub fn path(&self) -> &str {
        self.role.path()
    }

    /// The role's name, without its path.
    #[must_use]
    pub fn name(&self) -> &str {
        self.role.name()
    }
}

impl fmt::Display for RoleArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "arn:{}:iam::{}:role{}", self.partition, self.account, self.role.path_and_name)
    }
}

impl FromStr for RoleArn {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Self, ArnError> {
        let shape = || ArnError::Shape(text.to_owned());
        let rest = text.strip_prefix("arn:").ok_or_else(shape)?;
        let (partition, rest) = rest.split_once(':').ok_or_else(shape)?;
        let rest = rest.strip_prefix("iam::").ok_or_else(shape)?;
        let (account, role) = rest.split_once(":role/").ok_or_else(shape)?;
        let (path, name) = match role.rsplit_once('/') {
            Some((path, name)) => (format!("/{path}/"), name),
            None => ("/".to_owned(), role),
        };
        Self::new(partition.parse()?, account, &path, name)
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_arn_is_taken_apart_and_put_together_again() {
        let arn: RoleArn = "arn:aws-us-gov:iam::111111111111:role/vouch/prod/VouchAccess".parse().unwrap();
        assert_eq!(arn.partition(), Partition::AwsUsGov);
        assert_eq!(arn.account(), "111111111111");
        assert_eq!((arn.path(), arn.name()), ("/vouch/prod/", "VouchAccess"));
        assert_eq!(arn.to_string(), "arn:aws-us-gov:iam::111111111111:role/vouch/prod/VouchAccess");
    }

    #[test]
    fn people_read_a_role_without_the_leading_slash() {
        assert_eq!(RoleName::new("/vouch/", "VouchDeploy").unwrap().to_string(), "vouch/VouchDeploy");
        assert_eq!(RoleName::new("/", "VouchDeveloper").unwrap().to_string(), "VouchDeveloper");
    }

    #[test]
    fn refuses_what_is_not_a_role_and_says_what_would_be_right() {
        let wrong = [
            ("", "is not a role ARN"),
            ("VouchAccess", "is not a role ARN"),
            ("arn:aws:iam::111111111111:user/alice", "is not a role ARN"),
            ("arn:aws:sts::111111111111:assumed-role/VouchAccess/alice", "is not a role ARN"),
            ("arn:aws:iam:us-east-1:111111111111:role/VouchAccess", "is not a role ARN"),
            ("arn:aws:iam::111111111111:rolePlay/VouchAccess", "is not a role ARN"),
            ("arn:aws-iso:iam::111111111111:role/VouchAccess", "partition `aws-iso` is not one of"),
            ("arn:aws:iam::11111111111:role/VouchAccess", "account `11111111111` must be 12 digits"),
            ("arn:aws:iam::1111111111111:role/VouchAccess", "must be 12 digits"),
            ("arn:aws:iam::11111111111a:role/VouchAccess", "must be 12 digits"),
            ("arn:aws:iam::111111111111:role/", "role path or name"),
            ("arn:aws:iam::111111111111:role/vouch/", "role path or name"),
            ("arn:aws:iam::111111111111:role/Vouch Access", "role path or name"),
            ("arn:aws:iam::111111111111:role/Vouch*", "role path or name"),
            ("arn:aws:iam::111111111111:role/vo uch/VouchAccess", "role path or name"),
        ];
        for (text, sentence) in wrong {
            let error = text.parse::<RoleArn>().unwrap_err().to_string();
            assert!(error.contains(sentence), "{text}: {error}");
        }
    }

    #[test]
    fn bounds_of_path_and_name_are_those_of_iam() {
        let path = format!("/{}/", "p".repeat(510));
        assert!(RoleName::new(&path, &"n".repeat(64)).is_ok());
        assert!(RoleName::new(&format!("/{}/", "p".repeat(511)), "n").is_err());
        assert!(RoleName::new("/", &"n".repeat(65)).is_err());
    }

    #[test]
    fn a_region_belongs_to_the_partition_of_its_prefix() {
        let regions = [
            ("eu-central-1", Partition::Aws),
            ("cn-northwest-1", Partition::AwsCn),
            ("us-gov-east-1", Partition::AwsUsGov),
        ];
        for (region, partition) in regions {
            assert_eq!(Partition::of_region(region), partition, "{region}");
        }
        for partition in Partition::ALL {
            assert_eq!(Partition::of_region(partition.default_region()), partition);
            assert_eq!(partition.as_str().parse(), Ok(partition));
        }
    }

    #[test]
    fn an_arn_travels_as_text() {
        let arn: RoleArn = serde_json::from_str(r#""arn:aws:iam::111111111111:role/VouchAccess""#).unwrap();
        assert_eq!(serde_json::to_string(&arn).unwrap(), r#""arn:aws:iam::111111111111:role/VouchAccess""#);
        assert!(serde_json::from_str::<RoleArn>(r#""VouchAccess""#).is_err());
    }

    #[test]
    fn refuses_a_second_arn_or_a_wildcard_hidden_in_a_path() {
        for path in ["a;arn:aws:iam::222222222222:role", "a:b", "*", "a?", "${x}", "a b"] {
            let text = format!("arn:aws:iam::111111111111:role/{path}/Admin");
            assert!(matches!(text.parse::<RoleArn>(), Err(ArnError::Name(_))), "{text}");
        }
    }

    proptest! {
        #[test]
        fn whatever_parses_is_written_back_byte_for_byte(
            text in "arn:(aws|aws-cn|aws-us-gov):iam::[0-9]{12}:role/([A-Za-z0-9+=,.@_-]{1,12}/){0,3}[A-Za-z0-9+=,.@_-]{1,64}"
        ) {
            prop_assert_eq!(text.parse::<RoleArn>().unwrap().to_string(), text);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "(arn:aws:iam::[0-9]{0,13}:role)?\\PC*") {
            if let Ok(arn) = text.parse::<RoleArn>() {
                prop_assert_eq!(arn.to_string(), text);
            }
        }
    }
}
