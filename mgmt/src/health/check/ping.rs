//! An echo request is answered (RFC 792, RFC 4443 section 4).

use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};

use socket2::{Protocol, Type};
use tokio::net::UdpSocket;

use super::Target;
use super::socket::{failed, not_opened, open};
use crate::health::tracker::Outcome;
use crate::net::frame::checksum;

/// Type, code, checksum, identifier, sequence number.
const HEADER: usize = 8;
const TEXT: &[u8] = b"penstock";

/// Identifier and sequence number of the next request of any check.
static NEXT: AtomicU32 = AtomicU32::new(1);

pub(super) async fn run(target: &Target) -> Result<Outcome, Outcome> {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let is_v4 = target.address.is_ipv4();
    let socket = || {
        let protocol = if is_v4 { Protocol::ICMPV4 } else { Protocol::ICMPV6 };
        // To tokio, a raw socket is as good as one for datagrams: both send and receive whole packets.
        UdpSocket::from_std(open(target, Type::RAW, protocol)?.into())
    };
    let socket = socket().map_err(|error| not_opened(target, error))?;
    // Connected: the kernel hands over what comes from this host alone.
    socket.connect((target.address, 0)).await.map_err(failed)?;
    socket.send(&request(target.address, number)).await.map_err(failed)?;
    let mut buffer = [0; 1024];
    loop {
        let length = socket.recv(&mut buffer).await.map_err(failed)?;
        if is_reply(target.address, number, &buffer[..length]) {
            return Ok(Outcome::pass("echo reply"));
        }
    }
}

/// An echo request with this number.
#[must_use]
pub fn request(to: IpAddr, number: u32) -> Vec<u8> {
    let kind = if to.is_ipv4() { 8 } else { 128 };
    let mut packet = vec![kind, 0, 0, 0];
    packet.extend_from_slice(&number.to_be_bytes());
    packet.extend_from_slice(TEXT);
    // Of ICMPv6 the kernel computes it (RFC 3542 section 3.1).
    if to.is_ipv4() {
        let sum = checksum(&[&packet]).to_be_bytes();
        packet[2..4].copy_from_slice(&sum);
    }
    packet
}

/// Whether a packet is the reply to the request with this number. Of IPv4, raw sockets see the header, too.
#[must_use]
pub fn is_reply(from: IpAddr, number: u32, packet: &[u8]) -> bool {
    let message = match from {
        IpAddr::V4(_) => {
            let header = packet.first().map_or(0, |byte| usize::from(byte & 0x0f) * 4);
            packet.get(header..).unwrap_or_default()
        }
        IpAddr::V6(_) => packet,
    };
    let kind = if from.is_ipv4() { 0 } else { 129 };
    message.len() >= HEADER
        && message[..2] == [kind, 0]
        && message[4..HEADER] == number.to_be_bytes()
        && message[HEADER..].starts_with(TEXT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_known_by_its_kind_and_number() {
        let to: IpAddr = "10.0.1.11".parse().unwrap();
        let asked = request(to, 0x1234_5678);
        assert_eq!(checksum(&[&asked]), 0, "the sum over all is zero where the checksum is right");
        let header = [[0x45_u8; 1].as_slice(), &[0; 19]].concat();
        let mut reply = [header, asked.clone()].concat();
        assert!(!is_reply(to, 0x1234_5678, &reply), "it is the request");
        reply[20] = 0;
        assert!(is_reply(to, 0x1234_5678, &reply));
        assert!(!is_reply(to, 0x1234_5679, &reply));
        assert!(!is_reply(to, 0x1234_5678, &reply[..24]));
        let to: IpAddr = "fd00::1".parse().unwrap();
        let mut reply = request(to, 7);
        reply[0] = 129;
        assert!(is_reply(to, 7, &reply) && !is_reply(to, 7, &[]));
    }
}
