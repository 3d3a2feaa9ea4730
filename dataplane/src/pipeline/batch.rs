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
            hash: FlowHash::default(),
            peeked: None,
            route: Route::AsItIs,
        }
    }

    /// Another frame with a part of this one's packet, of the same flow.
    pub(super) fn part(&self, frame: Frame) -> Self {
        Self { frame, verdict: Verdict::Undecided, ..*self }
    }

    pub(super) fn drop_for(&mut self, reason: DropReason) {
        self.verdict = Verdict::Drop(reason);
    }
}

/// See the module's head. Its memory is allocated once.
///
/// Headers are beside the packets, not in them: so a stage reads the ones while it changes the others,
/// and nobody copies them.
#[derive(Debug)]
pub(crate) struct Batch {
    packets: Vec<Packet>,
    /// From `parse` on, for frames that are not decided there.
    headers: Vec<Option<Headers>>,
}

impl Batch {
    pub(crate) fn new() -> Self {
        Self { packets: Vec::with_capacity(BATCH), headers: Vec::with_capacity(BATCH) }
    }

    /// What stands in for a batch while its frames are delivered: no memory of its own.
    pub(crate) fn none() -> Self {
        Self { packets: Vec::new(), headers: Vec::new() }
    }

    /// Puts a frame in; the caller takes no more than [`BATCH`] from a ring.
    pub(crate) fn push(&mut self, ingress: InterfaceId, frame: Frame) {
        self.packets.push(Packet::new(ingress, frame));
        self.headers.push(None);
    }

    /// Takes all frames out.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = (Packet, Option<Headers>)> {
        self.packets.drain(..).zip(self.headers.drain(..))
    }

    /// The frames that no stage has decided about, with their headers.
    #[inline(always)]
    pub(super) fn undecided(&mut self) -> impl Iterator<Item = (&mut Packet, &mut Headers)> {
        let all = self.packets.iter_mut().zip(&mut self.headers);
        let undecided = all.filter(|(packet, _)| packet.verdict == Verdict::Undecided);
        undecided.filter_map(|(packet, headers)| Some((packet, headers.as_mut()?)))
    }

    /// All frames, for the first stage.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&mut Packet, &mut Option<Headers>)> {
        self.packets.iter_mut().zip(&mut self.headers)
    }
}
