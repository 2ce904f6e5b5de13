//! Policy variables: `${aws:username}`, `${key, 'default'}`, and the escapes `${*}`, `${?}`, `${$}`.
//!
//! Only documents of version 2012-10-17 know them.

use super::context::Context;
use super::document::Version;

/// A part of an expanded text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Written in the document: its wildcards count.
    Pattern(String),
    /// Came from the request, or was escaped: only itself.
    Literal(String),
}

/// Replaces the variables of a text. `None` when one of them has neither value nor default.
#[must_use]
pub fn expand(text: &str, version: Version, context: &Context) -> Option<Vec<Piece>> {
    if version == Version::V2008 {
        return Some(vec![Piece::Pattern(text.to_owned())]);
    }
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, after)) = after.split_once('}') else { break };
        pieces.push(Piece::Pattern(before.to_owned()));
        pieces.push(Piece::Literal(value_of(name, context)?));
        rest = after;
    }
    pieces.push(Piece::Pattern(rest.to_owned()));
    Some(pieces)
}

/// Replaces the variables of a text that is compared as it stands.
#[must_use]
pub fn expand_text(text: &str, version: Version, context: &Context) -> Option<String> {
    let pieces = expand(text, version, context)?;
    Some(
        pieces
            .into_iter()
            .map(|piece| match piece {
                Piece::Pattern(text) | Piece::Literal(text) => text,
            })
            .collect(),
    )
}

fn value_of(name: &str, context: &Context) -> Option<String> {
    if matches!(name, "*" | "?" | "$") {
        return Some(name.to_owned());
    }
    let (key, default) = match name.split_once(',') {
        Some((key, default)) => {
            (key.trim(), default.trim().strip_prefix('\'').and_then(|text| text.strip_suffix('\'')))
        }
        None => (name.trim(), None),
    };
    context.one(key).or(default).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::{expand, expand_text};
    use crate::policy::Context;
    use crate::policy::document::Version;

    #[test]
    fn replaces_variables_of_the_newer_language_alone() {
        let mut context = Context::default();
        context.set("aws:username", "alice");
        assert_eq!(expand_text("home/${AWS:UserName}/x", Version::V2012, &context).as_deref(), Some("home/alice/x"));
        assert_eq!(
            expand_text("home/${aws:username}", Version::V2008, &context).as_deref(),
            Some("home/${aws:username}")
        );
        assert_eq!(
            expand_text("${aws:PrincipalTag/team, 'none'}-${*}${$}", Version::V2012, &context).as_deref(),
            Some("none-*$")
        );
    }

    #[test]
    fn a_variable_without_value_has_no_expansion() {
        assert_eq!(expand("${aws:PrincipalOrgID}", Version::V2012, &Context::default()), None);
    }
}
