//! The sequence numbers of a segment, as the table compares those of both directions: as the backend counts.

use crate::flow::{Direction, Entry, Handshake, Numbers};
use crate::packet::Packet;
use crate::packet::{Headers, Piece};
use crate::syn_proxy::Translation;
use crate::wire::tcp::{Flags, Sequence, Tcp};

/// Those of a segment that has not been rewritten; `None`: it is no whole segment.
#[cold]
#[inline(never)]
pub(super) fn of(
    packet: &Packet,
    headers: &Headers,
    entry: Entry<'_>,
    direction: Direction,
) -> Option<Numbers> {
    if !headers.has_tcp_header() || headers.piece != Piece::Whole {
        return None;
    }
    let end = usize::from(headers.network) + usize::from(headers.packet_length);
    let segment = packet.frame.bytes().get(usize::from(headers.transport)..end)?;
    let tcp = Tcp::new_checked(segment).ok()?;
    let (Sequence(start), flags) = (tcp.sequence(), tcp.flags());
    let data = u32::try_from(segment.len() - tcp.header_length()).ok()?;
    let acknowledged = flags.has(Flags::ACK).then(|| tcp.acknowledgement());
    let (shift, acknowledged) = match direction {
        // What the node puts in front of the stream, behind the SYN, the client knows nothing of.
        Direction::Forward => {
            let nat = entry.nat().filter(|_| !flags.has(Flags::SYN));
            (nat.map_or(0, |nat| nat.shift), acknowledged.map(|number| for_backend(entry, number)))
        }
        Direction::Return => (0, acknowledged),
    };
    let start = start.wrapping_add(shift.into());
    let end = start.wrapping_add(data + u32::from(flags.has(Flags::FIN)));
    Some(Numbers { start, end, acknowledged: acknowledged.map(|Sequence(number)| number) })
}

/// Behind a handshake that the box has made the client has other numbers of the backend's stream.
fn for_backend(entry: Entry<'_>, number: Sequence) -> Sequence {
    match entry.handshake() {
        Some(Handshake::Stands(words)) => Translation::from_words(words).for_backend(number),
        Some(Handshake::Opening(_)) | None => number,
    }
}
