//! The connections of one listener: what each is at, and which has to go.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

use super::Limits;

/// What a connection is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// A request's head is due.
    Head(Instant),
    /// A request is answered.
    Busy,
    /// All of the answer is there, and maybe not sent.
    Answered,
    /// Between two requests.
    Idle(Instant),
}

#[derive(Debug)]
struct Standing {
    phase: Phase,
    /// Since when the peer takes nothing of an answer.
    stalled: Option<Instant>,
}

/// The state of one connection, which its stream, its requests and its answers keep.
#[derive(Debug)]
pub(super) struct State {
    standing: Mutex<Standing>,
    close: Notify,
    /// A connection of the same listener has become idle, or has ended.
    freed: Arc<Notify>,
}

impl State {
    fn new(now: Instant, freed: &Arc<Notify>) -> Self {
        let standing = Mutex::new(Standing { phase: Phase::Head(now), stalled: None });
        Self { standing, close: Notify::new(), freed: Arc::clone(freed) }
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes have come.
    pub(super) fn received(&self, now: Instant) {
        let mut standing = self.standing();
        if matches!(standing.phase, Phase::Idle(_)) {
            standing.phase = Phase::Head(now);
        }
    }

    /// A head is complete.
    pub(super) fn request(&self) {
        self.standing().phase = Phase::Busy;
    }

    /// The body of an answer is at its end.
    pub(super) fn answered(&self) {
        self.standing().phase = Phase::Answered;
    }

    /// All that there was to send is sent.
    pub(super) fn flushed(&self, now: Instant) {
        let mut standing = self.standing();
        standing.stalled = None;
        if standing.phase == Phase::Answered {
            standing.phase = Phase::Idle(now);
            self.freed.notify_one();
        }
    }

    /// The peer takes bytes, or takes none.
    pub(super) fn takes(&self, takes: bool, now: Instant) {
        let mut standing = self.standing();
        standing.stalled = if takes { None } else { standing.stalled.or(Some(now)) };
    }

    /// Waits until the connection has to be closed.
    pub(super) async fn closed(&self) {
        self.close.notified().await;
    }

    fn close(&self) {
        self.close.notify_one();
    }

    /// Since when no request has been under way.
    fn idle_since(&self) -> Option<Instant> {
        match self.standing().phase {
            Phase::Head(at) | Phase::Idle(at) => Some(at),
            Phase::Busy | Phase::Answered => None,
        }
    }

    fn is_overdue(&self, now: Instant, limits: Limits) -> bool {
        let Standing { phase, stalled } = *self.standing();
        let is_stalled = match (stalled, limits.stall) {
            (Some(at), Some(limit)) => now.saturating_duration_since(at) >= limit,
            _ => false,
        };
        is_stalled
            || match phase {
                Phase::Head(at) => now.saturating_duration_since(at) >= limits.head,
                Phase::Idle(at) => now.saturating_duration_since(at) >= limits.idle,
                Phase::Busy | Phase::Answered => false,
            }
    }
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    states: BTreeMap<u64, Arc<State>>,
}

/// All connections of a listener.
#[derive(Debug, Clone)]
pub(super) struct Connections {
    limits: Limits,
    open: Arc<Mutex<Open>>,
    freed: Arc<Notify>,
}

impl Connections {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, open: Arc::default(), freed: Arc::default() }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A further connection.
    pub(super) fn begin(&self, now: Instant) -> Connection {
        let mut open = self.open();
        let (number, state) = (open.next, Arc::new(State::new(now, &self.freed)));
        open.next += 1;
        open.states.insert(number, Arc::clone(&state));
        Connection { all: self.clone(), number, state }
    }

    /// Waits until there is room for one more, and makes it where connections are idle.
    pub(super) async fn room(&self) {
        loop {
            {
                let open = self.open();
                if open.states.len() < self.limits.connections {
                    return;
                }
                let idle = open.states.values().filter_map(|state| Some((state.idle_since()?, state)));
                if let Some((_, state)) = idle.min_by_key(|(since, _)| *since) {
                    state.close();
                }
            }
            self.freed.notified().await;
        }
    }

    /// Closes the connections whose time is over.
    pub(super) fn close_overdue(&self, now: Instant) {
        let open = self.open();
        open.states
            .values()
            .filter(|state| state.is_overdue(now, self.limits))
            .for_each(|state| state.close());
    }
}

/// The place of a connection, which is free when this is dropped.
#[derive(Debug)]
pub(super) struct Connection {
    all: Connections,
    number: u64,
    state: Arc<State>,
}

impl Connection {
    pub(super) fn state(&self) -> &Arc<State> {
        &self.state
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.all.open().states.remove(&self.number);
        self.all.freed.notify_one();
    }
}
