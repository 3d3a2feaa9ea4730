//! Anonymous memory for the flow table: zeroed, page aligned, in huge pages where there are any.

use std::io;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::Arc;

use super::PageKind;
use crate::sync::{AtomicU32, AtomicU64};

/// A mapping that lives until it is dropped.
#[derive(Debug)]
pub(crate) struct Mapping {
    base: NonNull<u8>,
    length: usize,
}

// SAFETY: the mapping is plain memory owned by this value, and it is handed out only as shared
// slices of atomics, which any thread may use.
unsafe impl Send for Mapping {}
// SAFETY: as above: nothing but atomics is reachable through a shared reference.
unsafe impl Sync for Mapping {}

const HUGE_PAGE: usize = 2 << 20;

impl Mapping {
    /// Maps and populates at least `bytes` bytes of zeroes with the given kind of pages.
    pub(crate) fn new(bytes: usize, kind: PageKind) -> io::Result<Self> {
        let length = bytes.max(1).next_multiple_of(HUGE_PAGE);
        let huge = if kind == PageKind::Huge { libc::MAP_HUGETLB | libc::MAP_POPULATE } else { 0 };
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | huge;
        // SAFETY: a new anonymous mapping at an address of the kernel's choice touches no memory
        // that exists; the result is checked.
        let base = unsafe {
            libc::mmap(std::ptr::null_mut(), length, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0)
        };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = NonNull::new(base.cast()).ok_or_else(|| io::Error::other("mmap returned null"))?;
        let mapping = Self { base, length };
        if kind == PageKind::Transparent {
            // Advice that the kernel may refuse: the pages are then ordinary ones.
            mapping.advise(libc::MADV_HUGEPAGE).ok();
        }
        if kind != PageKind::Huge {
            // Page faults belong to the start, not to a worker's first flows.
            mapping.advise(libc::MADV_POPULATE_WRITE)?;
        }
        Ok(mapping)
    }

    fn advise(&self, advice: i32) -> io::Result<()> {
        // SAFETY: the range is exactly this mapping, and neither advice changes its contents.
        match unsafe { libc::madvise(self.base.as_ptr().cast(), self.length, advice) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// `count` words of 64 bits from byte `offset` on, which is a multiple of 64.
    ///
    /// # Panics
    /// If that lies outside the mapping: a mistake in the table's layout, found at start.
    pub(crate) fn words64(self: &Arc<Self>, offset: usize, count: usize) -> Words<AtomicU64> {
        Words::new(self, offset, count)
    }

    /// The same in words of 32 bits; the two kinds must not be taken of the same bytes.
    ///
    /// # Panics
    /// As [`Self::words64`].
    pub(crate) fn words32(self: &Arc<Self>, offset: usize, count: usize) -> Words<AtomicU32> {
        Words::new(self, offset, count)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range is this mapping, made by `new`; every slice of it holds a count of this
        // value, so none is left.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.length) };
    }
}

/// A slice of atomics in a mapping, which it keeps alive.
#[derive(Debug)]
pub(crate) struct Words<T> {
    base: NonNull<T>,
    count: usize,
    _mapping: Arc<Mapping>,
}

// SAFETY: a shared slice of atomics with a counted hold on its memory.
unsafe impl<T: Sync> Send for Words<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Words<T> {}

impl<T> Words<T> {
    fn new(mapping: &Arc<Mapping>, offset: usize, count: usize) -> Self {
        let end = count.checked_mul(size_of::<T>()).and_then(|bytes| bytes.checked_add(offset));
        let inside = end.is_some_and(|end| end <= mapping.length);
        assert!(inside && offset.is_multiple_of(64), "outside the mapping");
        // SAFETY: the offset was just checked to lie inside the mapping.
        let base = unsafe { mapping.base.add(offset) }.cast();
        Self { base, count, _mapping: Arc::clone(mapping) }
    }
}

impl<T> Deref for Words<T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        // SAFETY: `new` keeps the range inside the mapping and aligned, and is reached with atomic
        // integers for T alone; the memory began zeroed, which is valid for them, is only ever
        // used as atomics, and lives as long as the counted mapping.
        unsafe { std::slice::from_raw_parts(self.base.as_ptr(), self.count) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::Ordering::Relaxed;

    #[test]
    fn a_mapping_is_zeroed_and_writable_to_its_end() {
        for kind in [PageKind::Transparent, PageKind::Ordinary] {
            let mapping = Arc::new(Mapping::new(3 << 20, kind).unwrap());
            let words = mapping.words64(0, (4 << 20) / 8);
            assert!(words.iter().all(|w| w.load(Relaxed) == 0));
            words.last().unwrap().store(7, Relaxed);
            assert_eq!(mapping.words32((4 << 20) - 64, 16)[14].load(Relaxed), 7);
        }
    }

    #[test]
    #[should_panic(expected = "outside the mapping")]
    fn a_range_beyond_the_end_is_refused() {
        Arc::new(Mapping::new(1, PageKind::Ordinary).unwrap()).words64(0, (2 << 20) / 8 + 1);
    }
}
