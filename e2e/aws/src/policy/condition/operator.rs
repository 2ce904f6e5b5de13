//! The operators by name (IAM User Guide, "IAM JSON policy elements: Condition operators").

use super::Quantifier;
use super::typed::{self, Order};
use crate::policy::context::Context;
use crate::policy::document::Version;
use crate::policy::pattern::Pattern;
use crate::policy::variables::expand_text;

/// An operator without set operator and `IfExists`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operator {
    /// What is compared.
    pub comparison: Comparison,
    /// The `Not` form, which holds when no value matches.
    pub negated: bool,
}

/// How a value of the policy is compared with one of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `StringEquals`.
    StringEquals,
    /// `StringEqualsIgnoreCase`.
    StringEqualsIgnoreCase,
    /// `StringLike`.
    StringLike,
    /// `ArnLike` and `ArnEquals`, which AWS treats alike.
    ArnLike,
    /// `Numeric…`.
    Numeric(Order),
    /// `Date…`.
    Date(Order),
    /// `Bool`.
    Bool,
    /// `BinaryEquals`.
    BinaryEquals,
    /// `IpAddress`.
    IpAddress,
    /// `Null`: whether the key is absent.
    Null,
}

/// The parts of an operator's name.
pub(super) fn parse(name: &str) -> Option<(Quantifier, Operator, bool)> {
    let (quantifier, name) = match name.split_once(':') {
        Some(("ForAllValues", rest)) => (Quantifier::All, rest),
        Some(("ForAnyValue", rest)) => (Quantifier::Any, rest),
        Some(_) => return None,
        None => (Quantifier::Scalar, name),
    };
    let (plain, if_exists) = name.strip_suffix("IfExists").map_or((name, false), |plain| (plain, true));
    let operator = Operator::from_name(plain)?;
    let exists = !(if_exists && operator.comparison == Comparison::Null);
    exists.then_some((quantifier, operator, if_exists))
}

impl Operator {
    fn from_name(name: &str) -> Option<Self> {
        use Comparison::{
            ArnLike, BinaryEquals, Bool, Date, IpAddress, Null, Numeric, StringEquals, StringEqualsIgnoreCase,
            StringLike,
        };
        let (comparison, negated) = match name {
            "StringEquals" => (StringEquals, false),
            "StringNotEquals" => (StringEquals, true),
            "StringEqualsIgnoreCase" => (StringEqualsIgnoreCase, false),
            "StringNotEqualsIgnoreCase" => (StringEqualsIgnoreCase, true),
            "StringLike" => (StringLike, false),
            "StringNotLike" => (StringLike, true),
            "ArnEquals" | "ArnLike" => (ArnLike, false),
            "ArnNotEquals" | "ArnNotLike" => (ArnLike, true),
            "Bool" => (Bool, false),
            "BinaryEquals" => (BinaryEquals, false),
            "IpAddress" => (IpAddress, false),
            "NotIpAddress" => (IpAddress, true),
            "Null" => (Null, false),
            name => match name.strip_prefix("Numeric") {
                Some(rest) => Order::from_name(rest).map(|(order, negated)| (Numeric(order), negated))?,
                None => Order::from_name(name.strip_prefix("Date")?).map(|(order, negated)| (Date(order), negated))?,
            },
        };
        Some(Self { comparison, negated })
    }

    /// The positive comparison of a policy's value with the request's. A policy variable without value matches nothing.
    pub(super) fn compares(self, expected: &str, actual: &str, version: Version, context: &Context) -> bool {
        match self.comparison {
            Comparison::StringLike => {
                Pattern::expand(expected, version, context).is_some_and(|pattern| pattern.matches(actual))
            }
            Comparison::ArnLike => {
                Pattern::expand(expected, version, context).is_some_and(|pattern| pattern.matches_arn(actual))
            }
            comparison => expand_text(expected, version, context)
                .is_some_and(|expected| comparison.compares_text(&expected, actual)),
        }
    }
}

impl Comparison {
    fn compares_text(self, expected: &str, actual: &str) -> bool {
        match self {
            Self::StringEquals | Self::BinaryEquals => expected == actual,
            Self::StringEqualsIgnoreCase => expected.to_lowercase() == actual.to_lowercase(),
            Self::Bool => expected.eq_ignore_ascii_case(actual),
            Self::Numeric(order) => typed::numbers(order, expected, actual),
            Self::Date(order) => typed::dates(order, expected, actual),
            Self::IpAddress => typed::address_in(expected, actual),
            Self::StringLike | Self::ArnLike | Self::Null => false,
        }
    }
}
