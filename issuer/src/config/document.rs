//! A YAML stream as a sequence of documents whose every value knows its line.
//!
//! The text comes from outside. Reading it is bounded in depth and size, and never panics.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};
use serde_saphyr::{Spanned, options::DuplicateKeyPolicy};

/// One document of a stream.
#[derive(Debug)]
pub(super) struct Document {
    /// Its place in the stream, from 1. Empty documents do not count.
    pub(super) number: usize,
    pub(super) root: Node,
}

/// The text is no YAML from some line on, or one document of it is not.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SyntaxError {
    pub(super) line: Option<u64>,
    pub(super) reason: String,
}

/// A value and the line it begins in, from 1; 0 for what was never a text.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) line: u64,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Member>),
}

#[derive(Debug)]
struct Member {
    key: String,
    line: u64,
    value: Node,
}

/// A key that a mapping has already.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Duplicate {
    pub(super) line: u64,
    pub(super) field: String,
}

/// Reads a stream. What can be read is returned beside what cannot.
pub(super) fn read(text: &str) -> (Vec<Document>, Vec<SyntaxError>) {
    let options = serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        with_snippet: false,
    };
    let (mut documents, mut errors) = (Vec::new(), Vec::new());
    let mut bytes = text.as_bytes();
    for item in serde_saphyr::read_with_options::<_, Node>(&mut bytes, options) {
        match item {
            Ok(root) => documents.push(Document { number: documents.len() + 1, root }),
            Err(error) => errors.push(SyntaxError::from(&error)),
        }
    }
    (documents, errors)
}

impl From<&serde_saphyr::Error> for SyntaxError {
    fn from(error: &serde_saphyr::Error) -> Self {
        let line = error.location().map(|location| location.line()).filter(|line| *line > 0);
        let text = error.without_snippet().render_with_formatter(&serde_saphyr::UserMessageFormatter);
        // The place of the problem names the line.
        let reason = text.lines().next().and_then(|line| line.split(" at line ").next()).unwrap_or("unreadable").trim();
        Self { line, reason: format!("is not valid YAML: {reason}") }
    }
}

impl Node {
    /// The value as JSON. Of members with the same key the first is kept.
    pub(super) fn to_value(&self) -> Value {
        match &self.content {
            Content::Null => Value::Null,
            Content::Bool(value) => Value::Bool(*value),
            Content::Number(value) => Value::Number(value.clone()),
            Content::Text(value) => Value::String(value.clone()),
            Content::List(items) => Value::Array(items.iter().map(Self::to_value).collect()),
            Content::Map(members) => {
                let mut map = Map::new();
                for member in members {
                    map.entry(member.key.clone()).or_insert_with(|| member.value.to_value());
                }
                Value::Object(map)
            }
        }
    }

    /// Every key that a mapping repeats.
    pub(super) fn duplicates(&self) -> Vec<Duplicate> {
        let mut found = Vec::new();
        self.collect_duplicates("", &mut found);
        found
    }

    fn collect_duplicates(&self, path: &str, found: &mut Vec<Duplicate>) {
        match &self.content {
            Content::Map(members) => {
                let mut seen = std::collections::HashSet::new();
                for member in members {
                    let field = join(path, &member.key);
                    if !seen.insert(member.key.as_str()) {
                        found.push(Duplicate { line: member.line, field: field.clone() });
                    }
                    member.value.collect_duplicates(&field, found);
                }
            }
            Content::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    item.collect_duplicates(&format!("{path}[{index}]"), found);
                }
            }
            Content::Null | Content::Bool(_) | Content::Number(_) | Content::Text(_) => {}
        }
    }

    /// The line of a field, named as in `spec.roles[0].name`; of the nearest one around it when it is not written.
    pub(super) fn line_of(&self, path: &str) -> u64 {
        self.find(path).unwrap_or(self.line)
    }

    fn find(&self, path: &str) -> Option<u64> {
        match &self.content {
            Content::Map(members) => {
                let path = path.strip_prefix('.').unwrap_or(path);
                let named = |member: &&Member| {
                    path.strip_prefix(member.key.as_str())
                        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
                };
                let member = members.iter().filter(named).max_by_key(|member| member.key.len())?;
                let rest = path.get(member.key.len()..).unwrap_or_default();
                Some(member.value.find(rest).unwrap_or(member.line))
            }
            Content::List(items) => {
                let (index, rest) = path.strip_prefix('[')?.split_once(']')?;
                let item = items.get(index.parse::<usize>().ok()?)?;
                Some(item.find(rest).unwrap_or(item.line))
            }
            Content::Null | Content::Bool(_) | Content::Number(_) | Content::Text(_) => None,
        }
    }
}

impl From<&Value> for Node {
    fn from(value: &Value) -> Self {
        let content = match value {
            Value::Null => Content::Null,
            Value::Bool(value) => Content::Bool(*value),
            Value::Number(value) => Content::Number(value.clone()),
            Value::String(value) => Content::Text(value.clone()),
            Value::Array(items) => Content::List(items.iter().map(Self::from).collect()),
            Value::Object(members) => {
                let member =
                    |(key, value): (&String, &Value)| Member { key: key.clone(), line: 0, value: value.into() };
                Content::Map(members.iter().map(member).collect())
            }
        };
        Self { line: 0, content }
    }
}

/// The path of a member.
pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Content>::deserialize(deserializer)?;
        Ok(Self { line: spanned.referenced.line(), content: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Content, E> {
        Ok(Content::Null)
    }

    fn visit_none<E>(self) -> Result<Content, E> {
        Ok(Content::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Content, D::Error> {
        Content::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Content, E> {
        Ok(Content::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Content, E> {
        Ok(Content::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Content, E> {
        Ok(Content::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Content, E> {
        Number::from_f64(value).map(Content::Number).ok_or_else(|| E::custom("a number must be finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Content, E> {
        Ok(Content::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Content, E> {
        Ok(Content::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Content, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Content::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Content, A::Error> {
        let mut map = Vec::new();
        while let Some((key, value)) = members.next_entry::<Node, Node>()? {
            let line = key.line;
            let key = match key.content {
                Content::Text(text) => text,
                Content::Bool(value) => value.to_string(),
                Content::Number(value) => value.to_string(),
                Content::Null | Content::List(_) | Content::Map(_) => {
                    return Err(A::Error::custom("a key must be text"));
                }
            };
            map.push(Member { key, line, value });
        }
        Ok(Content::Map(map))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn every_value_knows_its_line() {
        let text = "# comment\na: 1\n---\nspec:\n  roles:\n  - name: x\n  - name: y\n    vouch.sh/z: {q: 2}\n";
        let (documents, errors) = read(text);
        assert_eq!(errors, []);
        assert_eq!(documents.len(), 2);
        assert_eq!(documents[0].root.line_of("a"), 2);
        let root = &documents[1].root;
        let lines = [
            "spec",
            "spec.roles",
            "spec.roles[1]",
            "spec.roles[1].name",
            "spec.roles[1].vouch.sh/z.q",
            "spec.roles[1].absent",
            "spec.absent",
            "absent",
        ]
        .map(|path| root.line_of(path));
        assert_eq!(lines, [4, 5, 7, 7, 8, 7, 4, 4]);
    }

    #[test]
    fn every_repeated_key_is_found_with_its_line() {
        let (documents, _) = read("a: 1\nb:\n- c: 1\n  c: 2\na: 3\n");
        let found = documents[0].root.duplicates();
        assert_eq!(
            found,
            [Duplicate { line: 4, field: "b[0].c".to_owned() }, Duplicate { line: 5, field: "a".to_owned() }]
        );
        assert_eq!(documents[0].root.to_value(), json!({"a": 1, "b": [{"c": 1}]}));
    }

    #[test]
    fn says_the_line_that_is_no_yaml() {
        let (_, errors) = read("a: 1\nb: [1, 2\nc: 3\n");
        assert_eq!(errors.len(), 1);
        assert!(matches!(errors[0].line, Some(2..=4)), "{errors:?}");
        assert!(errors[0].reason.starts_with("is not valid YAML: "), "{errors:?}");
    }

    #[test]
    fn empty_documents_do_not_count() {
        let (documents, errors) = read("---\n---\n# nothing\n---\na: 1\n...\n");
        assert_eq!((documents.len(), errors.len()), (1, 0));
    }

    #[test]
    fn neither_depth_nor_aliases_exhaust_the_reader() {
        let deep = "[".repeat(100_000);
        assert!(!read(&deep).1.is_empty());
        let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for n in 1..12 {
            let previous = format!("*a{},", n - 1).repeat(10);
            bomb.push_str(&format!("a{n}: &a{n} [{previous}]\n"));
        }
        assert!(!read(&bomb).1.is_empty());
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "(\\PC|[\\n\\t:&*?!|>'\"%@`\\[\\]{},#-]){0,200}") {
            let (documents, _) = read(&text);
            for document in documents {
                let _ = (document.root.to_value(), document.root.duplicates(), document.root.line_of("a.b[0]"));
            }
        }
    }
}
