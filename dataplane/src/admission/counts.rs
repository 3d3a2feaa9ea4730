//! What becomes of a service's new flows that do not simply begin: counted by each worker for itself.

use crossbeam_utils::CachePadded;

use crate::stats::Counter;
use crate::types::WorkerId;
use crate::verdict::DropReason;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Event {
    /// A packet went on without a flow, because the service had no room for one.
    Stateless,
    /// A flow that was never established made way for another one, of this service.
    Recycled,
    /// A flow began at another backend than the chosen one, which had no reply tuple left for it.
    Clashed,
    /// A SYN was answered by cookie.
    CookieSent,
    /// A cookie came back: a flow began.
    CookieTaken,
    /// The backend of such a flow did not take the connection.
    NotTaken,
    Denied,
    ServiceFull,
    ServiceRate,
    SourceRate,
    BackendsFull,
    ServiceShare,
}

const EVENTS: usize = Event::ServiceShare as usize + 1;

impl Event {
    /// What a refusal is counted as here; `None`: it is not about admission.
    pub(crate) fn of(reason: DropReason) -> Option<Self> {
        REFUSALS.iter().find(|(_, refusal)| *refusal == reason).map(|(event, _)| *event)
    }
}

/// Each refusal, and the reason that its frame is dropped for.
const REFUSALS: [(Event, DropReason); 6] = [
    (Event::Denied, DropReason::Denied),
    (Event::ServiceFull, DropReason::ServiceFull),
    (Event::ServiceRate, DropReason::ServiceRate),
    (Event::SourceRate, DropReason::SourceRate),
    (Event::BackendsFull, DropReason::BackendsFull),
    (Event::ServiceShare, DropReason::ServiceShare),
];

/// A line for each worker.
#[derive(Debug)]
pub(super) struct Counts(Box<[CachePadded<[Counter; EVENTS]>]>);

impl Counts {
    pub(super) fn new(workers: usize) -> Self {
        Self(std::iter::repeat_with(CachePadded::default).take(workers.max(1)).collect())
    }

    /// On that worker only.
    pub(super) fn add(&self, worker: WorkerId, event: Event) {
        if let Some(counters) = self.0.get(worker.index()) {
            counters[event as usize].add(1);
        }
    }

    pub(super) fn read(&self) -> ServiceCounts {
        let sum = |event: Event| self.0.iter().map(|counters| counters[event as usize].get()).sum();
        ServiceCounts {
            stateless_packets: sum(Event::Stateless),
            recycled_flows: sum(Event::Recycled),
            clashed_flows: sum(Event::Clashed),
            cookies_sent: sum(Event::CookieSent),
            cookies_taken: sum(Event::CookieTaken),
            not_taken: sum(Event::NotTaken),
            refused: REFUSALS.map(|(event, reason)| (reason, sum(event))),
        }
    }
}

/// A service's counters, summed over the workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceCounts {
    /// Packets that went on without a flow, because the service had no room for one.
    pub stateless_packets: u64,
    /// Its flows that were never established and have made way for others.
    pub recycled_flows: u64,
    /// Flows that began at another backend than the chosen one, which had no reply tuple left for them.
    pub clashed_flows: u64,
    /// SYNs that were answered by cookie.
    pub cookies_sent: u64,
    /// Cookies that came back and have begun a flow.
    pub cookies_taken: u64,
    /// Of these, connections that came about no further: the backend refused them, was silent or could not
    /// keep what the client was promised, or the client gave up.
    pub not_taken: u64,
    /// Packets that would have begun a flow and were dropped, by reason.
    pub refused: [(DropReason, u64); REFUSALS.len()],
}

impl ServiceCounts {
    /// How often the service had no room for a new flow.
    #[must_use]
    pub fn pressed(&self) -> u64 {
        let refused = self.refused.iter().filter(|(reason, _)| *reason == DropReason::ServiceShare);
        self.stateless_packets + self.recycled_flows + refused.map(|(_, count)| count).sum::<u64>()
    }
}
