//! Admission: whether a new flow may begin, so that a service under attack never hurts another.
//!
//! All of it is asked for new flows alone; a packet of a known flow meets none of it. In this order:
//!
//! 1. [`AccessList`]: may this client use the service at all?
//! 2. [`Rate`], and one of each source: new flows a second, of the service and of one client.
//! 3. [`ServiceMeter`]: the service's own limit of flows, and its share of the flow table: room of
//!    its own, and what is left of the room that all have in common ([`Commons`]).
//! 4. [`BackendMeter`]: a backend that has as many flows as it may takes no more.
//!
//! Meters outlive snapshots: management keeps them by the names of services and the numbers of
//! backends, since they count flows that outlive snapshots too. Each is a few atomic words that all
//! workers share, so that limits hold for the box and not for a worker.

mod access;
mod backend;
mod commons;
mod cookies;
mod counts;
mod handshakes;
mod limits;
mod meter;
mod rate;
mod room;
mod sorted;
mod sources;
mod syn_proxy;

pub use access::AccessList;
pub use backend::{BackendMeter, Thresholds};
pub use commons::Commons;
pub use counts::ServiceCounts;
pub use handshakes::{HANDSHAKE_BOUNDS, HandshakeCounts};
pub use limits::{Admission, Limits, Meters};
pub use meter::ServiceMeter;
pub use rate::Rate;
pub use syn_proxy::SynProxy;

pub(crate) use counts::Event;
pub(crate) use meter::Short;

#[cfg(test)]
mod tests;
