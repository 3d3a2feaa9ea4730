//! A frame in a chunk of UMEM.

use crate::limits::CHUNK;
use crate::mem::prefetch;
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
    #[inline(always)]
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
    #[inline(always)]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.chunk.bytes()[usize::from(self.start)..][..usize::from(self.length)]
    }

    /// The same, to rewrite.
    #[inline(always)]
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        let (start, length) = (usize::from(self.start), usize::from(self.length));
        &mut self.chunk.bytes_mut()[start..][..length]
    }

    /// Starts loading the headers.
    #[inline(always)]
    pub(crate) fn prefetch(&self) {
        if let Some(first) = self.chunk.bytes().get(usize::from(self.start)) {
            prefetch(first);
        }
    }

    /// Where the frame begins in its chunk.
    #[inline(always)]
    pub(crate) fn start(&self) -> usize {
        usize::from(self.start)
    }

    /// Its length in bytes.
    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        usize::from(self.length)
    }

    /// Makes room for `n` bytes in front, where an outer header goes; what they hold is left over from
    /// earlier frames. `None`, and no change: the chunk has not as many free.
    #[inline(always)]
    pub(crate) fn prepend(&mut self, n: usize) -> Option<()> {
        let n = u16::try_from(n).ok()?;
        self.start = self.start.checked_sub(n)?;
        self.length += n;
        Some(())
    }

    /// Makes room for `n` bytes behind the first `at`, which move into the headroom. `None`, and no
    /// change: the frame is shorter, or the chunk has not as many bytes free in front.
    #[inline(always)]
    pub(crate) fn insert(&mut self, at: usize, n: usize) -> Option<()> {
        if at > self.len() {
            return None;
        }
        self.prepend(n)?;
        let bytes = self.bytes_mut();
        match (bytes.split_at_mut_checked(n), at) {
            // An Ethernet header: so short that calling somebody to copy it takes longer than copying it.
            (Some((front, rest)), 14) if n >= 14 => *front.first_chunk_mut::<14>()? = *rest.first_chunk()?,
            _ => bytes.copy_within(n..n + at, 0),
        }
        Some(())
    }

    /// Takes `n` bytes out behind the first `at`, which move towards the end. `None`, and no change:
    /// the frame is shorter.
    pub(crate) fn remove(&mut self, at: usize, n: usize) -> Option<()> {
        if at + n > self.len() {
            return None;
        }
        self.bytes_mut().copy_within(..at, n);
        self.trim_front(n)
    }

    /// Puts `bytes` behind the end. `None`, and no change: the chunk has not as many bytes free.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Option<()> {
        let end = usize::from(self.start) + usize::from(self.length);
        self.chunk.bytes_mut().get_mut(end..)?.get_mut(..bytes.len())?.copy_from_slice(bytes);
        self.length += u16::try_from(bytes.len()).ok()?;
        Some(())
    }

    /// Takes `n` bytes off the front. `None`, and no change: the frame is shorter than that.
    pub(crate) fn trim_front(&mut self, n: usize) -> Option<()> {
        let n = u16::try_from(n).ok()?;
        self.length = self.length.checked_sub(n)?;
        self.start += n;
        Some(())
    }

    /// Cuts the frame to `length` bytes; one that is shorter stays as it is.
    #[inline(always)]
    pub(crate) fn truncate(&mut self, length: usize) {
        self.length = u16::try_from(length).map_or(self.length, |length| self.length.min(length));
    }

    /// The chunk alone, to give back or to hand to a ring.
    #[inline(always)]
    pub(crate) fn into_chunk(self) -> Chunk {
        self.chunk
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::HEADROOM;
    use crate::xdp::Umem;

    fn frame(bytes: &[u8]) -> Frame {
        Frame::copied(Umem::new(1).unwrap().take().unwrap(), bytes)
    }

    #[test]
    fn the_front_moves_into_the_headroom_and_back() {
        let mut frame = frame(b"inner");
        assert_eq!(frame.prepend(3), Some(()));
        assert_eq!((frame.start(), frame.len()), (HEADROOM - 3, 8));
        frame.bytes_mut()[..3].copy_from_slice(b"out");
        assert_eq!(frame.bytes(), b"outinner");
        assert_eq!(frame.trim_front(4), Some(()));
        assert_eq!((frame.start(), frame.bytes()), (HEADROOM + 1, &b"nner"[..]));
    }

    #[test]
    fn what_stands_before_an_insertion_moves() {
        let mut frame = frame(b"linkinner");
        assert_eq!(frame.insert(4, 3), Some(()));
        frame.bytes_mut()[4..7].copy_from_slice(b"out");
        assert_eq!((frame.start(), frame.bytes()), (HEADROOM - 3, &b"linkoutinner"[..]));
        assert_eq!(frame.insert(13, 1).or(frame.insert(4, HEADROOM)), None);
        assert_eq!(frame.bytes(), b"linkoutinner");
    }

    #[test]
    fn there_is_no_more_room_than_the_chunk_has() {
        let mut frame = frame(b"inner");
        assert_eq!(frame.prepend(HEADROOM + 1), None);
        assert_eq!(frame.prepend(usize::MAX), None);
        assert_eq!(frame.trim_front(6), None);
        assert_eq!((frame.start(), frame.bytes()), (HEADROOM, &b"inner"[..]));
        assert_eq!(frame.prepend(HEADROOM), Some(()));
        assert_eq!((frame.start(), frame.len()), (0, HEADROOM + 5));
    }

    #[test]
    fn the_end_is_cut() {
        let mut frame = frame(b"inner");
        frame.truncate(9);
        assert_eq!(frame.bytes(), b"inner");
        frame.truncate(2);
        assert_eq!(frame.bytes(), b"in");
        assert_eq!(frame.trim_front(2), Some(()));
        assert!(frame.bytes().is_empty());
    }
}
