//! State of the sockets and of the program, as the kernel reports it.

use penstock_types::{InterfaceId, QueueId};

/// How the steering program runs on an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum XdpAttachment {
    /// In the driver.
    Native,
    /// After the kernel has built its socket buffer: slow.
    Generic,
}

/// One socket's rings, as the kernel counts them (`XDP_STATISTICS`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RingStatus {
    /// Whose socket.
    pub interface: InterfaceId,
    /// On which queue.
    pub queue: QueueId,
    /// Frames dropped because the RX ring was full: the worker is overloaded.
    pub rx_ring_full: u64,
    /// Times the kernel found no chunk to receive into.
    pub fill_ring_empty: u64,
    /// Times the kernel found nothing to send.
    pub tx_ring_empty: u64,
    /// Frames dropped for other reasons, too large for a chunk among them.
    pub rx_dropped: u64,
}
