//! VRRP at work: the thread that drives [`vrrp`](crate::vrrp), and what surrounds it.
//!
//! ```text
//!            Wanted                         ┌ vrrp::Fleet: all virtual routers, pure ┐
//! supervisor ────▶ engine (thread of its own, ┤ Sockets: adverts and announcements     ├─▶ Tenure ─▶ workers
//!     ▲            before all others)       └────────────────────────────────────────┘
//!     └──────────────── Board: reports, and news ◀──────────────┘
//! ```
//!
//! Frames go through packet sockets, past the workers: the steering program leaves adverts to Linux. So adverts are
//! on time whatever the workers and the supervisor are at, and a takeover is one word in memory that workers
//! read. The thread neither logs nor waits for a lock: both may take long. [`guardian`] speaks when all of this has ended.

pub mod board;
mod engine;
pub mod guardian;
mod handle;
pub mod notify;
mod sockets;
pub mod watch;

pub use handle::{Busy, Failover};
