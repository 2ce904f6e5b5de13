//! Parameters of the query protocol.

use serde_json::{Map, Value};
use url::form_urlencoded;

/// Parameters whose values never reach a log.
const SECRET: [&str; 4] = ["WebIdentityToken", "SAMLAssertion", "TokenCode", "Password"];

/// The parameters of one request, in order.
#[derive(Debug, Clone, Default)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// Parameters of the query string and of a form body together.
    #[must_use]
    pub fn parse(query: &str, body: &[u8]) -> Self {
        let pairs = form_urlencoded::parse(query.as_bytes()).chain(form_urlencoded::parse(body));
        Self(
            pairs
                .filter(|(name, _)| !name.starts_with("X-Amz-"))
                .map(|(name, value)| (name.into_owned(), value.into_owned()))
                .collect(),
        )
    }

    /// The value of a parameter; the last one when it is there twice.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(candidate, _)| candidate == name).map(|(_, value)| value.as_str())
    }

    /// The members of a list of strings, or `None` when the list was not sent. An empty list is sent as `Name=`.
    #[must_use]
    pub fn list(&self, name: &str) -> Option<Vec<String>> {
        let members: Vec<_> = self
            .members(name)
            .iter()
            .filter_map(|index| self.get(&format!("{name}.member.{index}")))
            .map(str::to_owned)
            .collect();
        (!members.is_empty() || self.get(name).is_some()).then_some(members)
    }

    /// The members of a list of structures, each as its own parameters, or `None` when the list was not sent.
    #[must_use]
    pub fn structures(&self, name: &str) -> Option<Vec<Params>> {
        let members = self.members(name);
        let structures: Vec<_> = members
            .iter()
            .map(|index| {
                let prefix = format!("{name}.member.{index}.");
                Params(
                    self.0
                        .iter()
                        .filter_map(|(name, value)| Some((name.strip_prefix(&prefix)?.to_owned(), value.clone())))
                        .collect(),
                )
            })
            .collect();
        (!structures.is_empty() || self.get(name).is_some()).then_some(structures)
    }

    fn members(&self, name: &str) -> Vec<u32> {
        let prefix = format!("{name}.member.");
        let mut indices: Vec<u32> =
            self.0.iter().filter_map(|(name, _)| name.strip_prefix(&prefix)?.split('.').next()?.parse().ok()).collect();
        indices.sort_unstable();
        indices.dedup();
        indices
    }

    /// The parameters as `requestParameters` of the call log: lower camel case, lists as arrays, no tokens.
    #[must_use]
    pub fn logged(&self) -> Value {
        let mut logged = Map::new();
        for (name, value) in &self.0 {
            let top = name.split('.').next().unwrap_or(name);
            if matches!(top, "Action" | "Version") || SECRET.contains(&top) {
                continue;
            }
            let path: Vec<&str> = name.split('.').collect();
            insert(&mut logged, &path, value);
        }
        if logged.is_empty() { Value::Null } else { Value::Object(logged) }
    }
}

/// Puts `Tags.member.1.Key=x` under `tags[0].key`. Members come in order, so that an index is an append or the last one.
fn insert(target: &mut Map<String, Value>, path: &[&str], value: &str) {
    let Some((head, rest)) = path.split_first() else { return };
    let name = lower_camel(head);
    match rest {
        [] => {
            target.insert(name, Value::String(value.to_owned()));
        }
        ["member", index, inner @ ..] => {
            let list = target.entry(name).or_insert_with(|| Value::Array(Vec::new()));
            let Value::Array(items) = list else { return };
            let position = index.parse::<usize>().unwrap_or(1).saturating_sub(1).min(items.len());
            if inner.is_empty() {
                items.push(Value::String(value.to_owned()));
                return;
            }
            if position == items.len() {
                items.push(Value::Object(Map::new()));
            }
            if let Some(Value::Object(item)) = items.get_mut(position) {
                insert(item, inner, value);
            }
        }
        rest => {
            let nested = target.entry(name).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(nested) = nested {
                insert(nested, rest, value);
            }
        }
    }
}

/// `RoleArn` as `roleArn`, `SAMLProviderArn` as `sAMLProviderArn`, as CloudTrail writes them.
#[must_use]
pub fn lower_camel(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::Params;
    use serde_json::json;

    #[test]
    fn tells_an_empty_list_from_an_absent_one() {
        let params = Params::parse("ClientIDList=", b"Other.member.2=b&Other.member.10=c&Other.member.1=a");
        assert_eq!(params.list("ClientIDList"), Some(vec![]));
        assert_eq!(params.list("ThumbprintList"), None);
        assert_eq!(params.list("Other").unwrap(), ["a", "b", "c"]);
    }

    #[test]
    fn reads_structures() {
        let params = Params::parse(
            "",
            b"Tags.member.1.Key=Team&Tags.member.1.Value=a%2Bb&Tags.member.2.Key=x&Tags.member.2.Value=",
        );
        let tags = params.structures("Tags").unwrap();
        assert_eq!(tags.len(), 2);
        assert_eq!((tags[0].get("Key"), tags[0].get("Value")), (Some("Team"), Some("a+b")));
    }

    #[test]
    fn logs_parameters_without_the_token() {
        let params = Params::parse("", b"Action=X&Version=1&RoleArn=r&WebIdentityToken=secret&Tags.member.1.Key=k&Tags.member.1.Value=v&L.member.1=a&L.member.2=b");
        assert_eq!(params.logged(), json!({"roleArn": "r", "tags": [{"key": "k", "value": "v"}], "l": ["a", "b"]}));
    }
}
