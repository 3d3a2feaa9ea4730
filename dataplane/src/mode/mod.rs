//! The rewrites.
//!
//! | mode | forward path | return path |
//! | --- | --- | --- |
//! | [`router`] | destination address and port become the backend's; TTL goes down by one; MACs of the next hop | source becomes the VIP; the same |
//! | dsr | MACs alone: to the backend, from the box | does not pass through the box |
//!
//! Beside the modes: [`icmp_error`] translates what is said about a flow's packet; [`family`] crosses between
//! IPv4 and IPv6; [`insert`] tells a backend who its client is.
//!
//! MAC addresses are the same work in every mode and are done by the pipeline's rewrite stage. What is
//! here works on the bytes of one frame and knows no table.

mod echo;
#[cfg_attr(not(test), expect(dead_code, reason = "one-arm mode's rewrite calls it"))]
pub(crate) mod family;
#[cfg_attr(not(test), expect(dead_code, reason = "the rewrite stage calls it"))]
pub(crate) mod icmp_error;
#[cfg_attr(not(test), expect(dead_code, reason = "one-arm mode's rewrite calls it"))]
pub(crate) mod insert;
mod refusal;
pub(crate) mod router;
mod transport;

pub(crate) use echo::reply as echo_reply;
#[expect(unused_imports, reason = "the rewrite stage turns it into drop reasons")]
pub(crate) use refusal::Refusal;
pub(crate) use router::Target;
