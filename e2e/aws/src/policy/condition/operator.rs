//! The operators by name (IAM User Guide, "IAM JSON policy elements: Condition operators").

use super::Quantifier;
use super::typed::{self, Order};
use crate::policy::context::Context;
use crate::policy::document::Version;
use crate::policy::pattern::Pattern;
use crate::policy::variables::expand_text;

/// A comparison, without set operator and `IfExists`. `negated` is the `Not` form, which holds when no value matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `StringEquals`, `StringNotEquals`.
    StringEquals { negated: bool },
    /// `StringEqualsIgnoreCase`, `StringNotEqualsIgnoreCase`.
    StringEqualsIgnoreCase { negated: bool },
    /// `StringLike`, `StringNotLike`.
    StringLike { negated: bool },
    /// `ArnLike`, `ArnEquals` and their `Not` forms; AWS treats the two alike.
    ArnLike { negated: bool },
    /// `Numeric…`.
    Numeric { order: Order, negated: bool },
    /// `Date…`.
    Date { order: Order, negated: bool },
    /// `Bool`.
    Bool,
    /// `BinaryEquals`.
    BinaryEquals,
    /// `IpAddress`, `NotIpAddress`.
    IpAddress { negated: bool },
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
    // `NullIfExists` does not exist.
    (!(if_exists && operator == Operator::Null)).then_some((quantifier, operator, if_exists))
}

impl Operator {
    fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "StringEquals" => Self::StringEquals { negated: false },
            "StringNotEquals" => Self::StringEquals { negated: true },
            "StringEqualsIgnoreCase" => Self::StringEqualsIgnoreCase { negated: false },
            "StringNotEqualsIgnoreCase" => Self::StringEqualsIgnoreCase { negated: true },
            "StringLike" => Self::StringLike { negated: false },
            "StringNotLike" => Self::StringLike { negated: true },
            "ArnEquals" | "ArnLike" => Self::ArnLike { negated: false },
            "ArnNotEquals" | "ArnNotLike" => Self::ArnLike { negated: true },
            "Bool" => Self::Bool,
            "BinaryEquals" => Self::BinaryEquals,
            "IpAddress" => Self::IpAddress { negated: false },
            "NotIpAddress" => Self::IpAddress { negated: true },
            "Null" => Self::Null,
            name => {
                if let Some(rest) = name.strip_prefix("Numeric") {
                    let (order, negated) = Order::from_name(rest)?;
                    Self::Numeric { order, negated }
                } else {
                    let (order, negated) = Order::from_name(name.strip_prefix("Date")?)?;
                    Self::Date { order, negated }
                }
            }
        })
    }

    /// Whether the operator holds when no value matches.
    #[must_use]
    pub fn is_negated(self) -> bool {
        match self {
            Self::StringEquals { negated }
            | Self::StringEqualsIgnoreCase { negated }
            | Self::StringLike { negated }
            | Self::ArnLike { negated }
            | Self::IpAddress { negated }
            | Self::Numeric { negated, .. }
            | Self::Date { negated, .. } => negated,
            Self::Bool | Self::BinaryEquals | Self::Null => false,
        }
    }

    /// The positive comparison of a policy's value with the request's. A policy variable without value matches nothing.
    pub(super) fn compares(self, expected: &str, actual: &str, version: Version, context: &Context) -> bool {
        match self {
            Self::StringLike { .. } => {
                Pattern::expand(expected, version, context).is_some_and(|pattern| pattern.matches(actual))
            }
            Self::ArnLike { .. } => {
                Pattern::expand(expected, version, context).is_some_and(|pattern| pattern.matches_arn(actual))
            }
            operator => expand_text(expected, version, context)
                .is_some_and(|expected| operator.compares_text(&expected, actual)),
        }
    }

    fn compares_text(self, expected: &str, actual: &str) -> bool {
        match self {
            Self::StringEquals { .. } | Self::BinaryEquals => expected == actual,
            Self::StringEqualsIgnoreCase { .. } => expected.to_lowercase() == actual.to_lowercase(),
            Self::Bool => expected.eq_ignore_ascii_case(actual),
            Self::Numeric { order, .. } => typed::numbers(order, expected, actual),
            Self::Date { order, .. } => typed::dates(order, expected, actual),
            Self::IpAddress { .. } => typed::address_in(expected, actual),
            Self::StringLike { .. } | Self::ArnLike { .. } | Self::Null => false,
        }
    }
}
