//! Frames built field by field with checksums computed from scratch, as the reference for incremental
//! updates. For tests and benches: the feature `frames`.

use std::net::IpAddr;

use crate::checksum::{fold, sum};
use penstock_types::Mac;

/// A builder of one frame.
#[derive(Debug, Clone)]
pub struct Build {
    source_mac: Mac,
    destination_mac: Mac,
    /// VLAN tags in front of the EtherType.
    tags: Vec<u8>,
    source: IpAddr,
    destination: IpAddr,
    ttl: u8,
    traffic_class: u8,
    /// IPv6 only.
    flow_label: u32,
    /// IPv4 only.
    identification: u16,
    /// IPv4 options, or IPv6 extension headers with the number of the first.
    extra: (u8, Vec<u8>),
    fragment: u16,
    transport: Transport,
    payload: Vec<u8>,
    /// The checksum of the segment is left to a NIC.
    is_unfinished: bool,
}

#[derive(Debug, Clone)]
enum Transport {
    Tcp {
        source: u16,
        destination: u16,
        flags: u8,
        sequence: u32,
        acknowledgement: u32,
        window: u16,
        options: Vec<u8>,
    },
    Udp {
        source: u16,
        destination: u16,
        no_checksum: bool,
    },
    Icmp {
        kind: u8,
        code: u8,
        rest: [u8; 4],
    },
    Other {
        number: u8,
    },
}

/// A frame from one station to another, each a MAC and an IP address.
pub fn frame(source: (Mac, &str), destination: (Mac, &str)) -> Build {
    Build {
        source_mac: source.0,
        destination_mac: destination.0,
        tags: Vec::new(),
        source: source.1.parse().unwrap_or(IpAddr::from([0; 4])),
        destination: destination.1.parse().unwrap_or(IpAddr::from([0; 4])),
        ttl: 64,
        traffic_class: 0,
        flow_label: 0,
        identification: 7,
        extra: (0, Vec::new()),
        fragment: 0x4000,
        transport: Transport::Other { number: 59 },
        payload: b"penstock".to_vec(),
        is_unfinished: false,
    }
}

impl Build {
    /// Makes the transport a TCP segment. `flags` are the bits of [`crate::tcp::Flags`].
    pub fn tcp(mut self, source: u16, destination: u16, flags: u8) -> Self {
        let (sequence, acknowledgement, window, options) = (1, 2, 0x2000, Vec::new());
        self.transport =
            Transport::Tcp { source, destination, flags, sequence, acknowledgement, window, options };
        self
    }

    /// Sets sequence and acknowledgement number of a TCP segment.
    pub fn numbers(mut self, new_sequence: u32, new_acknowledgement: u32) -> Self {
        if let Transport::Tcp { sequence, acknowledgement, .. } = &mut self.transport {
            (*sequence, *acknowledgement) = (new_sequence, new_acknowledgement);
        }
        self
    }

    /// Sets the window of a TCP segment.
    pub fn window(mut self, new_window: u16) -> Self {
        if let Transport::Tcp { window, .. } = &mut self.transport {
            *window = new_window;
        }
        self
    }

    /// Sets the options of a TCP segment; their length is a multiple of four.
    pub fn tcp_options(mut self, bytes: &[u8]) -> Self {
        if let Transport::Tcp { options, .. } = &mut self.transport {
            *options = bytes.to_vec();
        }
        self
    }

    /// Makes the transport a UDP datagram.
    pub fn udp(mut self, source: u16, destination: u16) -> Self {
        self.transport = Transport::Udp { source, destination, no_checksum: false };
        self
    }

    /// Makes the transport a UDP datagram with a checksum field of zero (RFC 768: no checksum).
    pub fn udp_without_checksum(mut self, source: u16, destination: u16) -> Self {
        self.transport = Transport::Udp { source, destination, no_checksum: true };
        self
    }

    /// Makes the transport an ICMP or ICMPv6 message of type `kind` and code 0.
    pub fn icmp(mut self, kind: u8) -> Self {
        self.transport = Transport::Icmp { kind, code: 0, rest: [0x12, 0x34, 0, 1] };
        self
    }

    /// Makes the transport an ICMP error that quotes `quote`.
    pub fn icmp_error(mut self, kind: u8, code: u8, rest: [u8; 4], quote: &[u8]) -> Self {
        self.transport = Transport::Icmp { kind, code, rest };
        self.payload(quote)
    }

    /// Makes the transport protocol `number` with the payload alone.
    pub fn protocol(mut self, number: u8) -> Self {
        self.transport = Transport::Other { number };
        self
    }

    /// Sets the TTL or hop limit.
    pub fn ttl(mut self, ttl: u8) -> Self {
        self.ttl = ttl;
        self
    }

    /// Sets the source address.
    ///
    /// # Panics
    /// `address` is not an IP address.
    pub fn source(mut self, address: &str) -> Self {
        self.source = address.parse().expect("an address");
        self
    }

    /// Sets the destination address.
    ///
    /// # Panics
    /// `address` is not an IP address.
    pub fn destination(mut self, address: &str) -> Self {
        self.destination = address.parse().expect("an address");
        self
    }

    /// Decrements the TTL, as a router does.
    pub fn hop(mut self) -> Self {
        self.ttl -= 1;
        self
    }

    /// VLAN tags, each of an EtherType and a VLAN; the outermost comes first.
    pub fn tags(mut self, tags: &[(u16, u16)]) -> Self {
        self.tags =
            tags.iter().flat_map(|(kind, vlan)| [*kind, *vlan].map(u16::to_be_bytes).concat()).collect();
        self
    }

    /// Sets DSCP and ECN.
    pub fn traffic_class(mut self, class: u8) -> Self {
        self.traffic_class = class;
        self
    }

    /// Sets the flow label; IPv6 only.
    pub fn flow_label(mut self, label: u32) -> Self {
        self.flow_label = label;
        self
    }

    /// Sets the identification; IPv4 only.
    pub fn identification(mut self, identification: u16) -> Self {
        self.identification = identification;
        self
    }

    /// Sets the payload: the bytes behind the transport header.
    pub fn payload(mut self, bytes: &[u8]) -> Self {
        self.payload = bytes.to_vec();
        self
    }

    /// Sets IPv4 options; their length is a multiple of four.
    pub fn options(mut self, bytes: &[u8]) -> Self {
        self.extra = (0, bytes.to_vec());
        self
    }

    /// Sets IPv6 extension headers. `first` is the number of the first one; the byte at `patch` is the last
    /// one's next-header field and is set to the transport's number.
    pub fn extensions(mut self, first: u8, bytes: &[u8], patch: usize) -> Self {
        let mut bytes = bytes.to_vec();
        bytes[patch] = self.number();
        self.extra = (first, bytes);
        self
    }

    /// Sets IPv4 flags and fragment offset.
    pub fn fragment(mut self, field: u16) -> Self {
        self.fragment = field;
        self
    }

    fn number(&self) -> u8 {
        match self.transport {
            Transport::Tcp { .. } => 6,
            Transport::Udp { .. } => 17,
            Transport::Icmp { .. } if self.source.is_ipv4() => 1,
            Transport::Icmp { .. } => 58,
            Transport::Other { number } => number,
        }
    }

    /// The sum of the pseudo-header where the checksum should be, as a sender leaves it to its NIC.
    pub fn unfinished(mut self) -> Self {
        self.is_unfinished = true;
        self
    }

    /// The IP packet alone.
    pub fn packet(&self) -> Vec<u8> {
        self.build().split_off(14 + self.tags.len())
    }

    /// The frame's bytes.
    ///
    /// # Panics
    /// Source and destination are of two address families.
    pub fn build(&self) -> Vec<u8> {
        let segment = self.segment();
        let mut bytes = [&self.destination_mac.0[..], &self.source_mac.0, &self.tags].concat();
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                bytes.extend(0x0800_u16.to_be_bytes());
                let header = 20 + self.extra.1.len();
                let total = u16::try_from(header + segment.len()).unwrap_or(u16::MAX).to_be_bytes();
                let first = 0x40 | u8::try_from(header / 4).unwrap_or(15);
                let mut ip = vec![first, self.traffic_class, total[0], total[1]];
                ip.extend([self.identification, self.fragment].map(u16::to_be_bytes).concat());
                ip.extend([self.ttl, self.number(), 0, 0]);
                ip.extend([source.octets(), destination.octets()].concat());
                ip.extend(&self.extra.1);
                let checksum = !fold(sum(0, &ip));
                ip[10..12].copy_from_slice(&checksum.to_be_bytes());
                bytes.extend(ip);
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                bytes.extend(0x86dd_u16.to_be_bytes());
                let length =
                    u16::try_from(self.extra.1.len() + segment.len()).unwrap_or(u16::MAX).to_be_bytes();
                let next = if self.extra.1.is_empty() { self.number() } else { self.extra.0 };
                let first = 6 << 28 | u32::from(self.traffic_class) << 20 | self.flow_label;
                bytes.extend(first.to_be_bytes());
                bytes.extend([length[0], length[1], next, self.ttl]);
                bytes.extend([source.octets(), destination.octets()].concat());
                bytes.extend(&self.extra.1);
            }
            _ => panic!("source and destination are of two families"),
        }
        bytes.extend(segment);
        bytes
    }

    fn segment(&self) -> Vec<u8> {
        let (mut segment, at) = match self.transport {
            Transport::Tcp { source, destination, flags, sequence, acknowledgement, window, ref options } => {
                let mut segment = [source, destination].map(u16::to_be_bytes).concat();
                segment.extend([sequence, acknowledgement].map(u32::to_be_bytes).concat());
                let words = u8::try_from(5 + options.len() / 4).unwrap_or(15);
                segment.extend([words << 4, flags]);
                segment.extend([window, 0, 0].map(u16::to_be_bytes).concat());
                segment.extend(options);
                (segment, Some(16))
            }
            Transport::Udp { source, destination, no_checksum } => {
                let length = u16::try_from(8 + self.payload.len()).unwrap_or(u16::MAX);
                let words = [source, destination, length, 0].map(u16::to_be_bytes);
                (words.concat(), (!no_checksum).then_some(6))
            }
            Transport::Icmp { kind, code, rest } => ([[kind, code, 0, 0], rest].concat(), Some(2)),
            Transport::Other { .. } => (Vec::new(), None),
        };
        segment.extend(&self.payload);
        if let Some(at) = at {
            let checksum = match !fold(sum(self.pseudo_header(segment.len()), &segment)) {
                0 if self.number() == 17 => 0xffff,
                checksum => checksum,
            };
            let checksum =
                if self.is_unfinished { fold(self.pseudo_header(segment.len())) } else { checksum };
            segment[at..at + 2].copy_from_slice(&checksum.to_be_bytes());
        }
        segment
    }

    fn pseudo_header(&self, length: usize) -> u64 {
        let addresses = match (self.source, self.destination) {
            _ if self.number() == 1 => return 0,
            (IpAddr::V4(a), IpAddr::V4(b)) => sum(sum(0, &a.octets()), &b.octets()),
            (IpAddr::V6(a), IpAddr::V6(b)) => sum(sum(0, &a.octets()), &b.octets()),
            _ => 0,
        };
        addresses + u64::from(self.number()) + length as u64
    }
}
