//! The reset that answers a TCP segment for which there is no connection, made of the segment itself.

use std::net::IpAddr;

use crate::io::Frame;
use crate::types::Protocol;
use crate::wire::answer::{is_host, turn_around};
use crate::wire::checksum::{fold, sum};
use crate::wire::compose::{self, Payload, pseudo_header};
use crate::wire::ipv4::{self, Ipv4};
use crate::wire::ipv6::{self, Ipv6};
use crate::wire::tcp::{self, Flags, Tcp};

/// Turns the frame into the reset that answers its segment. The IP packet begins `network` bytes into the
/// frame and has `packet_length`; the TCP header begins at `transport`. `None`, and the frame is to be
/// dropped: the segment is a reset itself, was not sent from one host to another, or is cut short.
///
/// The segment's checksum is not looked at: whoever sent it damaged gets a reset that fits the damage.
pub(crate) fn reset(frame: &mut Frame, network: usize, transport: usize, packet_length: usize) -> Option<()> {
    let bytes = frame.bytes().get(..network.checked_add(packet_length)?)?;
    let tcp = reset_header(bytes.get(transport..)?)?;
    let packet = bytes.get(network..)?;
    let payload =
        Payload { traffic_class: 0, protocol: Protocol::Tcp.number(), length: tcp::LENGTH.try_into().ok()? };
    let length = if packet.first()? >> 4 == 4 {
        let (request, _) = Ipv4::new_checked(packet).ok()?;
        let (source, destination) = (request.destination(), request.source());
        concerns_hosts(source.into(), destination.into())?;
        let ip = compose::ipv4(payload, None, source, destination);
        put(frame.bytes_mut().get_mut(network..)?, ip, tcp, ip.get(12..20)?)?;
        ipv4::LENGTH
    } else {
        let (request, _) = Ipv6::new_checked(packet).ok()?;
        let (source, destination) = (request.destination(), request.source());
        concerns_hosts(source.into(), destination.into())?;
        let ip = compose::ipv6(payload, 0, source, destination);
        put(frame.bytes_mut().get_mut(network..)?, ip, tcp, ip.get(8..40)?)?;
        ipv6::LENGTH
    };
    turn_around(frame.bytes_mut())?;
    frame.truncate(network + length + tcp::LENGTH);
    Some(())
}

/// The header of the answer, without its checksum (RFC 9293 section 3.10.7.1): its place in the sequence
/// is what the segment acknowledges; a segment that acknowledges nothing is acknowledged whole.
fn reset_header(segment: &[u8]) -> Option<[u8; tcp::LENGTH]> {
    let request = Tcp::new_checked(segment).ok()?;
    let flags = request.flags();
    if flags.has(Flags::RST) {
        return None;
    }
    let header = segment.first_chunk::<{ tcp::LENGTH }>()?;
    let &[_, _, _, _, s0, s1, s2, s3, acknowledgment @ .., offset, _, _, _, _, _, _, _] = header;
    let (sequence, acknowledgment, flags) = if flags.has(Flags::ACK) {
        (acknowledgment, [0; 4], Flags::RST)
    } else {
        let data = segment.len().checked_sub(usize::from(offset >> 4) * 4)?;
        let length =
            u32::try_from(data).ok()? + u32::from(flags.has(Flags::SYN)) + u32::from(flags.has(Flags::FIN));
        let end = u32::from_be_bytes([s0, s1, s2, s3]).wrapping_add(length);
        ([0; 4], end.to_be_bytes(), Flags::RST | Flags::ACK)
    };
    let mut reset = [0; tcp::LENGTH];
    reset[..2].copy_from_slice(&request.destination_port().0.to_be_bytes());
    reset[2..4].copy_from_slice(&request.source_port().0.to_be_bytes());
    reset[4..8].copy_from_slice(&sequence);
    reset[8..12].copy_from_slice(&acknowledgment);
    [reset[12], reset[13]] = [0x50, flags];
    Some(reset)
}

fn concerns_hosts(source: IpAddr, destination: IpAddr) -> Option<()> {
    (is_host(source) && is_host(destination)).then_some(())
}

/// Writes the answer over the segment's headers, which are at least as long.
fn put<const N: usize>(
    packet: &mut [u8],
    ip: [u8; N],
    mut tcp: [u8; tcp::LENGTH],
    addresses: &[u8],
) -> Option<()> {
    let pseudo = pseudo_header(addresses, Protocol::Tcp.number(), tcp.len());
    [tcp[16], tcp[17]] = (!fold(sum(pseudo, &tcp))).to_be_bytes();
    let (place, rest) = packet.split_first_chunk_mut::<N>()?;
    *place = ip;
    *rest.first_chunk_mut()? = tcp;
    Some(())
}

#[cfg(test)]
mod tests;
