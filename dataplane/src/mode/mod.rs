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
//! Beside the modes: [`icmp_error`] translates what is said about a flow's packet; [`family`] crosses between
//! IPv4 and IPv6; [`insert`] tells a backend who its client is.
//!
//! MAC addresses are the same work in every mode and are done by the pipeline's rewrite stage. What is
//! here works on the bytes of one frame and knows no table.

pub(crate) mod client_address;
mod echo;
pub(crate) mod family;
pub(crate) mod icmp_error;
pub(crate) mod icmp_reply;
pub(crate) mod insert;
pub(crate) mod nat;
pub(crate) mod refusal;
pub(crate) mod reset;
mod transport;
pub(crate) mod tunnel;

pub(crate) use echo::{later_fragment as echo_later_fragment, reply as echo_reply};
