//! One object of a stream: what it is, and whether its schema accepts it.
//!
//! The schemas are those that a cluster installs, CEL rules included, so that both refuse the same objects with the same
//! sentences.

use std::sync::LazyLock;

use kube_cel::{CompiledSchema, ErrorKind, compile_schema, validate_compiled};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use vouch_crds::API_VERSION;

use super::{
    Setting,
    document::{Document, Duplicate, Node},
    problem::{Place, Problem, is_within},
    schema::{self, Finding},
};

/// What an object can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Kind {
    VouchIssuer,
    AwsFederation,
    VouchUser,
    OidcClient,
    ConfigMap,
}

impl Kind {
    const ALL: [Self; 5] = [Self::VouchIssuer, Self::AwsFederation, Self::VouchUser, Self::OidcClient, Self::ConfigMap];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::VouchIssuer => "VouchIssuer",
            Self::AwsFederation => "AwsFederation",
            Self::VouchUser => "VouchUser",
            Self::OidcClient => "OidcClient",
            Self::ConfigMap => "ConfigMap",
        }
    }

    const fn api_version(self) -> &'static str {
        match self {
            Self::ConfigMap => "v1",
            _ => API_VERSION,
        }
    }

    fn schema(self) -> &'static Schema {
        static VOUCH_ISSUER: LazyLock<Schema> = LazyLock::new(|| Schema::of(Kind::VouchIssuer));
        static AWS_FEDERATION: LazyLock<Schema> = LazyLock::new(|| Schema::of(Kind::AwsFederation));
        static VOUCH_USER: LazyLock<Schema> = LazyLock::new(|| Schema::of(Kind::VouchUser));
        static OIDC_CLIENT: LazyLock<Schema> = LazyLock::new(|| Schema::of(Kind::OidcClient));
        static CONFIG_MAP: LazyLock<Schema> = LazyLock::new(|| Schema::of(Kind::ConfigMap));
        match self {
            Self::VouchIssuer => &VOUCH_ISSUER,
            Self::AwsFederation => &AWS_FEDERATION,
            Self::VouchUser => &VOUCH_USER,
            Self::OidcClient => &OIDC_CLIENT,
            Self::ConfigMap => &CONFIG_MAP,
        }
    }
}

/// What a whole object of a kind must be. It is made when the first object of that kind is read, and kept: an object is read
/// again whenever anything about an issuer changes.
struct Schema {
    structure: Value,
    rules: CompiledSchema,
}

impl Schema {
    fn of(kind: Kind) -> Self {
        let definition = vouch_crds::definition(kind.as_str());
        let structure = definition.map_or_else(config_map, |definition| object(definition.schema()));
        Self { rules: compile_schema(&structure), structure }
    }
}

/// An object that says what it is.
#[derive(Debug)]
pub(super) struct Manifest {
    pub(super) kind: Kind,
    pub(super) name: String,
    pub(super) namespace: Option<String>,
    /// Its schema accepts it.
    pub(super) valid: bool,
    /// Members that a newer definition has, and this program does not know.
    pub(super) unknown: Vec<String>,
    pub(super) value: Value,
    node: Node,
}

impl Manifest {
    /// A problem with one of its fields.
    pub(super) fn problem(&self, field: &str, reason: impl Into<String>) -> Problem {
        let object = format!("{} {}", self.kind.as_str(), self.name);
        Problem { place: place(&self.node, object, field), reason: reason.into() }
    }

    /// Whether something stands in one of its fields that this program does not know.
    pub(super) fn is_partly_unknown(&self, field: &str) -> bool {
        self.unknown.iter().any(|unknown| is_within(unknown, field))
    }

    /// The line of one of its fields.
    pub(super) fn line(&self, field: &str) -> u64 {
        self.node.line_of(field)
    }

    /// The declaration as its type, also when its schema refuses it, so that whatever else is wrong is found in the same
    /// round. `None` when it cannot be read, and the schema has said why.
    pub(super) fn spec<T: DeserializeOwned>(&self) -> Option<Result<T, Problem>> {
        match serde_json::from_value(self.value.get("spec").cloned()?) {
            Ok(spec) => Some(Ok(spec)),
            Err(error) => self.valid.then(|| Err(self.problem("spec", error.to_string()))),
        }
    }

    /// A text in it, by JSON pointer (RFC 6901), whether or not its schema accepts the rest.
    pub(super) fn text(&self, pointer: &str) -> Option<&str> {
        self.value.pointer(pointer).and_then(Value::as_str)
    }

    /// As sentences name it: `namespace/name`, or `name`.
    pub(super) fn full_name(&self) -> String {
        self.namespace.as_ref().map_or_else(|| self.name.clone(), |namespace| format!("{namespace}/{}", self.name))
    }
}

/// The `allow` around a field, such as `spec.roles[0].allow` of `spec.roles[0].allow.domains`.
fn allow_around(field: &str) -> Option<&str> {
    const ALLOW: &str = ".allow";
    field.find(".allow.").and_then(|at| field.get(..at + ALLOW.len()))
}

fn place(node: &Node, object: String, field: &str) -> Place {
    let field = (!field.is_empty()).then(|| field.to_owned());
    let line = Some(node.line_of(field.as_deref().unwrap_or_default())).filter(|line| *line > 0);
    Place { file: None, line, object: Some(object), field }
}

/// Identifies and checks one document.
///
/// What has no kind or no name cannot be spoken of by others and is `None`.
pub(super) fn check(document: Document, setting: Setting, problems: &mut Vec<Problem>) -> Option<Manifest> {
    let Document { number, root } = document;
    let mut value = root.to_value();
    if !value.is_object() {
        let reason = "must be an object with apiVersion, kind, metadata and spec".to_owned();
        problems.push(Problem { place: place(&root, format!("document {number}"), ""), reason });
        return None;
    }
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).map(ToOwned::to_owned);
    let (kind, name, namespace) = (text("/kind"), text("/metadata/name"), text("/metadata/namespace"));
    let object = match (&kind, &name) {
        (Some(kind), Some(name)) => format!("{kind} {name}"),
        (Some(kind), None) => format!("{kind} in document {number}"),
        _ => format!("document {number}"),
    };
    let duplicates = root.duplicates();
    let unambiguous = duplicates.is_empty();
    for Duplicate { line, field } in duplicates {
        let place = Place { line: Some(line), ..place(&root, object.clone(), &field) };
        problems.push(Problem { place, reason: "is given twice".to_owned() });
    }
    let kind = match kind_of(kind.as_deref()) {
        Ok(found) => found,
        Err(reason) => {
            problems.push(Problem { place: place(&root, object, "kind"), reason });
            return None;
        }
    };
    if text("/apiVersion").as_deref() != Some(kind.api_version()) {
        let reason = format!("must be {}", kind.api_version());
        problems.push(Problem { place: place(&root, object.clone(), "apiVersion"), reason });
    }
    if let Some(members) = value.as_object_mut() {
        // Written by controllers, never by people, and ignored on creation in a cluster, too.
        members.remove("status");
    }
    let Schema { structure, rules } = kind.schema();
    let unknown = take_unknown(setting, structure, &mut value);
    let found = schema::check(structure, &value, "");
    let value = schema::without_nulls(value);
    let mut findings = with_rules(found, rules, &value);
    // An `allow` of which only a part is known allows nobody, whatever that part lacks.
    let closed: Vec<&str> = unknown.iter().filter_map(|field| allow_around(field)).collect();
    findings.retain(|(field, _)| !closed.iter().any(|allow| is_within(field, allow)));
    let valid = findings.is_empty() && unambiguous;
    // Which version it must be has been said.
    let found = findings.into_iter().filter(|(field, _)| field != "apiVersion");
    problems.extend(found.map(|(field, reason)| Problem { place: place(&root, object.clone(), &field), reason }));
    Some(Manifest { kind, name: name?, namespace, valid, unknown, value, node: root })
}

fn kind_of(kind: Option<&str>) -> Result<Kind, String> {
    let kinds = || Kind::ALL.map(Kind::as_str).join(", ");
    let Some(kind) = kind else { return Err(format!("is missing; must be one of {}", kinds())) };
    let found = Kind::ALL.into_iter().find(|known| known.as_str() == kind);
    found.ok_or_else(|| format!("is {kind}; an issuer reads {}", kinds()))
}

/// Violations of structure, then of rules. Where the structure is wrong a rule may stumble over it; what the rule
/// says then would only be noise. Of a text with too many characters that a rule refuses as well, the rule says what
/// would be right.
fn with_rules(structure: Vec<Finding>, compiled: &CompiledSchema, value: &Value) -> Vec<Finding> {
    let structure_is_right = structure.is_empty();
    let broken = validate_compiled(compiled, value, None).err().into_iter().flatten();
    let rules = broken.filter(|error| structure_is_right || error.kind == ErrorKind::ValidationFailure);
    let rules: Vec<Finding> = rules.map(|error| (error.field_path, error.message)).collect();
    let said_better = |field: &str| is_text(value, field) && rules.iter().any(|(ruled, _)| ruled == field);
    let structure: Vec<Finding> = structure.into_iter().filter(|(field, _)| !said_better(field)).collect();
    structure.into_iter().chain(rules).collect()
}

/// In a cluster, an object was judged by the definition that is installed there, which may be newer than this program: its
/// new members, and the defaults that the API server gives them, are no mistakes. What is taken away is returned.
fn take_unknown(setting: Setting, schema: &Value, value: &mut Value) -> Vec<String> {
    match setting {
        Setting::Cluster => schema::prune(schema, value, ""),
        Setting::Alone => Vec::new(),
    }
}

/// Whether a text stands in a field, such as `spec.session.lifetime` or `spec.roles[0].name`.
fn is_text(value: &Value, field: &str) -> bool {
    let pointer = format!("/{}", field.replace(['.', '['], "/").replace(']', ""));
    value.pointer(&pointer).is_some_and(Value::is_string)
}

/// The schema of a whole object around the schema that its definition gives.
fn object(definition: &Value) -> Value {
    let spec = definition.pointer("/properties/spec").cloned().unwrap_or(Value::Null);
    json!({
        "type": "object",
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "properties": {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": metadata(), "spec": spec},
    })
}

fn config_map() -> Value {
    let texts = json!({"type": "object", "additionalProperties": {"type": "string"}});
    json!({
        "type": "object",
        "required": ["apiVersion", "kind", "metadata"],
        "properties": {
            "apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": metadata(),
            "data": texts, "binaryData": texts, "immutable": {"type": "boolean"},
        },
    })
}

/// `ObjectMeta`, as far as people write it; what a server adds may stand there.
fn metadata() -> Value {
    const BY_SERVERS: [&str; 10] = [
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "finalizers",
        "generation",
        "managedFields",
        "ownerReferences",
        "resourceVersion",
        "selfLink",
        "uid",
    ];
    let name = |max: u32, pattern: &str, message: &str| {
        json!({
            "type": "string",
            "maxLength": max,
            "x-kubernetes-validations": [{"rule": format!("self.matches('{pattern}')"), "message": message}],
        })
    };
    let texts = json!({"type": "object", "additionalProperties": {"type": "string"}});
    let by_people = [
        ("name", name(253, "^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", "must be lower-case letters, digits, dots and dashes")),
        ("namespace", name(63, "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", "must be lower-case letters, digits and dashes")),
        ("labels", texts.clone()),
        ("annotations", texts),
    ];
    let by_servers = BY_SERVERS.map(|member| (member, json!({"x-kubernetes-preserve-unknown-fields": true})));
    let properties: Map<String, Value> =
        by_people.into_iter().chain(by_servers).map(|(member, schema)| (member.to_owned(), schema)).collect();
    json!({"type": "object", "required": ["name"], "properties": properties})
}
