//! The bounded channels between workers and the management thread.
//!
//! Neither side ever waits for the other: a full channel drops the frame and counts it. The
//! management thread sleeps on an event descriptor that a worker writes once per batch, and a
//! worker that sleeps in poll(2) is woken the same way.

use std::net::IpAddr;
use std::sync::Arc;

use crossbeam_queue::ArrayQueue;

use crate::limits::{MAX_FRAME, PUNT_QUEUE, PUNT_REPORTS};
use crate::types::{BackendId, InterfaceId, Mac};
use crate::wire::ethernet::{self, ethertype};

/// A frame of a control protocol, with the interface it came from or shall leave by.
#[derive(Clone)]
pub struct ControlFrame {
    /// Where it came in, or goes out.
    pub interface: InterfaceId,
    /// It is a packet for this backend, and takes a client's way there.
    backend: Option<BackendId>,
    length: u16,
    bytes: [u8; MAX_FRAME],
}

impl ControlFrame {
    /// Copies `frame`; `None` if it is longer than [`MAX_FRAME`].
    #[must_use]
    pub fn new(interface: InterfaceId, frame: &[u8]) -> Option<Self> {
        let mut bytes = [0; MAX_FRAME];
        bytes.get_mut(..frame.len())?.copy_from_slice(frame);
        Some(Self { interface, backend: None, length: u16::try_from(frame.len()).ok()?, bytes })
    }

    /// A packet for a backend, behind an Ethernet header that is still to be filled; `None` as above, or if it is
    /// no IP packet.
    pub(crate) fn to_backend(interface: InterfaceId, backend: BackendId, packet: &[u8]) -> Option<Self> {
        let kind = match packet.first()? >> 4 {
            4 => ethertype::IPV4,
            6 => ethertype::IPV6,
            _ => return None,
        };
        let mut frame = Self { backend: Some(backend), ..Self::new(interface, &[0; ethernet::LENGTH])? };
        frame.bytes.get_mut(12..14)?.copy_from_slice(&kind.to_be_bytes());
        let end = ethernet::LENGTH + packet.len();
        frame.bytes.get_mut(ethernet::LENGTH..end)?.copy_from_slice(packet);
        frame.length = u16::try_from(end).ok()?;
        Some(frame)
    }

    pub(super) fn backend(&self) -> Option<BackendId> {
        self.backend
    }

    /// The frame, from its Ethernet header on.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

impl std::fmt::Debug for ControlFrame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ControlFrame({}, {} bytes)", self.interface, self.length)
    }
}

/// What a worker tells the management thread.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "a slot of a fixed queue: boxing would allocate in the worker")]
pub enum Punt {
    /// A frame of ARP, neighbour discovery or another control protocol.
    Frame(ControlFrame),
    /// The MAC of this neighbour is not known, and packets wait for it or will need it.
    NeighbourMissing {
        /// The interface the neighbour is on.
        interface: InterfaceId,
        /// The neighbour.
        address: IpAddr,
    },
    /// A host has begun a flow with another source MAC address than the one that it is known by.
    NeighbourMoved {
        /// The interface the neighbour is on.
        interface: InterfaceId,
        /// The neighbour.
        address: IpAddr,
    },
    /// A station sends from behind this port of a bridge, and the kernel's bridge does not know: its
    /// packets are all the workers'.
    Station {
        /// The port.
        interface: InterfaceId,
        /// The station.
        mac: Mac,
    },
}

/// A bounded channel.
#[derive(Debug)]
pub(crate) struct Channel<T>(ArrayQueue<T>);

impl<T> Channel<T> {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(ArrayQueue::new(PUNT_QUEUE)))
    }

    /// Whether there was room; the caller counts what there was none for.
    pub(crate) fn send(&self, item: T) -> bool {
        self.0.push(item).is_ok()
    }

    /// Whether there is room for a report, which is repeated if there is none. Frames have the rest of the channel
    /// for themselves: each of them comes once.
    pub(crate) fn takes_reports(&self) -> bool {
        self.0.len() < PUNT_REPORTS
    }

    /// Sends a report; whether there was room.
    pub(crate) fn report(&self, item: T) -> bool {
        self.takes_reports() && self.send(item)
    }

    pub(crate) fn receive(&self) -> Option<T> {
        self.0.pop()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
