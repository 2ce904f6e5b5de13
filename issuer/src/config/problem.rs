//! What is wrong with a configuration, in the words of whoever has to put it right.

use std::{
    fmt::{self, Write as _},
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::document::SyntaxError;

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What is wrong and what would be right: a clause that begins in lower case and follows the place.
    pub reason: String,
}

/// Where in a configuration something is wrong. Parts that are unknown are left out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Place {
    /// The file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// The line in that file, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// `VouchIssuer vouch`, or `document 3` when the document does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// `spec.session.lifetime`, for example.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

/// Every mistake in a configuration, in the order of the text; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    pub(super) fn new(mut problems: Vec<Problem>) -> Option<Self> {
        problems.sort_by_key(|problem| problem.place.line);
        (!problems.is_empty()).then_some(Self(problems))
    }

    /// One mistake, of the whole.
    pub(super) fn one(reason: String) -> Self {
        Self(vec![Problem { place: Place::default(), reason }])
    }

    pub(super) fn in_file(mut self, path: &Path) -> Self {
        for problem in &mut self.0 {
            problem.place.file = Some(path.to_owned());
        }
        self
    }

    /// The mistakes.
    #[must_use]
    pub fn as_slice(&self) -> &[Problem] {
        &self.0
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        match (&self.file, self.line) {
            (Some(file), Some(line)) => parts.push(format!("{}:{line}", file.display())),
            (Some(file), None) => parts.push(file.display().to_string()),
            (None, Some(line)) => parts.push(format!("line {line}")),
            (None, None) => {}
        }
        parts.extend(self.object.clone());
        parts.extend(self.field.clone());
        f.write_str(&parts.join(": "))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = if self.place == Place::default() {
            format!("the configuration {}", self.reason)
        } else {
            format!("{}: {}", self.place, self.reason)
        };
        // Names and values are quoted as they stand in the file, and must not move a terminal's cursor or end a line.
        text.chars()
            .try_for_each(|c| if c.is_control() { write!(f, "{}", c.escape_default()) } else { f.write_char(c) })
    }
}

impl Place {
    /// Whether both are one field, or one is within the other. Everything is within `spec`, which says nothing.
    fn concerns(&self, other: &Self) -> bool {
        match (&self.field, &other.field) {
            (Some(one), Some(two)) if self.object == other.object => {
                one == two || (one != "spec" && two != "spec" && (is_within(one, two) || is_within(two, one)))
            }
            _ => false,
        }
    }
}

/// Whether the field `inner` is `outer`, or a part of it.
pub(super) fn is_within(inner: &str, outer: &str) -> bool {
    inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// Drops problems after the first `by_schemas` in fields that a schema has refused already: they are of the same mistake.
pub(super) fn drop_echoes(problems: &mut Vec<Problem>, by_schemas: usize) {
    let later = problems.split_off(by_schemas.min(problems.len()));
    let heard = problems.len();
    for problem in later {
        if !problems.iter().take(heard).any(|schema| schema.place.concerns(&problem.place)) {
            problems.push(problem);
        }
    }
}

impl From<SyntaxError> for Problem {
    fn from(SyntaxError { line, reason }: SyntaxError) -> Self {
        Self { place: Place { line, ..Place::default() }, reason }
    }
}

/// One line for each.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
