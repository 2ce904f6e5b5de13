//! People: the verbs of an issuer that runs alone, on the objects of a cluster.
//!
//! They need the objects of people and nothing else, so that a thief is stopped also while no issuer can be read: a
//! VouchIssuer of a later version, or one with a mistake, is in nobody's way. Only an invite needs the issuer: what it
//! declares, and its root secret, because the code is stored as a keyed hash.

use std::{fmt::Display, sync::Arc, time::Instant};

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Resource as _, ResourceExt as _, api::ListParams};
use serde::Serialize;
use vouch_crds::{
    duration::Duration,
    issuer::VouchIssuer,
    names::{root_secret, user_field_selector},
    user::VouchUser,
};
use vouch_iam::identity::EmailAddress;
use vouch_issuer::{
    admin::{
        AdminError, Office,
        invite::{Invitation, InviteOffice},
    },
    clock::SystemClock,
    cluster::Cluster,
    config::{self, Config, objects},
    identity::secrets::{ROOT_LENGTH, Secrets, SecretsError},
    store::{
        StoreError,
        kubernetes::{KubernetesStore, Scope},
    },
};
use zeroize::Zeroizing;

use super::{
    args::{InviteArgs, Output, PeopleCommand, Person, Users},
    connect::Connection,
    issuer, print, progress,
    trouble::Trouble,
};

/// How long a person waits until somebody's object has been read.
const SYNC: Duration = Duration::seconds(10);
/// From one look to the next.
const INTERVAL: std::time::Duration = std::time::Duration::from_millis(20);

/// Carries out a verb. Whose issuer it is, `wanted` or the one of the namespace, matters to an invite alone.
///
/// # Errors
/// When it was not carried out.
pub async fn answer(
    connection: &Connection,
    wanted: Option<&str>,
    command: PeopleCommand,
    output: Output,
) -> Result<(), Trouble> {
    let desk = Desk { connection, wanted, output };
    match command {
        PeopleCommand::Invite(args) => desk.invite(args).await,
        PeopleCommand::Users(users) => match users.command {
            None | Some(Users::List) => desk.list().await,
            Some(Users::Show(Person { email })) => desk.serve(&email, async |office| office.show(&email).await).await,
        },
        PeopleCommand::Disable(Person { email }) => {
            desk.serve(&email, async |office| office.disable(&email).await).await
        }
        PeopleCommand::Enable(Person { email }) => desk.serve(&email, async |office| office.enable(&email).await).await,
        PeopleCommand::Logout(Person { email }) => desk.serve(&email, async |office| office.logout(&email).await).await,
        PeopleCommand::RemoveKey(args) => {
            let email = args.person.email;
            let (key, last) = (&args.key_id, args.allow_last);
            desk.serve(&email, async |office| office.remove_key(&email, key, last).await).await
        }
    }
}

/// Where one verb is carried out.
struct Desk<'a> {
    connection: &'a Connection,
    wanted: Option<&'a str>,
    output: Output,
}

impl Desk<'_> {
    async fn invite(&self, args: InviteArgs) -> Result<(), Trouble> {
        let issuer = issuer::find(self.connection, self.wanted).await?;
        let config = config(&issuer)?;
        let secrets = root(self.connection, &issuer.name_any()).await?;
        let email = args.person.email;
        let invitation = Invitation { email: email.clone(), groups: args.groups, expires: args.expires };
        let invite = async |office| InviteOffice::new(office, config, secrets).invite(&invitation).await;
        self.serve(&email, invite).await
    }

    async fn list(&self) -> Result<(), Trouble> {
        let store = KubernetesStore::follow(&cluster_of(self.connection), &Scope::Everybody);
        let everybody = match self.office(store).users().await {
            Ok(everybody) => everybody,
            Err(error) => return Err(self.explain(None, error.into()).await),
        };
        if everybody.users.is_empty() && everybody.damaged.is_empty() {
            self.elsewhere().await.map_or(Ok(()), Err)?;
        }
        print(self.output, &everybody)
    }

    /// Carries out a verb about one person.
    async fn serve<T: Serialize + Display>(
        &self,
        email: &EmailAddress,
        verb: impl AsyncFnOnce(Office) -> Result<T, AdminError>,
    ) -> Result<(), Trouble> {
        match self.carry_out(email, verb).await {
            Ok(done) => print(self.output, &done),
            Err(trouble) => Err(self.explain(Some(email), trouble).await),
        }
    }

    async fn carry_out<T>(
        &self,
        email: &EmailAddress,
        verb: impl AsyncFnOnce(Office) -> Result<T, AdminError>,
    ) -> Result<T, Trouble> {
        let store = KubernetesStore::follow(&cluster_of(self.connection), &Scope::Person(email.clone()));
        self.sync(&store).await?;
        Ok(verb(self.office(store)).await?)
    }

    fn office(&self, store: KubernetesStore) -> Office {
        Office::new(Vec::new(), Arc::new(store), Arc::new(SystemClock), self.connection.front_end.clone())
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

    /// The same trouble, in words that lead further where there are some.
    async fn explain(&self, email: Option<&EmailAddress>, trouble: Trouble) -> Trouble {
        match (self.connection.explain(trouble), email) {
            (Trouble::Office(AdminError::Store(damage @ StoreError::Corrupt { .. })), Some(email)) => {
                match self.object_of(email).await {
                    Some(object) => {
                        let namespace = self.connection.namespace.clone();
                        Trouble::UnreadablePerson { damage, object, namespace }
                    }
                    None => Trouble::Office(damage.into()),
                }
            }
            (
                trouble @ (Trouble::NotSynced { .. }
                | Trouble::Office(
                    AdminError::UnknownUser { .. } | AdminError::Store(StoreError::Unavailable(_)),
                )),
                _,
            ) => self.elsewhere().await.unwrap_or(trouble),
            (trouble, _) => trouble,
        }
    }

    /// Why nobody is there, when it is because there is no issuer.
    async fn elsewhere(&self) -> Option<Trouble> {
        let found = issuer::identify(self.connection, self.wanted).await;
        let _tolerated = self.connection.refusals.take();
        let is_the_reason = |trouble: &Trouble| {
            matches!(trouble, Trouble::NotInstalled | Trouble::NoIssuer { .. } | Trouble::NoSuchIssuer { .. })
        };
        found.err().filter(is_the_reason)
    }

    /// The name of the object that holds an address, readable or not: that of the oldest one.
    async fn object_of(&self, email: &EmailAddress) -> Option<String> {
        let api: Api<VouchUser> = Api::namespaced(self.connection.client.clone(), &self.connection.namespace);
        let selection = ListParams::default().fields(&user_field_selector(email.as_str()));
        let found = api.list_metadata(&selection).await.map(|found| found.items).unwrap_or_default();
        let oldest = found.into_iter().min_by_key(|object| (object.creation_timestamp(), object.uid()));
        oldest.map(|object| object.name_any())
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        plugin::{
            args::{RemoveKeyArgs, UsersArgs},
            testing::{connection, issuer_json, later_json, path, put, user_json},
        },
        testing::ApiServer,
    };

    const KEY: &str = "0011223344556677";

    fn person(name: &str) -> Person {
        Person { email: format!("{name}@example.com").parse().unwrap() }
    }

    fn invite() -> PeopleCommand {
        PeopleCommand::Invite(InviteArgs { person: person("alice"), groups: Vec::new(), expires: None })
    }

    async fn ask(server: &ApiServer, command: PeopleCommand) -> Result<(), Trouble> {
        answer(&connection(server), None, command, Output::Json).await
    }

    fn in_store(server: &ApiServer, name: &str) -> Value {
        server.get(&path(&user_json(&format!("{name}@example.com"), 0))).unwrap()
    }

    fn with_a_key(name: &str) -> Value {
        let mut user = user_json(&format!("{name}@example.com"), 1);
        user["status"]["id"] = json!("00000000-0000-4000-8000-000000000001");
        user["status"]["keys"] = json!([{
            "id": KEY, "credentialId": "AQID", "name": "blue", "attested": false, "createdAt": "2026-01-01T00:00:00Z",
            "counter": 1, "credential": vouch_issuer::store::conformance::passkey("AQID").to_string(),
        }]);
        user
    }

    fn refused_json(name: &str) -> Value {
        let mut object = issuer_json(name);
        object["spec"]["url"] = json!("http://vouch.example.com");
        object
    }

    #[tokio::test]
    async fn a_thief_is_stopped_whatever_the_issuers_declare() {
        for issuers in [vec![later_json("later")], vec![refused_json("wrong")], vec![later_json("a"), issuer_json("b")]]
        {
            let server = ApiServer::default();
            issuers.into_iter().for_each(|issuer| put(&server, issuer));
            put(&server, with_a_key("alice"));
            ask(&server, invite()).await.unwrap_err();
            ask(&server, PeopleCommand::Logout(person("alice"))).await.unwrap();
            assert!(in_store(&server, "alice")["status"]["sessionsValidFrom"].is_string());
            let key_id = KEY.to_owned();
            let remove = RemoveKeyArgs { person: person("alice"), key_id, allow_last: true };
            ask(&server, PeopleCommand::RemoveKey(remove)).await.unwrap();
            assert_eq!(in_store(&server, "alice")["status"]["keys"], json!([]));
            ask(&server, PeopleCommand::Disable(person("alice"))).await.unwrap();
            assert_eq!(in_store(&server, "alice")["spec"]["disabled"], true);
            ask(&server, PeopleCommand::Enable(person("alice"))).await.unwrap();
            assert_eq!(in_store(&server, "alice")["spec"]["disabled"], false);
        }
    }

    #[tokio::test]
    async fn somebody_whose_object_cannot_be_read_is_in_nobodys_way_and_can_be_stopped_by_hand() {
        let server = ApiServer::default();
        let mut later = user_json("bob@example.com", 1);
        later["status"]["keys"] = json!([{"id": KEY, "attested": "ByPigeon"}]);
        put(&server, later);
        let told = ask(&server, PeopleCommand::Disable(person("bob"))).await.unwrap_err().to_string();
        let by_hand =
            r#"kubectl patch vouchuser bob-example.com -n vouch --type merge -p '{"spec":{"disabled":true}}'"#;
        assert!(told.contains("ByPigeon") && told.ends_with(by_hand), "{told}");
        put(&server, with_a_key("alice"));
        ask(&server, PeopleCommand::Disable(person("alice"))).await.unwrap();
        assert_eq!(in_store(&server, "alice")["spec"]["disabled"], true);
    }

    #[tokio::test]
    async fn a_namespace_without_an_issuer_has_nobody_and_says_why() {
        let server = ApiServer::default();
        let list = || PeopleCommand::Users(UsersArgs { command: None });
        for command in [list(), PeopleCommand::Disable(person("alice"))] {
            let trouble = ask(&server, command).await.unwrap_err();
            assert!(matches!(trouble, Trouble::NoIssuer { .. }), "{trouble}");
        }
        put(&server, issuer_json("vouch"));
        ask(&server, list()).await.unwrap();
        let trouble = ask(&server, PeopleCommand::Disable(person("alice"))).await.unwrap_err();
        assert!(matches!(trouble, Trouble::Office(AdminError::UnknownUser { .. })), "{trouble}");
    }
}
