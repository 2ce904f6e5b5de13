//! XML of answers, in the layout of the query protocol.

use serde_json::{Map, Value};

use super::fault::Fault;
use super::params::lower_camel;
use crate::endpoint::Service;

/// Elements whose text never reaches a log.
const SECRET: [&str; 2] = ["SecretAccessKey", "SessionToken"];

/// An XML element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    name: &'static str,
    content: Content,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    Text(String),
    Children(Vec<Node>),
    List(Vec<Node>),
}

impl Node {
    /// An element with text.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "every call would need an ampersand that says nothing")]
    pub fn text(name: &'static str, text: impl ToString) -> Self {
        Self { name, content: Content::Text(text.to_string()) }
    }

    /// An element with members.
    #[must_use]
    pub fn structure(name: &'static str, children: impl IntoIterator<Item = Node>) -> Self {
        Self { name, content: Content::Children(children.into_iter().collect()) }
    }

    /// A list of structures.
    #[must_use]
    pub fn list(name: &'static str, items: impl IntoIterator<Item = Vec<Node>>) -> Self {
        let items = items.into_iter().map(|children| Node::structure("member", children)).collect();
        Self { name, content: Content::List(items) }
    }

    /// A list of strings.
    #[must_use]
    pub fn strings(name: &'static str, items: impl IntoIterator<Item = impl ToString>) -> Self {
        let items = items.into_iter().map(|item| Node::text("member", item)).collect();
        Self { name, content: Content::List(items) }
    }

    /// A map, as `GetAccountSummary` returns it.
    #[must_use]
    pub fn map(name: &'static str, entries: impl IntoIterator<Item = (String, String)>) -> Self {
        let entries = entries
            .into_iter()
            .map(|(key, value)| Node::structure("entry", [Node::text("key", key), Node::text("value", value)]));
        Self { name, content: Content::Children(entries.collect()) }
    }

    fn render(&self, out: &mut String) {
        out.push('<');
        out.push_str(self.name);
        out.push('>');
        match &self.content {
            Content::Text(text) => escape(text, out),
            Content::Children(nodes) | Content::List(nodes) => nodes.iter().for_each(|node| node.render(out)),
        }
        out.push_str("</");
        out.push_str(self.name);
        out.push('>');
    }

    fn logged(&self) -> Value {
        match &self.content {
            Content::Text(text) => Value::String(text.clone()),
            Content::Children(nodes) => logged(nodes),
            Content::List(nodes) => Value::Array(nodes.iter().map(Node::logged).collect()),
        }
    }
}

/// Elements as `responseElements` of the call log: lower camel case, no secrets.
#[must_use]
pub fn logged(nodes: &[Node]) -> Value {
    let members: Map<_, _> = nodes
        .iter()
        .filter(|node| !SECRET.contains(&node.name))
        .map(|node| (lower_camel(node.name), node.logged()))
        .collect();
    Value::Object(members)
}

/// The body of a successful answer; `None` is an action without a result.
#[must_use]
pub fn success(service: Service, action: &str, result: Option<&[Node]>, request_id: &str) -> String {
    let mut body = format!("<{action}Response xmlns=\"{}\">", service.namespace());
    if let Some(nodes) = result {
        body.push_str(&format!("<{action}Result>"));
        nodes.iter().for_each(|node| node.render(&mut body));
        body.push_str(&format!("</{action}Result>"));
    }
    Node::structure("ResponseMetadata", [Node::text("RequestId", request_id)]).render(&mut body);
    body.push_str(&format!("</{action}Response>"));
    body
}

/// The body of an error answer.
#[must_use]
pub fn failure(service: Service, fault: &Fault, request_id: &str) -> String {
    let kind = if fault.status < 500 { "Sender" } else { "Receiver" };
    let mut body = format!("<ErrorResponse xmlns=\"{}\">", service.namespace());
    let members = [Node::text("Type", kind), Node::text("Code", &fault.code), Node::text("Message", &fault.message)];
    Node::structure("Error", members).render(&mut body);
    Node::text("RequestId", request_id).render(&mut body);
    body.push_str("</ErrorResponse>");
    body
}

fn escape(text: &str, out: &mut String) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#13;"),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Node, failure, logged, success};
    use crate::endpoint::Service;
    use crate::wire::Fault;
    use serde_json::json;

    #[test]
    fn wraps_a_result_as_the_query_protocol_does() {
        let nodes = [Node::text("Arn", "a<b&c"), Node::strings("Ids", ["x"])];
        assert_eq!(
            success(Service::Sts, "GetCallerIdentity", Some(&nodes), "id"),
            "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult><Arn>a&lt;b&amp;c</Arn>\
             <Ids><member>x</member></Ids></GetCallerIdentityResult><ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
        );
    }

    #[test]
    fn states_errors_as_the_query_protocol_does() {
        let body = failure(Service::Iam, &Fault::no_such_entity("gone"), "id");
        assert!(body.contains("<Error><Type>Sender</Type><Code>NoSuchEntity</Code><Message>gone</Message></Error><RequestId>id</RequestId>"));
    }

    #[test]
    fn never_logs_a_secret() {
        let nodes = [Node::structure(
            "Credentials",
            [Node::text("AccessKeyId", "ASIA"), Node::text("SecretAccessKey", "s"), Node::text("SessionToken", "t")],
        )];
        assert_eq!(logged(&nodes), json!({"credentials": {"accessKeyId": "ASIA"}}));
    }
}
