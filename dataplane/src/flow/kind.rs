//! What an entry is, in a byte.

use super::entry::NARROW;
use super::insert::NewFlow;
use super::key::{Addresses, Tuple};
use crate::types::Protocol;

/// The first byte of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind(pub(super) u8);

impl Kind {
    pub(super) const LIVE: u8 = 0x80;
    const V6: u8 = 0x01;
    const UDP: u8 = 0x02;
    const TWO_WAY: u8 = 0x04;
    const NAT: u8 = 0x08;
    const TELLS: u8 = 0x10;
    pub(super) const PROXIED: u8 = 0x20;

    /// That of a live flow of `tuple`, as far as the tuple tells.
    #[inline(always)]
    pub(super) fn of(tuple: &Tuple) -> Self {
        let v6 = if matches!(tuple.addresses, Addresses::V6 { .. }) { Self::V6 } else { 0 };
        let udp = if tuple.protocol == Protocol::Udp { Self::UDP } else { 0 };
        Self(Self::LIVE | v6 | udp)
    }

    /// What [`Self::of`] tells.
    #[inline(always)]
    pub(super) fn identity(self) -> u8 {
        self.0 & (Self::LIVE | Self::V6 | Self::UDP)
    }

    #[inline(always)]
    pub(super) fn new(flow: &NewFlow<'_>) -> Self {
        let bit = |is_set, bit| if is_set { bit } else { 0 };
        let two_way = bit(flow.two_way, Self::TWO_WAY);
        let tells = bit(flow.nat.is_some_and(|nat| nat.tells()), Self::TELLS);
        let nat = bit(flow.nat.is_some(), Self::NAT);
        let proxied = bit(flow.handshake.is_some(), Self::PROXIED);
        Self(Self::of(flow.tuple).0 | two_way | nat | tells | proxied)
    }

    /// Where the words for full NAT begin.
    #[inline(always)]
    pub(super) fn words_before_nat(self) -> usize {
        if self.is_v6() { 14 } else { NARROW }
    }

    /// Where the words for a handshake that the box makes begin.
    #[inline(always)]
    pub(super) fn words_before_handshake(self) -> usize {
        let nat = match (self.has_nat(), self.tells()) {
            (false, _) => 0,
            (true, false) => 1,
            (true, true) => 3,
        };
        self.words_before_nat() + nat
    }

    /// Words of an entry.
    #[inline(always)]
    pub(super) fn words(self) -> usize {
        self.words_before_handshake() + if self.is_proxied() { 7 } else { 0 }
    }

    pub(super) fn is_live(self) -> bool {
        self.0 & Self::LIVE != 0
    }

    pub(super) fn is_v6(self) -> bool {
        self.0 & Self::V6 != 0
    }

    pub(super) fn is_two_way(self) -> bool {
        self.0 & Self::TWO_WAY != 0
    }

    pub(super) fn has_nat(self) -> bool {
        self.0 & Self::NAT != 0
    }

    /// Whether the backend is told of the client.
    pub(super) fn tells(self) -> bool {
        self.0 & Self::TELLS != 0
    }

    /// Whether the box makes the handshake.
    #[inline(always)]
    pub(super) fn is_proxied(self) -> bool {
        self.0 & Self::PROXIED != 0
    }

    pub(super) fn protocol(self) -> Protocol {
        if self.0 & Self::UDP != 0 { Protocol::Udp } else { Protocol::Tcp }
    }
}
