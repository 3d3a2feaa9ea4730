//! Who is at the other end of the control socket, and what they may do.

use axum::extract::{ConnectInfo, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::request::{Refusal, RefusalKind};
use crate::events::REQUEST;
use crate::history::Caller;

/// What the socket is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rights {
    /// All verbs.
    Full,
    /// Those that change nothing.
    View,
}

/// Whether such a call leaves everything as it is. Questions about a file are sent as its text.
fn changes_nothing(method: &Method, path: &str) -> bool {
    matches!(*method, Method::GET | Method::HEAD) || ["/v1/config/check", "/v1/config/plan"].contains(&path)
}

/// Refuses what the socket is not for, and writes into the log who has changed what.
pub(super) async fn guard(
    State(rights): State<Rights>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    request: Request,
    next: Next,
) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    if changes_nothing(&method, &path) {
        return next.run(request).await;
    }
    let response = match rights {
        Rights::Full => next.run(request).await,
        Rights::View => {
            let why = "this socket is for looking only: control.sock beside it takes changes";
            Refusal::new(RefusalKind::Forbidden, why).into_response()
        }
    };
    let Caller { uid, pid } = caller;
    let status = response.status().as_u16();
    tracing::info!(event = REQUEST, uid, pid, %method, path, status, "a change was asked for");
    response
}
