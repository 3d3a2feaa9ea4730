//! Memory and processor instructions that safe Rust has no words for: the flow table's mapping as
//! slices of atomics, prefetching, comparing many bytes at once, and the AES rounds of the keyed hash.
//!
//! One of the two places where `unsafe` is allowed. What leaves this module is safe to use: the
//! flow table itself is ordinary code over `&[AtomicU32]` and `&[AtomicU64]`.

#![allow(unsafe_code)]

mod keyed_hash;
#[cfg(not(loom))]
mod mapping;
#[cfg(loom)]
mod modelled;
mod prefetch;
mod tags;

pub(crate) use keyed_hash::KeyedHash;
#[cfg(not(loom))]
pub(crate) use mapping::{Mapping, Words};
#[cfg(loom)]
pub(crate) use modelled::{Mapping, Words};
pub(crate) use prefetch::prefetch;
pub(crate) use tags::equal_bytes;

/// What pages a mapping got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PageKind {
    /// Reserved huge pages (`vm.nr_hugepages`).
    Huge,
    /// Transparent huge pages were asked for.
    Transparent,
    /// Ordinary pages.
    Ordinary,
}
