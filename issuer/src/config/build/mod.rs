//! From objects whose schemas accept them to the configuration in force: what only a look at several objects, or at a
//! value's meaning, can find wrong is found here.

mod anchor;
mod claims;
mod federation;
mod issuer;
mod people;

use std::{collections::HashMap, fmt::Display, str::FromStr};

use vouch_crds::issuer::VouchIssuerSpec;

pub use self::issuer::key_policy;
use super::{
    Config, Setting,
    manifest::{Kind, Manifest},
    objects::issuer_of,
    problem::{Place, Problem},
};

/// The configuration that these objects declare; every mistake goes to `problems`. `complete` tells whether there is
/// nothing in the stream besides them.
pub(super) fn build(
    manifests: &[Manifest],
    complete: bool,
    setting: Setting,
    problems: &mut Vec<Problem>,
) -> Option<Config> {
    unique(manifests, problems);
    let federations = federation::federations(manifests, problems);
    claims::check(&federations, problems);
    let clients = people::clients(manifests, problems);
    let users = people::users(manifests, problems);
    let manifest = the_issuer(manifests, complete, problems)?;
    same_namespace(manifest, manifests, problems);
    same_issuer(manifest, manifests, problems);
    people::check_domains(manifest, manifests, problems);
    let spec = typed::<VouchIssuerSpec>(manifest, problems);
    if spec.is_none() {
        issuer::check_inline_roots(manifest, problems);
    }
    let issuer = issuer::issuer(manifest, &spec?, manifests, setting, problems)?;
    Some(Config {
        federations: federations.into_iter().map(|(_, federation)| federation).collect(),
        users,
        clients,
        unknown: unknown(manifests),
        ..issuer
    })
}

/// What stands in objects and is not known, in sentences.
fn unknown(manifests: &[Manifest]) -> Vec<String> {
    let fields = manifests.iter().flat_map(|manifest| manifest.unknown.iter().map(move |field| (manifest, field)));
    fields
        .map(|(manifest, field)| manifest.problem(field, "is not known to this release, and has no effect"))
        .map(|problem| problem.to_string())
        .collect()
}

/// No two objects of a kind have one name.
fn unique(manifests: &[Manifest], problems: &mut Vec<Problem>) {
    let mut seen: HashMap<(Kind, &str), &Manifest> = HashMap::new();
    for manifest in manifests {
        let key = (manifest.kind, manifest.name.as_str());
        if let Some(first) = seen.get(&key) {
            let reason = format!("is the name of the object in line {} already", first.line("metadata.name"));
            problems.push(manifest.problem("metadata.name", reason));
        } else {
            seen.insert(key, manifest);
        }
    }
}

/// The one `VouchIssuer`.
fn the_issuer<'a>(manifests: &'a [Manifest], complete: bool, problems: &mut Vec<Problem>) -> Option<&'a Manifest> {
    let mut issuers = manifests.iter().filter(|manifest| manifest.kind == Kind::VouchIssuer);
    let Some(first) = issuers.next() else {
        if complete {
            let reason = "declares no VouchIssuer; there must be one".to_owned();
            problems.push(Problem { place: Place::default(), reason });
        }
        return None;
    };
    for further in issuers {
        let reason =
            format!("is a second issuer beside {}; a process runs one, so give each a file of its own", first.name);
        problems.push(further.problem("", reason));
    }
    Some(first)
}

/// References lead to objects of the same namespace, as in a cluster.
fn same_namespace(issuer: &Manifest, manifests: &[Manifest], problems: &mut Vec<Problem>) {
    for manifest in manifests {
        if let Some(namespace) = &manifest.namespace
            && manifest.namespace != issuer.namespace
        {
            let home = issuer.namespace.as_deref().unwrap_or("none");
            let reason = format!("is {namespace}; the VouchIssuer's namespace is {home}, and it sees no other");
            problems.push(manifest.problem("metadata.namespace", reason));
        }
    }
}

/// Everything is for the issuer at hand.
fn same_issuer(issuer: &Manifest, manifests: &[Manifest], problems: &mut Vec<Problem>) {
    let referring = manifests.iter().filter(|manifest| matches!(manifest.kind, Kind::AwsFederation | Kind::OidcClient));
    for manifest in referring {
        if let Some(name) = issuer_of(&manifest.value).filter(|name| *name != issuer.name) {
            let reason = format!("is {name}; the VouchIssuer here is {}", issuer.name);
            problems.push(manifest.problem("spec.issuerRef.name", reason));
        }
    }
}

/// Objects of a kind that can be read, as their type.
fn typed_objects<'a, T: serde::de::DeserializeOwned>(
    kind: Kind,
    manifests: &'a [Manifest],
    problems: &mut Vec<Problem>,
) -> Vec<(&'a Manifest, T)> {
    let of_kind = manifests.iter().filter(|manifest| manifest.kind == kind);
    of_kind.filter_map(|manifest| Some((manifest, typed(manifest, problems)?))).collect()
}

fn typed<T: serde::de::DeserializeOwned>(manifest: &Manifest, problems: &mut Vec<Problem>) -> Option<T> {
    match manifest.spec::<T>()? {
        Ok(spec) => Some(spec),
        Err(problem) => {
            problems.push(problem);
            None
        }
    }
}

/// A validated value, or a problem with the field it stands in.
fn parse<T: FromStr<Err: Display>>(
    manifest: &Manifest,
    field: &str,
    text: &str,
    problems: &mut Vec<Problem>,
) -> Option<T> {
    match text.parse() {
        Ok(value) => Some(value),
        Err(error) => {
            problems.push(manifest.problem(field, error.to_string()));
            None
        }
    }
}

/// [`parse`] for every entry of a list; entries at fault are left out.
fn parse_all<T: FromStr<Err: Display>, C: FromIterator<T>>(
    manifest: &Manifest,
    field: &str,
    texts: &[String],
    problems: &mut Vec<Problem>,
) -> C {
    let entries = texts.iter().enumerate();
    entries.filter_map(|(index, text)| parse(manifest, &format!("{field}[{index}]"), text, problems)).collect()
}
