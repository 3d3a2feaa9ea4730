//! The connections of one listener: what each is at, and which has to go.

use std::cmp::Reverse;
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
    /// Its body is due.
    Body(Instant),
    /// A request is worked at.
    Busy,
    /// It is answered: some of the answer is not there yet, or not sent.
    Answering(Instant),
    /// All of the answer is there, and maybe not sent.
    Answered(Instant),
    /// Between two requests.
    Idle(Instant),
}

/// How much is lost with a connection that makes way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Loss {
    /// Nothing: the peer is to send.
    None,
    /// The rest of an answer, as of `events --follow`.
    Answer,
}

#[derive(Debug, Clone, Copy)]
struct Standing {
    phase: Phase,
    /// Since when the peer takes nothing of an answer.
    stalled: Option<Instant>,
}

/// The state of one connection, which its stream, its requests and its answers keep.
#[derive(Debug)]
pub(super) struct State {
    standing: Mutex<Standing>,
    /// The user at the other end, as far as the kernel knows.
    uid: Option<u32>,
    close: Notify,
    /// A connection of the same listener has become idle, or has ended.
    freed: Arc<Notify>,
}

impl State {
    fn new(uid: Option<u32>, now: Instant, freed: &Arc<Notify>) -> Self {
        let standing = Mutex::new(Standing { phase: Phase::Head(now), stalled: None });
        Self { standing, uid, close: Notify::new(), freed: Arc::clone(freed) }
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

    /// A head is complete, and a body follows.
    pub(super) fn request(&self, now: Instant) {
        self.standing().phase = Phase::Body(now);
        self.freed.notify_one();
    }

    /// The body of a request has come, or is not read.
    pub(super) fn requested(&self) {
        let mut standing = self.standing();
        if matches!(standing.phase, Phase::Body(_)) {
            standing.phase = Phase::Busy;
        }
    }

    /// The answer begins.
    pub(super) fn answering(&self, now: Instant) {
        self.standing().phase = Phase::Answering(now);
        self.freed.notify_one();
    }

    /// The body of an answer is at its end.
    pub(super) fn answered(&self) {
        let mut standing = self.standing();
        if let Phase::Answering(at) = standing.phase {
            standing.phase = Phase::Answered(at);
        }
    }

    /// All that there was to send is sent.
    pub(super) fn flushed(&self, now: Instant) {
        let mut standing = self.standing();
        standing.stalled = None;
        if matches!(standing.phase, Phase::Answered(_)) {
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

    /// What is lost with it, and since when that has been so; `None`: a request is worked at, which soon ends.
    fn loss(&self) -> Option<(Loss, Instant)> {
        match self.standing().phase {
            Phase::Head(at) | Phase::Body(at) | Phase::Idle(at) => Some((Loss::None, at)),
            Phase::Answering(at) | Phase::Answered(at) => Some((Loss::Answer, at)),
            Phase::Busy => None,
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
                Phase::Body(at) => now.saturating_duration_since(at) >= limits.body,
                Phase::Idle(at) => now.saturating_duration_since(at) >= limits.idle,
                Phase::Busy | Phase::Answering(_) | Phase::Answered(_) => false,
            }
    }
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    states: BTreeMap<u64, Arc<State>>,
}

impl Open {
    /// One of the user that has most, so that none keeps others out; the one that loses least, and of those the one that has
    /// been so for longest.
    fn to_make_way(&self) -> Option<&State> {
        let mut held = BTreeMap::<_, usize>::new();
        self.states.values().for_each(|state| *held.entry(state.uid).or_default() += 1);
        let newest = self.next.checked_sub(1);
        let others = self.states.iter().filter(|(number, _)| Some(**number) != newest);
        let with_loss = others.filter_map(|(_, state)| Some((state.loss()?, state)));
        let first = with_loss.min_by_key(|(loss, state)| (Reverse(held.get(&state.uid).copied()), *loss));
        first.map(|(_, state)| &**state)
    }
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

    /// A further connection, of this user as far as that is known.
    pub(super) fn begin(&self, uid: Option<u32>, now: Instant) -> Connection {
        let mut open = self.open();
        let (number, state) = (open.next, Arc::new(State::new(uid, now, &self.freed)));
        open.next += 1;
        open.states.insert(number, Arc::clone(&state));
        Connection { all: self.clone(), number, state }
    }

    /// Waits until there are no more than there may be; lets one make way for the newest if there are. So the last one
    /// to come is the only one in excess, and is served.
    pub(super) async fn room(&self) {
        loop {
            {
                let open = self.open();
                if open.states.len() <= self.limits.connections {
                    return;
                }
                if let Some(state) = open.to_make_way() {
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LIMITS: Limits = Limits {
        connections: 4,
        head: Duration::from_secs(10),
        body: Duration::from_secs(20),
        idle: Duration::from_secs(600),
        stall: None,
    };

    /// Whether a connection was asked to end.
    async fn is_closed(connection: &Connection) -> bool {
        tokio::time::timeout(Duration::from_millis(1), connection.state.closed()).await.is_ok()
    }

    async fn has_room(all: &Connections) -> bool {
        tokio::time::timeout(Duration::from_millis(10), all.room()).await.is_ok()
    }

    #[tokio::test]
    async fn as_many_are_taken_as_configured_and_the_newest_does_not_make_way() {
        let (all, now) = (Connections::new(LIMITS), crate::clock::now());
        let mut open: Vec<_> = (0..4).map(|_| all.begin(Some(0), now)).collect();
        open.iter().for_each(|one| {
            one.state.request(now);
            one.state.requested();
        });
        assert!(has_room(&all).await, "four may be there, and a fifth is let in");
        open.push(all.begin(Some(0), now));
        assert!(!has_room(&all).await, "and no sixth");
        assert!(!is_closed(&open[4]).await, "requests are worked at, and the newest is waited for");
        open[2].state.answering(now);
        open[2].state.answered();
        assert!(!has_room(&all).await);
        assert!(is_closed(&open[2]).await);
        open.remove(2);
        assert!(has_room(&all).await);
    }

    #[tokio::test]
    async fn one_of_whoever_has_most_makes_way_and_the_least_is_lost() {
        let (all, now) = (Connections::new(LIMITS), crate::clock::now());
        let at = |seconds| now + Duration::from_secs(seconds);
        // A user follows events twice and leaves a body unfinished; root is idle.
        let open: Vec<_> = [1, 0, 1, 1, 2].map(|uid| all.begin(Some(uid), now)).into();
        open[1].state.answering(now);
        open[1].state.answered();
        open[1].state.flushed(now);
        open[0].state.answering(at(2));
        open[2].state.answering(at(1));
        open[3].state.request(at(3));
        assert!(!has_room(&all).await);
        assert!(is_closed(&open[3]).await, "the body");
        open[3].state.requested();
        assert!(!has_room(&all).await);
        assert!(is_closed(&open[2]).await, "the oldest that follows");
        assert!(!is_closed(&open[0]).await && !is_closed(&open[1]).await && !is_closed(&open[4]).await);
    }

    #[tokio::test]
    async fn a_body_that_does_not_come_has_a_deadline_and_an_answer_has_none() {
        let (all, now) = (Connections::new(LIMITS), crate::clock::now());
        let [body, answer] = [0; 2].map(|uid| all.begin(Some(uid), now));
        body.state.request(now);
        answer.state.request(now);
        answer.state.requested();
        answer.state.answering(now);
        all.close_overdue(now + Duration::from_secs(19));
        assert!(!is_closed(&body).await);
        all.close_overdue(now + Duration::from_secs(20));
        assert!(is_closed(&body).await && !is_closed(&answer).await);
    }
}
