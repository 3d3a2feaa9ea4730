//! Frames in vectors: what stands in for AF_XDP in tests and benches of everything above it.

use std::time::Duration;

use super::{Frame, PacketIo, Refused};
use crate::types::InterfaceId;
use crate::xdp::Umem;

/// Rings that are filled by hand and keep what is sent.
#[derive(Debug)]
pub(crate) struct MemoryIo {
    umem: Umem,
    /// Frames to receive, in the reverse order.
    pub(crate) incoming: Vec<(InterfaceId, Frame)>,
    /// Frames sent.
    pub(crate) outgoing: Vec<(InterfaceId, Vec<u8>)>,
    /// Interfaces there are.
    interfaces: u16,
    /// Frames that TX rings take before they are full.
    pub(crate) tx_room: usize,
}

impl MemoryIo {
    pub(crate) fn new(chunks: usize, interfaces: u16) -> std::io::Result<Self> {
        let umem = Umem::new(chunks)?;
        Ok(Self { umem, incoming: Vec::new(), outgoing: Vec::new(), interfaces, tx_room: usize::MAX })
    }

    /// Chunks that no frame lives in.
    #[cfg(test)]
    pub(crate) fn free(&self) -> usize {
        self.umem.free()
    }

    /// Puts a frame where the next `receive` finds it.
    pub(crate) fn arrive(&mut self, interface: InterfaceId, bytes: &[u8]) {
        if let Some(chunk) = self.umem.take() {
            self.incoming.insert(0, (interface, Frame::copied(chunk, bytes)));
        }
    }
}

impl PacketIo for MemoryIo {
    fn rings(&self) -> usize {
        1
    }

    fn receive(&mut self, _ring: usize, room: usize, mut take: impl FnMut(InterfaceId, Frame)) -> usize {
        let count = room.min(self.incoming.len());
        for _ in 0..count {
            if let Some((interface, frame)) = self.incoming.pop() {
                take(interface, frame);
            }
        }
        count
    }

    fn waiting(&self, _ring: usize) -> usize {
        self.incoming.len()
    }

    fn transmit(&mut self, interface: InterfaceId, frame: Frame) -> Result<(), (Frame, Refused)> {
        if interface.0 >= self.interfaces {
            return Err((frame, Refused::Gone));
        }
        if self.tx_room == 0 {
            return Err((frame, Refused::Full));
        }
        self.tx_room -= 1;
        self.outgoing.push((interface, frame.bytes().to_vec()));
        self.recycle(frame);
        Ok(())
    }

    fn flush(&mut self) {}

    fn recycle(&mut self, frame: Frame) {
        self.umem.give(frame.into_chunk());
    }

    fn allocate(&mut self) -> Option<Frame> {
        self.umem.take().map(|chunk| Frame::new(chunk, crate::limits::HEADROOM, 0))
    }

    fn maintain(&mut self) {}

    fn wait(&mut self, _timeout: Duration) {}
}
