//! People: the verbs of an issuer that runs alone, on the objects of a cluster.
//!
//! Only an invite needs the issuer's root secret, because the code is stored as a keyed hash; nothing else reads it.

use std::{fmt::Display, sync::Arc, time::Instant};

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Resource as _, ResourceExt as _};
use serde::Serialize;
use vouch_crds::{duration::Duration, issuer::VouchIssuer, names::root_secret};
use vouch_iam::identity::EmailAddress;
use vouch_issuer::{
    admin::{AdminError, Office, invite::Invitation},
    clock::SystemClock,
    cluster::Cluster,
    config::{self, Config, objects},
    identity::secrets::{ROOT_LENGTH, Secrets, SecretsError},
    store::kubernetes::{KubernetesStore, Scope},
};
use zeroize::Zeroizing;

use super::{
    args::{Output, PeopleCommand, Person, Users},
    connect::Connection,
    print, progress,
    trouble::Trouble,
};

/// How long a person waits until somebody's object has been read.
const SYNC: Duration = Duration::seconds(10);
/// From one look to the next.
const INTERVAL: std::time::Duration = std::time::Duration::from_millis(20);

/// Carries out a verb.
///
/// # Errors
/// When it was not carried out.
pub async fn answer(
    connection: &Connection,
    issuer: &VouchIssuer,
    command: PeopleCommand,
    output: Output,
) -> Result<(), Trouble> {
    let desk = Desk { connection, issuer, output };
    match command {
        PeopleCommand::Invite(args) => {
            let secrets = root(connection, &issuer.name_any()).await?;
            let email = args.person.email;
            let invitation = Invitation { email: email.clone(), groups: args.groups, expires: args.expires };
            desk.serve(&email, secrets, async |office| office.invite(&invitation).await).await
        }
        PeopleCommand::Users(users) => match users.command {
            None | Some(Users::List) => {
                let store = KubernetesStore::follow(&cluster_of(connection), &Scope::Everybody);
                let office = desk.office(store, no_secrets()?)?;
                print(output, &office.users().await?)
            }
            Some(Users::Show(Person { email })) => {
                desk.serve(&email, no_secrets()?, async |office| office.show(&email).await).await
            }
        },
        PeopleCommand::Disable(Person { email }) => {
            desk.serve(&email, no_secrets()?, async |office| office.disable(&email).await).await
        }
        PeopleCommand::Enable(Person { email }) => {
            desk.serve(&email, no_secrets()?, async |office| office.enable(&email).await).await
        }
        PeopleCommand::Logout(Person { email }) => {
            desk.serve(&email, no_secrets()?, async |office| office.logout(&email).await).await
        }
        PeopleCommand::RemoveKey(args) => {
            let email = args.person.email;
            let (key, last) = (&args.key_id, args.allow_last);
            desk.serve(&email, no_secrets()?, async |office| office.remove_key(&email, key, last).await).await
        }
    }
}

/// Where one verb is carried out.
struct Desk<'a> {
    connection: &'a Connection,
    issuer: &'a VouchIssuer,
    output: Output,
}

impl Desk<'_> {
    /// Carries out a verb about one person.
    async fn serve<T: Serialize + Display>(
        &self,
        email: &EmailAddress,
        secrets: Secrets,
        verb: impl AsyncFnOnce(&Office) -> Result<T, AdminError>,
    ) -> Result<(), Trouble> {
        let store = KubernetesStore::follow(&cluster_of(self.connection), &Scope::Person(email.clone()));
        self.sync(&store).await?;
        print(self.output, &verb(&self.office(store, secrets)?).await?)
    }

    fn office(&self, store: KubernetesStore, secrets: Secrets) -> Result<Office, Trouble> {
        let config = config(self.issuer)?;
        Ok(Office::new(config, Arc::new(store), secrets, Arc::new(SystemClock), self.connection.front_end.clone()))
    }

    async fn sync(&self, store: &KubernetesStore) -> Result<(), Trouble> {
        let deadline = Instant::now() + std::time::Duration::from(SYNC);
        let mut waiting = progress::Waiting::default();
        while !store.is_synced() {
            let fault = store.fault();
            if fault.is_some() || Instant::now() >= deadline {
                let namespace = self.connection.namespace.clone();
                return Err(Trouble::NotSynced { namespace, waited: SYNC, fault });
            }
            waiting.tell("Waiting for the API server.");
            tokio::time::sleep(INTERVAL).await;
        }
        Ok(())
    }
}

/// What the issuer declares about people. Which security keys it accepts is its own affair, and would need a ConfigMap.
fn config(issuer: &VouchIssuer) -> Result<Config, Trouble> {
    let mut spec = serde_json::to_value(&issuer.spec)?;
    if let Some(members) = spec.as_object_mut() {
        members.remove("authenticators");
    }
    let object = objects::declaration(&VouchIssuer::kind(&()), &issuer.metadata, spec);
    config::load_objects(&[object]).map_err(|problems| Trouble::Declaration { name: issuer.name_any(), problems })
}

/// The issuer's root secret.
async fn root(connection: &Connection, issuer: &str) -> Result<Secrets, Trouble> {
    let name = root_secret::name(issuer);
    let api: Api<Secret> = Api::namespaced(connection.client.clone(), &connection.namespace);
    let found = api.get_opt(&name).await;
    let found = found.map_err(|error| Trouble::api(format!("Secret {name} cannot be read"), error))?;
    let no_root = || Trouble::NoRootSecret { secret: name.clone(), status: connection.front_end.command("status") };
    let root = found.and_then(|secret| secret.data?.remove(root_secret::DATA_KEY));
    let root = Zeroizing::new(root.ok_or_else(no_root)?.0);
    let whole = <&[u8; ROOT_LENGTH]>::try_from(root.as_slice());
    Ok(Secrets::derive(whole.map_err(|_| SecretsError::DamagedSecret(name, root.len()))?)?)
}

/// Where the store finds the people.
fn cluster_of(connection: &Connection) -> Cluster {
    Cluster { client: connection.client.clone(), namespace: connection.namespace.clone() }
}

/// For verbs that hash nothing. They are nobody's: whatever was made with them would be worthless.
fn no_secrets() -> Result<Secrets, Trouble> {
    let mut root = Zeroizing::new([0; ROOT_LENGTH]);
    aws_lc_rs::rand::fill(root.as_mut_slice()).map_err(SecretsError::from)?;
    Ok(Secrets::derive(&root)?)
}
