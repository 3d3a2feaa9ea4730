//! One frame, its fate, and all counters that may move.

use std::fmt;
use std::rc::Rc;

use super::{InterfaceId, Rig};
use crate::types::BackendId;
use crate::verdict::DropReason;
use crate::{FrameStats, WorkerStats};

/// What shall become of a frame.
#[derive(Debug, Clone)]
pub(super) enum Expect {
    /// It leaves by that interface, looking like that.
    Sends(InterfaceId, Vec<u8>),
    /// The same, where something is the worker's to choose.
    Like(InterfaceId, Looks),
    /// It leaves by the first of these, and what the worker has made of it beside leaves by the others.
    Multiplies(Vec<(InterfaceId, Looks)>),
    /// It leaves, and others that have waited for it.
    Releases(Vec<(InterfaceId, Looks)>),
    /// It waits.
    Holds,
    /// It is dropped for that reason.
    Drops(DropReason),
    /// It is dropped for that reason, and this answer to its sender leaves by that interface.
    Answers(DropReason, InterfaceId, Vec<u8>),
    /// It goes to the management thread.
    Punts,
}

/// What a frame looks like: made of the one that is there, so that a field that the worker is free to choose
/// can be taken from that.
#[derive(Clone)]
pub(super) struct Looks(Rc<Frame>);

type Frame = dyn Fn(&[u8]) -> Vec<u8>;

impl Looks {
    pub(super) fn new(frame: impl Fn(&[u8]) -> Vec<u8> + 'static) -> Self {
        Self(Rc::new(frame))
    }

    /// What a frame should be that is like this one.
    pub(super) fn on(&self, actual: &[u8]) -> Vec<u8> {
        (self.0)(actual)
    }

    pub(super) fn exactly(frame: Vec<u8>) -> Self {
        Self::new(move |_| frame.clone())
    }
}

impl fmt::Debug for Looks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Looks")
    }
}

/// What is counted beside where the frame went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Moves {
    pub(super) created: u64,
    pub(super) refused: u64,
    pub(super) toa_omitted: u64,
    /// Packets to a backend.
    pub(super) inward: u64,
    /// Packets of a backend.
    pub(super) outward: u64,
}

impl Moves {
    pub(super) const NOTHING: Self = Self { created: 0, refused: 0, toa_omitted: 0, inward: 0, outward: 0 };
    /// A new flow, and its first packet.
    pub(super) const OPENS: Self = Self { created: 1, inward: 1, ..Self::NOTHING };
    /// A new flow whose first packet does not get through.
    pub(super) const CREATES: Self = Self { created: 1, ..Self::NOTHING };
    pub(super) const INWARD: Self = Self { inward: 1, ..Self::NOTHING };
    pub(super) const OUTWARD: Self = Self { outward: 1, ..Self::NOTHING };
}

/// A frame in, its fate, and where it was counted: received once, one verdict, nothing else.
pub(super) fn check(rig: &mut Rig, sentence: &str, ingress: InterfaceId, input: &[u8], expect: &Expect) {
    let (before, foretold) = (rig.stats(), rig.trace(ingress, input));
    let sent = rig.receive(ingress, &[input.to_vec()]);
    let counted = counted(&before, &rig.stats());
    assert_eq!(
        counted,
        expected_count(expect),
        "{sentence}: received, forwarded, to management, originated, drops; it sent {:#?}",
        hex(&sent)
    );
    assert_eq!(hex(&sent), hex(&expected_frames(expect, &sent)), "{sentence}");
    super::foretold::check(sentence, &foretold, expect, &sent);
}

/// The same, and all other counters.
pub(super) fn check_all(
    rig: &mut Rig,
    sentence: &str,
    (ingress, input): (InterfaceId, &[u8]),
    expect: &Expect,
    moves: Moves,
) {
    let (before, of_backends) = (rig.stats(), backends(rig));
    check(rig, sentence, ingress, input, expect);
    let (after, now) = (rig.stats(), backends(rig));
    let moved = Moves {
        created: after.flows_created - before.flows_created,
        refused: after.flows_refused - before.flows_refused,
        toa_omitted: after.toa_omitted - before.toa_omitted,
        inward: now.packets_in - of_backends.packets_in,
        outward: now.packets_out - of_backends.packets_out,
    };
    assert_eq!(moved, moves, "{sentence}");
    assert_eq!(now.total_flows - of_backends.total_flows, moves.created, "{sentence}: flows of backends");
    let bytes = [now.bytes_in - of_backends.bytes_in, now.bytes_out - of_backends.bytes_out];
    // Pieces of one packet have a header each.
    if moves.inward + moves.outward <= 1 {
        let length = ip_length(input);
        assert_eq!(bytes, [moves.inward, moves.outward].map(|n| n * length), "{sentence}: bytes");
    }
}

type Counted = (u64, u64, u64, u64, Vec<&'static str>);

fn counted(before: &WorkerStats, after: &WorkerStats) -> Counted {
    let moved = |get: fn(&FrameStats) -> u64| get(&after.frames) - get(&before.frames);
    let reasons = DropReason::ALL.iter();
    let drops = reasons.filter(|r| after.drops[r.index()] != before.drops[r.index()]).map(|r| r.code());
    (
        moved(|f| f.received),
        moved(|f| f.forwarded),
        moved(|f| f.to_management),
        moved(|f| f.originated),
        drops.collect(),
    )
}

fn expected_count(expect: &Expect) -> Counted {
    match expect {
        Expect::Sends(..) | Expect::Like(..) => (1, 1, 0, 0, vec![]),
        Expect::Multiplies(frames) => (1, 1, 0, frames.len() as u64 - 1, vec![]),
        Expect::Releases(frames) => (1, frames.len() as u64, 0, 0, vec![]),
        Expect::Holds => (1, 0, 0, 0, vec![]),
        Expect::Drops(reason) => (1, 0, 0, 0, vec![reason.code()]),
        Expect::Answers(reason, ..) => (1, 0, 0, 1, vec![reason.code()]),
        Expect::Punts => (1, 0, 1, 0, vec![]),
    }
}

fn expected_frames(expect: &Expect, sent: &[(InterfaceId, Vec<u8>)]) -> Vec<(InterfaceId, Vec<u8>)> {
    let shown = |place: usize| sent.get(place).map_or(&[][..], |(_, bytes)| bytes);
    let like =
        |(place, (interface, looks)): (usize, &(InterfaceId, Looks))| (*interface, (looks.0)(shown(place)));
    match expect {
        Expect::Sends(interface, frame) | Expect::Answers(_, interface, frame) => {
            vec![(*interface, frame.clone())]
        }
        Expect::Like(interface, looks) => vec![(*interface, (looks.0)(shown(0)))],
        Expect::Multiplies(frames) | Expect::Releases(frames) => {
            frames.iter().enumerate().map(like).collect()
        }
        Expect::Holds | Expect::Drops(_) | Expect::Punts => vec![],
    }
}

/// The counters of all backends together.
fn backends(rig: &Rig) -> crate::BackendStats {
    (0..64).map(|id| rig.counters.backend(BackendId(id)).read()).fold(Default::default(), |a, b| a + b)
}

/// What the packet in a frame says of its length.
fn ip_length(frame: &[u8]) -> u64 {
    let network = super::way::network(frame);
    let field = |at: usize| u64::from(u16::from_be_bytes([frame[network + at], frame[network + at + 1]]));
    if frame[network] >> 4 == 4 { field(2) } else { 40 + field(4) }
}

fn hex(frames: &[(InterfaceId, Vec<u8>)]) -> Vec<String> {
    frames.iter().map(|(interface, bytes)| format!("{interface}: {bytes:02x?}")).collect()
}
