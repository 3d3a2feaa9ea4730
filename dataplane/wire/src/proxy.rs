//! The PROXY protocol (HAProxy's `proxy-protocol.txt`): a header at the start of a stream that names the
//! client to the backend. Version 1 is text (section 2.1), version 2 binary (section 2.2).

use std::fmt::{self, Write};
use std::net::{Ipv6Addr, SocketAddr};

/// The longest version 1 header in bytes: two IPv6 addresses and ports in full.
pub const MAX_V1: usize = 104;

/// The longest version 2 header in bytes: signature, four bytes, two IPv6 addresses and ports.
pub const MAX_V2: usize = 52;

const MAX_LENGTH: usize = MAX_V1;

const _: () = assert!(MAX_V2 <= MAX_LENGTH);

/// The first twelve bytes of every version 2 header.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// Version 2, command PROXY.
const VERSION_AND_COMMAND: u8 = 0x21;

/// Address family and SOCK_STREAM, because the header precedes a TCP stream.
mod family {
    pub(super) const UNSPECIFIED: u8 = 0x00;
    pub(super) const TCP4: u8 = 0x11;
    pub(super) const TCP6: u8 = 0x21;
}

/// A header that precedes the client's first byte.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ProxyHeader {
    bytes: [u8; MAX_LENGTH],
    length: u8,
}

impl ProxyHeader {
    const EMPTY: Self = Self { bytes: [0; MAX_LENGTH], length: 0 };

    /// Version 1. Ends of two address families are encoded as UNKNOWN, which backends read as "no address".
    pub fn v1(client: SocketAddr, vip: SocketAddr) -> Self {
        let mut header = Self::EMPTY;
        let ports = (client.port(), vip.port());
        // Writing fails when the header is full, which MAX_LENGTH rules out.
        let _ = match (client, vip) {
            (SocketAddr::V4(client), SocketAddr::V4(vip)) => {
                write!(header, "PROXY TCP4 {} {} {} {}\r\n", client.ip(), vip.ip(), ports.0, ports.1)
            }
            (SocketAddr::V6(client), SocketAddr::V6(vip)) => {
                let (client, vip) = (Groups(*client.ip()), Groups(*vip.ip()));
                write!(header, "PROXY TCP6 {client} {vip} {} {}\r\n", ports.0, ports.1)
            }
            _ => header.write_str("PROXY UNKNOWN\r\n"),
        };
        header
    }

    /// Version 2 without TLVs. Ends of two address families are encoded as AF_UNSPEC.
    pub fn v2(client: SocketAddr, vip: SocketAddr) -> Self {
        let mut header = Self::EMPTY;
        header.push(&SIGNATURE);
        match (client, vip) {
            (SocketAddr::V4(client), SocketAddr::V4(vip)) => {
                header.push(&[VERSION_AND_COMMAND, family::TCP4, 0, 12]);
                header.push(&client.ip().octets());
                header.push(&vip.ip().octets());
            }
            (SocketAddr::V6(client), SocketAddr::V6(vip)) => {
                header.push(&[VERSION_AND_COMMAND, family::TCP6, 0, 36]);
                header.push(&client.ip().octets());
                header.push(&vip.ip().octets());
            }
            _ => {
                header.push(&[VERSION_AND_COMMAND, family::UNSPECIFIED, 0, 0]);
                return header;
            }
        }
        header.push(&client.port().to_be_bytes());
        header.push(&vip.port().to_be_bytes());
        header
    }

    /// The header's bytes.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or(&self.bytes)
    }

    /// Appends `bytes`; `false` without a change: they do not fit.
    fn push(&mut self, bytes: &[u8]) -> bool {
        let free = self.bytes.get_mut(usize::from(self.length)..).unwrap_or_default();
        let Some(place) = free.get_mut(..bytes.len()) else { return false };
        place.copy_from_slice(bytes);
        #[expect(clippy::cast_possible_truncation, reason = "at most MAX_LENGTH")]
        {
            self.length += bytes.len() as u8;
        }
        true
    }
}

impl Write for ProxyHeader {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.push(text.as_bytes()) { Ok(()) } else { Err(fmt::Error) }
    }
}

impl fmt::Debug for ProxyHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.bytes().escape_ascii())
    }
}

/// An address in hexadecimal groups. The usual text of a mapped IPv4 address has a dotted part, which
/// version 1 does not allow.
struct Groups(Ipv6Addr);

impl fmt::Display for Groups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, rest @ ..] = self.0.segments();
        write!(f, "{first:x}")?;
        rest.iter().try_for_each(|group| write!(f, ":{group:x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header(make: fn(SocketAddr, SocketAddr) -> ProxyHeader, client: &str, vip: &str) -> ProxyHeader {
        make(client.parse().unwrap(), vip.parse().unwrap())
    }

    #[test]
    fn version_1_is_the_line_of_section_2_1() {
        for (client, vip, line) in [
            ("192.168.0.1:56324", "192.168.0.11:443", "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n"),
            (
                "255.255.255.255:65535",
                "255.255.255.255:65535",
                "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
            ),
            ("[2001:db8::1]:1", "[::]:80", "PROXY TCP6 2001:db8:0:0:0:0:0:1 0:0:0:0:0:0:0:0 1 80\r\n"),
            (
                "[::ffff:10.0.0.1]:1",
                "[fd00::2]:80",
                "PROXY TCP6 0:0:0:0:0:ffff:a00:1 fd00:0:0:0:0:0:0:2 1 80\r\n",
            ),
        ] {
            assert_eq!(
                header(ProxyHeader::v1, client, vip).bytes().escape_ascii().to_string(),
                line.escape_default().to_string()
            );
        }
        let longest = "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535";
        let longest = header(ProxyHeader::v1, longest, longest);
        assert_eq!(longest.bytes().len(), MAX_V1);
        assert!(longest.bytes().ends_with(b" 65535 65535\r\n"));
    }

    #[test]
    fn version_2_is_laid_out_as_in_section_2_2() {
        let v4 = header(ProxyHeader::v2, "192.0.2.7:40112", "10.0.0.100:443");
        let expected = [
            &b"\x0d\x0a\x0d\x0a\x00\x0d\x0a\x51\x55\x49\x54\x0a"[..],
            &[0x21, 0x11, 0, 12, 192, 0, 2, 7, 10, 0, 0, 100, 0x9c, 0xb0, 0x01, 0xbb],
        ];
        assert_eq!(v4.bytes(), expected.concat());
        let v6 = header(ProxyHeader::v2, "[2001:db8::7]:1", "[fd00::64]:2");
        let mut expected = b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24".to_vec();
        expected.extend([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]);
        expected.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x64, 0, 1, 0, 2]);
        assert_eq!(v6.bytes(), expected);
        assert_eq!(v6.bytes().len(), MAX_V2);
    }

    #[test]
    fn ends_of_two_families_are_unknown() {
        let (client, vip) = ("192.0.2.7:1", "[fd00::64]:2");
        assert_eq!(header(ProxyHeader::v1, client, vip).bytes(), b"PROXY UNKNOWN\r\n");
        let v2 = header(ProxyHeader::v2, client, vip);
        assert_eq!(v2.bytes(), b"\r\n\r\n\0\r\nQUIT\n\x21\0\0\0");
    }

    proptest! {
        #[test]
        fn a_receiver_reads_what_was_sent(client: SocketAddr, vip: SocketAddr) {
            let header = ProxyHeader::v1(client, vip);
            let line = std::str::from_utf8(header.bytes()).unwrap().strip_suffix("\r\n").unwrap();
            let words: Vec<_> = line.split(' ').collect();
            match words[..] {
                ["PROXY", "TCP4" | "TCP6", source, destination, port, vip_port] => {
                    prop_assert_eq!(source.parse(), Ok(client.ip()));
                    prop_assert_eq!(destination.parse(), Ok(vip.ip()));
                    prop_assert_eq!((port.parse(), vip_port.parse()), (Ok(client.port()), Ok(vip.port())));
                }
                _ => prop_assert!(client.is_ipv4() != vip.is_ipv4(), "{}", line),
            }
        }
    }
}
