//! The route of what was dropped.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::Deserialize;

use super::handlers::{Answer, Requests, ask};
use super::request::Request;
use super::view;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Parameters {
    code: Option<String>,
}

pub(super) async fn drops(
    State(requests): Requests,
    parameters: Result<Query<Parameters>, QueryRejection>,
) -> Answer<Vec<view::Dropped>> {
    let Query(Parameters { code }) = parameters?;
    ask(&requests, |reply| Request::Drops(code, reply)).await.map(Json)
}
