//! The flows of a service, over all workers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use crossbeam_utils::CachePadded;

use super::commons::Commons;
use super::cookies::Cookies;
use super::counts::{Counts, Event, ServiceCounts};
use super::limits::Limits;
use super::rate::Rate;
use super::room::Room;
use super::syn_proxy::{SynProxy, is_flooded};
use crate::flow::Tuple;
use crate::types::Tick;
use crate::types::WorkerId;
use crate::verdict::DropReason;

/// Why a service takes no further flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Short {
    /// It has as many as its own limit says.
    Limit,
    /// It has filled its share of the flow table.
    Share,
}

/// A service's flows.
#[derive(Debug)]
pub struct ServiceMeter {
    shared: CachePadded<Shared>,
    rate: CachePadded<Rate>,
    cookies: CachePadded<Cookies>,
    number: u32,
    commons: Arc<Commons>,
    counts: Counts,
}

/// What every new flow writes: one line.
#[derive(Debug, Default)]
struct Shared {
    room: Room,
    half_open: AtomicU32,
    /// Whether new handshakes are answered by cookie, where that depends.
    is_flooded: AtomicBool,
    /// Flows that its configuration allows; 0: any number.
    limit: AtomicU32,
}

impl Default for ServiceMeter {
    fn default() -> Self {
        Self::new(0, Arc::default(), 1)
    }
}

impl ServiceMeter {
    /// No flows. `number` is the service's own among those with these `commons`.
    #[must_use]
    pub fn new(number: u32, commons: Arc<Commons>, workers: usize) -> Self {
        let counts = Counts::new(workers);
        let (shared, rate, cookies) = Default::default();
        Self { shared, rate, cookies, number, commons, counts }
    }

    /// Takes a flow in; `half_open`: one of TCP, begun by its SYN. Two atomic additions at most while the
    /// service is within its own room.
    pub(crate) fn begin(&self, limit: Option<u32>, half_open: bool) -> Result<(), Short> {
        // Under a flood it is refused by reading alone.
        let level = self.shared.room.level();
        if limit.is_some_and(|limit| level.flows >= limit) {
            return Err(Short::Limit);
        }
        if level.flows >= level.own && self.commons.is_full() {
            return Err(Short::Share);
        }
        let before = self.shared.room.add();
        let fits = before.flows < before.own || self.commons.add();
        let refused = match limit {
            Some(limit) if before.flows >= limit => Some(Short::Limit),
            _ if !fits => Some(Short::Share),
            _ => None,
        };
        if let Some(short) = refused {
            self.leave_room();
            return Err(short);
        }
        if half_open {
            self.shared.half_open.fetch_add(1, Relaxed);
        }
        Ok(())
    }

    /// A flow has ended, or has not begun after all.
    pub(crate) fn end(&self, half_open: bool) {
        self.leave_room();
        if half_open {
            self.established();
        }
    }

    /// What was in the common room gives that back, whoever brought it there.
    fn leave_room(&self) {
        let before = self.shared.room.remove();
        if before.flows > before.own {
            self.commons.remove();
        }
    }

    /// A half-open flow has become another one.
    pub(crate) fn established(&self) {
        self.shared.half_open.fetch_sub(1, Relaxed);
    }

    /// Whether the rates have room for a new flow: that of its source first, so that one client alone
    /// cannot use up the service's.
    #[inline]
    pub(crate) fn keep_pace(&self, limits: &Limits, tuple: &Tuple, now: Tick) -> Result<(), DropReason> {
        if let Some(rate) = limits.new_per_second_per_source
            && !self.commons.sources().take(self.number, tuple.addresses.source(), rate, now)
        {
            return Err(DropReason::SourceRate);
        }
        match limits.new_per_second {
            Some(rate) if !self.rate.take(rate, now) => Err(DropReason::ServiceRate),
            _ => Ok(()),
        }
    }

    pub(crate) fn count(&self, worker: WorkerId, event: Event) {
        self.counts.add(worker, event);
    }

    /// Whether it has more flows than it has room of its own.
    pub(crate) fn is_beyond_own_room(&self) -> bool {
        self.shared.room.level().beyond() > 0
    }

    /// Whether less than half of its limit is reached, and less than half of its own or of the common room is taken.
    pub(crate) fn has_plenty(&self) -> bool {
        let (level, limit) = (self.shared.room.level(), self.shared.limit.load(Relaxed));
        let in_table = level.flows < level.own / 2 || self.commons.used() < self.commons.room() / 2;
        in_table && (limit == 0 || level.flows < limit / 2)
    }

    /// Notes the limit of flows of its configuration, for [`Self::has_plenty`].
    pub fn note_limit(&self, flows: Option<u32>) {
        self.shared.limit.store(flows.unwrap_or(0), Relaxed);
    }

    pub(crate) fn resize(&self, own_room: u32) {
        self.commons.change(self.shared.room.resize(own_room));
    }

    pub(crate) fn commons(&self) -> &Arc<Commons> {
        &self.commons
    }

    /// What its handshakes have shown.
    pub(crate) fn cookies(&self) -> &Cookies {
        &self.cookies
    }

    /// Forgets what its backends have answered so far: they may be others now.
    pub fn forget_backends(&self) {
        self.cookies.promise().forget();
    }

    /// Whether a new handshake is to be answered by cookie now.
    pub(crate) fn answers_by_cookie(&self, syn_proxy: SynProxy) -> bool {
        match syn_proxy {
            SynProxy::Off => false,
            SynProxy::Always => true,
            SynProxy::Auto => {
                let was_flooded = self.shared.is_flooded.load(Relaxed);
                let is_flooded = is_flooded(self.half_open(), self.own_room(), was_flooded);
                if is_flooded != was_flooded {
                    self.shared.is_flooded.store(is_flooded, Relaxed);
                }
                is_flooded
            }
        }
    }

    /// Flows in the table.
    #[must_use]
    pub fn flows(&self) -> u32 {
        self.shared.room.level().flows
    }

    /// Flows that there is always room for.
    #[must_use]
    pub fn own_room(&self) -> u32 {
        self.shared.room.level().own
    }

    /// Flows of TCP that began with a SYN and are not established yet.
    #[must_use]
    pub fn half_open(&self) -> u32 {
        self.shared.half_open.load(Relaxed)
    }

    /// What became of flows that did not simply begin.
    #[must_use]
    pub fn counts(&self) -> ServiceCounts {
        self.counts.read()
    }
}
