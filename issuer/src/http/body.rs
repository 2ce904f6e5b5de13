//! Reading requests: what is malformed is answered with the reason, in the one shape of all refusals.

use axum::{
    Form, Json,
    extract::{
        FromRequest, FromRequestParts, Query, Request,
        rejection::{FormRejection, JsonRejection},
    },
    http::request::Parts,
};
use serde::de::DeserializeOwned;
use vouch_issuer_api::error::ErrorCode;

use super::error::ApiError;

/// A JSON body.
#[derive(Debug)]
pub struct JsonBody<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        match Json::from_request(request, state).await {
            Ok(Json(body)) => Ok(Self(body)),
            Err(JsonRejection::MissingJsonContentType(_)) => {
                Err(malformed("The request's content type is not application/json."))
            }
            Err(rejection) => Err(malformed(rejection.body_text())),
        }
    }
}

/// A form (RFC 6749 §3.2).
#[derive(Debug)]
pub struct FormBody<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for FormBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        match Form::from_request(request, state).await {
            Ok(Form(body)) => Ok(Self(body)),
            Err(FormRejection::InvalidFormContentType(_)) => {
                Err(malformed("The request's content type is not application/x-www-form-urlencoded."))
            }
            Err(rejection) => Err(malformed(rejection.body_text())),
        }
    }
}

/// A query.
#[derive(Debug)]
pub struct Parameters<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let query = Query::from_request_parts(parts, state).await;
        query.map(|Query(query)| Self(query)).map_err(|rejection| malformed(rejection.body_text()))
    }
}

fn malformed(reason: impl Into<String>) -> ApiError {
    ApiError::new(ErrorCode::InvalidRequest, reason)
}
