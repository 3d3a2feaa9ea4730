//! One function per route: takes the request apart, asks the supervisor, gives its answer as JSON.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tokio::sync::{mpsc, oneshot};

use super::metrics;
use super::request::{BackendRef, ConfigText, FlowQuery, Refusal, RefusalKind, Reply, Request};
use super::view;

/// The supervisor answers between two events, in far less than a second; later than this, it hangs.
const PATIENCE: Duration = Duration::from_secs(10);

/// Flows in one answer, unless asked for otherwise; and at most: the supervisor has other work.
const FLOWS: usize = 100;
const MAX_FLOWS: usize = 100_000;

pub(super) type Requests = State<mpsc::Sender<Request>>;
pub(super) type Answer<T> = Result<Json<T>, Refusal>;

pub(super) async fn ask<T>(
    requests: &mpsc::Sender<Request>,
    request: impl FnOnce(Reply<T>) -> Request,
) -> Result<T, Refusal> {
    let (reply, answer) = oneshot::channel();
    let asked = async {
        requests.send(request(reply)).await.ok()?;
        answer.await.ok()
    };
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Some(answer)) => answer,
        Ok(None) => Err(Refusal::new(RefusalKind::Unavailable, "penstockd is stopping")),
        Err(_) => Err(Refusal::new(
            RefusalKind::Unavailable,
            "penstockd's management thread did not answer in time: see its log",
        )),
    }
}

pub(super) async fn status(State(requests): Requests) -> Answer<view::Status> {
    ask(&requests, Request::Status).await.map(Json)
}

pub(super) async fn services(State(requests): Requests) -> Answer<Vec<view::Service>> {
    ask(&requests, Request::Services).await.map(Json)
}

pub(super) async fn service(
    State(requests): Requests,
    name: Result<Path<String>, PathRejection>,
) -> Answer<view::Service> {
    let Path(name) = name?;
    ask(&requests, |reply| Request::Service(name, reply)).await.map(Json)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FlowParameters {
    service: Option<String>,
    limit: Option<usize>,
}

pub(super) async fn flows(
    State(requests): Requests,
    parameters: Result<Query<FlowParameters>, QueryRejection>,
) -> Answer<Vec<view::Flow>> {
    let Query(FlowParameters { service, limit }) = parameters?;
    let limit = limit.unwrap_or(FLOWS);
    if limit > MAX_FLOWS {
        let message = format!("limit={limit}: at most {MAX_FLOWS} flows are listed at a time");
        return Err(Refusal::new(RefusalKind::Malformed, message));
    }
    let query = FlowQuery { service, limit };
    ask(&requests, |reply| Request::Flows(query, reply)).await.map(Json)
}

pub(super) async fn vrrp(State(requests): Requests) -> Answer<Vec<view::Vrrp>> {
    ask(&requests, Request::Vrrp).await.map(Json)
}

pub(super) async fn hand_over(
    State(requests): Requests,
    name: Result<Path<String>, PathRejection>,
) -> Answer<view::VrrpState> {
    let Path(name) = name?;
    ask(&requests, |reply| Request::HandOver(name, reply)).await.map(Json)
}

pub(super) async fn interfaces(State(requests): Requests) -> Answer<Vec<view::Interface>> {
    ask(&requests, Request::Interfaces).await.map(Json)
}

pub(super) async fn neighbours(State(requests): Requests) -> Answer<Vec<view::Neighbour>> {
    ask(&requests, Request::Neighbours).await.map(Json)
}

pub(super) async fn stats(State(requests): Requests) -> Answer<view::Stats> {
    ask(&requests, Request::Stats).await.map(Json)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConfigParameters {
    name: Option<String>,
}

pub(super) type ConfigQuery = Result<Query<ConfigParameters>, QueryRejection>;
pub(super) type Body = Result<Bytes, BytesRejection>;

fn config_text(query: ConfigQuery, body: Body) -> Result<ConfigText, Refusal> {
    let Query(ConfigParameters { name }) = query?;
    named_text(name, body)
}

pub(super) fn named_text(name: Option<String>, body: Body) -> Result<ConfigText, Refusal> {
    let text = String::from_utf8(Vec::from(body?))
        .map_err(|_| Refusal::new(RefusalKind::Malformed, "the configuration is not UTF-8 text"))?;
    Ok(ConfigText { name: name.unwrap_or_else(|| "configuration".to_owned()), text })
}

pub(super) async fn check(
    State(requests): Requests,
    query: ConfigQuery,
    body: Body,
) -> Answer<view::Checked> {
    let config = config_text(query, body)?;
    ask(&requests, |reply| Request::Check(config, reply)).await.map(Json)
}

pub(super) async fn plan(State(requests): Requests, query: ConfigQuery, body: Body) -> Answer<view::Planned> {
    let config = config_text(query, body)?;
    ask(&requests, |reply| Request::Plan(config, reply)).await.map(Json)
}

pub(super) async fn set_backend(
    State(requests): Requests,
    path: Result<Path<(String, String)>, PathRejection>,
    body: Body,
) -> Answer<view::Backend> {
    const EXAMPLE: &str =
        r#"send {"admin": "enabled" | "disabled" | "drain"}, {"weight": 0 to 65535}, or both"#;
    let malformed = |message: String| Refusal::new(RefusalKind::Malformed, message);
    let Path((service, backend)) = path?;
    let backend = BackendRef::parse(&service, &backend).map_err(malformed)?;
    // Read by hand, so that `curl --data`, which announces a form, is as good as a JSON client.
    let change: view::BackendChange =
        serde_json::from_slice(&body?).map_err(|error| malformed(format!("{error}: {EXAMPLE}")))?;
    if change.admin.is_none() && change.weight.is_none() {
        return Err(malformed(format!("nothing to change: {EXAMPLE}")));
    }
    ask(&requests, |reply| Request::SetBackend(backend, change, reply)).await.map(Json)
}

pub(super) async fn metrics(State(requests): Requests) -> Result<Response, Refusal> {
    let kind = [(header::CONTENT_TYPE, metrics::CONTENT_TYPE)];
    Ok((kind, metrics_text(&requests).await?).into_response())
}

pub(super) async fn metrics_text(requests: &mpsc::Sender<Request>) -> Result<String, Refusal> {
    let status = ask(requests, Request::Status).await?;
    let services = ask(requests, Request::Services).await?;
    let stats = ask(requests, Request::Stats).await?;
    let routers = ask(requests, Request::Vrrp).await?;
    Ok(metrics::render(&status, &services, &stats, &routers))
}

pub(super) async fn no_such_path(uri: Uri) -> Refusal {
    Refusal::not_found(format!("there is no {}", uri.path()))
}

pub(super) async fn no_such_method(method: Method, uri: Uri) -> Refusal {
    Refusal::new(RefusalKind::Method, format!("{} does not take {method}", uri.path()))
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = match self.kind {
            RefusalKind::Malformed => StatusCode::BAD_REQUEST,
            RefusalKind::NotFound => StatusCode::NOT_FOUND,
            RefusalKind::Forbidden => StatusCode::FORBIDDEN,
            RefusalKind::Method => StatusCode::METHOD_NOT_ALLOWED,
            RefusalKind::Conflict => StatusCode::CONFLICT,
            RefusalKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            RefusalKind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
            RefusalKind::Failed => StatusCode::INTERNAL_SERVER_ERROR,
            RefusalKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        };
        (status, Json(view::Refused { error: self.message, details: self.details })).into_response()
    }
}

impl From<PathRejection> for Refusal {
    fn from(rejection: PathRejection) -> Self {
        Self::new(RefusalKind::Malformed, rejection.body_text())
    }
}

impl From<QueryRejection> for Refusal {
    fn from(rejection: QueryRejection) -> Self {
        Self::new(RefusalKind::Malformed, rejection.body_text())
    }
}

impl From<BytesRejection> for Refusal {
    fn from(rejection: BytesRejection) -> Self {
        let kind = match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => RefusalKind::TooLarge,
            _ => RefusalKind::Malformed,
        };
        Self::new(kind, rejection.body_text())
    }
}
