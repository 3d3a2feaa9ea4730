//! HTTP over accepted connections, which are limited in number and in time. `axum::serve` has neither limit, and keeps
//! its listener for as long as it runs.

mod connections;
mod watched;

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::history::Caller;
use connections::{Connection, Connections};
use watched::{Answer, Question, Watched};

/// How often connections are looked through for those whose time is over, and a listener for whether it is still
/// reachable.
const LOOK: Duration = Duration::from_secs(1);
/// The wait after an `accept` that failed, as without free descriptors.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// What connections may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Connections at a time. A further one ends one of the user that has most: one that waits for its peer, or else the
    /// one whose answer has lasted longest. While requests are worked at on all, no other is accepted.
    pub(super) connections: usize,
    /// From the beginning of a connection, or the first byte of a further request, to the end of the request's head.
    pub(super) head: Duration,
    /// From there to the end of its body.
    pub(super) body: Duration,
    /// From one request to the next.
    pub(super) idle: Duration,
    /// For a piece of an answer that the peer does not take. `None`: answers may last, as `events --follow` in a pager.
    pub(super) stall: Option<Duration>,
}

/// Where connections come from.
pub(super) trait Accept {
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The next connection, and which process is at its other end. Loses nothing when it is dropped.
    async fn connection(&mut self) -> io::Result<(Self::Stream, Option<Caller>)>;

    /// Called once a second.
    fn look(&mut self) {}
}

/// Serves until `stop` completes, then ends idle connections and waits for requests that are under way.
pub(super) async fn serve(
    mut listener: impl Accept,
    routes: Router,
    limits: Limits,
    stop: impl Future<Output = ()>,
) {
    let connections = Connections::new(limits);
    let (ending, ends) = watch::channel(());
    let mut tasks = JoinSet::new();
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tokio::pin!(stop);
    loop {
        let accept = async {
            connections.room().await;
            listener.connection().await
        };
        tokio::select! {
            () = &mut stop => break,
            accepted = accept => match accepted {
                Ok((stream, caller)) => {
                    let uid = caller.and_then(|caller: Caller| caller.uid);
                    let connection = connections.begin(uid, crate::clock::now());
                    tasks.spawn(one(stream, (routes.clone(), caller), connection, limits, ends.clone()));
                }
                Err(error) => {
                    tracing::debug!(%error, "a connection was not accepted");
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                }
            },
            Some(_) = tasks.join_next() => {}
            _ = look.tick() => {
                connections.close_overdue(crate::clock::now());
                listener.look();
            }
        }
    }
    drop((listener, ends, ending));
    while tasks.join_next().await.is_some() {}
}

/// One connection, until either end closes it.
async fn one(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    (routes, caller): (Router, Option<Caller>),
    connection: Connection,
    limits: Limits,
    mut ends: watch::Receiver<()>,
) {
    let state = Arc::clone(connection.state());
    let routes = TowerToHyperService::new(routes);
    let service = service_fn(|mut request: Request<Incoming>| {
        if let Some(caller) = caller {
            request.extensions_mut().insert(ConnectInfo(caller));
        }
        state.request(crate::clock::now());
        let question = Question::new(request, &state);
        let (state, answer) = (Arc::clone(&state), routes.call(question));
        async move {
            let answer: Response<Body> = answer.await?;
            state.answering(crate::clock::now());
            Ok::<_, Infallible>(answer.map(|body| Answer::new(body, state)))
        }
    });
    let io = TokioIo::new(Watched::new(stream, Arc::clone(&state), limits.stall.is_some()));
    let served = http1::Builder::new().serve_connection(io, service);
    tokio::pin!(served);
    let mut is_ending = false;
    loop {
        tokio::select! {
            // A connection that fails has nobody to report it to.
            _ = &mut served => return,
            () = state.closed() => return,
            // The sender is only ever dropped.
            _ = ends.changed(), if !is_ending => {
                is_ending = true;
                served.as_mut().graceful_shutdown();
            }
        }
    }
}
