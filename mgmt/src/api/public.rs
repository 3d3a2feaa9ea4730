//! Metrics and a page of them over TCP, for who may look but not touch: nothing here takes a request any further than to
//! figures that everybody gets alike.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::serve::Listener;
use axum::{Json, Router};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, OnceCell, OwnedSemaphorePermit, Semaphore, mpsc};

use super::request::{Refusal, Request};
use super::{handlers, metrics, view};
use crate::events::{Events, OTHER, REQUEST};

/// Connections at a time: the daemon needs its file descriptors for other things.
const CONNECTIONS: usize = 32;

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
        Ok(Self { listener: TcpListener::bind(address).await.map_err(failed)?, fresh: FRESH })
    }

    /// Where it listens: with port 0, the kernel has chosen one.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop` completes.
    pub async fn run(
        self,
        requests: mpsc::Sender<Request>,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
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
        let free = Arc::new(Semaphore::new(CONNECTIONS));
        axum::serve(Few { listener: self.listener, free }, routes).with_graceful_shutdown(stop).await
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

/// Takes a connection when one of the few has ended.
struct Few {
    listener: TcpListener,
    free: Arc<Semaphore>,
}

impl Listener for Few {
    type Io = Held;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Held, SocketAddr) {
        // Nobody closes the semaphore.
        let permit = Arc::clone(&self.free).acquire_owned().await.ok();
        let (stream, peer) = Listener::accept(&mut self.listener).await;
        (Held { stream, _permit: permit }, peer)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// One of the few connections.
struct Held {
    stream: TcpStream,
    _permit: Option<OwnedSemaphorePermit>,
}

impl AsyncRead for Held {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Held {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
#[path = "public_tests.rs"]
mod tests;
