//! The rewrites.
//!
//! | mode | forward path | return path |
//! | --- | --- | --- |
//! | bridge | destination address and port become the backend's, MAC of the backend | source becomes the VIP; MACs stay |
//! | router | the same; TTL goes down by one; MACs of the next hop | source becomes the VIP; the same |
//! | one-arm | source becomes an address and port of the pool, too | both ends are translated back |
//! | dsr | MACs alone: to the backend, from the box | does not pass through the box |
//! | [`tunnel`] | the whole packet goes into another one, to the backend | does not pass through the box |
//!
//! MAC addresses are the same work in every mode and are done by the pipeline's rewrite stage. What is
//! here works on the bytes of one frame and knows no table.

mod answer;
mod echo;
pub(crate) mod icmp_reply;
pub(crate) mod nat;
pub(crate) mod reset;
pub(crate) mod tunnel;

pub(crate) use echo::reply as echo_reply;
