//! One-arm mode tells backends who their clients are: PROXY headers in front of the stream, with all
//! numbers of the rest of it shifted, and the client's address as an option.

use super::way::{CLIENT_PORT, Way, one_arm};
use super::*;
use crate::snapshot::ClientAddress::{self, ProxyV1, ProxyV2, Toa};
use Protocol::Tcp;

/// The client's first number, and the server's.
const CLIENT_START: u32 = 0xffff_fff0;
const SERVER_START: u32 = 0x7fff_fff0;

/// Between which families.
const FAMILIES: [(bool, bool); 4] = [(false, false), (true, true), (false, true), (true, false)];

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (client_v6, server_v6) in FAMILIES {
        let way = |how| Way { how: one_arm(server_v6, how), client_v6, server_v6 };
        for how in [ProxyV1, ProxyV2] {
            let stream = Stream { way: way(how), header: header(how, client_v6) };
            cases.extend([stream.told(), stream.lost(), stream.ended(), stream.refused(), stream.whole()]);
        }
        let stream = Stream { way: way(Toa), header: option(client_v6) };
        cases.extend([stream.with_an_option(), stream.without_room()]);
    }
    cases
}

/// The header of the protocol's text, for the tables' client and VIP.
fn header(how: ClientAddress, v6: bool) -> Vec<u8> {
    let line: &[u8] = match v6 {
        false => b"PROXY TCP4 10.0.0.2 10.0.0.102 40000 80\r\n",
        true => b"PROXY TCP6 fd00:0:0:0:0:0:0:2 fd00:0:0:0:0:0:0:102 40000 80\r\n",
    };
    if how == ProxyV1 {
        return line.to_vec();
    }
    let mut binary = b"\r\n\r\n\0\r\nQUIT\n\x21".to_vec();
    if v6 {
        binary.extend([0x21, 0, 36]);
        binary.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
        binary.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2]);
    } else {
        binary.extend([0x11, 0, 12, 10, 0, 0, 2, 10, 0, 0, 102]);
    }
    binary.extend([CLIENT_PORT, 80].map(u16::to_be_bytes).concat());
    binary
}

/// The option as LVS has it: kind, length, port, address.
fn option(v6: bool) -> Vec<u8> {
    let [high, low] = CLIENT_PORT.to_be_bytes();
    if v6 {
        let address = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
        [&[254, 20, high, low][..], &address].concat()
    } else {
        vec![254, 8, high, low, 10, 0, 0, 2]
    }
}

/// A segment by its place in the streams, counted from their first bytes.
#[derive(Debug, Clone)]
struct Segment {
    flags: u8,
    sequence: i64,
    acknowledged: i64,
    options: Vec<u8>,
    data: Vec<u8>,
}

fn segment(flags: u8, sequence: i64, acknowledged: i64, data: &[u8]) -> Segment {
    Segment { flags, sequence, acknowledged, options: Vec::new(), data: data.to_vec() }
}

impl Segment {
    fn options(self, options: &[u8]) -> Self {
        Self { options: options.to_vec(), ..self }
    }

    /// Of the client, or of the server.
    fn build(&self, build: Build, source: u16, destination: u16, client: bool) -> Build {
        let (own, other) =
            if client { (CLIENT_START, SERVER_START) } else { (SERVER_START, CLIENT_START) };
        let at = |start: u32, place: i64| {
            u32::try_from((i64::from(start) + 1 + place).rem_euclid(1 << 32)).expect("a number")
        };
        let acknowledged = if self.flags & ACK == 0 { 0 } else { at(other, self.acknowledged) };
        build
            .tcp(source, destination, self.flags)
            .numbers(at(own, self.sequence), acknowledged)
            .tcp_options(&self.options)
            .payload(&self.data)
    }
}

/// The client's SYN, announcing 1460 bytes.
fn syn() -> Segment {
    segment(SYN, -1, 0, b"").options(&[2, 4, 5, 0xb4])
}

fn syn_ack(mss: u16) -> Segment {
    let [high, low] = mss.to_be_bytes();
    segment(SYN_ACK, -1, 0, b"").options(&[2, 4, high, low])
}

/// Edges of a block of the client's stream, behind two bytes of filling.
fn sack(left: i64, right: i64) -> Vec<u8> {
    let edge = |place: i64| {
        let number = (i64::from(CLIENT_START) + 1 + place).rem_euclid(1 << 32);
        u32::try_from(number).expect("a number").to_be_bytes()
    };
    [&[1, 1, 5, 10][..], &edge(left), &edge(right)].concat()
}

/// A flow, and what its backend is told.
#[derive(Debug)]
struct Stream {
    way: Way,
    header: Vec<u8>,
}

impl Stream {
    fn shift(&self) -> i64 {
        i64::try_from(self.header.len()).expect("short")
    }

    /// A segment of the client, and what it is for the server.
    fn client(&self, name: &'static str, before: &Segment, behind: &Segment) -> Row {
        let moves = if before.flags == SYN { Moves::OPENS } else { Moves::INWARD };
        self.way.inward_changed(
            name,
            (Tcp, moves),
            |b, s, d| before.build(b, s, d, true),
            |b, s, d| behind.build(b, s, d, true),
        )
    }

    fn server(&self, name: &'static str, before: &Segment, behind: &Segment) -> Row {
        self.way.outward_changed(
            name,
            Tcp,
            |b, s, d| before.build(b, s, d, false),
            |b, s, d| behind.build(b, s, d, false),
        )
    }

    /// A segment of the client with the header put in front.
    fn introduced(&self, name: &'static str, before: &Segment) -> Row {
        let data = [&self.header[..], &before.data].concat();
        self.client(name, before, &Segment { data, ..before.clone() })
    }

    /// A segment of the client behind the header.
    fn shifted(&self, name: &'static str, before: &Segment) -> Row {
        let sequence = before.sequence + self.shift();
        self.client(name, before, &Segment { sequence, ..before.clone() })
    }

    fn handshake(&self) -> Vec<Row> {
        let room = u16::try_from(1460 - self.shift()).expect("a size");
        vec![
            self.client("SYN", &syn(), &syn()),
            self.server("SYN-ACK: the first segment has room left", &syn_ack(1460), &syn_ack(room)),
            self.introduced("the last ACK", &segment(ACK, 0, 0, b"")),
        ]
    }

    fn case(&self, what: &str, rows: Vec<Row>) -> Case {
        Case::new(format!("{}: {what}", self.way.name()), self.way.snapshot(), rows)
    }

    fn told(&self) -> Case {
        let n = self.shift();
        let get = segment(ACK, 0, 0, b"GET");
        let mut rows = self.handshake();
        rows.extend([
            self.introduced("first data", &get),
            self.server("the header alone", &segment(ACK, 0, n, b""), &segment(ACK, 0, 0, b"")),
            self.shifted("first data again", &get),
            self.server("all of it", &segment(ACK, 0, n + 3, b"OK"), &segment(ACK, 0, 3, b"OK")),
            self.shifted("more data", &segment(ACK, 3, 2, b"odd")),
            self.shifted("data behind a hole", &segment(ACK, 9, 2, b"even")),
            self.server(
                "a selective acknowledgement",
                &segment(ACK, 2, n + 6, b"").options(&sack(n + 9, n + 13)),
                &segment(ACK, 2, 6, b"").options(&sack(9, 13)),
            ),
            self.server("FIN of the server", &segment(FIN_ACK, 2, n + 13, b""), &segment(FIN_ACK, 2, 13, b"")),
            self.shifted("FIN of the client", &segment(FIN_ACK, 13, 3, b"")),
            self.server("its end", &segment(ACK, 3, n + 14, b""), &segment(ACK, 3, 14, b"")),
        ]);
        self.case("a connection with a header", rows)
    }

    /// The header is lost, and is sent again with whatever begins where the stream begins.
    fn lost(&self) -> Case {
        let n = self.shift();
        let get = segment(ACK, 0, 0, b"GET");
        let mut rows = self.handshake();
        rows.extend([
            self.introduced("first data", &get),
            self.shifted("second data", &segment(ACK, 3, 0, b"more")),
            self.server(
                "the first is missing",
                &segment(ACK, 0, 0, b"").options(&sack(n + 3, n + 7)),
                &segment(ACK, 0, 0, b"").options(&sack(3, 7)),
            ),
            self.introduced("first data again", &get),
            self.server("a part of the header", &segment(ACK, 0, n - 1, b""), &segment(ACK, 0, 0, b"")),
            self.introduced("first data a third time", &get),
            self.server("all of it", &segment(ACK, 0, n + 7, b""), &segment(ACK, 0, 7, b"")),
            self.shifted("first data, come late", &get),
            self.server(
                "which it had",
                &segment(ACK, 0, n + 7, b"").options(&sack(n, n + 3)),
                &segment(ACK, 0, 7, b"").options(&sack(0, 3)),
            ),
        ]);
        self.case("a header that is lost", rows)
    }

    fn ended(&self) -> Case {
        let n = self.shift();
        let mut rows = self.handshake();
        rows.extend([
            self.introduced("FIN right after the handshake", &segment(FIN_ACK, 0, 0, b"")),
            self.server("its end", &segment(ACK, 0, n + 1, b""), &segment(ACK, 0, 1, b"")),
            self.shifted("RST of the client", &segment(RST, 1, 0, b"")),
            self.server("RST of the server", &segment(RST, 0, 0, b""), &segment(RST, 0, 0, b"")),
        ]);
        self.case("a connection without data", rows)
    }

    fn refused(&self) -> Case {
        let data = segment(SYN, -1, 0, b"early");
        let (frame, reason) = (data.build(self.way.ask(), CLIENT_PORT, 80, true).build(), DropReason::SynWithData);
        let rows = vec![
            Row::drops("SYN with data", ETH0, frame, reason).moving(Moves::CREATES),
            Row { moves: Moves::INWARD, ..self.client("SYN again, without", &syn(), &syn()) },
        ];
        self.case("data that would overtake the header", rows)
    }

    /// A first segment as long as the client may make it has room for the header; a longer one has not.
    fn whole(&self) -> Case {
        let headers = if self.way.server_v6 { 60 } else { 40 };
        let room = usize::try_from(1500 - headers - self.shift()).expect("room");
        let fits = segment(ACK, 0, 0, &vec![7; room]);
        let long = segment(ACK, 0, 0, &vec![7; room + 1]);
        let frame = long.build(self.way.ask(), CLIENT_PORT, 80, true).build();
        let mut rows = self.handshake();
        rows.push(self.introduced("as long as may be", &fits));
        rows.push(Row::drops("longer", ETH0, frame, DropReason::TooLong));
        self.case("a first segment of full length", rows)
    }

    fn with_an_option(&self) -> Case {
        let carrying = |name, before: &Segment| {
            let options = [&self.header[..], &before.options].concat();
            self.client(name, before, &Segment { options, ..before.clone() })
        };
        let as_it_is = |name, segment: &Segment| self.client(name, segment, segment);
        let server = |name, segment: &Segment| self.server(name, segment, segment);
        let timestamps = [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2];
        let rows = vec![
            as_it_is("SYN", &syn()),
            server("SYN-ACK", &syn_ack(1460)),
            carrying("the last ACK", &segment(ACK, 0, 0, b"")),
            carrying("first data", &segment(ACK, 0, 0, b"GET").options(&timestamps)),
            server("its acknowledgement", &segment(ACK, 0, 3, b"OK").options(&sack(4, 6))),
            as_it_is("more data", &segment(ACK, 3, 2, b"odd").options(&timestamps)),
            as_it_is("FIN", &segment(FIN_ACK, 6, 2, b"")),
        ];
        self.case("a connection with an option", rows)
    }

    /// The segment goes on all the same; it is counted that the backend was not told.
    fn without_room(&self) -> Case {
        let omitted = |row: Row| Row { moves: Moves { toa_omitted: 1, ..Moves::INWARD }, ..row };
        let full = segment(ACK, 0, 0, b"GET").options(&[1; 36]);
        let headers = if self.way.server_v6 { 60 } else { 40 };
        let long = segment(ACK, 0, 0, &vec![7; 1500 - headers]);
        let mut rows = vec![
            self.client("SYN", &syn(), &syn()),
            self.server("SYN-ACK", &syn_ack(1460), &syn_ack(1460)),
            omitted(self.client("36 bytes of options", &full, &full)),
        ];
        // Where the packet gets shorter, the client's own link would not take one that fills the way ahead.
        if !self.way.client_v6 || self.way.server_v6 {
            rows.push(omitted(self.client("a packet of full length", &long, &long)));
        }
        self.case("no room for the option", rows)
    }
}
