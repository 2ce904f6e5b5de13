//! Pieces of schemas that several resources share. Every text and list is bounded: an API server estimates the cost of
//! CEL rules from those bounds and refuses a definition whose rules might be too dear.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

const DOMAIN: &str = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+";

/// A text of at most `max` characters that satisfies each CEL rule (rule, sentence).
pub(crate) fn text(max: u32, rules: &[(&str, &str)]) -> Schema {
    let rules: Vec<Value> = rules.iter().map(|(rule, message)| json!({"rule": rule, "message": message})).collect();
    json_schema!({"type": "string", "maxLength": max, "x-kubernetes-validations": rules})
}

/// A text of at most `max` characters of the form `pattern` (RE2, anchored by the caller).
fn pattern(max: u32, pattern: &str, message: &str) -> Schema {
    text(max, &[(&format!("self.matches('{pattern}')"), message)])
}

/// A list without duplicates.
fn set(item: &Schema, max: u32) -> Schema {
    json_schema!({"type": "array", "items": item, "maxItems": max, "x-kubernetes-list-type": "set"})
}

/// Plain text for people, such as a name.
pub(crate) fn label(_: &mut SchemaGenerator) -> Schema {
    pattern(
        128,
        r"^[^\\s\\pC](\\PC*[^\\s\\pC])?$",
        "must not be empty, nor begin or end with a space, nor have control characters",
    )
}

/// A DNS subdomain (RFC 1123), which most objects have for a name.
const SUBDOMAIN: &str = "[a-z0-9]([a-z0-9-]*[a-z0-9])?([.][a-z0-9]([a-z0-9-]*[a-z0-9])?)*";

/// The name of an object in the same namespace.
pub(crate) fn object_name(_: &mut SchemaGenerator) -> Schema {
    pattern(
        253,
        &format!("^{SUBDOMAIN}$"),
        "must be the name of an object: lower-case letters, digits and dashes, in parts between single dots",
    )
}

/// Names of objects.
pub(crate) fn object_names(generator: &mut SchemaGenerator) -> Schema {
    set(&object_name(generator), 50)
}

/// The name of a Gateway's listener.
pub(crate) fn listener(_: &mut SchemaGenerator) -> Schema {
    let sentence =
        "must be the name of a listener: lower-case letters, digits and dashes, in parts between single dots";
    pattern(253, &format!("^{SUBDOMAIN}$"), sentence)
}

/// The name of a namespace.
pub(crate) fn namespace(_: &mut SchemaGenerator) -> Schema {
    pattern(
        63,
        "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$",
        "must be the name of a namespace: lower-case letters, digits and dashes",
    )
}

/// Names of namespaces.
pub(crate) fn namespaces(generator: &mut SchemaGenerator) -> Schema {
    set(&namespace(generator), 50)
}

/// What Kubernetes calls a qualified name: at most 63 characters, alone or behind a domain of at most 253 and a slash.
fn qualified(text: &str) -> String {
    let form = format!("^({SUBDOMAIN}/)?[A-Za-z0-9]([A-Za-z0-9._-]{{0,61}}[A-Za-z0-9])?$");
    format!("{text}.matches('{form}') && {text}.indexOf('/') <= 253")
}

const LABEL_KEY_SENTENCE: &str = "must be the key of a label, such as kubernetes.io/hostname";
const LABEL_VALUE: &str = "^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?$";
const LABEL_VALUE_SENTENCE: &str =
    "must be the value of a label: letters, digits and ._-, with a letter or digit at both ends";

/// The key of a label.
pub(crate) fn label_key(_: &mut SchemaGenerator) -> Schema {
    text(317, &[(&qualified("self"), LABEL_KEY_SENTENCE)])
}

/// The key of a taint. Kubernetes' own types write `""` for none.
pub(crate) fn taint_key(_: &mut SchemaGenerator) -> Schema {
    text(317, &[(&format!("self == '' || ({})", qualified("self")), LABEL_KEY_SENTENCE)])
}

/// One of the values of an enumeration, or the `""` that Kubernetes' own types write for none.
pub(crate) fn or_empty<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = T::json_schema(generator);
    if let Some(choices) = schema.get_mut("oneOf").and_then(Value::as_array_mut) {
        choices.push(json!({"type": "string", "const": ""}));
    }
    schema
}

/// Keys of labels.
pub(crate) fn label_keys(generator: &mut SchemaGenerator) -> Schema {
    set(&label_key(generator), 10)
}

/// The value of a label, which may be empty.
pub(crate) fn label_value(_: &mut SchemaGenerator) -> Schema {
    pattern(63, LABEL_VALUE, LABEL_VALUE_SENTENCE)
}

/// The name of an image.
pub(crate) fn image(_: &mut SchemaGenerator) -> Schema {
    text(
        512,
        &[
            (r"self.matches('^\\S+$')", "must be the name of an image, which has no spaces"),
            (
                "!self.contains('://')",
                "must be the name of an image, not a URL: leave out the scheme, such as https://",
            ),
        ],
    )
}

/// The class of a load balancer, which has the form of a label's key.
pub(crate) fn load_balancer_class(_: &mut SchemaGenerator) -> Schema {
    text(317, &[(&qualified("self"), "must be the class of a load balancer, such as example.com/internal")])
}

/// Texts by their names, each of at most `longest` characters. Each rule (rule, sentence) is about the whole.
fn texts(longest: u32, rules: &[(&str, &str)]) -> Schema {
    let rules: Vec<Value> = rules.iter().map(|(rule, message)| json!({"rule": rule, "message": message})).collect();
    json_schema!({
        "type": "object",
        "additionalProperties": {"type": "string", "maxLength": longest},
        "maxProperties": 50,
        "x-kubernetes-validations": rules,
    })
}

/// Labels.
pub(crate) fn labels(_: &mut SchemaGenerator) -> Schema {
    let keys = format!("self.all(key, {})", qualified("key"));
    let values = format!("self.all(key, self[key].matches('{LABEL_VALUE}'))");
    let [about_keys, about_values] = [("key", LABEL_KEY_SENTENCE), ("value", LABEL_VALUE_SENTENCE)]
        .map(|(of, sentence)| format!("each {of} {sentence}"));
    texts(63, &[(&keys, &about_keys), (&values, &about_values)])
}

/// Annotations. A value alone may be as long as Kubernetes lets all of an object be together, which no schema can add up.
pub(crate) fn annotations(_: &mut SchemaGenerator) -> Schema {
    let keys = format!("self.all(key, {})", qualified("key.lowerAscii()"));
    texts(262_144, &[(&keys, "each key must be that of an annotation, such as example.com/team")])
}

/// What `quantity()` may read as an amount and this definition does not take, so that no comparison of two overflows, in any
/// evaluator: a minus, also in an exponent; an exponent above 19; more than nine digits behind the point, or eighteen in a row.
/// Every character of it is dear: see [`quantity`].
const NO_AMOUNT: &str = r"-|[eE]([^1]|..).|\\.\\d{10}|\\d{19}";

/// CEL: whether `field` is an amount, as text or as a whole number. CEL tells the two apart by what only a text is equal to:
/// not every evaluator knows `type()`.
pub(crate) fn is_amount(field: &str) -> String {
    format!(
        "({field} == string({field}) ? isQuantity({field}) && !{field}.matches('{NO_AMOUNT}') && \
         quantity({field}).isLessThan(quantity('9E')) : int({field}) >= 0)"
    )
}

/// CEL: the amount that `field` is, by [`is_amount`].
pub(crate) fn amount_of(field: &str) -> String {
    format!("({field} == string({field}) ? quantity({field}) : quantity('0').add(int({field})))")
}

/// An amount of a resource, in the forms that Kubernetes takes. An older API server estimates the cost of its rules as if it
/// could be as long as a request, whatever its `maxLength`.
pub(crate) fn quantity(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "x-kubernetes-int-or-string": true,
        "maxLength": 32,
        "x-kubernetes-validations": [
            {"rule": is_amount("self"), "message": "must be an amount, such as 2, 500m, 1.5 or 64Mi"},
        ],
    })
}

/// A key in the data of a ConfigMap or Secret.
pub(crate) fn data_key(_: &mut SchemaGenerator) -> Schema {
    pattern(253, r"^[A-Za-z0-9._-]+$", "must be a key of its data: letters, digits, dots, dashes and underscores")
}

fn domain() -> Schema {
    pattern(253, &format!("^{DOMAIN}$"), "must be a domain in lower case, such as example.com")
}

fn email() -> Schema {
    pattern(
        64,
        &format!("^[a-z0-9_+=.-]+@{DOMAIN}$"),
        "must be an e-mail address in lower case, of letters, digits and _+=.@- (AWS carries no other character)",
    )
}

fn group() -> Schema {
    pattern(128, "^[A-Za-z0-9][A-Za-z0-9._:/@+-]*$", "must be a group: letters, digits and ._:/@+-")
}

/// One e-mail address.
pub(crate) fn email_address(_: &mut SchemaGenerator) -> Schema {
    email()
}

/// E-mail domains.
pub(crate) fn domains(_: &mut SchemaGenerator) -> Schema {
    set(&domain(), 100)
}

/// E-mail addresses.
pub(crate) fn emails(_: &mut SchemaGenerator) -> Schema {
    set(&email(), 200)
}

/// Groups.
pub(crate) fn groups(_: &mut SchemaGenerator) -> Schema {
    set(&group(), 100)
}

/// One AWS account.
pub(crate) fn account(_: &mut SchemaGenerator) -> Schema {
    // Longer, so that one with dashes, as the console shows it, meets the sentence.
    pattern(32, "^[0-9]{12}$", "must be the 12 digits of an AWS account")
}

/// AWS accounts.
pub(crate) fn accounts(generator: &mut SchemaGenerator) -> Schema {
    set(&account(generator), 300)
}

/// AWS accounts that differ from others.
pub(crate) fn few_accounts(generator: &mut SchemaGenerator) -> Schema {
    set(&account(generator), 100)
}

/// The name of an IAM role ("IAM and AWS STS quotas", IAM User Guide).
pub(crate) fn role_name(_: &mut SchemaGenerator) -> Schema {
    pattern(64, "^[A-Za-z0-9+=,.@_-]+$", "must be a role's name without its path: letters, digits and +=,.@_-")
}

/// The path of an IAM role.
pub(crate) fn role_path(_: &mut SchemaGenerator) -> Schema {
    pattern(512, "^/([A-Za-z0-9+=,.@_-]+/)*$", "must begin and end with a slash, such as /vouch/ or /")
}

/// The ARN of an IAM role.
pub(crate) fn role_arn(_: &mut SchemaGenerator) -> Schema {
    pattern(
        2048,
        "^arn:aws(-cn|-us-gov)?:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$",
        "must be the ARN of a role: arn:aws:iam::ACCOUNT:role/PATH/NAME",
    )
}

/// The ARN of a managed policy, of AWS or of an account.
pub(crate) fn policy_arn(_: &mut SchemaGenerator) -> Schema {
    pattern(
        512,
        "^arn:aws[a-z-]*:iam::(aws|[0-9]{12}):policy/.+$",
        "must be the ARN of a managed policy, such as arn:aws:iam::aws:policy/ReadOnlyAccess",
    )
}

/// The ARNs of managed policies; IAM attaches at most 20 to a role.
pub(crate) fn policy_arns(generator: &mut SchemaGenerator) -> Schema {
    set(&policy_arn(generator), 20)
}

/// ARNs of principals, in which `*` may stand for any text.
pub(crate) fn principal_arns(_: &mut SchemaGenerator) -> Schema {
    set(
        &pattern(
            2048,
            r"^arn:aws(-cn|-us-gov)?:(iam|sts)::([0-9]{12}|\\*):[!-~]+$",
            "must be the ARN of a principal, such as arn:aws:iam::*:role/Deployment",
        ),
        50,
    )
}

/// Organizational units, or the root of an organization.
pub(crate) fn organizational_units(_: &mut SchemaGenerator) -> Schema {
    set(
        &pattern(
            68,
            "^(ou-[0-9a-z]{4,32}-[0-9a-z]{8,32}|r-[0-9a-z]{4,32})$",
            "must be the id of an organizational unit (ou-…) or of the organization's root (r-…)",
        ),
        100,
    )
}

/// CIDR blocks.
pub(crate) fn networks(_: &mut SchemaGenerator) -> Schema {
    set(&text(43, &[("isCIDR(self)", "must be a network such as 10.0.0.0/8 or fd00::/8")]), 50)
}

/// FIDO authenticator models.
pub(crate) fn aaguids(_: &mut SchemaGenerator) -> Schema {
    set(
        &pattern(
            36,
            "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
            "must be an AAGUID in lower case, such as 2fc0579f-8113-47ea-b116-bb5a8db9202a",
        ),
        200,
    )
}

/// Conditions as Kubernetes prescribes them, keyed by their type.
pub(crate) fn conditions(generator: &mut SchemaGenerator) -> Schema {
    let condition = generator.subschema_for::<k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition>();
    json_schema!({
        "type": "array",
        "items": condition,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
    })
}

/// Redirect URIs: https, or http to this machine for programs on people's machines (RFC 8252 §7.3).
pub(crate) fn redirect_uris(_: &mut SchemaGenerator) -> Schema {
    set(
        &pattern(
            2048,
            r"^(https://[^/?#\\s]+|http://(localhost|127\\.0\\.0\\.1|\\[::1\\])(:[0-9]+)?)(/[^#\\s]*)?$",
            "must be https, or http to localhost, 127.0.0.1 or [::1], without a fragment",
        ),
        50,
    )
}

/// Audiences of an identity provider; IAM takes 100 of at most 255 characters.
pub(crate) fn client_ids(_: &mut SchemaGenerator) -> Schema {
    set(&pattern(255, r"^\\S+$", "must be an audience without spaces"), 100)
}

/// SHA-1 fingerprints of certificates; IAM takes 5.
pub(crate) fn thumbprints(_: &mut SchemaGenerator) -> Schema {
    set(
        // Longer, so that one with colons, or a SHA-256, meets the sentence.
        &pattern(
            128,
            "^[0-9a-f]{40}$",
            "must be the SHA-1 fingerprint of a certificate: 40 lower-case hexadecimal digits",
        ),
        5,
    )
}
