//! What a flow with full NAT remembers besides, behind the words that all flows have.

use super::entry::Entry;
use super::kind::Kind;
use super::tcp_state::Seen;
use crate::sync::Ordering::Relaxed;
use crate::types::ClientAddress;
use crate::types::{Port, SnatId};

/// What a flow with full NAT remembers besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Nat {
    /// Where it comes from, as the backend sees it.
    pub(crate) address: SnatId,
    pub(crate) port: Port,
    /// The sequence number of the first byte that the client sends.
    pub(crate) start: u32,
    /// Bytes that the box puts in front of the client's stream.
    pub(crate) shift: u8,
    /// How the backend is told of the client: a flow keeps what it began with.
    pub(crate) client_address: ClientAddress,
}

impl Nat {
    /// Whether the backend is told of the client.
    pub(super) fn tells(self) -> bool {
        self.client_address != ClientAddress::None
    }
}

impl Entry<'_> {
    /// Fills the words of an entry that nobody can see yet.
    pub(super) fn create_nat(&self, kind: Kind, nat: Nat) {
        let at = kind.words_before_nat();
        self.set(at, u32::from(nat.address.0) << 16 | u32::from(nat.port.0));
        // An entry without them is smaller.
        if kind.tells() {
            self.set(at + 1, nat.start);
            self.set(at + 2, u32::from(nat.client_address.number()) << 8 | u32::from(nat.shift));
        }
    }

    /// Where a flow with full NAT comes from, as the backend sees it.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the two halves of the word")]
    pub(crate) fn snat(&self) -> Option<(SnatId, Port)> {
        let kind = self.kind();
        kind.has_nat().then(|| {
            let place = self.word(kind.words_before_nat());
            (SnatId((place >> 16) as u16), Port(place as u16))
        })
    }

    /// Whether the backend is told of the client.
    #[inline(always)]
    pub(crate) fn tells(&self) -> bool {
        self.kind().tells()
    }

    /// All that full NAT needs, if the flow has it.
    #[expect(clippy::cast_possible_truncation, reason = "parts of words")]
    pub(crate) fn nat(&self) -> Option<Nat> {
        let (address, port) = self.snat()?;
        let (kind, at) = (self.kind(), self.kind().words_before_nat());
        let (start, told) = if kind.tells() { (self.word(at + 1), self.word(at + 2)) } else { (0, 0) };
        let client_address = ClientAddress::from_number((told >> 8) as u8);
        Some(Nat { address, port, start, shift: told as u8, client_address })
    }

    /// Whether the backend has what the box puts in front of the client's stream.
    pub(crate) fn has_acknowledged_header(&self) -> bool {
        self.seen().has_acknowledged_header()
    }

    /// The backend has it.
    pub(crate) fn mark_header_acknowledged(&self) {
        if !self.has_acknowledged_header() {
            self.0[3].fetch_or(u32::from(Seen::HEADER_ACKNOWLEDGED.0), Relaxed);
        }
    }
}
