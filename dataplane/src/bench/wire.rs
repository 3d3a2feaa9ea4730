//! Parsing and checksums alone.

use crate::flow::FlowTable;
use crate::flow::HugePages;
use crate::io::Frame;
use crate::limits::BATCH;
use crate::packet::Batch;
use crate::pipeline;
use crate::testing::frames::frame;
use crate::testing::rig::{BOX0, CLIENT, ETH0, vip};
use crate::types::Mode;
use crate::wire::checksum::{Delta, fold, sum};
use crate::xdp::Umem;

/// A batch of frames to parse again and again.
#[derive(Debug)]
pub struct Parser(Batch, FlowTable);

impl Parser {
    /// A batch of TCP segments.
    ///
    /// # Panics
    /// If there is not enough memory.
    #[must_use]
    pub fn new(v6: bool) -> Self {
        let mut umem = Umem::new(BATCH).expect("memory");
        let client = if v6 { "fd10::1" } else { "16.0.0.1" };
        let bytes = frame((CLIENT, client), (BOX0, vip(Mode::Dsr, v6))).tcp(1024, 80, 0x10).build();
        let mut batch = Batch::new();
        while let Some(chunk) = umem.take() {
            let mut frame = Frame::new(chunk, crate::limits::HEADROOM, 0);
            frame.fill(&bytes);
            batch.push(ETH0, frame);
        }
        Self(batch, FlowTable::new(1 << 16, 1, HugePages::Auto).expect("memory"))
    }

    /// Parses all frames of the batch; returns their number.
    #[inline(never)]
    pub fn parse(&mut self) -> usize {
        self.0.begin();
        pipeline::parse_batch(&mut self.0, &self.1);
        BATCH
    }
}

/// The checksum of a whole text.
#[must_use]
#[inline(never)]
pub fn checksum_whole(bytes: &[u8]) -> u16 {
    !fold(sum(0, bytes))
}

/// A checksum after a change of address and port.
#[must_use]
#[inline(never)]
pub fn checksum_by_difference(checksum: u16, addresses: (u32, u32), ports: (u16, u16)) -> u16 {
    Delta::default().words(addresses.0, addresses.1).word(ports.0, ports.1).apply(checksum)
}
