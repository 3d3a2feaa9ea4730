//! The connection table: one for all workers, lock-free, fixed at start.
//!
//! Two arrays in one mapping, linked by numbers, never by pointers:
//! * the **index** ([`index`]): buckets of one cache line with twelve places each; a place has a tag of the hash,
//!   a direction and the number of an entry. A flow of router mode has two places, one for each direction's
//!   tuple; a flow whose replies bypass the box has one.
//! * the **slab** ([`slab`]): entries of half a cache line (IPv4) or a whole one (IPv6), with the exact
//!   addresses and ports ([`entry`]).
//!
//! A hit therefore reads one line of the index and one of the slab, and a new flow's first packet finds out from
//! one line that it is new. Each tuple has three buckets it may be in; it is put into the second only if the
//! first is full, which happens to two flows in a thousand of a full table, and those cost one line more; the
//! third is for one in a million.
//!
//! Bytes per flow, both directions included: index 22, slab 32 (IPv4), 64 (IPv6, or full NAT) or 128 (IPv6
//! with full NAT that tells backends of their clients). Memory is for the configured number of flows of up to 64. Beside
//! them there are two megabytes at most for sequence numbers, those that connections begin and end with ([`sequences`]).
//!
//! Who may do what:
//! * Any worker looks up and inserts; both are a bounded number of steps and wait for nobody.
//! * An entry belongs to the worker that made it: that worker alone expires it ([`keeper`]) and
//!   reuses its memory, after every other worker has passed a quiescent state ([`quiescence`]).
//!   Hence a number that was found in the index stays valid for the rest of the batch.
//! * Packet counts of an entry are written by plain stores: RSS gives one direction of a flow to one
//!   worker. While RSS changes its mind a count may be lost, never a flow.

mod block;
mod bucket;
mod closing;
mod entry;
mod handshake;
mod index;
mod info;
mod insert;
mod keeper;
mod key;
mod kind;
mod life;
mod memory;
mod nat;
mod proofs;
mod quiescence;
mod recycle;
mod sequences;
mod slab;
mod sweep;
mod table;
mod tcp_state;
mod timeouts;
mod young;

pub(crate) use closing::Ending;
pub(crate) use entry::{Direction, Entry};
pub(crate) use handshake::{Handshake, STANDS};
pub(crate) use index::Peeked;
pub use info::{FlowInfo, FlowState, HugePages};
pub(crate) use keeper::{Expired, Keeper, Timeouts};
pub(crate) use key::{Addresses, FlowHash, Tuple};
pub(crate) use life::{Reception, Turn};
pub(crate) use nat::Nat;
pub(crate) use sequences::Numbers;
pub(crate) use slab::EntryRef;

pub(crate) use insert::{Inserted, NewFlow};
pub(crate) use table::{Endpoints, FlowTable, Found};
pub use timeouts::FlowTimeouts;

#[cfg(all(test, loom))]
mod models;
#[cfg(all(test, not(loom)))]
mod stress;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
