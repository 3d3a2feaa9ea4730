//! Wire formats as views: a view borrows the bytes of a frame and copies nothing.
//!
//! The contract of every view, stated once:
//! * `new_checked` is the only constructor of a view. It checks every length that an accessor relies
//!   on and that the header is consistent; it never verifies checksums. The payload is returned beside
//!   the view, cut to the length that the header announces. An ICMP error may quote less than the
//!   announced length: `new_quoted` requires the header alone.
//! * Accessors and setters cannot panic.
//! * A setter changes its field alone. The caller updates checksums with [`checksum::Delta`].
//!
//! One file per format, each in the same order: view, mutable view, tests.
//!
//! ```
//! use penstock_wire::{WireError, udp::Udp};
//!
//! let datagram = [0x30, 0x39, 0, 53, 0, 8, 0, 0];
//! assert_eq!(Udp::new_checked(&datagram).unwrap().destination_port().0, 53);
//! assert_eq!(Udp::new_checked(&datagram[..7]).unwrap_err(), WireError::Truncated);
//! ```

#![forbid(unsafe_code)]

pub mod answer;
pub mod checksum;
pub mod compose;
pub mod ethernet;
#[cfg(any(test, feature = "frames"))]
pub mod frames;
pub mod gre;
pub mod gue;
pub mod icmp;
pub mod ipv4;
pub mod ipv6;
pub mod limits;

pub mod proxy;
pub mod tcp;
pub mod tcp_options;
pub mod udp;

use penstock_types::Protocol;

/// Why a view could not be constructed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WireError {
    /// The buffer is shorter than the header or than the length that the header announces.
    Truncated,
    /// The header is inconsistent: version, header length or total length.
    Malformed,
}

/// Position of a fragment in its packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fragment {
    /// The identification that all fragments of one packet share; IPv4 uses 16 bits.
    pub identification: u32,
    /// Offset of the fragment's payload, in units of eight bytes; 13 bits.
    pub offset: u16,
    /// Whether more fragments follow.
    pub more: bool,
}

/// The balanced transport protocol with this number, if there is one.
#[inline(always)]
pub fn balanced(number: u8) -> Option<Protocol> {
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

/// Runs the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
