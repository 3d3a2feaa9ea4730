//! The seam between a worker and what carries its frames.
//!
//! [`xsk`] is AF_XDP; [`memory`] is vectors, for tests and benches of everything above this seam.

mod frame;
#[cfg(any(test, feature = "bench"))]
pub(crate) mod memory;
pub(crate) mod xsk;

pub(crate) use frame::Frame;

use std::time::Duration;

use crate::types::InterfaceId;

/// One worker's rings: frames in, frames out, and the chunks they live in.
///
/// A frame belongs to whoever holds the [`Frame`]; each one that was received or allocated ends in
/// `transmit` or in `recycle`.
pub(crate) trait PacketIo {
    /// How many rings there are to receive from, one per (interface, queue).
    fn rings(&self) -> usize;

    /// Takes at most `room` frames from a ring and gives each to `take`; returns how many there
    /// were. Chunks that the kernel has sent are taken back and given out for receiving on the way.
    fn receive(&mut self, ring: usize, room: usize, take: impl FnMut(InterfaceId, Frame)) -> usize;

    /// Frames that have arrived in a ring and have not been taken.
    fn waiting(&self, ring: usize) -> usize;

    /// Puts a frame into a TX ring of `interface`; gives it back with the reason if it can't.
    fn transmit(&mut self, interface: InterfaceId, frame: Frame) -> Result<(), (Frame, Refused)>;

    /// Makes the kernel send what `transmit` has put into TX rings: once per batch.
    fn flush(&mut self);

    /// Takes a frame's chunk back.
    fn recycle(&mut self, frame: Frame);

    /// An empty frame for something that the box itself sends; `None`: all chunks are under way.
    fn allocate(&mut self) -> Option<Frame>;

    /// Does what its owner has asked for since the last call. Once per round; rarely anything.
    fn maintain(&mut self);

    /// Sleeps until a frame arrives, the worker is woken, or `timeout` has passed.
    fn wait(&mut self, timeout: Duration);
}

/// Why a frame could not be put into a TX ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The ring is full.
    Full,
    /// The worker has no working socket on that interface.
    Gone,
}
