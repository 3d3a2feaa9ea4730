//! AF_XDP and the steering program: all of the data plane that talks to the kernel about frames.
//!
//! **Chunks.** A worker's [`Umem`] is one piece of memory cut into chunks of
//! [`limits::CHUNK`] bytes. At any moment a chunk is in exactly one place: in
//! user space, as one [`Chunk`] that cannot be copied, or lent to one socket, in one of its rings
//! or in the driver's hands. [`Umem`] keeps a table of what is lent to whom; a chunk becomes a
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
//! Acquire; the reader gives slots back the same way (`ring`).
//!
//! **Sockets.** One per (interface, queue). The sockets of a worker share its memory, so a frame
//! received by one interface is sent by another without a copy ([`Socket`]).
//!
//! **Steering.** [`Program`] loads and attaches the XDP program that chooses which frames come to a
//! socket at all; [`Steering`] keeps its maps in step with the addresses that its user serves.

//!
//! **Decapsulation.** [`Decapsulation`] is not part of the data plane: it runs on a backend.

#![allow(unsafe_code)]

mod at_once;
mod bound;
mod bpf;
mod decap;
mod error;
mod flaws;
mod indirection;
pub mod limits;
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
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod umem;
mod wake;

pub use at_once::at_once;
#[cfg(any(test, feature = "testing"))]
pub use decap::TestRuns;
pub use decap::{Decapsulated, Decapsulation, DecapsulationError, DecapsulationSetup};
pub use error::{OpenError, SteeringError};
pub use flaws::{MENDED_VIRTIO_NET, zero_copy_loses_frames};
pub use indirection::{CLASSES, PortClasses, Rss};
pub use link_socket::{LinkSocket, go_first};
pub use offloads::{TagOffload, TagsLeft, VlanTags, has_hardware, is_veth, tag_offload};
pub use open::Queue;
pub use program::{Program, SteeredFrames, try_program};
pub use queues::queues;
pub use rss::rss;
pub use setup::{InterfaceSetup, XdpPreference};
pub use socket::{Socket, SocketHandle};
pub use status::{RingStatus, XdpAttachment};
pub use steering::{Steered, Steering};
pub use sys::{Watched, poll};
pub use umem::{Chunk, Region, Umem};
pub use wake::Wake;

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
