//! What the cluster knows of an issuer, as far as it may be read.

use std::{sync::Arc, time::Duration};

use futures::future::join_all;
use http::Request;
use k8s_openapi::api::{coordination::v1::Lease, core::v1::Pod};
use kube::{
    Api, ResourceExt as _,
    api::{ListParams, ObjectList},
};
use serde::de::DeserializeOwned;
use vouch_crds::{
    client::OidcClient,
    issuer::VouchIssuer,
    names::{condition, label, port},
    user::VouchUser,
};

use super::{findings::some, metrics};
use crate::{
    plugin::{connect::Connection, issuer, trouble::Trouble},
    status::find,
    tolerant::Tolerant,
};

/// Objects in one page of a list.
const PAGE: u32 = 500;
/// How long a pod may take to tell its metrics.
const METRICS_TIMEOUT: Duration = Duration::from_secs(3);

/// What is known.
#[derive(Debug, Default)]
pub struct Gathered {
    /// Where.
    pub namespace: String,
    /// Its issuers.
    pub issuers: Vec<VouchIssuer>,
    /// Its people.
    pub people: Option<People>,
    /// Its applications that are not as they should be, and how many there are.
    pub clients: Option<Clients>,
    /// The pods of the issuers.
    pub pods: Option<Vec<Pod>>,
    /// The Leases of the operators of the cluster.
    pub operators: Option<Vec<Lease>>,
    /// Logins that the pods of an issuer have refused since they started, by the issuer's name.
    pub refused_logins: Vec<(String, u64)>,
    /// What this version cannot read, and why.
    pub unreadable: Vec<String>,
    /// What else could not be read, and why.
    pub unknown: Vec<String>,
}

/// People, counted: there may be many.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct People {
    /// All of them.
    pub count: usize,
    /// Neither disabled, nor with a key.
    pub never_enrolled: usize,
    /// Those who cannot sign in.
    pub disabled: usize,
    /// Those who are not as they should be.
    pub failing: Vec<Failing>,
}

/// Applications.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Clients {
    /// All of them.
    pub count: usize,
    /// Those that are not as they should be.
    pub failing: Vec<Failing>,
}

/// An object whose `Ready` is not true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failing {
    /// Its name, or whose it is.
    pub name: String,
    /// Why, in one word.
    pub reason: String,
    /// Why.
    pub message: String,
}

impl People {
    /// One more.
    pub fn count(&mut self, user: &VouchUser) {
        let status = user.status.as_ref();
        self.count += 1;
        if user.spec.disabled {
            self.disabled += 1;
        } else if status.is_none_or(|status| status.key_count == 0) {
            self.never_enrolled += 1;
        }
        let conditions = status.map(|status| status.conditions.as_slice()).unwrap_or_default();
        self.failing.extend(Failing::of(&format!("{} ({})", user.name_any(), user.spec.email), conditions));
    }
}

impl Failing {
    fn of(name: &str, conditions: &[k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition]) -> Option<Self> {
        let ready = find(conditions, condition::READY).filter(|ready| ready.status == "False")?;
        Some(Self { name: name.to_owned(), reason: ready.reason.clone(), message: ready.message.clone() })
    }
}

/// Reads what may be read of a namespace.
///
/// # Errors
/// When the issuers cannot be read, or there is none.
pub(super) async fn gather(connection: &Connection, wanted: Option<&str>) -> Result<Gathered, Trouble> {
    let all = if wanted.is_none() { issuer::all(connection).await? } else { Vec::new() };
    let issuers = if all.is_empty() { vec![issuer::identify(connection, wanted).await?] } else { all };
    let mut gathered = Gathered { namespace: connection.namespace.clone(), ..Gathered::default() };
    let mut later = Later::default();
    let readable = issuers.into_iter().filter_map(|issuer| later.sort_out(issuer));
    gathered.issuers = readable.map(Arc::unwrap_or_clone).collect();
    gathered.unreadable.extend(later.told::<VouchIssuer>());
    let (mut people, mut later) = (People::default(), Later::default());
    let read = every::<Tolerant<VouchUser>>(connection, &ListParams::default(), |user| match later.sort_out(user) {
        Some(user) => people.count(&user),
        None => people.count += 1,
    })
    .await;
    gathered.people = gathered.tolerate(connection, read).map(|()| people);
    gathered.unreadable.extend(later.told::<VouchUser>());
    let (mut clients, mut later) = (Clients::default(), Later::default());
    let read = every::<Tolerant<OidcClient>>(connection, &ListParams::default(), |client| {
        clients.count += 1;
        let Some(client) = later.sort_out(client) else { return };
        let conditions = client.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
        clients.failing.extend(Failing::of(&client.name_any(), conditions));
    })
    .await;
    gathered.clients = gathered.tolerate(connection, read).map(|()| clients);
    gathered.unreadable.extend(later.told::<OidcClient>());
    let mut pods = Vec::new();
    let ours = ListParams::default().labels(&format!("{}={}", label::NAME, label::APPLICATION));
    let read = every::<Pod>(connection, &ours, |pod| pods.push(pod)).await;
    gathered.pods = gathered.tolerate(connection, read).map(|()| pods);
    gathered.refused_logins = refused_logins(connection, &gathered).await;
    Ok(gathered)
}

/// Objects of one kind that this version cannot read.
#[derive(Debug, Default)]
struct Later {
    names: Vec<String>,
    /// What is wrong with the first.
    why: String,
}

impl Later {
    /// An object that can be read; another one is noted.
    fn sort_out<K>(&mut self, object: Tolerant<K>) -> Option<Arc<K>> {
        match object {
            Tolerant::Readable(object) => Some(object),
            Tolerant::Unreadable(object) => {
                if self.names.is_empty() {
                    object.why().clone_into(&mut self.why);
                }
                self.names.push(object.name().to_owned());
                None
            }
        }
    }

    /// Which ones, and what to do about it.
    fn told<K: kube::Resource<DynamicType = ()>>(self) -> Option<String> {
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        let object = format!("{} {}", K::kind(&()), some(&names));
        (!names.is_empty()).then(|| Trouble::Unreadable { object, why: self.why.clone() }.to_string())
    }
}

impl Gathered {
    /// The pods of an issuer.
    pub fn pods_of<'a>(&'a self, issuer: &'a str) -> impl Iterator<Item = &'a Pod> {
        self.pods
            .iter()
            .flatten()
            .filter(move |pod| pod.labels().get(label::INSTANCE).is_some_and(|name| name == issuer))
    }

    /// What was read; otherwise the reason why not is kept.
    fn tolerate(&mut self, connection: &Connection, read: Result<(), Trouble>) -> Option<()> {
        read.map_err(|trouble| self.unknown.push(connection.explain(trouble).to_string())).ok()
    }
}

async fn every<K>(connection: &Connection, selection: &ListParams, mut take: impl FnMut(K)) -> Result<(), Trouble>
where
    K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug,
{
    let api: Api<K> = Api::namespaced(connection.client.clone(), &connection.namespace);
    let mut page = selection.clone().limit(PAGE);
    loop {
        let answer: Result<ObjectList<K>, _> = api.list(&page).await;
        let answer = answer.map_err(|error| Trouble::api(format!("{} cannot be listed", K::plural(&())), error))?;
        answer.items.into_iter().for_each(&mut take);
        match answer.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page = page.continue_token(&token),
            None => return Ok(()),
        }
    }
}

/// Nobody needs the number: without the right to ask, or with a network that does not let the API server through, it is
/// left out.
async fn refused_logins(connection: &Connection, gathered: &Gathered) -> Vec<(String, u64)> {
    let mut counted = Vec::new();
    for issuer in &gathered.issuers {
        let name = issuer.name_any();
        let pods: Vec<String> = gathered.pods_of(&name).filter(|pod| is_ready(pod)).map(|pod| pod.name_any()).collect();
        let counts = join_all(pods.iter().map(|pod| refused_by(connection, pod))).await;
        if let Some(sum) = counts.into_iter().sum::<Option<u64>>().filter(|_| !pods.is_empty()) {
            counted.push((name, sum));
        }
    }
    let _tolerated = connection.refusals.take();
    counted
}

async fn refused_by(connection: &Connection, pod: &str) -> Option<u64> {
    let path = format!("/api/v1/namespaces/{}/pods/{pod}:{}/proxy/metrics", connection.namespace, port::PRIVATE);
    let request = Request::get(path).body(Vec::new()).ok()?;
    let answer = tokio::time::timeout(METRICS_TIMEOUT, connection.client.request_text(request)).await.ok()?.ok()?;
    metrics::refused_logins(&answer)
}

/// Whether a pod serves.
pub(super) fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.is_some_and(|all| all.iter().any(|found| found.type_ == "Ready" && found.status == "True"))
}
