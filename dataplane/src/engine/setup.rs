//! What is fixed from the start of the data plane to its stop.

use crate::flow::HugePages;
use crate::worker::Poll;
use crate::xdp::InterfaceSetup;

/// What is fixed from start to stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    /// One worker per core, pinned to it.
    pub cores: Vec<usize>,
    /// What an idle worker does.
    pub poll: Poll,
    /// Flows that the table holds.
    pub flows: usize,
    /// Whether the table's memory comes in huge pages.
    pub huge_pages: HugePages,
    /// The interfaces, in the order of their [`InterfaceId`](crate::types::InterfaceId)s.
    pub interfaces: Vec<InterfaceSetup>,
}
