//! The route of what has happened: a list, or line by line as it happens.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;

use super::handlers::{Requests, ask};
use super::request::{Refusal, Request};
use super::view;
use crate::events::Events;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Parameters {
    /// Only those after this number.
    #[serde(default)]
    after: u64,
    #[serde(default)]
    follow: bool,
}

pub(super) async fn events(
    State(requests): Requests,
    parameters: Result<Query<Parameters>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(Parameters { after, follow }) = parameters?;
    let events = ask(&requests, Request::Events).await?;
    if follow {
        let lines = stream::unfold((events, after), |(events, last)| async move {
            let (lines, last) = next(&events, last).await?;
            Some((Ok::<_, Infallible>(Bytes::from(lines)), (events, last)))
        });
        let kind = [(header::CONTENT_TYPE, "application/x-ndjson")];
        return Ok((kind, Body::from_stream(lines)).into_response());
    }
    Ok(Json(list(&events, after)).into_response())
}

pub(super) fn list(events: &Events, after: u64) -> Vec<view::Event> {
    events.after(after).iter().map(view::Event::from).collect()
}

/// The lines after a number, once there are any, and the last one's number. `None`: there will be no more.
async fn next(events: &Arc<Events>, last: u64) -> Option<(String, u64)> {
    if !events.more_than(last).await {
        return None;
    }
    let new = list(events, last);
    let last = new.last().map_or(last, |event| event.number);
    let line = |event: &view::Event| serde_json::to_string(event).map(|line| line + "\n").unwrap_or_default();
    Some((new.iter().map(line).collect(), last))
}
