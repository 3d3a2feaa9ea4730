//! Penstock's packet engine.
//!
//! The life of a frame:
//!
//! 1. [`xdp`]'s steering program, in the kernel, decides: to a worker, or on to Linux.
//! 2. [`worker`]: a pinned thread takes up to 64 frames from a ring through [`io`] …
//! 3. [`pipeline`]: … and runs the stages over the batch: parse ([`wire`]), classify, look up
//!    ([`flow`]), admit new flows ([`admission`]) and choose their backend ([`schedule`]), rewrite
//!    ([`mode`]), transmit.
//! 4. Frames leave by the ring of the interface that their verdict names; control frames go to
//!    the management thread; all else is dropped for a named reason.
//!
//! What the workers know of the configuration is one immutable [`snapshot`]. The engine knows
//! nothing of files, TOML, VRRP or health checks; its owner talks to it through [`Dataplane`].

#![deny(unsafe_code)]

pub mod admission;
#[cfg(feature = "bench")]
pub mod bench;
pub mod capture;
mod channel;
mod clock;
mod engine;
mod error;
mod flow;
mod fragment;
mod io;
pub mod limits;
mod mem;
mod mode;
mod packet;
pub mod persistence;
mod pipeline;
mod recorder;
pub mod snapshot;
mod stats;
mod syn_proxy;
mod sync;
#[cfg(any(test, feature = "bench"))]
#[cfg_attr(not(test), expect(dead_code, reason = "benches use a part of it"))]
mod testing;
mod unresolved;
mod verdict;
mod worker;

pub use engine::{Dataplane, Prepared, Setup};
pub use error::StartError;
pub use flow::{FlowInfo, FlowState, HugePages};
use penstock_afxdp as xdp;
pub use penstock_afxdp::{
    Decapsulated, Decapsulation, DecapsulationError, DecapsulationSetup, InterfaceSetup, LinkSocket,
    MENDED_VIRTIO_NET, OpenError, RingStatus, SteeringError, TagOffload, VlanTags, XdpAttachment,
    XdpPreference, at_once, go_first, has_hardware, is_veth, queues, rss, tag_offload, try_program,
};
pub use penstock_schedulers as schedule;
pub use penstock_types as types;
use penstock_wire as wire;
pub use pipeline::{Explained, Why, trace};
pub use recorder::Recorded;
pub use stats::{BackendStats, FlowStats, FrameStats, InterfaceStatus, WorkerStats};
pub use verdict::DropReason;
pub use worker::{ControlFrame, Poll, Punt};
