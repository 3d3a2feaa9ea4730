//! The control socket: HTTP/1.1 with JSON bodies over a Unix socket, for the CLI, for scripts and
//! for `curl --unix-socket /run/penstock/control.sock http://localhost/v1/status`.
//!
//! ```text
//!  client ──HTTP──▶ server ──▶ routes ──Request──▶ supervisor
//!         ◀──JSON── view   ◀──────────  Reply ◀───
//! ```
//!
//! A refusal is a status of 400 or above and a body `{"error": "...", "details": [...]}`.

mod caller;
mod capture;
mod choice;
mod drops;
mod events;
#[cfg(test)]
pub(crate) mod fake;
mod handlers;
mod metrics;
pub mod public;
pub mod request;
mod serve;
pub mod server;
#[cfg(test)]
mod tests;
mod trace;
mod transaction;
pub mod view;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::{get, patch, post};
use tokio::sync::mpsc;

use crate::config::MAX_FILE;
pub use caller::Rights;
pub use metrics::{MetricFamily, metric_families};
use request::Request;

/// The routes. `config` verbs take the file's text as their body, and `?name=FILE` to call it by in
/// messages.
fn routes(requests: mpsc::Sender<Request>, rights: Rights) -> Router {
    Router::new()
        .route("/v1/status", get(handlers::status))
        .route("/v1/services", get(handlers::services))
        .route("/v1/services/{name}", get(handlers::service))
        .route("/v1/services/{name}/backends/{backend}", patch(handlers::set_backend))
        .route("/v1/services/{name}/explain", get(choice::explain))
        .route("/v1/flows", get(handlers::flows))
        .route("/v1/persistence", get(choice::persistence).delete(choice::flush))
        .route("/v1/vrrp", get(handlers::vrrp))
        .route("/v1/vrrp/{name}/failover", post(handlers::hand_over))
        .route("/v1/interfaces", get(handlers::interfaces))
        .route("/v1/neighbours", get(handlers::neighbours))
        .route("/v1/stats", get(handlers::stats))
        .route("/v1/drops", get(drops::drops))
        .route("/v1/capture", post(capture::capture))
        .route("/v1/events", get(events::events))
        .route("/v1/trace", get(trace::trace))
        .route("/v1/config/check", post(handlers::check))
        .route("/v1/config/plan", post(handlers::plan))
        .route("/v1/config/apply", post(transaction::apply))
        .route("/v1/config/confirm", post(transaction::confirm))
        .route("/v1/config/rollback", post(transaction::rollback))
        .route("/v1/config/history", get(transaction::history))
        .route("/v1/config/history/{number}", get(transaction::text))
        .route("/v1/reload", post(transaction::reload))
        .route("/metrics", get(handlers::metrics))
        .fallback(handlers::no_such_path)
        .method_not_allowed_fallback(handlers::no_such_method)
        .layer(DefaultBodyLimit::max(MAX_FILE))
        .layer(middleware::from_fn_with_state(rights, caller::guard))
        .with_state(requests)
}
