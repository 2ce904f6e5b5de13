//! IAM names and documents, without an AWS SDK.

pub mod arn;
pub mod identity;
