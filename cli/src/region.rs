//! Which region's STS endpoint issues credentials.

use vouch_iam::arn::{Partition, RoleArn};

use crate::{
    env,
    error::{Category, Failure},
    paths::Lookup,
};

/// Reads a region's name.
///
/// # Errors
/// A sentence when it cannot be one.
pub fn parse(text: &str) -> Result<String, String> {
    if is_region(text) {
        Ok(text.to_owned())
    } else {
        Err(format!("`{text}` is not an AWS region; they look like eu-central-1"))
    }
}

/// Two or more words and a number, as in every region so far (`us-gov-east-1`); it becomes part of a host name.
fn is_region(text: &str) -> bool {
    let Some((words, number)) = text.rsplit_once('-') else { return false };
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
    text.len() <= 40
        && words.contains('-')
        && words.split('-').all(is_word)
        && (1..=2).contains(&number.len())
        && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// The region asked for: the flag, else `AWS_REGION`, else `AWS_DEFAULT_REGION`; `None` leaves it to the partition.
///
/// # Errors
/// [`Category::Usage`] or [`Category::Configuration`] when it is no region, or lies in another partition than the role.
pub fn choose(flag: Option<&str>, lookup: Lookup<'_>, role: &RoleArn) -> Result<Option<String>, Failure> {
    if let Some(region) = flag {
        return check(region, "--region", Category::Usage, role).map(Some);
    }
    for variable in [&env::AWS_REGION, &env::AWS_DEFAULT_REGION] {
        if let Some(value) = lookup(variable) {
            return check(&value.to_string_lossy(), variable.name, Category::Configuration, role).map(Some);
        }
    }
    Ok(None)
}

fn check(region: &str, from: &str, category: Category, role: &RoleArn) -> Result<String, Failure> {
    if !is_region(region) {
        return Err(Failure::new(category, format!("{from}: `{region}` is not an AWS region"))
            .hint("Name one such as eu-central-1, or none"));
    }
    let (theirs, ours) = (Partition::of_region(region), role.partition());
    if theirs == ours {
        return Ok(region.to_owned());
    }
    let message = format!("{from} {region} is in partition {theirs}, but role {role} is in partition {ours}");
    Err(Failure::new(category, message)
        .hint(format!("Name a region of {ours}, such as --region {}", ours.default_region())))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::ffi::OsString;

    use super::*;
    use crate::env::Variable;

    fn role(partition: &str) -> RoleArn {
        format!("arn:{partition}:iam::111111111111:role/vouch/VouchAccess").parse().unwrap()
    }

    fn with<'a>(set: &'a [(&'a str, &'a str)]) -> impl Fn(&Variable) -> Option<OsString> + 'a {
        move |variable| set.iter().find(|(name, _)| *name == variable.name).map(|(_, value)| value.into())
    }

    #[test]
    fn the_flag_wins_over_the_environment_and_the_new_variable_over_the_old() {
        let both = [("AWS_REGION", "eu-west-1"), ("AWS_DEFAULT_REGION", "eu-west-2")];
        let aws = role("aws");
        assert_eq!(choose(Some("eu-west-3"), &with(&both), &aws).unwrap().as_deref(), Some("eu-west-3"));
        assert_eq!(choose(None, &with(&both), &aws).unwrap().as_deref(), Some("eu-west-1"));
        assert_eq!(choose(None, &with(&both[1..]), &aws).unwrap().as_deref(), Some("eu-west-2"));
        assert_eq!(choose(None, &with(&[]), &aws).unwrap(), None);
    }

    #[test]
    fn a_region_of_another_partition_is_refused_by_the_name_of_its_source() {
        let failure = choose(None, &with(&[("AWS_REGION", "eu-west-1")]), &role("aws-cn")).unwrap_err();
        assert_eq!(failure.category, Category::Configuration);
        assert!(failure.message.starts_with("AWS_REGION eu-west-1 is in partition aws,"), "{failure}");
        assert_eq!(failure.hint.as_deref(), Some("Name a region of aws-cn, such as --region cn-north-1"));
        assert!(choose(Some("us-gov-east-1"), &with(&[]), &role("aws")).is_err());
        assert!(choose(Some("us-gov-east-1"), &with(&[]), &role("aws-us-gov")).is_ok());
    }

    #[test]
    fn every_kind_of_region_there_is_is_one() {
        for region in
            ["us-east-1", "ap-southeast-7", "us-gov-west-1", "us-isob-east-1", "eusc-de-east-1", "mx-central-1"]
        {
            assert!(parse(region).is_ok(), "{region}");
        }
    }

    #[test]
    fn what_could_not_be_part_of_a_host_name_is_refused() {
        for region in [
            "",
            "eu",
            "mars-1",
            "eu-west",
            "eu--1",
            "eu-west-1a",
            "eu_west_1",
            "EU-WEST-1",
            "eu-west-1.evil.example.com",
            "-eu",
            "eu/",
            "a@b",
        ] {
            assert!(parse(region).is_err(), "{region}");
            assert!(choose(Some(region), &with(&[]), &role("aws")).is_err(), "{region}");
        }
    }
}
