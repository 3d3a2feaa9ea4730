//! What puts configurations in force, and takes them back.

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{ConnectInfo, Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::handlers::{Answer, Body, Requests, ask, named_text};
use super::request::{Refusal, RefusalKind, Request};
use super::view;
use crate::history::Caller;

/// How long a configuration may wait to be confirmed, in seconds.
const CONFIRM: std::ops::RangeInclusive<u64> = 1..=86_400;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ApplyParameters {
    name: Option<String>,
    /// Seconds.
    confirm: Option<u64>,
}

pub(super) async fn apply(
    State(requests): Requests,
    ConnectInfo(caller): ConnectInfo<Caller>,
    query: Result<Query<ApplyParameters>, QueryRejection>,
    body: Body,
) -> Answer<view::Planned> {
    let Query(ApplyParameters { name, confirm }) = query?;
    if let Some(seconds) = confirm.filter(|seconds| !CONFIRM.contains(seconds)) {
        let message = format!("confirm={seconds}: a second to a day is possible, in seconds");
        return Err(Refusal::new(RefusalKind::Malformed, message));
    }
    let config = named_text(name, body)?;
    let confirm = confirm.map(Duration::from_secs);
    ask(&requests, |reply| Request::Apply(config, confirm, caller, reply)).await.map(Json)
}

pub(super) async fn reload(
    State(requests): Requests,
    ConnectInfo(caller): ConnectInfo<Caller>,
) -> Answer<view::Planned> {
    ask(&requests, |reply| Request::Reload(caller, reply)).await.map(Json)
}

pub(super) async fn confirm(
    State(requests): Requests,
    ConnectInfo(caller): ConnectInfo<Caller>,
) -> Answer<view::Confirmed> {
    ask(&requests, |reply| Request::Confirm(caller, reply)).await.map(Json)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RollbackParameters {
    to: Option<u64>,
}

pub(super) async fn rollback(
    State(requests): Requests,
    ConnectInfo(caller): ConnectInfo<Caller>,
    query: Result<Query<RollbackParameters>, QueryRejection>,
) -> Answer<view::Planned> {
    let Query(RollbackParameters { to }) = query?;
    ask(&requests, |reply| Request::Rollback(to, caller, reply)).await.map(Json)
}

pub(super) async fn history(State(requests): Requests) -> Answer<Vec<view::Applied>> {
    ask(&requests, Request::History).await.map(Json)
}

/// As it was sent or read, not as JSON.
pub(super) async fn text(
    State(requests): Requests,
    number: Result<Path<u64>, PathRejection>,
) -> Result<Response, Refusal> {
    let Path(number) = number?;
    let text = ask(&requests, |reply| Request::Text(number, reply)).await?;
    Ok(([(header::CONTENT_TYPE, "application/toml")], text).into_response())
}
