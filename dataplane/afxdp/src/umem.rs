//! The memory that frames live in.

use std::io;
use std::os::fd::OwnedFd;
use std::ptr::{self, NonNull};
use std::sync::{Arc, Mutex, Weak};

use super::sys::Mapping;
use crate::limits::{BATCH, CHUNK, RING};

/// One chunk, and the sole right to its bytes.
#[derive(Debug)]
pub struct Chunk(&'static mut [u8; CHUNK]);

impl Chunk {
    /// All bytes of the chunk, headroom included.
    #[must_use]
    #[inline]
    pub fn bytes(&self) -> &[u8; CHUNK] {
        self.0
    }

    /// The same, to write.
    #[inline]
    pub fn bytes_mut(&mut self) -> &mut [u8; CHUNK] {
        self.0
    }
}

/// A socket that chunks are lent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Borrower(u16);

const NOBODY: Borrower = Borrower(u16::MAX);

/// The memory as the kernel knows it, so that sockets can be opened on it by another thread than
/// the one that owns the chunks.
#[derive(Debug)]
pub struct Region {
    start: NonNull<[u8; CHUNK]>,
    chunks: usize,
    /// Sockets that are bound with this memory, whether zero-copy, and that others may share it
    /// through. Locked while a socket is opened, by no worker.
    pub(crate) registrations: Mutex<Vec<Registration>>,
}

/// A bound socket and the mode it got.
#[derive(Debug)]
pub(crate) struct Registration {
    pub(crate) fd: Weak<OwnedFd>,
    pub(crate) zero_copy: bool,
}

// SAFETY: `start` is only an address here; what lies there is reached through a `Chunk` alone.
unsafe impl Send for Region {}
// SAFETY: as above.
unsafe impl Sync for Region {}

impl Region {
    /// Where it begins and how many bytes it has, for `XDP_UMEM_REG`.
    #[inline]
    pub(crate) fn range(&self) -> (u64, u64) {
        (self.start.as_ptr().expose_provenance() as u64, (self.chunks * CHUNK) as u64)
    }
}

/// A worker's chunks: those that are free, and the record of those that are lent.
#[derive(Debug)]
pub struct Umem {
    region: Arc<Region>,
    free: Vec<Chunk>,
    /// By chunk: who has it.
    lent: Box<[Borrower]>,
    /// By borrower: whether it is one.
    borrowers: Vec<bool>,
}

impl Umem {
    /// Maps `chunks` chunks and makes sure that the memory is there.
    ///
    /// It is never unmapped: that is what makes a [`Chunk`] sound wherever it is held. A worker
    /// has one, from the start of the process to its end.
    pub fn new(chunks: usize) -> io::Result<Self> {
        let length = (chunks * CHUNK).max(1).next_multiple_of(4096);
        let mapping = Mapping::anonymous(length)?;
        let start: NonNull<[u8; CHUNK]> = mapping.at(0);
        std::mem::forget(mapping);
        let free = (0..chunks).rev().map(|index| {
            // SAFETY: inside the mapping, which is zeroed and lives as long as the process; each
            // index is met once, so this is the only reference to these bytes.
            Chunk(unsafe { start.add(index).as_mut() })
        });
        let free = free.collect();
        let registrations = Mutex::new(Vec::new());
        Ok(Self {
            region: Arc::new(Region { start, chunks, registrations }),
            free,
            lent: vec![NOBODY; chunks].into(),
            borrowers: Vec::new(),
        })
    }

    /// The number of chunks for `sockets` sockets: FILL and TX rings full at the same time, `held` chunks that their
    /// user keeps for later, and a few batches in its hands. With fewer, a full TX ring or held frames would stop
    /// receiving.
    #[must_use]
    pub const fn chunks_for(sockets: usize, held: usize) -> usize {
        sockets * 2 * RING as usize + held + 8 * BATCH
    }

    /// The memory, to open sockets on.
    pub fn region(&self) -> &Arc<Region> {
        &self.region
    }

    /// A free chunk, with whatever bytes it had last.
    #[inline]
    pub fn take(&mut self) -> Option<Chunk> {
        self.free.pop()
    }

    /// Takes a chunk of this memory back.
    #[inline]
    pub fn give(&mut self, chunk: Chunk) {
        debug_assert!(self.index_of(&chunk) < self.lent.len(), "a chunk of another worker");
        self.free.push(chunk);
    }

    /// How many chunks are free.
    #[inline]
    pub fn free(&self) -> usize {
        self.free.len()
    }

    /// A number for a socket, so that chunks can be lent to it: no other has it until `dismiss`.
    /// `None` if there are no more numbers.
    #[inline]
    pub(crate) fn admit(&mut self) -> Option<Borrower> {
        let unused = self.borrowers.iter().position(|used| !used);
        let place = unused.unwrap_or(self.borrowers.len());
        let borrower = u16::try_from(place).map(Borrower).ok().filter(|b| *b != NOBODY)?;
        self.borrowers.resize(self.borrowers.len().max(place + 1), false);
        self.borrowers[place] = true;
        Some(borrower)
    }

    /// Lends a chunk to a socket; returns its address as rings carry it. The right to its bytes ends
    /// with the `Chunk`, for as long as the table says so.
    ///
    /// # Panics
    ///
    /// If the chunk belongs to another memory.
    #[inline]
    pub(crate) fn lend(&mut self, chunk: Chunk, borrower: Borrower) -> u64 {
        let index = self.index_of(&chunk);
        self.lent[index] = borrower;
        (index * CHUNK) as u64
    }

    /// The chunk around an address that came out of a ring of `borrower`; `None` if that socket
    /// does not have it.
    #[inline]
    pub(crate) fn reclaim(&mut self, address: u64, borrower: Borrower) -> Option<Chunk> {
        let index = usize::try_from(address).ok()? / CHUNK;
        let holder = self.lent.get_mut(index)?;
        if *holder != borrower {
            return None;
        }
        *holder = NOBODY;
        // SAFETY: inside the mapping, for the table is as long. `lend` consumed the `Chunk` when it
        // wrote the table's entry, which is cleared now, so this is the only reference.
        Some(Chunk(unsafe { self.region.start.add(index).as_mut() }))
    }

    /// Frees all that is lent to a socket whose device has vanished, so that the kernel has no use for
    /// it, and the socket's number.
    #[inline]
    pub(crate) fn dismiss(&mut self, borrower: Borrower) {
        for index in 0..self.lent.len() {
            if let Some(chunk) = self.reclaim((index * CHUNK) as u64, borrower) {
                self.free.push(chunk);
            }
        }
        self.borrowers[usize::from(borrower.0)] = false;
    }

    #[inline]
    fn index_of(&self, chunk: &Chunk) -> usize {
        let start = self.region.start.as_ptr().addr();
        ptr::from_ref(chunk.bytes()).addr().wrapping_sub(start) / CHUNK
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_chunk_is_handed_out_once_and_they_do_not_overlap() {
        let mut umem = Umem::new(5).unwrap();
        let mut chunks: Vec<_> = std::iter::from_fn(|| umem.take()).collect();
        assert_eq!(chunks.len(), 5);
        for (number, chunk) in (1_u8..).zip(&mut chunks) {
            chunk.bytes_mut().fill(number);
        }
        for (number, chunk) in (1_u8..).zip(&chunks) {
            assert!(chunk.bytes().iter().all(|byte| *byte == number));
        }
        chunks.into_iter().for_each(|chunk| umem.give(chunk));
        assert_eq!(umem.free(), 5);
    }

    #[test]
    fn a_lent_chunk_comes_back_with_its_bytes_from_any_address_inside_it() {
        let mut umem = Umem::new(2).unwrap();
        let a = umem.admit().unwrap();
        let mut chunk = umem.take().unwrap();
        chunk.bytes_mut()[300] = 7;
        let address = umem.lend(chunk, a);
        let chunk = umem.reclaim(address + 256, a).unwrap();
        assert_eq!(chunk.bytes()[300], 7);
    }

    #[test]
    fn what_was_not_lent_to_a_socket_is_not_taken_from_it() {
        let mut umem = Umem::new(2).unwrap();
        let (a, b) = (umem.admit().unwrap(), umem.admit().unwrap());
        let chunk = umem.take().unwrap();
        let address = umem.lend(chunk, a);
        assert!(umem.reclaim(address, b).is_none(), "another socket's");
        assert!(umem.reclaim(address ^ CHUNK as u64, a).is_none(), "never lent");
        assert!(umem.reclaim(u64::MAX, a).is_none(), "outside");
        assert!(umem.reclaim(address, a).is_some());
        assert!(umem.reclaim(address, a).is_none(), "a second time");
    }

    #[test]
    fn a_dismissed_sockets_chunks_are_free_again_and_nobody_elses() {
        let mut umem = Umem::new(6).unwrap();
        let (a, b) = (umem.admit().unwrap(), umem.admit().unwrap());
        for borrower in [a, a, b, a] {
            let chunk = umem.take().unwrap();
            umem.lend(chunk, borrower);
        }
        umem.dismiss(a);
        assert_eq!(umem.free(), 5);
        assert_eq!(umem.admit(), Some(a), "the number is free as well");
        umem.dismiss(b);
        assert_eq!(umem.free(), 6);
    }
}
