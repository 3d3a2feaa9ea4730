//! What an entry is, in a byte.

use super::key::{Addresses, Tuple};
use super::nat::Nat;
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

    pub(super) fn new(tuple: &Tuple, two_way: bool, nat: Option<Nat>) -> Self {
        let two_way = if two_way { Self::TWO_WAY } else { 0 };
        let tells = if nat.is_some_and(|nat| nat.tells()) { Self::TELLS } else { 0 };
        let nat = if nat.is_some() { Self::NAT } else { 0 };
        Self(Self::of(tuple).0 | two_way | nat | tells)
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

    pub(super) fn protocol(self) -> Protocol {
        if self.0 & Self::UDP != 0 { Protocol::Udp } else { Protocol::Tcp }
    }
}
