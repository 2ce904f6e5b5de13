//! Which issuer a command is about.

use kube::{Api, ResourceExt as _, api::ListParams};
use vouch_crds::issuer::VouchIssuer;

use super::{connect::Connection, trouble::Trouble};
use crate::failure::is_not_found;

/// The issuers of the namespace.
///
/// # Errors
/// When they cannot be listed.
pub async fn all(connection: &Connection) -> Result<Vec<VouchIssuer>, Trouble> {
    let api: Api<VouchIssuer> = Api::namespaced(connection.client.clone(), &connection.namespace);
    match api.list(&ListParams::default()).await {
        Ok(found) => Ok(found.items),
        Err(error) if is_not_found(&error) => Err(Trouble::NotInstalled),
        Err(error) => Err(Trouble::api("the VouchIssuers cannot be listed", error)),
    }
}

/// The issuer of the namespace, or the one that is asked for.
///
/// # Errors
/// When there is none, or more than one to choose from.
pub async fn find(connection: &Connection, wanted: Option<&str>) -> Result<VouchIssuer, Trouble> {
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
pub fn choose(mut found: Vec<VouchIssuer>, wanted: Option<&str>, namespace: &str) -> Result<VouchIssuer, Trouble> {
    let names = |found: &[VouchIssuer]| found.iter().map(VouchIssuer::name_any).collect();
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
    let api: Api<VouchIssuer> = Api::all(connection.client.clone());
    let found = api.list_metadata(&ListParams::default()).await.map(|found| found.items).unwrap_or_default();
    let _tolerated = connection.refusals.take();
    let mut namespaces: Vec<String> = found.iter().filter_map(kube::ResourceExt::namespace).collect();
    namespaces.sort();
    namespaces.dedup();
    namespaces
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;
    use crate::plugin::testing::issuer;

    fn chosen(names: &[&str], wanted: Option<&str>) -> Result<String, String> {
        let found = names.iter().map(|name| issuer(name)).collect();
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
}
