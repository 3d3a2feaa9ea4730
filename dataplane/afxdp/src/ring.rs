//! One writer, one reader: our half of a ring that is shared with the kernel.
//!
//! The producer index counts entries written, the consumer index entries read; both only grow,
//! modulo 2^32, and an entry's place is its index modulo the ring's length. Their difference is
//! what is in the ring. Each half keeps its own index to itself until it publishes a whole batch,
//! and a copy of the other side's that it renews only when the copy is not enough.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use super::sys::Mapping;

/// Where a ring lies in its mapping (`struct xdp_ring_offset`).
pub(crate) struct Layout {
    pub(crate) producer: usize,
    pub(crate) consumer: usize,
    pub(crate) flags: usize,
    pub(crate) entries: usize,
}

/// The memory of a ring: valid for as long as the mapping that is kept with it.
#[derive(Debug)]
struct Shared<T> {
    producer: NonNull<AtomicU32>,
    consumer: NonNull<AtomicU32>,
    flags: NonNull<AtomicU32>,
    entries: NonNull<T>,
    length: u32,
    /// `None`: memory of a test that is never freed.
    _mapping: Option<Mapping>,
}

// SAFETY: the pointers lead into shared memory that is made for one writer and one reader, on any
// threads; which of the two this side is, is fixed by the half that owns the `Shared`.
unsafe impl<T: Send> Send for Shared<T> {}

impl<T: Copy> Shared<T> {
    #[inline]
    fn new(mapping: Mapping, layout: &Layout, length: u32) -> Self {
        assert!(length.is_power_of_two(), "so that places follow each other across 2^32");
        let last: NonNull<T> = mapping.at(layout.entries + (length as usize - 1) * size_of::<T>());
        debug_assert!(last.is_aligned());
        Self {
            producer: mapping.at(layout.producer),
            consumer: mapping.at(layout.consumer),
            flags: mapping.at(layout.flags),
            entries: mapping.at(layout.entries),
            length,
            _mapping: Some(mapping),
        }
    }

    #[inline]
    fn producer(&self) -> &AtomicU32 {
        // SAFETY: inside the mapping that lives as long as `self`; both sides access it atomically.
        unsafe { self.producer.as_ref() }
    }

    #[inline]
    fn consumer(&self) -> &AtomicU32 {
        // SAFETY: as in `producer`.
        unsafe { self.consumer.as_ref() }
    }

    #[inline]
    fn needs_wakeup(&self) -> bool {
        // SAFETY: as in `producer`. A flag that is read late costs one call too many or is seen
        // after the next batch; it orders nothing.
        let flags = unsafe { self.flags.as_ref() }.load(Ordering::Relaxed);
        flags & libc::XDP_RING_NEED_WAKEUP != 0
    }

    #[inline]
    fn entry(&self, index: u32) -> NonNull<T> {
        // SAFETY: masked, so inside the entries.
        unsafe { self.entries.add((index & (self.length - 1)) as usize) }
    }
}

/// The half that writes: of FILL and TX.
#[derive(Debug)]
pub(crate) struct Producer<T> {
    shared: Shared<T>,
    /// Entries written, published or not.
    written: u32,
    /// The reader's index as last seen; never ahead of it.
    read: u32,
}

impl<T: Copy> Producer<T> {
    #[inline]
    pub(crate) fn new(mapping: Mapping, layout: &Layout, length: u32) -> Self {
        Self::over(Shared::new(mapping, layout, length))
    }

    #[inline]
    fn over(shared: Shared<T>) -> Self {
        let written = shared.producer().load(Ordering::Relaxed);
        let read = shared.consumer().load(Ordering::Acquire);
        Self { shared, written, read }
    }

    /// Whether there is room for `wanted` entries; how many there is room for, if fewer.
    #[inline]
    pub(crate) fn room(&mut self, wanted: u32) -> u32 {
        let length = self.shared.length;
        if length - self.written.wrapping_sub(self.read) < wanted {
            // Acquire: pairs with the reader's Release, so that it has read an entry before we
            // write over it.
            self.read = self.shared.consumer().load(Ordering::Acquire);
        }
        (length - self.written.wrapping_sub(self.read)).min(wanted)
    }

    /// Writes an entry that the reader sees from the next `publish` on; `false`: no room.
    #[inline]
    pub(crate) fn push(&mut self, entry: T) -> bool {
        if self.room(1) == 0 {
            return false;
        }
        // SAFETY: `room` has shown that the reader is past this place, and it will not read it again
        // before `publish`; there is no other writer.
        unsafe { self.shared.entry(self.written).write(entry) };
        self.written = self.written.wrapping_add(1);
        true
    }

    /// Shows the reader all that was pushed.
    #[inline]
    pub(crate) fn publish(&mut self) {
        // Release: pairs with the reader's Acquire, so that it sees the entries, and what is in
        // their chunks, before it sees that they are there.
        self.shared.producer().store(self.written, Ordering::Release);
    }

    /// Entries that the reader has not taken yet.
    #[inline]
    pub(crate) fn pending(&mut self) -> u32 {
        self.read = self.shared.consumer().load(Ordering::Acquire);
        self.written.wrapping_sub(self.read)
    }

    /// Whether the kernel waits to be told of new entries.
    #[inline]
    pub(crate) fn needs_wakeup(&self) -> bool {
        self.shared.needs_wakeup()
    }
}

/// The half that reads: of RX and COMPLETION.
#[derive(Debug)]
pub(crate) struct Consumer<T> {
    shared: Shared<T>,
    /// The writer's index as last seen; never ahead of it.
    written: u32,
    /// Entries read, released or not.
    read: u32,
}

impl<T: Copy> Consumer<T> {
    #[inline]
    pub(crate) fn new(mapping: Mapping, layout: &Layout, length: u32) -> Self {
        Self::over(Shared::new(mapping, layout, length))
    }

    #[inline]
    fn over(shared: Shared<T>) -> Self {
        let written = shared.producer().load(Ordering::Acquire);
        let read = shared.consumer().load(Ordering::Relaxed);
        Self { shared, written, read }
    }

    /// The next entry.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<T> {
        if self.read == self.written {
            // Acquire: pairs with the writer's Release, see `Producer::publish`.
            self.written = self.shared.producer().load(Ordering::Acquire);
            if self.read == self.written {
                return None;
            }
        }
        // SAFETY: the writer has published this place and will not write it again before `release`.
        let entry = unsafe { self.shared.entry(self.read).read() };
        self.read = self.read.wrapping_add(1);
        Some(entry)
    }

    /// Entries that have been written and not popped.
    #[inline]
    pub(crate) fn waiting(&self) -> usize {
        self.shared.producer().load(Ordering::Relaxed).wrapping_sub(self.read) as usize
    }

    /// Gives the places of all popped entries back to the writer.
    #[inline]
    pub(crate) fn release(&mut self) {
        if self.shared.consumer().load(Ordering::Relaxed) == self.read {
            return; // nothing new: an idle poll leaves the cache line with the writer's core
        }
        // Release: pairs with the writer's Acquire, so that our reads are over before it writes.
        self.shared.consumer().store(self.read, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    const LENGTH: u32 = 8;

    /// Both halves over the same ordinary memory, its indices at `start`: either half stands for
    /// the kernel when the other is tested.
    fn halves(start: u32) -> (Producer<u64>, Consumer<u64>, &'static AtomicU32) {
        let index = || Box::leak(Box::new(AtomicU32::new(start)));
        let (producer, consumer) = (NonNull::from(index()), NonNull::from(index()));
        let flags = Box::leak(Box::new(AtomicU32::new(0)));
        let entries = NonNull::from(Box::leak(Box::new([0_u64; LENGTH as usize]))).cast();
        let shared = || Shared {
            producer,
            consumer,
            flags: NonNull::from(&*flags),
            entries,
            length: LENGTH,
            _mapping: None,
        };
        (Producer::over(shared()), Consumer::over(shared()), flags)
    }

    #[derive(Debug, Clone)]
    enum Step {
        Push,
        Publish,
        Pop,
        Release,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => Just(Step::Push), 2 => Just(Step::Publish), 4 => Just(Step::Pop), 2 => Just(Step::Release)
        ];
        proptest::collection::vec(step, 0..400)
    }

    /// What a ring is, in the simplest words.
    #[derive(Default)]
    struct Model {
        pushed: VecDeque<u64>,
        published: VecDeque<u64>,
        unreleased: usize,
        next: u64,
    }

    proptest! {
        #[test]
        fn a_ring_is_a_bounded_queue_also_where_its_indices_wrap(
            start in prop_oneof![Just(0), u32::MAX - 20..=u32::MAX, any::<u32>()],
            steps in steps(),
        ) {
            let (mut producer, mut consumer, _) = halves(start);
            let mut model = Model::default();
            for step in steps {
                match step {
                    Step::Push => {
                        let held = model.pushed.len() + model.published.len() + model.unreleased;
                        let room = held < LENGTH as usize;
                        prop_assert_eq!(producer.push(model.next), room);
                        if room {
                            model.pushed.push_back(model.next);
                        }
                        model.next += 1;
                    }
                    Step::Publish => {
                        producer.publish();
                        model.published.append(&mut model.pushed);
                    }
                    Step::Pop => {
                        let expected = model.published.pop_front();
                        prop_assert_eq!(consumer.pop(), expected);
                        model.unreleased += usize::from(expected.is_some());
                    }
                    Step::Release => {
                        consumer.release();
                        model.unreleased = 0;
                        let held = model.pushed.len() + model.published.len();
                        prop_assert_eq!(producer.pending() as usize, held);
                        prop_assert_eq!(producer.room(LENGTH) as usize, LENGTH as usize - held);
                    }
                }
            }
        }
    }

    #[test]
    fn two_threads_pass_every_entry_in_order() {
        const COUNT: u64 = 100_000;
        let (mut producer, mut consumer, _) = halves(u32::MAX - 1000);
        let writer = std::thread::spawn(move || {
            let mut next = 0;
            while next < COUNT {
                if producer.push(next) {
                    next += 1;
                    producer.publish();
                } else {
                    std::thread::yield_now();
                }
            }
        });
        for expected in 0..COUNT {
            let entry = loop {
                match consumer.pop() {
                    Some(entry) => break entry,
                    None => std::thread::yield_now(),
                }
            };
            consumer.release();
            assert_eq!(entry, expected);
        }
        writer.join().unwrap();
    }

    #[test]
    fn the_kernels_flag_says_whether_it_waits_for_a_call() {
        let (producer, _, flags) = halves(0);
        assert!(!producer.needs_wakeup());
        flags.store(libc::XDP_RING_NEED_WAKEUP, Ordering::Relaxed);
        assert!(producer.needs_wakeup());
    }
}
