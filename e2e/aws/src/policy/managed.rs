//! AWS-managed policies by name, reduced to what decides about the services offered here.

/// `AdministratorAccess` as AWS writes it.
const ADMINISTRATOR: &str = r#"{
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "*",
            "Resource": "*"
        }
    ]
}"#;

/// The statements of `PowerUserAccess`.
const POWER_USER: &str = r#"{
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "NotAction": [
                "iam:*",
                "organizations:*",
                "account:*"
            ],
            "Resource": "*"
        },
        {
            "Effect": "Allow",
            "Action": [
                "account:GetAccountInformation",
                "account:GetGovCloudAccountInformation",
                "account:GetPrimaryEmail",
                "account:ListRegions",
                "iam:CreateServiceLinkedRole",
                "iam:DeleteServiceLinkedRole",
                "iam:ListRoles",
                "organizations:DescribeEffectivePolicy",
                "organizations:DescribeOrganization"
            ],
            "Resource": "*"
        }
    ]
}"#;

/// `ReadOnlyAccess`, whose hundreds of service entries come down to the reading verbs.
const READ_ONLY: &str = r#"{
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "ReadOnlyActions",
            "Effect": "Allow",
            "Action": [
                "ec2:Describe*",
                "ec2:Get*",
                "iam:Generate*",
                "iam:Get*",
                "iam:List*",
                "iam:Simulate*",
                "organizations:Describe*",
                "organizations:List*",
                "s3:Get*",
                "s3:List*",
                "sts:GetAccessKeyInfo",
                "sts:GetCallerIdentity",
                "sts:GetSessionToken"
            ],
            "Resource": "*"
        }
    ]
}"#;

/// A policy that AWS keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AwsManaged {
    /// Name.
    pub name: &'static str,
    /// Path, with slashes at both ends.
    pub path: &'static str,
    /// Document, verbatim.
    pub document: &'static str,
}

const ALL: [AwsManaged; 5] = [
    AwsManaged { name: "AdministratorAccess", path: "/", document: ADMINISTRATOR },
    AwsManaged { name: "PowerUserAccess", path: "/", document: POWER_USER },
    AwsManaged { name: "ReadOnlyAccess", path: "/", document: READ_ONLY },
    AwsManaged { name: "ViewOnlyAccess", path: "/job-function/", document: READ_ONLY },
    AwsManaged { name: "SecurityAudit", path: "/", document: READ_ONLY },
];

/// All policies known here.
#[must_use]
pub fn all() -> &'static [AwsManaged] {
    &ALL
}

/// The policy behind `arn:PARTITION:iam::aws:policy/PATH/NAME`.
#[must_use]
pub fn find(arn: &str) -> Option<&'static AwsManaged> {
    let fields: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", _, "iam", "", "aws", resource] = fields.as_slice() else { return None };
    let name = resource.strip_prefix("policy")?;
    ALL.iter().find(|policy| name.strip_prefix(policy.path) == Some(policy.name))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{all, find};
    use crate::policy::Document;

    #[test]
    fn every_managed_policy_is_a_policy() {
        for policy in all() {
            Document::parse(policy.document).unwrap();
        }
    }

    #[test]
    fn finds_policies_by_arn() {
        assert_eq!(find("arn:aws:iam::aws:policy/ReadOnlyAccess").unwrap().name, "ReadOnlyAccess");
        assert_eq!(find("arn:aws-cn:iam::aws:policy/job-function/ViewOnlyAccess").unwrap().name, "ViewOnlyAccess");
        assert_eq!(find("arn:aws:iam::aws:policy/job-function/ReadOnlyAccess"), None);
        assert_eq!(find("arn:aws:iam::999999999999:policy/ReadOnlyAccess"), None);
    }
}
