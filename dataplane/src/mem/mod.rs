//! Memory and processor instructions that safe Rust has no words for: the flow table's mapping as
//! slices of atomics, prefetching, comparing many bytes at once, and the AES rounds of the keyed hash.
//!
//! One of the two places where `unsafe` is allowed. What leaves this module is safe to use: the
//! flow table itself is ordinary code over `&[AtomicU32]` and `&[AtomicU64]`.

#![allow(unsafe_code)]

mod keyed_hash;
mod mapping;
mod prefetch;
mod tags;

pub(crate) use keyed_hash::KeyedHash;
pub(crate) use mapping::{Mapping, PageKind, Words};
pub(crate) use prefetch::prefetch;
pub(crate) use tags::equal_bytes;
