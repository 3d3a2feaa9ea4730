//! A frame in a chunk of UMEM.

use crate::limits::CHUNK;
use crate::xdp::Chunk;

/// A frame and the chunk it lives in, with free space in front of it for an outer header.
#[derive(Debug)]
pub(crate) struct Frame {
    chunk: Chunk,
    start: u16,
    length: u16,
}

impl Frame {
    /// A frame of `length` bytes that begins `start` bytes into `chunk`; what would not fit is cut.
    pub(crate) fn new(chunk: Chunk, start: usize, length: usize) -> Self {
        let start = start.min(CHUNK);
        let length = length.min(CHUNK - start);
        #[expect(clippy::cast_possible_truncation, reason = "both are at most CHUNK")]
        Self { chunk, start: start as u16, length: length as u16 }
    }

    /// For tests: a copy of `bytes` in `chunk`; what would not fit is cut.
    #[cfg(any(test, feature = "bench"))]
    pub(crate) fn copied(chunk: Chunk, bytes: &[u8]) -> Self {
        let mut frame = Self::new(chunk, crate::limits::HEADROOM, 0);
        frame.fill(bytes);
        frame
    }

    /// Replaces what is in the frame by `bytes`; what would not fit is cut.
    pub(crate) fn fill(&mut self, bytes: &[u8]) {
        let length = bytes.len().min(CHUNK - usize::from(self.start));
        #[expect(clippy::cast_possible_truncation, reason = "at most CHUNK")]
        {
            self.length = length as u16;
        }
        self.bytes_mut().copy_from_slice(&bytes[..length]);
    }

    /// The frame, from its Ethernet header on.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.chunk.bytes()[usize::from(self.start)..][..usize::from(self.length)]
    }

    /// The same, to rewrite.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        let (start, length) = (usize::from(self.start), usize::from(self.length));
        &mut self.chunk.bytes_mut()[start..][..length]
    }

    /// Where the frame begins in its chunk.
    pub(crate) fn start(&self) -> usize {
        usize::from(self.start)
    }

    /// Its length in bytes.
    pub(crate) fn len(&self) -> usize {
        usize::from(self.length)
    }

    /// The chunk alone, to give back or to hand to a ring.
    pub(crate) fn into_chunk(self) -> Chunk {
        self.chunk
    }
}
