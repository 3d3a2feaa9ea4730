//! Up to 64 frames on their way through the stages.

use crate::flow::{FlowHash, Found, Peeked};
use crate::io::Frame;
use crate::limits::BATCH;
use crate::packet::Headers;
use crate::types::{BackendId, InterfaceId};
use crate::verdict::{DropReason, Verdict};

/// A frame and what the stages have found out about it. A cache line.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Packet {
    pub(crate) frame: Frame,
    /// Where it came in.
    pub(crate) ingress: InterfaceId,
    pub(crate) verdict: Verdict,
    /// From `lookup` on.
    pub(crate) hash: FlowHash,
    pub(crate) peeked: Peeked,
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
            peeked: Peeked::Nobody,
            route: Route::AsItIs,
        }
    }

    /// A frame that has waited, with the interface that it came in by.
    pub(crate) fn arrived(ingress: InterfaceId, frame: Frame) -> Self {
        Self::new(ingress, frame)
    }

    /// A frame that the box has made. It has come from nowhere.
    pub(crate) fn made(frame: Frame) -> Self {
        Self::new(InterfaceId::NOWHERE, frame)
    }

    /// The same, on a flow's way.
    pub(crate) fn of_box(frame: Frame, flow: Found) -> Self {
        Self { route: Route::Flow(flow), ..Self::made(frame) }
    }

    /// Another frame with a part of this one's packet, of the same flow.
    pub(crate) fn part(&self, frame: Frame) -> Self {
        Self { frame, verdict: Verdict::Undecided, ..*self }
    }

    pub(crate) fn drop_for(&mut self, reason: DropReason) {
        self.verdict = Verdict::Drop(reason);
    }
}

/// Some of a batch's frames, a bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Set(u64);

impl Set {
    #[inline(always)]
    fn insert(&mut self, place: usize) {
        self.0 |= 1 << place;
    }

    #[inline(always)]
    fn remove(&mut self, place: usize) {
        self.0 &= !(1 << place);
    }
}

/// The places of the frames in the set.
impl Iterator for Set {
    type Item = usize;

    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        (self.0 != 0).then(|| {
            let place = self.0.trailing_zeros() as usize;
            self.0 &= self.0 - 1;
            place
        })
    }
}

/// See the module's head. Its memory is allocated once.
///
/// Headers are beside the packets, not in them: so a stage reads the ones while it changes the others,
/// and nobody copies them. A stage that most frames do not need finds those that do in a set.
#[derive(Debug)]
pub(crate) struct Batch {
    packets: Vec<Packet>,
    /// From `parse` on, for frames that are not decided there.
    headers: Box<[Headers; BATCH]>,
    /// Frames that no stage has decided about.
    undecided: Set,
    /// Of these, what is not simply a segment of a connection.
    pub(crate) unusual: Set,
    /// Of these, what no flow is known for, or what may begin one anew.
    pub(crate) flowless: Set,
}

const _: () = assert!(BATCH <= u64::BITS as usize, "a bit of a set for each frame");

impl Batch {
    pub(crate) fn new() -> Self {
        let none = Set::default();
        Self {
            packets: Vec::with_capacity(BATCH),
            headers: Box::new([Headers::NONE; BATCH]),
            undecided: none,
            unusual: none,
            flowless: none,
        }
    }

    /// Puts a frame in; the caller takes no more than [`BATCH`] from a ring.
    #[inline(always)]
    pub(crate) fn push(&mut self, ingress: InterfaceId, frame: Frame) {
        frame.prefetch();
        self.packets.push(Packet::new(ingress, frame));
    }

    /// Begins: no frame is decided about.
    pub(crate) fn begin(&mut self) {
        let all = match BATCH.checked_sub(self.packets.len()) {
            Some(missing) if missing < BATCH => (u64::MAX >> (64 - BATCH)) >> missing,
            _ => 0,
        };
        (self.undecided, self.unusual, self.flowless) = (Set(all), Set(0), Set(0));
    }

    /// All frames.
    pub(crate) fn packets(&self) -> impl Iterator<Item = &Packet> {
        self.packets.iter()
    }

    /// Takes all frames out, each with its headers.
    #[inline(always)]
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = (Packet, &Headers)> {
        self.packets.drain(..).zip(self.headers.iter())
    }

    /// Shows a stage the frames that nothing is decided about.
    #[inline(always)]
    pub(crate) fn visit(&mut self, stage: impl FnMut(&mut Packet, &mut Headers, Marks<'_>)) {
        self.visit_some(self.undecided, stage);
    }

    /// Shows a stage that decides nothing the frames that nothing is decided about.
    #[inline(always)]
    pub(crate) fn look_at(&mut self, mut stage: impl FnMut(&mut Packet)) {
        for place in self.undecided {
            if let Some(packet) = self.packets.get_mut(place) {
                stage(packet);
            }
        }
    }

    /// Shows a stage some of these.
    #[inline(always)]
    pub(crate) fn visit_some(
        &mut self,
        which: Set,
        mut stage: impl FnMut(&mut Packet, &mut Headers, Marks<'_>),
    ) {
        for place in Set(which.0 & self.undecided.0) {
            let (Some(packet), Some(headers)) = (self.packets.get_mut(place), self.headers.get_mut(place))
            else {
                continue;
            };
            stage(packet, headers, Marks { place, unusual: &mut self.unusual, flowless: &mut self.flowless });
            if packet.verdict != Verdict::Undecided {
                self.undecided.remove(place);
            }
        }
    }
}

/// Where a stage says that a frame needs a later one.
pub(crate) struct Marks<'b> {
    place: usize,
    unusual: &'b mut Set,
    flowless: &'b mut Set,
}

impl Marks<'_> {
    #[inline(always)]
    pub(crate) fn unusual(self) {
        self.unusual.insert(self.place);
    }

    #[inline(always)]
    pub(crate) fn flowless(self) {
        self.flowless.insert(self.place);
    }
}
