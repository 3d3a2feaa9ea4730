//! Metrics and a page of them over TCP, for who may look but not touch: nothing here takes a request any further than to
//! figures that everybody gets alike.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, OnceCell, mpsc};

use super::request::{Refusal, Request};
use super::serve::{Accept, Limits, serve};
use super::{handlers, metrics, view};
use crate::events::{Events, OTHER, REQUEST};
use crate::history::Caller;

/// Connections at a time are few: the daemon needs its file descriptors for other things. Whatever connects can be
/// anybody, so none may hold a place without using it; scrapers come again each minute at the latest.
const LIMITS: Limits = Limits {
    connections: 32,
    head: Duration::from_secs(10),
    body: Duration::from_secs(10),
    idle: Duration::from_secs(120),
    stall: Some(Duration::from_secs(30)),
};

/// TCP keepalive: the first probe, the pause between two, and how many may be lost.
const ALIVE: Duration = Duration::from_secs(30);
const ALIVE_AGAIN: Duration = Duration::from_secs(10);
const ALIVE_TRIES: u32 = 3;

/// Figures are as old as this at most: many who ask are no more work than one.
const FRESH: Duration = Duration::from_millis(500);

/// Events on the page.
const SHOWN: usize = 50;

const PAGE: &str = include_str!("page.html");

/// What browsers are to refuse, should anybody ever get something into the page.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A listening socket.
#[derive(Debug)]
pub struct PublicServer {
    listener: TcpListener,
    fresh: Duration,
    limits: Limits,
}

#[derive(Debug, Clone)]
struct Figures {
    requests: mpsc::Sender<Request>,
    last: Arc<Mutex<Option<(Instant, String)>>>,
    fresh: Duration,
    /// Asked for once.
    events: Arc<OnceCell<Arc<Events>>>,
}

impl PublicServer {
    /// Must be called within a tokio runtime.
    pub async fn bind(address: SocketAddr) -> Result<Self, String> {
        let failed = |error| {
            format!(
                "cannot listen at {address} for metrics: {error}; `listen` in [metrics] names the address"
            )
        };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        Ok(Self { listener, fresh: FRESH, limits: LIMITS })
    }

    /// Where it listens: with port 0, the kernel has chosen one.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop` completes.
    pub async fn run(self, requests: mpsc::Sender<Request>, stop: impl Future<Output = ()> + Send + 'static) {
        let routes = Router::new()
            .route("/", get(page))
            .route("/metrics", get(figures))
            .route("/events", get(events))
            .fallback(handlers::no_such_path)
            .method_not_allowed_fallback(handlers::no_such_method)
            .with_state(Figures {
                requests,
                last: Arc::default(),
                fresh: self.fresh,
                events: Arc::default(),
            });
        serve(self.listener, routes, self.limits, stop).await;
    }
}

async fn page() -> Response {
    ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(PAGE)).into_response()
}

/// The last of those that have a name: what else is in the log, and who has asked for what, is for who has the log.
async fn events(
    State(Figures { requests, events, .. }): State<Figures>,
) -> Result<Json<Vec<view::Event>>, Refusal> {
    let events = events.get_or_try_init(|| handlers::ask(&requests, Request::Events)).await?;
    let mut named = super::events::list(events, 0);
    named.retain(|event| event.kind != OTHER && event.kind != REQUEST);
    Ok(Json(named.split_off(named.len().saturating_sub(SHOWN))))
}

async fn figures(State(Figures { requests, last, fresh, .. }): State<Figures>) -> Result<Response, Refusal> {
    // Whoever comes meanwhile waits, and gets the same.
    let mut last = last.lock().await;
    let now = crate::clock::now();
    let text = match &*last {
        Some((at, text)) if now.duration_since(*at) < fresh => text.clone(),
        _ => {
            let text = handlers::metrics_text(&requests).await?;
            *last = Some((now, text.clone()));
            text
        }
    };
    Ok(([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response())
}

impl Accept for TcpListener {
    type Stream = TcpStream;

    async fn connection(&mut self) -> io::Result<(TcpStream, Option<Caller>)> {
        let (stream, _) = self.accept().await?;
        // A client that has lost its power does not end its connection.
        let keepalive =
            TcpKeepalive::new().with_time(ALIVE).with_interval(ALIVE_AGAIN).with_retries(ALIVE_TRIES);
        SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
        Ok((stream, None))
    }
}

#[cfg(test)]
#[path = "public_tests.rs"]
mod tests;
