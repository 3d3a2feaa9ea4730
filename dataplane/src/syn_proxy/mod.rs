//! SYN cookies: under a flood of SYNs the box finishes the client's handshake without remembering
//! anything, and only then opens the connection to the backend (RFC 4987 section 3.6).
//!
//! For modes that translate: bridge, router, one-arm. All here is functions of bytes, words and the time
//! that is passed in; the flow table, the choice of a backend, NAT and the counters are the pipeline's.
//!
//! ```text
//!  client                              box                                   backend
//!    │ SYN  seq=c                       │                                       │
//!    │─────────────────────────────────▶│ answer(): nothing is remembered       │
//!    │       SYN-ACK seq=K ack=c+1 win=0│ K: the cookie                         │
//!    │◀─────────────────────────────────│                                       │
//!    │ ACK  seq=c+1 ack=K+1             │                                       │
//!    │─────────────────────────────────▶│ open(): K is the box's, a flow begins │
//!    │                                  │ SYN  seq=c, the client's options      │
//!    │                                  │──────────────────────────────────────▶│
//!    │ probes of the closed window      │             SYN-ACK seq=s ack=c+1     │
//!    │─────────────────────────────▶ ✗  │◀──────────────────────────────────────│
//!    │                                  │ on_backend(): delta = K-s             │
//!    │          ACK seq=K+1 ack=c+1 win │ ACK  seq=c+1 ack=s+1                  │
//!    │◀─────────────────────────────────│──────────────────────────────────────▶│
//!    │ data seq=c+1 ack=K+1             │ data seq=c+1 ack=s+1                  │
//!    │─────────────────────────────────▶│──────────────────────────────────────▶│ to_backend()
//!    │ data seq=K+1                     │ data seq=s+1                          │
//!    │◀─────────────────────────────────│◀──────────────────────────────────────│ to_client()
//! ```
//!
//! Who calls what, in the pipeline:
//!
//! | a frame | call | and then |
//! | --- | --- | --- |
//! | SYN without a flow, the service under pressure | [`answer()`] with [`Promise::offer`] | it goes back by the interface it came from: no flow, no backend |
//! | no SYN, no flow, a service that has issued cookies lately | [`open()`] | a new flow with [`Opening::to_words`], begun by a SYN; the frame is then the flow's, as below. An error: as without cookies |
//! | a client's, the flow opening | [`Opening::on_client`] | the [`Step`]; store the words |
//! | a backend's, the flow opening | [`Opening::on_backend`] | the [`Step`]; store the words |
//! | a client's, a flow with a translation | [`Translation::to_backend`] | before a PROXY header goes in |
//! | a backend's, a flow with a translation | [`Translation::to_client`] | before a PROXY header's place in the stream is taken back |
//! | none: time passes | [`Opening::on_timer`], at [`Opening::next_deadline`] | the [`Step`]; store the words |
//! | a backend's SYN-ACK of any other flow | [`Promise::learn`] of [`SynOptions::read`] with `Asked::default()` | nothing else |
//!
//! What to do for a [`Step`]: each [`Segment`] is put into a frame, either over the one at hand or into a
//! spare that has got its Ethernet header and tags, with the tuple of the flow's own direction (client to
//! service; of the backend's replies), and goes the flow's ordinary way from there: NAT, a PROXY header, the
//! other family, MAC addresses. [`Step::Open`] first stores the [`Translation`] and marks the flow as
//! answered; its two segments pass the translation then, as all others do. Where two workers see two SYN-ACKs
//! at once, the first to store wins and the other drops its frame. [`Step::End`] ends the flow. There is
//! nothing to do for who has lost one of these segments: a backend without our ACK repeats its SYN-ACK, which
//! reaches the client as an old number and is acknowledged again; a client without a window probes it.
//!
//! Besides: [`Offer::at_most`](promise::Offer::at_most) where the service clamps segment sizes, puts a header in front of the stream,
//! or has backends of the other family. An ICMP error about a segment to the client quotes the client's
//! numbers: [`Translation::for_backend`]. A timer needs no heap: all flows of one try wait equally long, so a
//! queue for each of the three is in order.
//!
//! What a client loses while cookies are used: data in its SYN (it sends it again), ECN, and what no cookie
//! has room for: MPTCP falls back to TCP, and connections with MD5 or AO signatures do not come about.
//! Without timestamps also window scale and selective acknowledgements. If its ACK is lost and it has nothing
//! to send, it waits until it has, as with all SYN cookies. A backend that keeps less than [`Promise`]
//! promises: see there.

mod answer;
mod cookie;
mod handshake;
mod options;
mod promise;
mod segment;
mod translate;

pub(crate) use answer::answer;
pub(crate) use cookie::{COOKIE_LIFE, Secret};
pub(crate) use handshake::{Opened, Opening, Step, open};
pub(crate) use options::SynOptions;
pub(crate) use promise::{Asked, Promise};
pub(crate) use segment::{Place, Segment};
pub(crate) use translate::Translation;

/// Why a segment goes no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The headers do not fit into the frame.
    Broken,
    /// The segment's checksum is wrong.
    BadChecksum,
    /// It was sent to many, or by nobody.
    NoHost,
    /// Its numbers or flags do not fit the handshake.
    OutOfPlace,
    /// The number that it acknowledges is no cookie of this box, or too old.
    BadCookie,
    /// The backend has not answered yet; the client sends it again.
    Waiting,
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod testing;
