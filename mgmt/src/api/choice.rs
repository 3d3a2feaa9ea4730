//! Routes about which backend a client gets, and who is remembered.

use std::net::{IpAddr, SocketAddr};

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use serde::Deserialize;

use super::handlers::{Answer, Requests, ask};
use super::request::{Refusal, RefusalKind, Request};
use super::view;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ServiceParameter {
    service: Option<String>,
}

pub(super) async fn persistence(
    State(requests): Requests,
    parameters: Result<Query<ServiceParameter>, QueryRejection>,
) -> Answer<Vec<view::Client>> {
    let Query(ServiceParameter { service }) = parameters?;
    ask(&requests, |reply| Request::Persistence(service, reply)).await.map(Json)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FlushParameters {
    service: Option<String>,
    client: Option<IpAddr>,
}

pub(super) async fn flush(
    State(requests): Requests,
    parameters: Result<Query<FlushParameters>, QueryRejection>,
) -> Answer<view::Forgotten> {
    let Query(FlushParameters { service, client }) = parameters?;
    let query = view::FlushQuery { service, client };
    ask(&requests, |reply| Request::Flush(query, reply)).await.map(Json)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExplainParameters {
    client: String,
}

pub(super) async fn explain(
    State(requests): Requests,
    name: Result<Path<String>, PathRejection>,
    parameters: Result<Query<ExplainParameters>, QueryRejection>,
) -> Answer<view::Explained> {
    let (Path(name), Query(ExplainParameters { client })) = (name?, parameters?);
    let client = client_end(&client).ok_or_else(|| {
        let message = format!(
            "client={client}: write ADDRESS or ADDRESS:PORT, as in 192.0.2.7:40112 or [2001:db8::7]:40112"
        );
        Refusal::new(RefusalKind::Malformed, message)
    })?;
    ask(&requests, |reply| Request::Explain(name, client, reply)).await.map(Json)
}

/// `192.0.2.7`, `192.0.2.7:40112`, `[2001:db8::7]:40112`
fn client_end(text: &str) -> Option<(IpAddr, Option<u16>)> {
    match text.parse::<SocketAddr>() {
        Ok(end) => Some((end.ip(), Some(end.port()))),
        Err(_) => text.parse().ok().map(|address| (address, None)),
    }
}
