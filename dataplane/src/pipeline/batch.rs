//! Up to 64 frames on their way through the stages.

use super::headers::Headers;
use super::verdict::{DropReason, Verdict};
use crate::flow::{FlowHash, Found, Slot};
use crate::io::Frame;
use crate::limits::BATCH;
use crate::types::{BackendId, InterfaceId};

/// A frame and what the stages have found out about it.
#[derive(Debug)]
pub(crate) struct Packet {
    pub(crate) frame: Frame,
    /// Where it came in.
    pub(crate) ingress: InterfaceId,
    pub(crate) verdict: Verdict,
    /// From `parse` on, for frames that are not decided there.
    pub(crate) headers: Option<Headers>,
    /// From `lookup` on.
    pub(crate) hash: FlowHash,
    pub(super) peeked: Option<Slot>,
    /// From `lookup` or `choose` on.
    pub(crate) route: Route,
}

/// Whose a packet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// A flow's.
    Flow(Found),
    /// A backend's, without a flow that says so: the packet alone decides.
    Backend(BackendId),
    /// Nobody's: it goes on as it is.
    AsItIs,
}

impl Packet {
    fn new(ingress: InterfaceId, frame: Frame) -> Self {
        Self {
            frame,
            ingress,
            verdict: Verdict::Undecided,
            headers: None,
            hash: FlowHash::default(),
            peeked: None,
            route: Route::AsItIs,
        }
    }

    /// Another frame with a part of this one's packet, of the same flow.
    pub(super) fn part(&self, frame: Frame, headers: Headers) -> Self {
        Self { frame, headers: Some(headers), verdict: Verdict::Undecided, ..*self }
    }

    pub(super) fn drop_for(&mut self, reason: DropReason) {
        self.verdict = Verdict::Drop(reason);
    }
}

/// See the module's head. Its memory is allocated once.
#[derive(Debug)]
pub(crate) struct Batch(Vec<Packet>);

impl Batch {
    pub(crate) fn new() -> Self {
        Self(Vec::with_capacity(BATCH))
    }

    /// What stands in for a batch while its frames are delivered: no memory of its own.
    pub(crate) fn none() -> Self {
        Self(Vec::new())
    }

    /// Puts a frame in; the caller takes no more than [`BATCH`] from a ring.
    pub(crate) fn push(&mut self, ingress: InterfaceId, frame: Frame) {
        self.0.push(Packet::new(ingress, frame));
    }

    /// Takes all frames out.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Packet> {
        self.0.drain(..)
    }

    /// The frames that no stage has decided about, with their headers.
    #[inline(always)]
    pub(super) fn undecided(&mut self) -> impl Iterator<Item = (&mut Packet, Headers)> {
        self.0.iter_mut().filter(|packet| packet.verdict == Verdict::Undecided).filter_map(|packet| {
            let headers = packet.headers?;
            Some((packet, headers))
        })
    }

    /// All frames, for the first stage.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Packet> {
        self.0.iter_mut()
    }
}
