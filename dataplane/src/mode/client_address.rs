//! Full NAT hides the client; here a backend that wants to know is told: by a PROXY header in front of
//! the client's stream, or by an option in its first segments.
//!
//! A PROXY header shifts the stream: for the rest of the flow the client's sequence numbers are raised
//! by its length, and what the backend acknowledges is lowered. The header goes into every segment
//! that begins where the stream begins, the handshake's last ACK first, until the backend has
//! acknowledged it: so it is sent again when it is lost, and a backend that speaks first need not
//! wait for the client's data.

use std::net::SocketAddr;

use super::insert;
use crate::flow::{Nat, Tuple};
use crate::io::Frame;
use crate::snapshot::ClientAddress;
use crate::verdict::DropReason;
use crate::wire::proxy::ProxyHeader;
use crate::wire::tcp::{Flags, Sequence, Shift, Tcp};
use crate::wire::tcp_options::{self, Toa};

/// Where the parts of a frame begin that carries a TCP segment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) network: usize,
    pub(crate) transport: usize,
    /// Where the packet ends: the frame may be padded.
    pub(crate) end: usize,
}

/// What became of a segment towards the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// It tells the client's address, or need not any more.
    Yes,
    /// It should, and has no room for it.
    NoRoom,
}

fn ends(tuple: &Tuple) -> (SocketAddr, SocketAddr) {
    let (source, destination) = (tuple.addresses.source(), tuple.addresses.destination());
    (SocketAddr::new(source, tuple.source_port.0), SocketAddr::new(destination, tuple.destination_port.0))
}

fn header(tuple: &Tuple, how: ClientAddress) -> Option<ProxyHeader> {
    let (client, vip) = ends(tuple);
    match how {
        ClientAddress::None | ClientAddress::Toa => None,
        ClientAddress::ProxyV1 => Some(ProxyHeader::v1(client, vip)),
        ClientAddress::ProxyV2 => Some(ProxyHeader::v2(client, vip)),
    }
}

/// Bytes that are put in front of the stream of a flow with that tuple.
pub(crate) fn length(tuple: &Tuple, how: ClientAddress) -> u8 {
    header(tuple, how).map_or(0, |header| u8::try_from(header.bytes().len()).unwrap_or(0))
}

/// Tells the backend of the client in a segment that has its new addresses already. `client` is the tuple
/// that it came with, `acknowledged`: the backend is known to have the header; `longest`: what
/// the packet may grow to.
pub(crate) fn tell(
    frame: &mut Frame,
    place: Place,
    client: &Tuple,
    nat: &Nat,
    acknowledged: bool,
    longest: usize,
) -> Result<Told, DropReason> {
    let segment = frame.bytes().get(place.transport..place.end).ok_or(DropReason::Truncated)?;
    let tcp = Tcp::new_checked(segment)?;
    let (flags, header_length) = (tcp.flags(), tcp.header_length());
    if flags.has(Flags::SYN) {
        // Data in a SYN (RFC 7413) would overtake the header; without an answer the client sends it again.
        let overtakes = nat.shift > 0 && segment.len() > header_length;
        return if overtakes { Err(DropReason::SynWithData) } else { Ok(Told::Yes) };
    }
    let is_first = tcp.sequence() == Sequence(nat.start);
    let growth = longest.saturating_sub(place.end - place.network);
    match header(client, nat.client_address) {
        None if nat.client_address == ClientAddress::Toa && is_first => {
            let toa = Toa::new(ends(client).0);
            if toa.bytes().len() > growth || !toa.fits(segment) {
                return Ok(Told::NoRoom);
            }
            let space = widen(frame, place, toa.bytes().len()).ok_or(DropReason::TooLong)?;
            insert::client_address(space, place.transport - place.network, &toa)
                .ok_or(DropReason::TooLong)?;
        }
        None => {}
        Some(header) if is_first && !acknowledged && !flags.has(Flags::RST) => {
            if header.bytes().len() > growth {
                return Err(DropReason::TooLong);
            }
            let space = widen(frame, place, header.bytes().len()).ok_or(DropReason::TooLong)?;
            insert::proxy_header(space, place.transport - place.network, &header)
                .ok_or(DropReason::TooLong)?;
        }
        Some(_) => {
            if let Some(segment) = frame.bytes_mut().get_mut(place.transport..place.end) {
                tcp_options::shift_sequence(segment, Shift(nat.shift.into()));
            }
        }
    }
    Ok(Told::Yes)
}

/// Makes room for `gap` bytes where the packet begins; gives where `insert` works then.
fn widen(frame: &mut Frame, place: Place, gap: usize) -> Option<&mut [u8]> {
    frame.truncate(place.end);
    frame.insert(place.network, gap)?;
    frame.bytes_mut().get_mut(place.network..)
}

/// Takes back what `tell` has done, in a segment of the backend. `acknowledged`: the backend is known to
/// have the header; says whether it is now.
pub(crate) fn untell(segment: &mut [u8], nat: &Nat, acknowledged: bool) -> bool {
    let Ok(tcp) = Tcp::new_checked(segment) else { return acknowledged };
    let (start, shift) = (nat.start, u32::from(nat.shift));
    if acknowledged {
        // Long behind the start, and perhaps round the sequence space: the place says nothing any more.
        let back = Shift(-i32::from(nat.shift));
        tcp_options::renumber_acknowledgement(segment, |number| number.shifted(back));
        return true;
    }
    let place = move |Sequence(number): Sequence| {
        let place = number.wrapping_sub(start);
        (place <= u32::MAX / 2).then_some(place)
    };
    let acknowledged = place(tcp.acknowledgement()).filter(|_| tcp.flags().has(Flags::ACK));
    // Of the header the client has sent nothing. What is acknowledged selectively may lie behind a header
    // that is not acknowledged yet: each number goes by its own place.
    tcp_options::renumber_acknowledgement(segment, |number| {
        Sequence(number.0.wrapping_sub(place(number).map_or(0, |place| place.min(shift))))
    });
    acknowledged.is_some_and(|place| place >= shift)
}
