//! AF_XDP and the steering program: all of the data plane that talks to the kernel about frames.
//!
//! **Chunks.** A worker's [`Umem`] is one piece of memory cut into chunks of
//! [`limits::CHUNK`](crate::limits::CHUNK) bytes. At any moment a chunk is in exactly one place: in
//! user space, as one [`Chunk`] that cannot be copied, or lent to one socket, in one of its rings
//! or in the driver's hands. [`umem`] keeps a table of what is lent to whom; a chunk becomes a
//! [`Chunk`] again only if that table says that this very socket had it. That a descriptor read
//! from a ring is right is therefore checked, not believed.
//!
//! **Rings.** Each socket has four, each a power of two in length, with one writer and one reader
//! and an index for each side that only ever grows (modulo 2^32):
//!
//! | ring | written by | read by | carries |
//! | --- | --- | --- | --- |
//! | FILL | us | kernel | chunks to receive into |
//! | RX | kernel | us | frames that were received |
//! | TX | us | kernel | frames to send |
//! | COMPLETION | kernel | us | chunks whose frame was sent |
//!
//! The writer publishes entries by storing its index with Release and the reader loads it with
//! Acquire; the reader gives slots back the same way ([`ring`]).
//!
//! **Sockets.** One per (interface, queue). The sockets of a worker share its memory, so a frame
//! received by one interface is sent by another without a copy ([`open`], [`socket`]).
//!
//! **Steering.** [`program`] loads and attaches the program that chooses which frames come to a
//! socket at all; [`steering`] keeps its maps in step with the snapshot.

//!
//! **Decapsulation.** [`decap`] is no part of the data plane: it runs on a backend.

#![allow(unsafe_code)]

mod bound;
mod bpf;
mod decap;
mod flaws;
mod link_socket;
mod offloads;
mod open;
mod program;
mod queues;
mod ring;
mod rss;
mod setup;
mod socket;
mod status;
mod steering;
mod sys;
#[cfg(test)]
pub(crate) mod testing;
mod umem;
mod wake;

pub use decap::{Decapsulated, Decapsulation, DecapsulationError, DecapsulationSetup};
pub use flaws::MENDED_VIRTIO_NET;
pub(crate) use flaws::zero_copy_loses_frames;
pub use link_socket::{LinkSocket, go_first};
pub(crate) use offloads::TagsLeft;
pub use offloads::{TagOffload, VlanTags, has_hardware, is_veth, tag_offload};
pub(crate) use open::Queue;
pub(crate) use program::Program;
pub use program::try_program;
pub use queues::queues;
pub use rss::rss;
pub use setup::{InterfaceSetup, XdpPreference};
pub(crate) use socket::{Socket, SocketHandle};
pub use status::{RingStatus, XdpAttachment};
pub(crate) use steering::Steered;
pub(crate) use sys::{Watched, poll};
pub(crate) use umem::{Chunk, Region, Umem};
pub(crate) use wake::Wake;
