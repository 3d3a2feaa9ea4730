//! The flight recorder: of each reason for a drop, the last frames' headers, as each worker has seen them.
//!
//! A frame is recorded as it stands when it is dropped: for the few reasons that are found after the rewrite (too long for
//! the way ahead, the same segment, data in a SYN), as it would have left.
//!
//! A worker writes what is its own and waits for nobody; whoever reads takes a copy, and throws away what was written
//! meanwhile. A flood costs little: of each reason, a worker records no more than a few frames in a millisecond.
//! Ages are those of ticks, which wrap after 49 days.

use std::time::Duration;

use crate::limits::{RECORDED, RECORDED_BYTES, RECORDED_PER_MILLI};
use crate::sync::{AtomicU64, Ordering, fence};
use crate::types::InterfaceId;
use crate::types::Tick;
use crate::verdict::DropReason;

const WORDS: usize = RECORDED_BYTES / 8;

/// How often a slot that is being written to is read again.
const TRIES: usize = 4;

/// The beginning of a frame that was dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Why.
    pub reason: DropReason,
    /// How long ago.
    pub age: Duration,
    /// Where it came in; `None`: the box has made it.
    pub ingress: Option<InterfaceId>,
    /// The whole frame's length in bytes.
    pub length: u16,
    /// As much of it as was recorded, from the Ethernet header on.
    pub bytes: Vec<u8>,
}

/// The beginning of a frame that may be overwritten before anybody knows whether it is dropped.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Glimpse {
    words: [u64; WORDS],
    length: u16,
}

impl Glimpse {
    #[inline]
    pub(crate) fn of(frame: &[u8]) -> Self {
        let mut words = [0; WORDS];
        let (whole, rest) = frame.as_chunks::<8>();
        for (word, bytes) in words.iter_mut().zip(whole) {
            *word = u64::from_le_bytes(*bytes);
        }
        if let Some(word) = words.get_mut(whole.len()) {
            *word = rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
        }
        Self { words, length: u16::try_from(frame.len()).unwrap_or(u16::MAX) }
    }
}

/// One worker's. Its owner alone writes.
#[derive(Debug)]
pub(crate) struct Recorder(Box<[Reel]>);

impl Recorder {
    pub(crate) fn new() -> Self {
        Self(std::iter::repeat_with(Reel::new).take(DropReason::COUNT).collect())
    }

    /// Records a frame, if its reason has not had its share of this millisecond.
    #[inline]
    pub(crate) fn record(&self, reason: DropReason, ingress: InterfaceId, frame: &[u8], now: Tick) {
        if let Some(reel) = self.0.get(reason.index())
            && let Some(place) = reel.turn(now)
        {
            reel.write_frame(place, ingress, frame, now);
        }
    }

    /// The same, of a frame that is not there any more.
    pub(crate) fn record_glimpse(&self, reason: DropReason, at: InterfaceId, seen: &Glimpse, now: Tick) {
        if let Some(reel) = self.0.get(reason.index())
            && let Some(place) = reel.turn(now)
        {
            reel.write(place, at, seen, now);
        }
    }

    /// What there is of a reason, in no order.
    pub(crate) fn read(&self, reason: DropReason, now: Tick) -> impl Iterator<Item = Recorded> {
        let slots = self.0.get(reason.index()).into_iter().flat_map(|reel| &reel.slots);
        slots.filter_map(move |slot| slot.read(reason, now))
    }
}

/// The last frames of one reason, and how many this millisecond has had.
#[derive(Debug)]
#[repr(align(64))]
struct Reel {
    /// The tick in the upper half; in the lower half, how many it had.
    pace: AtomicU64,
    /// Frames recorded so far.
    count: AtomicU64,
    slots: [Slot; RECORDED],
}

impl Reel {
    fn new() -> Self {
        let slots = std::array::from_fn(|_| Slot::new());
        Self { pace: AtomicU64::new(0), count: AtomicU64::new(0), slots }
    }

    /// The slot for one more frame; the oldest makes way.
    #[inline]
    fn turn(&self, now: Tick) -> Option<u64> {
        let pace = self.pace.load(Ordering::Relaxed);
        let had = if pace >> 32 == u64::from(now.0) { pace & u64::from(u32::MAX) } else { 0 };
        if had >= RECORDED_PER_MILLI {
            return None;
        }
        self.pace.store(u64::from(now.0) << 32 | (had + 1), Ordering::Relaxed);
        let count = self.count.load(Ordering::Relaxed);
        self.count.store(count.wrapping_add(1), Ordering::Relaxed);
        Some(count)
    }

    /// Out of the way of a flood, of which next to no frame comes here.
    #[cold]
    #[inline(never)]
    fn write_frame(&self, turn: u64, ingress: InterfaceId, frame: &[u8], now: Tick) {
        self.write(turn, ingress, &Glimpse::of(frame), now);
    }

    fn write(&self, turn: u64, ingress: InterfaceId, seen: &Glimpse, now: Tick) {
        if let Some(slot) =
            usize::try_from(turn % RECORDED as u64).ok().and_then(|place| self.slots.get(place))
        {
            slot.write(ingress, seen, now);
        }
    }
}

/// A frame's beginning, behind a number that is odd while it is written to.
#[derive(Debug)]
struct Slot {
    version: AtomicU64,
    /// Tick, interface and length.
    label: AtomicU64,
    words: [AtomicU64; WORDS],
}

impl Slot {
    fn new() -> Self {
        let words = std::array::from_fn(|_| AtomicU64::new(0));
        Self { version: AtomicU64::new(0), label: AtomicU64::new(0), words }
    }

    fn write(&self, ingress: InterfaceId, seen: &Glimpse, now: Tick) {
        let version = self.version.load(Ordering::Relaxed);
        self.version.store(version.wrapping_add(1), Ordering::Relaxed);
        // Who reads one of the words below sees the odd number, too.
        fence(Ordering::Release);
        let label = u64::from(now.0) << 32 | u64::from(ingress.0) << 16 | u64::from(seen.length);
        self.label.store(label, Ordering::Relaxed);
        for (to, from) in self.words.iter().zip(seen.words) {
            to.store(from, Ordering::Relaxed);
        }
        // Who reads the even number sees all words.
        self.version.store(version.wrapping_add(2), Ordering::Release);
    }

    /// `None`: nothing was ever written, or it is being written to all the time.
    fn read(&self, reason: DropReason, now: Tick) -> Option<Recorded> {
        let (label, words) = (0..TRIES).find_map(|_| self.copy())?;
        let [l0, l1, i0, i1, at @ ..] = label.to_le_bytes();
        let (ingress, length) = (u16::from_le_bytes([i0, i1]), u16::from_le_bytes([l0, l1]));
        let at = Tick(u32::from_le_bytes(at));
        let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        bytes.truncate(length.into());
        let ingress = Some(InterfaceId(ingress)).filter(|id| *id != InterfaceId::NOWHERE);
        // What was written after the question has no negative age.
        let age = if at.since(now) < Duration::from_secs(1) { Duration::ZERO } else { now.since(at) };
        Some(Recorded { reason, age, ingress, length, bytes })
    }

    fn copy(&self) -> Option<(u64, [u64; WORDS])> {
        let before = self.version.load(Ordering::Acquire);
        let label = self.label.load(Ordering::Relaxed);
        let words =
            std::array::from_fn(|place| self.words.get(place).map_or(0, |word| word.load(Ordering::Relaxed)));
        // If a word is of a later frame, the number below is later, too.
        fence(Ordering::Acquire);
        let after = self.version.load(Ordering::Relaxed);
        (before == after && before != 0 && before.is_multiple_of(2)).then_some((label, words))
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
