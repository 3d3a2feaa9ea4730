//! What workers have dropped, in words.

use dataplane::snapshot::{Endpoint, Snapshot};
use dataplane::trace::{Detail, Ends, ends};
use dataplane::types::{Mac, Port, Protocol};
use dataplane::{DropReason, Recorded};

use super::Supervisor;
use crate::api::request::Refusal;
use crate::api::view::{Dropped, DroppedFrame};

/// Bytes shown of a frame without an IP packet, or without one that can be read: more than ARP has.
const UNKNOWN: usize = 60;

/// Frames shown of a reason; each worker has a few.
const SHOWN: usize = 16;

impl Supervisor {
    pub(super) fn drops(&self, code: Option<&str>) -> Result<Vec<Dropped>, Refusal> {
        let wanted: Vec<_> = match code {
            None => DropReason::ALL.to_vec(),
            Some(code) => vec![reason(code)?],
        };
        let (workers, snapshot) = (self.dataplane.workers(), self.dataplane.snapshot());
        let of = |reason: DropReason| Dropped {
            code: reason.code().to_owned(),
            count: workers.iter().map(|worker| worker.drops[reason.index()]).sum(),
            meaning: reason.meaning().to_owned(),
            frames: self
                .dataplane
                .recorded(reason)
                .iter()
                .take(SHOWN)
                .map(|frame| self.dropped_frame(frame, &snapshot))
                .collect(),
        };
        Ok(wanted.into_iter().map(of).collect())
    }

    fn dropped_frame(&self, recorded: &Recorded, snapshot: &Snapshot) -> DroppedFrame {
        let ends = ends(&recorded.bytes);
        let service = ends.and_then(|ends| self.service_of(&ends, snapshot));
        let interface = recorded.ingress.map(|id| self.interface_name(id));
        DroppedFrame { interface, service, ..in_words(recorded, ends.as_ref()) }
    }

    /// Whose a packet is by what it says: that of its destination, or, of a reply that was translated, of its source.
    fn service_of(&self, ends: &Ends, snapshot: &Snapshot) -> Option<String> {
        let (source_port, destination_port) = ends.ports?;
        let protocols = [Protocol::Tcp, Protocol::Udp];
        let protocol = protocols.into_iter().find(|protocol| protocol.number() == ends.protocol)?;
        let of = |address, port| snapshot.endpoints.get(&Endpoint { address, protocol, port: Port(port) });
        let (source, destination) = ends.addresses;
        let id = of(destination, destination_port).or_else(|| of(source, source_port))?;
        // A snapshot's services are those of the configuration, in its order.
        Some(self.config.services.get(id.index())?.name.clone())
    }
}

/// The reason with that code.
pub(super) fn reason(code: &str) -> Result<DropReason, Refusal> {
    let found = DropReason::ALL.iter().copied().find(|reason| reason.code() == code);
    found.ok_or_else(|| {
        let near = DropReason::ALL.iter().map(|reason| reason.code());
        let near =
            near.max_by(|a, b| strsim::jaro_winkler(a, code).total_cmp(&strsim::jaro_winkler(b, code)));
        let near = near.map(|near| format!(", the nearest is {near}")).unwrap_or_default();
        Refusal::not_found(format!(
            "no reason for a drop is called {code:?}{near}: `penstock drops` lists them"
        ))
    })
}

fn in_words(recorded: &Recorded, ends: Option<&Ends>) -> DroppedFrame {
    let bytes = &recorded.bytes;
    let (source, destination, protocol, detail, vlan) = match ends {
        Some(ends) => {
            let (source, destination) = ends.addresses;
            let ports = ends.ports.map_or((None, None), |(from, to)| (Some(from), Some(to)));
            let detail = detail(ends.detail);
            let names = (end(source, ports.0), end(destination, ports.1));
            (names.0, names.1, protocol(ends.protocol), detail, ends.vlan.0)
        }
        None => (mac(bytes, 6), mac(bytes, 0), ethertype(bytes), None, 0),
    };
    let headers = ends.map_or(UNKNOWN, |ends| ends.headers);
    let shown = bytes.iter().enumerate().map(|(place, byte)| if place < headers { *byte } else { 0 });
    DroppedFrame {
        seconds_ago: recorded.age.as_secs_f64(),
        interface: None,
        service: None,
        source,
        destination,
        protocol,
        detail,
        vlan,
        length: recorded.length,
        frame: shown.map(|byte| format!("{byte:02x}")).collect(),
    }
}

fn end(address: std::net::IpAddr, port: Option<u16>) -> String {
    port.map_or_else(|| address.to_string(), |port| std::net::SocketAddr::new(address, port).to_string())
}

fn protocol(number: u8) -> String {
    match number {
        1 => "icmp".to_owned(),
        6 => "tcp".to_owned(),
        17 => "udp".to_owned(),
        58 => "icmpv6".to_owned(),
        other => other.to_string(),
    }
}

/// In the order of the bits (RFC 9293 section 3.1).
const FLAGS: [&str; 8] = ["fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr"];

fn detail(detail: Detail) -> Option<String> {
    match detail {
        Detail::None => None,
        Detail::Flags(flags) => {
            let set = (0..).zip(FLAGS).filter(|(bit, _)| flags >> bit & 1 == 1).map(|(_, name)| name);
            let set: Vec<_> = set.collect();
            Some(if set.is_empty() { "no flags".to_owned() } else { set.join(",") })
        }
        Detail::Message(kind, code) => Some(format!("type {kind} code {code}")),
        Detail::LaterFragment => Some("later fragment".to_owned()),
    }
}

fn mac(bytes: &[u8], at: usize) -> String {
    let mac = bytes.get(at..).and_then(<[u8]>::first_chunk);
    mac.map_or_else(|| "?".to_owned(), |mac| Mac(*mac).to_string())
}

fn ethertype(bytes: &[u8]) -> String {
    let kind = bytes.get(12..).and_then(<[u8]>::first_chunk);
    kind.map_or_else(|| "?".to_owned(), |kind| format!("0x{:04x}", u16::from_be_bytes(*kind)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use dataplane::types::InterfaceId;
    use std::time::Duration;

    fn line(bytes: &[u8]) -> (String, String, String, Option<String>, u16) {
        let recorded = Recorded {
            reason: DropReason::NoBackend,
            age: Duration::from_millis(1500),
            ingress: Some(InterfaceId(0)),
            length: 1514,
            bytes: bytes.to_vec(),
        };
        let frame = in_words(&recorded, ends(bytes).as_ref());
        assert_eq!((frame.seconds_ago, frame.length), (1.5, 1514));
        assert!(frame.frame.starts_with("0200000000b0"), "{}", frame.frame);
        (frame.source, frame.destination, frame.protocol, frame.detail, frame.vlan)
    }

    /// The Ethernet header with what follows, and an IPv4 header of a packet from 10.0.0.2 to 10.0.0.100.
    fn packet(link: &[u8], fragment: [u8; 2], protocol: u8, rest: &[u8]) -> Vec<u8> {
        let macs = [2, 0, 0, 0, 0, 0xb0, 2, 0, 0, 0, 0, 2];
        let ip = [0x45, 0, 5, 0xdc, 0, 1, fragment[0], fragment[1], 64, protocol, 0, 0];
        [&macs[..], link, &ip, &[10, 0, 0, 2, 10, 0, 0, 100], rest].concat()
    }

    #[test]
    fn a_dropped_frame_is_told_in_words_even_if_its_end_is_missing() {
        let says = |source: &str, destination: &str, protocol: &str, detail: Option<&str>, vlan| {
            let detail = detail.map(str::to_owned);
            (source.to_owned(), destination.to_owned(), protocol.to_owned(), detail, vlan)
        };
        let tcp = [0x9c, 0xb8, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x12];
        let ends = ("10.0.0.2:40120", "10.0.0.100:80");
        let whole = packet(&[8, 0], [0, 0], 6, &tcp);
        assert_eq!(line(&whole), says(ends.0, ends.1, "tcp", Some("syn,ack"), 0));
        let tagged = packet(&[0x81, 0, 0, 7, 8, 0], [0, 0], 17, &tcp);
        assert_eq!(line(&tagged), says(ends.0, ends.1, "udp", None, 7));
        let hosts = ("10.0.0.2", "10.0.0.100");
        let later = packet(&[8, 0], [0, 185], 6, &tcp);
        assert_eq!(line(&later), says(hosts.0, hosts.1, "tcp", Some("later fragment"), 0));
        let echo = packet(&[8, 0], [0, 0], 1, &[8, 0]);
        assert_eq!(line(&echo), says(hosts.0, hosts.1, "icmp", Some("type 8 code 0"), 0));
        let macs = ("02:00:00:00:00:02", "02:00:00:00:00:b0");
        assert_eq!(line(&whole[..30]), says(macs.0, macs.1, "0x0800", None, 0), "no whole header");
        assert_eq!(line(&whole[..7]), says("?", macs.1, "?", None, 0));
    }

    /// Whoever may look at the box is not thereby one who may read what its clients say.
    #[test]
    fn what_is_behind_a_frames_headers_is_not_shown() {
        let shown = |frame: &[u8]| {
            let recorded = Recorded {
                reason: DropReason::NoBackend,
                age: Duration::ZERO,
                ingress: None,
                length: 1514,
                bytes: frame.to_vec(),
            };
            let shown = in_words(&recorded, ends(frame).as_ref()).frame;
            assert_eq!(shown.len(), frame.len() * 2, "as long as it was: `trace --hex` takes it");
            let zeros = shown.bytes().rev().take_while(|digit| *digit == b'0').count();
            (shown.len() - zeros).div_ceil(2)
        };
        let secret = [b's'; 60];
        let with = |fragment, protocol, header: &[u8]| {
            packet(&[8, 0], fragment, protocol, &[header, &secret].concat())
        };
        let tcp = |words: u8| [&[0; 12][..], &[words << 4], &vec![7; usize::from(words) * 4 - 13]].concat();
        assert_eq!(shown(&with([0, 0], 6, &tcp(5))), 34 + 20);
        assert_eq!(shown(&with([0, 0], 6, &tcp(8))), 34 + 32);
        assert_eq!(shown(&with([0, 0], 17, &[7; 8])), 34 + 8);
        assert_eq!(shown(&with([0, 0], 1, &[8, 0, 7, 7, 7, 7, 7, 7])), 34 + 8, "an echo request");
        assert_eq!(shown(&with([0, 0], 1, &[3, 4, 0, 0, 0, 0, 0, 0])), 34 + 8 + 28, "quotes");
        assert_eq!(shown(&with([0, 185], 6, &[])), 34, "a later fragment");
        assert_eq!(shown(&with([0, 0], 6, &tcp(5))[..50]), 50, "cut within a header");
        assert_eq!(shown(&packet(&[0x88, 0xcc], [0, 0], 6, &secret)), UNKNOWN);
    }

    #[test]
    fn a_code_that_is_not_there_is_answered_with_the_nearest() {
        assert_eq!(reason("no-backend"), Ok(DropReason::NoBackend));
        let refusal = reason("no-backends").unwrap_err();
        assert!(refusal.message.contains("the nearest is no-backend"), "{}", refusal.message);
    }
}
