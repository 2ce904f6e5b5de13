//! Tags of an object.
//!
//! Keys of roles, users and sessions are unique without regard to case, keys of providers and policies with regard to
//! it (recorded).

/// Whether two keys that differ in case are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyCase {
    /// They are one, and the later spelling stays.
    Folded,
    /// They are two.
    Distinct,
}

/// Keys and values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tags {
    case: KeyCase,
    entries: Vec<(String, String)>,
}

impl Tags {
    /// No tags.
    #[must_use]
    pub fn new(case: KeyCase) -> Self {
        Self { case, entries: Vec::new() }
    }

    /// Tags of a list; later ones replace earlier ones of the same key.
    #[must_use]
    pub fn from_pairs(case: KeyCase, pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut tags = Self::new(case);
        pairs.into_iter().for_each(|(key, value)| tags.set(key, value));
        tags
    }

    /// Sets a tag, replacing key and value of the one that is the same.
    pub fn set(&mut self, key: String, value: String) {
        self.remove(&key);
        self.entries.push((key, value));
        self.entries.sort();
    }

    /// Removes a tag; nothing happens when there is none.
    pub fn remove(&mut self, key: &str) {
        let case = self.case;
        self.entries.retain(|(existing, _)| !same(case, existing, key));
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.entries.iter().find(|(existing, _)| same(self.case, existing, key)).map(|(_, value)| value.as_str())
    }

    /// All tags, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

fn same(case: KeyCase, left: &str, right: &str) -> bool {
    match case {
        KeyCase::Folded => left.to_lowercase() == right.to_lowercase(),
        KeyCase::Distinct => left == right,
    }
}

#[cfg(test)]
mod tests {
    use super::{KeyCase, Tags};

    fn pairs() -> Vec<(String, String)> {
        vec![("Team".to_owned(), "a".to_owned()), ("team".to_owned(), "b".to_owned())]
    }

    #[test]
    fn role_tags_fold_case_and_provider_tags_do_not() {
        let folded = Tags::from_pairs(KeyCase::Folded, pairs());
        assert_eq!(folded.iter().collect::<Vec<_>>(), [("team", "b")]);
        assert_eq!(folded.get("TEAM"), Some("b"));
        let distinct = Tags::from_pairs(KeyCase::Distinct, pairs());
        assert_eq!(distinct.iter().collect::<Vec<_>>(), [("Team", "a"), ("team", "b")]);
    }
}
