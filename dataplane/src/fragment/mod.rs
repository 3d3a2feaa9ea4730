//! Fragments: the first one of a packet has its ports, the others only what they have in common with
//! it. A worker remembers the ports by that, and holds what arrives before the first fragment.
//!
//! Nothing is reassembled: each fragment goes its own way, but all of one packet the same. A worker does
//! this for itself, because network cards put all fragments of a packet into one queue: they hash
//! what every fragment has, the addresses.
//!
//! All of it is bounded, in number, in time and per source (RFC 1858, RFC 8900): whoever floods the box
//! with fragments drives out his own.

mod held;
mod known;

pub(crate) use known::Key;

use self::held::Held;
use self::known::Known;
use crate::io::Frame;
use crate::limits::{FRAGMENTED_PACKETS, FRAGMENTS_READY};
use crate::mem::KeyedHash;
use crate::types::Tick;
use crate::types::{InterfaceId, Port};

/// What the first fragment of a packet has told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct First {
    pub(crate) source_port: Port,
    pub(crate) destination_port: Port,
    /// The identification that the fragments get where their source is translated.
    pub(crate) id: u16,
}

/// One worker's. All its memory is allocated at start.
#[derive(Debug)]
pub(crate) struct Fragments {
    known: Known,
    held: Held,
    /// Frames that are to run through the stages once more.
    ready: Vec<(InterfaceId, Frame)>,
    next_id: u16,
    sweep: usize,
}

impl Fragments {
    pub(crate) fn new() -> Self {
        let hash = KeyedHash::random();
        Self {
            // Where nobody can guess (RFC 7739).
            next_id: u16::from_le_bytes(hash.one(0).to_le_bytes().first_chunk().copied().unwrap_or_default()),
            known: Known::new(hash),
            held: Held::new(),
            ready: Vec::with_capacity(FRAGMENTS_READY),
            sweep: 0,
        }
    }

    /// An identification that no recent packet had.
    pub(crate) fn next_identification(&mut self) -> u16 {
        self.next_id = self.next_id.wrapping_add(1);
        self.next_id
    }

    /// Takes in a first fragment, and lets those go that wait for it. Gives what its packet's fragments
    /// have from now on: where it was known already, what they had. `None`: its source has too many.
    pub(crate) fn first(&mut self, key: &Key, ports: (Port, Port), now: Tick) -> Option<First> {
        let (source_port, destination_port) = ports;
        let id = self.next_identification();
        let first = self.known.note(key, First { source_port, destination_port, id }, now)?;
        while self.ready.len() < FRAGMENTS_READY
            && let Some(waiting) = self.held.release(key)
        {
            self.ready.push(waiting);
        }
        Some(first)
    }

    /// What the first fragment of that packet has told.
    pub(crate) fn find(&self, key: &Key, now: Tick) -> Option<First> {
        self.known.find(key, now)
    }

    /// Keeps a fragment until the first one of its packet comes; gives it back if there is no room for it.
    pub(crate) fn hold(&mut self, key: Key, ingress: InterfaceId, frame: Frame, now: Tick) -> Option<Frame> {
        // The first one may have come behind it in the same batch, and has released what was held by then.
        if self.known.find(&key, now).is_some() && self.ready.len() < FRAGMENTS_READY {
            self.ready.push((ingress, frame));
            return None;
        }
        self.held.hold(key, ingress, frame, now)
    }

    /// What is to run through the stages once more.
    pub(crate) fn take_ready(&mut self) -> Option<(InterfaceId, Frame)> {
        self.ready.pop()
    }

    /// Forgets a few of the packets whose time is over.
    pub(crate) fn sweep(&mut self, now: Tick) {
        const STEP: usize = 16;
        if self.known.is_empty() {
            return;
        }
        self.known.sweep(self.sweep, STEP, now);
        self.sweep = (self.sweep + STEP) % FRAGMENTED_PACKETS;
    }

    /// A fragment whose first one has not come in time.
    pub(crate) fn take_late(&mut self, now: Tick) -> Option<(InterfaceId, Frame)> {
        self.held.take_late(now)
    }
}

#[cfg(test)]
mod tests;
