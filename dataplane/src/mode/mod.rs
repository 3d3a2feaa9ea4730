//! The rewrites.
//!
//! | mode | forward path | return path |
//! | --- | --- | --- |
//! | [`router`] | destination address and port become the backend's; TTL goes down by one; MACs of the next hop | source becomes the VIP; the same |
//! | dsr | MACs alone: to the backend, from the box | does not pass through the box |
//! | [`tunnel`] | the whole packet goes into another one, to the backend | does not pass through the box |
//!
//! MAC addresses are the same work in every mode and are done by the pipeline's rewrite stage. What is
//! here works on the bytes of one frame and knows no table.

mod answer;
mod echo;
#[cfg_attr(not(test), expect(dead_code, reason = "the pipeline does not call it yet"))]
pub(crate) mod icmp_reply;
#[cfg_attr(not(test), expect(dead_code, reason = "the pipeline does not call it yet"))]
pub(crate) mod reset;
pub(crate) mod router;
#[cfg_attr(not(test), expect(dead_code, reason = "the pipeline does not call it yet"))]
pub(crate) mod tunnel;

pub(crate) use echo::reply as echo_reply;
pub(crate) use router::Target;
