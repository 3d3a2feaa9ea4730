//! Wire formats as views: a view borrows the bytes of a frame and copies nothing.
//!
//! The contract of every view, stated once:
//! * `new_checked` is the only door. It checks every length that an accessor relies on, and that
//!   the header does not contradict itself; it never looks at checksums. What follows the header
//!   comes back beside the view, cut to the length that the header announces. An ICMP error may quote
//!   less than that: `new_quoted` asks for the header alone.
//! * Accessors and setters cannot panic.
//! * A setter changes its field alone; checksums are the caller's, by [`checksum::Delta`].
//!
//! One format a file, all in the same order: view, mutable view, tests.

pub(crate) mod checksum;
pub(crate) mod compose;
pub(crate) mod ethernet;
pub(crate) mod gre;
pub(crate) mod gue;
pub(crate) mod icmp;
pub(crate) mod ipv4;
pub(crate) mod ipv6;

pub(crate) mod proxy;
pub(crate) mod tcp;
pub(crate) mod tcp_options;
pub(crate) mod udp;

use crate::types::Protocol;

/// Why bytes are not what they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WireError {
    /// Fewer bytes than the headers, or the length they announce, need.
    Truncated,
    /// A header contradicts itself: version, header length or total length.
    Malformed,
}

/// The part of a larger packet that a packet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fragment {
    /// What all parts of one packet have in common; 16 bits of it in IPv4.
    pub(crate) identification: u32,
    /// Where it belongs, in units of eight bytes; 13 bits.
    pub(crate) offset: u16,
    /// Whether more parts follow this one.
    pub(crate) more: bool,
}

/// The transport protocol of this number, if it is one of those that are balanced.
#[inline(always)]
pub(crate) fn balanced(number: u8) -> Option<Protocol> {
    [Protocol::Tcp, Protocol::Udp].into_iter().find(|protocol| protocol.number() == number)
}

/// The field of two bytes at `AT` of a header of `N` bytes.
#[inline(always)]
fn be16<const AT: usize, const N: usize>(header: &[u8; N]) -> u16 {
    const { assert!(AT + 2 <= N) };
    u16::from_be_bytes([header[AT], header[AT + 1]])
}

/// Sets the field of two bytes at `AT`.
#[inline(always)]
fn set_be16<const AT: usize, const N: usize>(header: &mut [u8; N], value: u16) {
    const { assert!(AT + 2 <= N) };
    [header[AT], header[AT + 1]] = value.to_be_bytes();
}

/// The `M` bytes at `AT` of a header of `N` bytes.
#[inline(always)]
fn bytes_at<const AT: usize, const M: usize, const N: usize>(header: &[u8; N]) -> [u8; M] {
    const { assert!(AT + M <= N) };
    std::array::from_fn(|i| header[AT + i])
}

/// Splits off a header of `N` bytes.
#[inline(always)]
fn header<const N: usize>(bytes: &[u8]) -> Result<(&[u8; N], &[u8]), WireError> {
    bytes.split_first_chunk().ok_or(WireError::Truncated)
}
