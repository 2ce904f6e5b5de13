//! Which issuer a command is about.
//!
//! The definitions in the cluster may be newer than this program: one object that it cannot read hides no other.

use std::sync::Arc;

use kube::{Api, ResourceExt as _, api::ListParams};
use vouch_crds::issuer::VouchIssuer;

use super::{connect::Connection, trouble::Trouble};
use crate::{failure::is_not_found, tolerant::Tolerant};

/// The issuers of the namespace.
///
/// # Errors
/// When they cannot be listed.
pub async fn all(connection: &Connection) -> Result<Vec<Tolerant<VouchIssuer>>, Trouble> {
    let api: Api<Tolerant<VouchIssuer>> = Api::namespaced(connection.client.clone(), &connection.namespace);
    Ok(api.list(&ListParams::default()).await.map_err(unlisted)?.items)
}

/// The issuer of the namespace, or the one that is asked for.
///
/// # Errors
/// When there is none, or more than one to choose from, or it is of a later version.
pub async fn find(connection: &Connection, wanted: Option<&str>) -> Result<Arc<VouchIssuer>, Trouble> {
    match identify(connection, wanted).await? {
        Tolerant::Readable(issuer) => Ok(issuer),
        Tolerant::Unreadable(issuer) => {
            let object = format!("VouchIssuer {}", issuer.name());
            Err(Trouble::Unreadable { object, why: issuer.why().to_owned() })
        }
    }
}

/// The same, readable or not.
///
/// # Errors
/// When there is none, or more than one to choose from.
pub async fn identify(connection: &Connection, wanted: Option<&str>) -> Result<Tolerant<VouchIssuer>, Trouble> {
    match choose(all(connection).await?, wanted, &connection.namespace) {
        Err(Trouble::NoIssuer { namespace, .. }) => {
            Err(Trouble::NoIssuer { namespace, elsewhere_found: elsewhere(connection).await })
        }
        other => other,
    }
}

/// The one that is meant.
///
/// # Errors
/// When there is none, or more than one to choose from.
pub fn choose<K: kube::Resource>(mut found: Vec<K>, wanted: Option<&str>, namespace: &str) -> Result<K, Trouble> {
    let names = |found: &[K]| found.iter().map(K::name_any).collect();
    let namespace = namespace.to_owned();
    if let Some(name) = wanted {
        let position = found.iter().position(|issuer| issuer.name_any() == name);
        return position.map(|position| found.swap_remove(position)).ok_or_else(|| Trouble::NoSuchIssuer {
            namespace,
            name: name.to_owned(),
            found: names(&found),
        });
    }
    match found.pop() {
        None => Err(Trouble::NoIssuer { namespace, elsewhere_found: Vec::new() }),
        Some(only) if found.is_empty() => Ok(only),
        Some(last) => {
            found.push(last);
            Err(Trouble::SeveralIssuers { namespace, found: names(&found) })
        }
    }
}

/// Other namespaces with an issuer, as far as they may be listed.
async fn elsewhere(connection: &Connection) -> Vec<String> {
    let found = namespaces(connection).await.unwrap_or_default();
    let _tolerated = connection.refusals.take();
    found
}

/// Every namespace with an issuer, by name.
///
/// # Errors
/// When they cannot be listed.
pub async fn namespaces(connection: &Connection) -> Result<Vec<String>, Trouble> {
    let api: Api<VouchIssuer> = Api::all(connection.client.clone());
    let found = api.list_metadata(&ListParams::default()).await.map_err(unlisted)?;
    let mut namespaces: Vec<String> = found.items.iter().filter_map(kube::ResourceExt::namespace).collect();
    namespaces.sort();
    namespaces.dedup();
    Ok(namespaces)
}

fn unlisted(error: kube::Error) -> Trouble {
    if is_not_found(&error) { Trouble::NotInstalled } else { Trouble::api("the VouchIssuers cannot be listed", error) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;
    use crate::{
        plugin::testing::{connection, issuer, issuer_json, later_json, put},
        testing::ApiServer,
    };

    fn chosen(names: &[&str], wanted: Option<&str>) -> Result<String, String> {
        let found: Vec<VouchIssuer> = names.iter().map(|name| issuer(name)).collect();
        choose(found, wanted, "vouch").map(|issuer| issuer.name_any()).map_err(|trouble| trouble.to_string())
    }

    #[test]
    fn the_only_issuer_of_a_namespace_needs_no_name() {
        assert_eq!(chosen(&["vouch"], None).unwrap(), "vouch");
    }

    #[test]
    fn several_issuers_are_never_chosen_from_by_chance() {
        assert_eq!(
            chosen(&["a", "b"], None).unwrap_err(),
            "namespace vouch has several VouchIssuers (a, b); choose one with --issuer"
        );
        assert_eq!(chosen(&["a", "b"], Some("b")).unwrap(), "b");
        assert_eq!(chosen(&["a"], Some("c")).unwrap_err(), "namespace vouch has no VouchIssuer c; it has a");
    }

    #[test]
    fn a_namespace_without_an_issuer_says_where_there_is_one() {
        assert!(chosen(&[], None).unwrap_err().contains("kubectl vouch example issuer"));
        let elsewhere = |namespaces: &[&str]| Trouble::NoIssuer {
            namespace: "default".into(),
            elsewhere_found: namespaces.iter().map(|name| (*name).to_owned()).collect(),
        };
        assert!(elsewhere(&["vouch"]).to_string().ends_with("There is one in namespace vouch: repeat with -n vouch"));
        assert!(elsewhere(&["a", "b"]).to_string().ends_with("There are some in a, b: choose with -n"));
    }

    #[tokio::test]
    async fn an_issuer_of_a_later_version_hides_no_other_and_is_told_of_by_its_name() {
        let server = ApiServer::default();
        put(&server, later_json("later"));
        put(&server, issuer_json("login"));
        let connection = connection(&server);
        assert_eq!(find(&connection, Some("login")).await.unwrap().name_any(), "login");
        let several = find(&connection, None).await.unwrap_err().to_string();
        assert!(several.contains("several VouchIssuers (later, login)"), "{several}");
        let told = find(&connection, Some("later")).await.unwrap_err().to_string();
        assert!(told.starts_with("this version of kubectl-vouch cannot read VouchIssuer later: "), "{told}");
        assert!(told.contains("`CarrierPigeon`") && told.contains(". Update kubectl-vouch "), "{told}");
    }
}
