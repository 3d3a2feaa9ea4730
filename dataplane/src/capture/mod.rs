//! Packets shown to whoever asks for them: as they came, as they left, and what became of them.
//!
//! A capture hangs on the snapshot: while there is none, workers ask one question a batch. Its memory is allocated by
//! who begins it, a fixed number of shots that go round: an empty one is filled by a worker, a full one is read and
//! given back. A worker that finds no empty one counts the packet as lost, and goes on.

mod lens;
#[cfg(all(test, not(loom)))]
mod tests;

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crossbeam_queue::ArrayQueue;

use crate::limits::{BATCH, CHUNK, MAX_WORKERS, SHOTS};
use crate::packet::{Ends, ends};
use crate::types::{InterfaceId, Port, PortRange, Prefix, Protocol};
use crate::verdict::DropReason;

pub(crate) use lens::Lens;

/// Which packets are wanted: those for which all that is said here is true.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of the service with this virtual endpoint. Packets without ports count by their address alone.
    pub service: Option<(Prefix, Protocol, PortRange)>,
    /// From or to this address, before or after the rewrite.
    pub client: Option<IpAddr>,
    /// Dropped for this reason.
    pub drop: Option<DropReason>,
}

impl Filter {
    fn wants(&self, reason: Option<DropReason>, before: &[u8], after: &[u8]) -> bool {
        if self.drop.is_some() && self.drop != reason {
            return false;
        }
        if self.service.is_none() && self.client.is_none() {
            return true;
        }
        let sides = [ends(before), ends(after)];
        let any = |fits: &dyn Fn(&Ends) -> bool| sides.iter().flatten().any(fits);
        self.client.is_none_or(|client| any(&|ends| is_client(client, ends)))
            && self.service.is_none_or(|service| any(&|ends| is_service(service, ends)))
    }
}

fn is_client(client: IpAddr, ends: &Ends) -> bool {
    ends.addresses.0 == client || ends.addresses.1 == client
}

fn is_service((vip, protocol, ports): (Prefix, Protocol, PortRange), ends: &Ends) -> bool {
    let is_its = |address, port: Option<u16>| {
        let port_fits =
            port.is_none_or(|port| ports.contains(Port(port)) && ends.protocol == protocol.number());
        vip.contains(address) && port_fits
    };
    let (source, destination) = ends.addresses;
    is_its(destination, ends.ports.map(|ports| ports.1)) || is_its(source, ends.ports.map(|ports| ports.0))
}

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Became {
    /// It left by this interface.
    Sent(InterfaceId),
    /// It was dropped, and what its sender is told instead left by this interface.
    Answered(InterfaceId, DropReason),
    /// It was dropped.
    Dropped(DropReason),
    /// It was handed to the management thread.
    Punted,
    /// It waits for the first fragment of its packet.
    Waits,
    /// It waits until the MAC address of its next hop is known.
    WaitsForNextHop,
    /// The box made it, and it left by this interface.
    Made(InterfaceId),
}

impl Became {
    fn reason(self) -> Option<DropReason> {
        match self {
            Self::Answered(_, reason) | Self::Dropped(reason) => Some(reason),
            Self::Sent(_) | Self::Punted | Self::Waits | Self::WaitsForNextHop | Self::Made(_) => None,
        }
    }

    fn has_left(self) -> bool {
        matches!(self, Self::Sent(_) | Self::Answered(..) | Self::Made(_))
    }
}

/// A packet before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shot {
    /// Nanoseconds on the data plane's clock.
    pub nanos: u64,
    /// Where it came in; `None`: the box has made it.
    pub ingress: Option<InterfaceId>,
    /// What became of it.
    pub became: Became,
    before: Part,
    after: Part,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    length: usize,
    bytes: [u8; CHUNK],
}

impl Part {
    const NOTHING: Self = Self { length: 0, bytes: [0; CHUNK] };

    fn fill(&mut self, frame: &[u8]) {
        self.length = frame.len().min(CHUNK);
        if let (Some(to), Some(from)) = (self.bytes.get_mut(..self.length), frame.get(..self.length)) {
            to.copy_from_slice(from);
        }
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl Shot {
    /// A packet with nothing in it.
    #[must_use]
    pub fn empty() -> Self {
        let became = Became::Dropped(DropReason::NotOurs);
        Self { nanos: 0, ingress: None, became, before: Part::NOTHING, after: Part::NOTHING }
    }

    /// A packet as it came (none: nothing) and as it left.
    #[must_use]
    pub fn of(nanos: u64, ingress: Option<InterfaceId>, became: Became, before: &[u8], after: &[u8]) -> Self {
        let mut shot = Self { nanos, ingress, became, ..Self::empty() };
        shot.before.fill(before);
        shot.after.fill(after);
        shot
    }

    /// As it came; nothing of one that the box has made.
    #[must_use]
    pub fn before(&self) -> &[u8] {
        self.before.bytes()
    }

    /// As it left; nothing of one that did not.
    #[must_use]
    pub fn after(&self) -> &[u8] {
        self.after.bytes()
    }
}

/// See the module's head.
#[derive(Debug)]
pub struct Capture {
    filter: Filter,
    empty: ArrayQueue<Box<Shot>>,
    full: ArrayQueue<Box<Shot>>,
    lost: AtomicU64,
    is_over: AtomicBool,
}

impl Capture {
    /// Room for [`SHOTS`] packets that nobody has read yet, and for what so many workers have in hand.
    #[must_use]
    pub fn new(filter: Filter, workers: usize) -> Self {
        let shots = SHOTS + workers.min(MAX_WORKERS) * BATCH;
        let empty = ArrayQueue::new(shots);
        for _ in 0..shots {
            // There is room: as many go in as it was made for.
            let _: Result<(), _> = empty.push(Box::new(Shot::empty()));
        }
        let (lost, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
        Self { filter, empty, full: ArrayQueue::new(shots), lost, is_over }
    }

    /// Shows the next packet; `None`: there is none now.
    pub fn next<T>(&self, show: impl FnOnce(&Shot) -> T) -> Option<T> {
        let shot = self.full.pop()?;
        let shown = show(&shot);
        // Room is left for all that there are.
        let _: Result<(), _> = self.empty.push(shot);
        Some(shown)
    }

    /// Packets that would have been shown, had there been room.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Nobody looks any more.
    pub fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// Whether [`Self::end`] was said.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    fn lose(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }

    /// Shows a packet that is not in a batch.
    pub(crate) fn show(&self, nanos: u64, ingress: Option<InterfaceId>, became: Became, frame: &[u8]) {
        let (before, after): (&[u8], &[u8]) = if became.has_left() { (&[], frame) } else { (frame, &[]) };
        if self.is_over() || !self.filter.wants(became.reason(), before, after) {
            return;
        }
        let Some(mut shot) = self.empty.pop() else { return self.lose() };
        (shot.nanos, shot.ingress, shot.became) = (nanos, ingress, became);
        shot.before.fill(before);
        shot.after.fill(after);
        // Room is left for all that there are.
        let _: Result<(), _> = self.full.push(shot);
    }
}
