//! The scenarios, one file each, named as a sentence.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod one_tap_gives_aws_credentials_in_two_accounts;
