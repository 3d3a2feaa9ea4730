//! Sizes of rings, chunks and tables, and the relations between them.

/// Frames that a worker takes through the stages together. Large enough to hide the latency of
/// a memory access behind the others of the batch, small enough to stay in the L1 cache.
pub const BATCH: usize = 64;

/// Descriptors in each of a socket's four rings.
pub const RING: u32 = 2048;

/// Bytes of one UMEM chunk.
pub const CHUNK: usize = 2048;

/// What the kernel leaves free in front of a received frame (`XDP_PACKET_HEADROOM`); where an
/// outer header goes when a frame is encapsulated.
pub const HEADROOM: usize = 256;

/// The longest frame that fits a chunk behind its headroom, without its FCS.
pub const MAX_FRAME: usize = CHUNK - HEADROOM;

/// The longest packet: a frame has an Ethernet header and one VLAN tag beside what an MTU counts.
pub const MAX_MTU: usize = MAX_FRAME - 18;

/// Queues of one interface that workers may own.
pub const MAX_QUEUES: usize = 64;

/// Interfaces of one data plane.
pub const MAX_INTERFACES: usize = 32;

const _: () = assert!(RING.is_power_of_two() && BATCH <= RING as usize);
const _: () = assert!(CHUNK.is_power_of_two() && HEADROOM < CHUNK);
