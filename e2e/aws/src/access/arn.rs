//! ARNs of roles, as STS and the roles claim read them.

use crate::endpoint::Partition;
use crate::wire::shape::is_name_char;

/// The ARN of a role, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleArn {
    /// Partition.
    pub partition: Partition,
    /// Account.
    pub account: String,
    /// The whole.
    pub text: String,
}

impl RoleArn {
    /// Reads `arn:PARTITION:iam::ACCOUNT:role/PATH/NAME`; no wildcards, no other case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fields: Vec<&str> = text.splitn(6, ':').collect();
        let ["arn", partition, "iam", "", account, resource] = fields.as_slice() else { return None };
        let path = resource.strip_prefix("role/")?;
        let name = path.rsplit('/').next()?;
        let well_formed = account.len() == 12
            && account.bytes().all(|byte| byte.is_ascii_digit())
            && !name.is_empty()
            && name.chars().all(is_name_char)
            && path
                .chars()
                .all(|character| character.is_ascii_graphic() && !matches!(character, '*' | '?' | ':' | ';'));
        well_formed.then(|| {
            Some(Self {
                partition: Partition::from_id(partition)?,
                account: (*account).to_owned(),
                text: text.to_owned(),
            })
        })?
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::RoleArn;
    use crate::endpoint::Partition;

    #[test]
    fn reads_roles_with_and_without_a_path() {
        let role = RoleArn::parse("arn:aws:iam::999999999999:role/vouch/VouchAccess").unwrap();
        assert_eq!((role.partition, role.account.as_str()), (Partition::Aws, "999999999999"));
        assert!(RoleArn::parse("arn:aws-cn:iam::999999999999:role/R").is_some());
    }

    #[test]
    fn refuses_everything_else() {
        for text in [
            "arn:aws:iam::999999999999:role/*",
            "ARN:AWS:IAM::999999999999:ROLE/R",
            "arn:aws:iam::999999999999:user/R",
            "arn:aws:iam::99999999999:role/R",
            "arn:aws:sts::999999999999:assumed-role/R/S",
            "arn:aws:iam::999999999999:role/A,arn:aws:iam::999999999999:role/B",
            "arn:aws:iam::999999999999:role/",
            "",
        ] {
            assert_eq!(RoleArn::parse(text), None, "{text}");
        }
    }
}
