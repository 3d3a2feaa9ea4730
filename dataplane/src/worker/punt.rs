//! The bounded channels between workers and the management thread.
//!
//! Neither side ever waits for the other: a full channel drops the frame and counts it. The
//! management thread sleeps on an event descriptor that a worker writes once per batch, and a
//! worker that sleeps in poll(2) is woken the same way.

use std::net::IpAddr;
use std::sync::Arc;

use crossbeam_queue::ArrayQueue;

use crate::limits::{MAX_FRAME, PUNT_QUEUE};
use crate::types::{InterfaceId, Mac};

/// A frame of a control protocol, with the interface it came from or shall leave by.
#[derive(Clone)]
pub struct ControlFrame {
    /// Where it came in, or goes out.
    pub interface: InterfaceId,
    length: u16,
    bytes: [u8; MAX_FRAME],
}

impl ControlFrame {
    /// Copies `frame`; `None` if it is longer than [`MAX_FRAME`].
    #[must_use]
    pub fn new(interface: InterfaceId, frame: &[u8]) -> Option<Self> {
        let mut bytes = [0; MAX_FRAME];
        bytes.get_mut(..frame.len())?.copy_from_slice(frame);
        Some(Self { interface, length: u16::try_from(frame.len()).ok()?, bytes })
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
    /// A packet could not leave because nobody knows this neighbour's MAC yet.
    NeighbourMissing {
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

    pub(crate) fn receive(&self) -> Option<T> {
        self.0.pop()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
