//! Compile-time bounds of the parsers.

/// IPv6 extension headers that are walked before a packet is refused.
pub const MAX_EXTENSION_HEADERS: usize = 8;
