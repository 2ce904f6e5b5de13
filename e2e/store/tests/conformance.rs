//! The suite that every store passes.

use std::sync::Arc;

use async_trait::async_trait;
use kube::{
    Api,
    api::{ApiResource, DynamicObject, ListParams, Patch, PatchParams},
};
use serde_json::json;
use vouch_crds::user::VouchUser;
use vouch_issuer::store::{
    Store,
    conformance::Subject,
    kubernetes::{KubernetesStore, Scope},
    record::UserId,
};

use crate::namespace::Namespace;

#[async_trait]
impl Subject for Namespace {
    async fn store(&self) -> Arc<dyn Store> {
        let store = KubernetesStore::follow(&self.cluster().await, &Scope::Everybody);
        tokio::time::timeout(std::time::Duration::from_secs(60), store.synced()).await.expect("synced in time");
        Arc::new(store)
    }

    async fn corrupt(&self, id: UserId) {
        let cluster = self.cluster().await;
        let kind = ApiResource::erase::<VouchUser>(&());
        let users: Api<DynamicObject> = Api::namespaced_with(cluster.client, &cluster.namespace, &kind);
        let everybody = users.list(&ListParams::default()).await.unwrap();
        let wanted = json!(id.0);
        let person = everybody.items.into_iter().find(|person| person.data["status"]["id"] == wanted).unwrap();
        let mut keys = person.data["status"]["keys"].clone();
        keys[0]["credential"] = json!("{");
        let patch = Patch::Merge(json!({"status": {"keys": keys}}));
        users.patch_status(&person.metadata.name.unwrap(), &PatchParams::default(), &patch).await.unwrap();
    }
}

vouch_issuer::store_conformance!(Namespace::new());
