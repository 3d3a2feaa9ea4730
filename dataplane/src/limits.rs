//! Every compile-time bound of the data plane, and the relations between them.

pub use penstock_afxdp::limits::{
    BATCH, CHUNK, HEADROOM, MAX_FRAME, MAX_INTERFACES, MAX_MTU, MAX_QUEUES, RING,
};

/// Frames that wait behind a full batch when the worker is overloaded: half a ring, so that established flows
/// have room in the other half.
pub(crate) const OVERLOAD: usize = RING as usize / 2;

/// Worker threads.
pub const MAX_WORKERS: usize = 64;

/// Backends of all services together, those that only linger for their last flows included.
pub const MAX_BACKENDS: usize = 1 << 18;

/// Control frames that wait between workers and the management thread, in each direction.
/// Full: the frame is dropped and counted, nobody waits.
pub const PUNT_QUEUE: usize = 1024;
/// Of these, reports of neighbours and stations, which are repeated: frames have the rest for themselves.
pub(crate) const PUNT_REPORTS: usize = PUNT_QUEUE / 2;

/// Frames that one worker remembers of each reason for a drop, their beginnings, and how many of them it may take
/// from one millisecond.
pub(crate) const RECORDED: usize = 8;
#[cfg(not(loom))]
pub(crate) const RECORDED_BYTES: usize = 128;
/// Few: the models try all orders in which they can be read and written.
#[cfg(loom)]
pub(crate) const RECORDED_BYTES: usize = 16;
pub(crate) const RECORDED_PER_MILLI: u64 = 2;

/// Packets that a capture keeps for who has not read them yet: four megabytes.
pub const SHOTS: usize = 1024;

/// Fragmented packets whose ports one worker remembers.
pub(crate) const FRAGMENTED_PACKETS: usize = 16_384;
/// Of these, packets of one source.
pub(crate) const FRAGMENTED_PER_SOURCE: u16 = 8192;
/// Fragments that one worker holds because the first one of their packet has not come.
pub(crate) const FRAGMENTS_HELD: usize = 64;
/// Of these, fragments of one source.
pub(crate) const FRAGMENTS_HELD_PER_SOURCE: usize = 16;
/// Frames that may run through the stages once more after a batch.
pub(crate) const FRAGMENTS_READY: usize = BATCH;

/// Next hops without a known MAC address that one worker remembers, and keeps packets for.
pub(crate) const UNRESOLVED: usize = 1024;
/// Of these, next hops that no packet waits for, of flows that have begun.
pub(crate) const UNRESOLVED_EXPECTED: usize = UNRESOLVED / 2;
/// Packets that wait for one of them: a new one replaces the oldest.
pub(crate) const UNRESOLVED_PER_NEXT_HOP: usize = 8;
/// Packets that wait beside the first one of each next hop.
pub(crate) const UNRESOLVED_MORE: usize = 1024;
/// Packets that wait for a next hop, of one worker. Its memory has chunks for them, so that receiving goes on.
pub(crate) const UNRESOLVED_PACKETS: usize = UNRESOLVED + UNRESOLVED_MORE;
/// Next hops that one worker reports to management between two batches.
pub(crate) const UNRESOLVED_REPORTS: usize = BATCH;

/// ICMP errors and resets that one worker sends in a second.
pub(crate) const ANSWERS_PER_SECOND: u32 = 1000;

/// Frames that one worker keeps at hand for what it has to copy: every frame of a batch may have to be cut,
/// or leave by two ports.
pub(crate) const SPARES: usize = BATCH;

/// How often another port of a source-NAT pool is tried.
pub(crate) const SNAT_TRIES: u32 = 8;

/// Entries of the flow table that one worker lets wait for their grace period.
pub(crate) const LIMBO: usize = 4096;

/// Those of [`LIMBO`] that flows which end leave to flows that begin: who takes an entry may have to let it wait at
/// once, and where another worker stands still, what makes way for new flows must not use up what they need.
pub(crate) const LIMBO_OF_BEGINNERS: usize = 512;

/// Steps of 64 entries that a worker's sweep takes at most between two batches.
pub(crate) const SWEEP_STEPS_PER_ROUND: u64 = 64;

/// Young entries that a worker remembers, so that the oldest of them may make way.
pub(crate) const YOUNG: usize = 1 << 18;
/// How many of them one new flow asks at most.
pub(crate) const RECYCLE_TRIES: usize = 8;

/// Handshakes with backends that one worker repeats by itself, of each try.
pub(crate) const OPENINGS: usize = 1 << 16;
/// Of these, how many between two batches.
pub(crate) const OPENINGS_PER_ROUND: usize = 32;

/// Backends that a new flow tries at most where the ones before have no reply tuple left for it: another flow has it,
/// or the source-NAT pool towards them is exhausted.
pub(crate) const CLASH_TRIES: usize = 16;
/// Connections whose sequence numbers are remembered, those they began with and those they are ending with: two
/// megabytes. More than end within a round trip at a hundred thousand a second.
pub(crate) const ENDINGS: usize = 1 << 16;
/// How far in front of a FIN a segment may lie that was sent before it, and comes behind it. One that is farther away
/// shows that its sender has sent no such FIN.
pub(crate) const BEFORE_FIN: u32 = 1 << 20;
/// What may be on its way of a connection: its window (RFC 7323 section 2.3).
pub(crate) const LARGEST_WINDOW: u32 = 1 << 30;
/// How far the numbers of a segment may lie behind those that both sides of its connection began with, one multiplied by
/// the other, so that the segment proves something: a gigabyte behind a request of 256 bytes, 16 megabytes behind 16
/// kilobytes. Of all pairs of numbers, one in three million lies there.
pub(crate) const PLAUSIBLE: u64 = 1 << 38;

/// Sets of four sources each, whose rates are remembered: four megabytes.
pub const SOURCE_SETS: usize = 1 << 16;
/// How often a worker tries to count one more event while others count theirs.
pub(crate) const RATE_TRIES: usize = 16;

/// How often an insert is tried again because another worker inserted the same flow.
pub(crate) const INSERT_TRIES: usize = 4;

const _: () = assert!(RECORDED_BYTES.is_multiple_of(8), "recorded in words");
const _: () = assert!(UNRESOLVED + MAX_INTERFACES < 1 << 15, "an egress is an interface or a next hop");
const _: () = assert!(OPENINGS_PER_ROUND * 2 <= SPARES, "two segments each at most, out of the spare frames");
