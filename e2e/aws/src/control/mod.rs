//! The API by which a test drives the stand-in: plain HTTP and JSON on loopback.
//!
//! | request | answer |
//! |---|---|
//! | `POST /accounts` `{id, alias?, organization?, partition?}` | keys of its user `admin` |
//! | `PUT /accounts/{id}/policies` `{service_control?: [..], resource_control?: [..]}` | 204 |
//! | `PUT /routes` `{HOST: "IP:PORT"}`, which adds to the others | 204 |
//! | `GET`, `PUT` (a merge patch) or `DELETE /knobs` | the knobs |
//! | `GET` or `DELETE /calls` | the call log as JSON lines |
//!
//! A request that makes no sense is answered with 400 and a sentence.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::net::TcpListener;

use crate::endpoint::Partition;
use crate::knobs::Knobs;
use crate::standin::Standin;
use crate::world::NewAccount;

/// Answers control requests until the task is dropped.
pub async fn serve(listener: TcpListener, standin: Arc<Standin>) {
    if let Err(error) = axum::serve(listener, router(standin)).await {
        tracing::error!(%error, "the control listener ended");
    }
}

/// The control API on a stand-in.
pub fn router(standin: Arc<Standin>) -> Router {
    Router::new()
        .route("/accounts", post(create_account))
        .route("/accounts/{id}/policies", put(put_organization_policies))
        .route("/routes", put(put_routes))
        .route("/knobs", get(get_knobs).put(put_knobs).delete(reset_knobs))
        .route("/calls", get(get_calls).delete(clear_calls))
        .with_state(standin)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CreateAccount {
    id: String,
    alias: Option<String>,
    organization: Option<String>,
    partition: Option<Partition>,
}

#[derive(Serialize)]
struct AdminKeys {
    access_key_id: String,
    secret_access_key: String,
}

async fn create_account(State(standin): State<Arc<Standin>>, Json(body): Json<CreateAccount>) -> Response {
    let now = standin.now();
    let new = NewAccount {
        id: body.id,
        alias: body.alias,
        organization: body.organization,
        partition: body.partition.unwrap_or(Partition::Aws),
    };
    let created = standin.world().create_account(new, now);
    match created {
        Ok(key) => {
            Json(AdminKeys { access_key_id: key.id, secret_access_key: key.secret.expose().to_owned() }).into_response()
        }
        Err(reason) => refuse(reason),
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OrganizationPolicies {
    service_control: Option<Vec<Value>>,
    resource_control: Option<Vec<Value>>,
}

async fn put_organization_policies(
    State(standin): State<Arc<Standin>>,
    Path(id): Path<String>,
    Json(body): Json<OrganizationPolicies>,
) -> Response {
    let set = standin.world().set_organization_policies(
        &id,
        body.service_control.as_deref(),
        body.resource_control.as_deref(),
    );
    match set {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(reason) => refuse(reason),
    }
}

async fn put_routes(
    State(standin): State<Arc<Standin>>,
    Json(routes): Json<BTreeMap<String, SocketAddr>>,
) -> StatusCode {
    standin.add_routes(routes);
    StatusCode::NO_CONTENT
}

async fn get_knobs(State(standin): State<Arc<Standin>>) -> Json<Knobs> {
    Json(standin.knobs().clone())
}

async fn put_knobs(State(standin): State<Arc<Standin>>, Json(patch): Json<Value>) -> Response {
    let mut knobs = standin.knobs();
    match knobs.merged(&patch) {
        Ok(merged) => {
            knobs.clone_from(&merged);
            Json(merged).into_response()
        }
        Err(reason) => refuse(reason),
    }
}

async fn reset_knobs(State(standin): State<Arc<Standin>>) -> StatusCode {
    *standin.knobs() = Knobs::default();
    StatusCode::NO_CONTENT
}

async fn get_calls(State(standin): State<Arc<Standin>>) -> Response {
    ([(header::CONTENT_TYPE, "application/x-ndjson")], standin.calls().json_lines()).into_response()
}

async fn clear_calls(State(standin): State<Arc<Standin>>) -> StatusCode {
    standin.calls().clear();
    StatusCode::NO_CONTENT
}

fn refuse(reason: String) -> Response {
    (StatusCode::BAD_REQUEST, reason + "\n").into_response()
}
