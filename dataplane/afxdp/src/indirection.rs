//! Receive-side scaling: which queue a NIC puts a packet into, and so which worker meets it.
//!
//! The hash is Toeplitz (Microsoft, "RSS hashing types" and its verification suite) over source
//! address, destination address, source port, destination port. It is linear over exclusive or, so
//! the part of one port can be taken out and looked at alone.

use std::net::IpAddr;
use std::sync::Arc;

use penstock_types::{Port, QueueId};

/// Classes of ports: as many as the low bits of the hash that indirection tables commonly go by.
pub const CLASSES: usize = 128;

/// The key and indirection table of one NIC, as `ethtool -x` shows them.
#[derive(Debug, Clone)]
pub struct Rss {
    key: Box<[u8]>,
    /// The queue for each value of the hash's low bits.
    indirection: Box<[u16]>,
    /// The ports by what they add to the hash as a reply's destination port.
    v4: Arc<PortClasses>,
    v6: Arc<PortClasses>,
}

impl Rss {
    /// `None`: a key too short for IPv6 (40 bytes), or an indirection table whose size is no power of two
    /// of at most [`CLASSES`] entries after folding equal halves: classes would not lead to one queue.
    #[must_use]
    pub fn new(key: &[u8], indirection: &[u16]) -> Option<Self> {
        let mut table = indirection;
        while table.len() > CLASSES && table.len().is_multiple_of(2) {
            let (low, high) = table.split_at(table.len() / 2);
            if low != high {
                return None;
            }
            table = low;
        }
        if key.len() < 40 || !table.len().is_power_of_two() || table.len() > CLASSES {
            return None;
        }
        // The destination port is the last of what is hashed: 4 + 4 + 2 or 16 + 16 + 2 bytes before it.
        let classes =
            |offset| Arc::new(PortClasses::new(|port| toeplitz_at(key, offset, &port.0.to_be_bytes())));
        Some(Self { key: key.into(), indirection: table.into(), v4: classes(10), v6: classes(34) })
    }

    /// The layout for ports of pool addresses of one family.
    #[must_use]
    pub fn classes(&self, v6: bool) -> &Arc<PortClasses> {
        if v6 { &self.v6 } else { &self.v4 }
    }

    /// The queue that replies come in by, for each class of their destination port.
    #[must_use]
    pub fn queues(&self, source: IpAddr, source_port: Port, destination: IpAddr) -> [QueueId; CLASSES] {
        let rest = self.rest(source, source_port, destination);
        std::array::from_fn(|class| QueueId(self.indirection[(rest ^ class) % self.indirection.len()]))
    }

    /// The low bits that a reply's hash has without its destination port.
    fn rest(&self, source: IpAddr, source_port: Port, destination: IpAddr) -> usize {
        let hash = |parts: [&[u8]; 3]| {
            let hashed = parts
                .into_iter()
                .fold((0, 0), |(at, hash), part| (at + part.len(), hash ^ toeplitz_at(&self.key, at, part)));
            hashed.1 as usize % CLASSES
        };
        let port = source_port.0.to_be_bytes();
        match (source, destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                hash([&source.octets(), &destination.octets(), &port])
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                hash([&source.octets(), &destination.octets(), &port])
            }
            _ => 0,
        }
    }
}

/// The Toeplitz hash of `data` where it stands `offset` bytes into what is hashed.
fn toeplitz_at(key: &[u8], offset: usize, data: &[u8]) -> u32 {
    let bit = |n: usize| key.get(n / 8).map_or(0, |byte| u32::from(byte >> (7 - n % 8) & 1));
    let mut window = (0..32).fold(0, |window, n| window << 1 | bit(offset * 8 + n));
    let mut hash = 0;
    for (at, byte) in data.iter().enumerate() {
        for place in 0..8 {
            if byte >> (7 - place) & 1 == 1 {
                hash ^= window;
            }
            window = window << 1 | bit((offset + at) * 8 + place + 32);
        }
    }
    hash
}

/// Where each port is among [`CLASSES`] classes of 512 ports.
///
/// The hash of a port is linear, so its place is, too: seven bits of the hash are the class, and nine bits
/// of the port that do not follow from them the place in it. There and back are two small tables, which stay
/// in a core's cache where one entry for each port would not.
#[derive(Debug)]
pub struct PortClasses {
    places: Linear,
    ports: Linear,
}

/// Bits of a place in a class.
const PLACE_BITS: u32 = 16 - CLASSES.trailing_zeros();

impl Default for PortClasses {
    /// By the low bits of the port: what serves when nobody knows the NIC's hash.
    fn default() -> Self {
        Self::new(|port| u32::from(port.0))
    }
}

impl PortClasses {
    /// By the low bits of what `hash` makes of a port, which is linear. Where some of them follow from
    /// others, bits of the port take their place: classes are even, but lead to more than one queue.
    fn new(hash: impl Fn(Port) -> u32) -> Self {
        let of_bits: [u32; 16] = std::array::from_fn(|bit| hash(Port(1 << bit)));
        // Which bits of the port a bit of its hash depends on; then each bit of the port alone.
        let of_hash = (0..CLASSES.trailing_zeros()).map(|bit| {
            (0..16).fold(0_u16, |mask, from| mask | u16::from(of_bits[from] >> bit & 1 == 1) << from)
        });
        let mut taken = Independent::default();
        let mut class: Vec<_> = of_hash.map(|mask| taken.add(mask).then_some(mask)).collect();
        let mut rest: Vec<_> = (0..16).map(|bit| 1_u16 << bit).filter(|mask| taken.add(*mask)).collect();
        for missing in class.iter_mut().filter(|mask| mask.is_none()) {
            *missing = rest.pop();
        }
        let masks: Vec<_> = rest.into_iter().chain(class.into_iter().flatten()).collect();
        let place_of = |port: u16| {
            let bits = masks.iter().map(|mask| u16::from((port & mask).count_ones() % 2 == 1));
            bits.zip(0..).fold(0, |place, (bit, at)| place | bit << at)
        };
        let places = Linear::new(place_of);
        let mut of_places = [0; 16];
        for port in 0..=u16::MAX {
            let place = places.apply(port);
            if place.is_power_of_two() {
                of_places[place.trailing_zeros() as usize] = port;
            }
        }
        let port_of = |place: u16| of_places[place.trailing_zeros() as usize % 16];
        Self { places, ports: Linear::new(port_of) }
    }

    /// The class of a port, and its place in it.
    #[must_use]
    pub fn place(&self, port: Port) -> (usize, usize) {
        let place = usize::from(self.places.apply(port.0));
        (place >> PLACE_BITS, place & ((1 << PLACE_BITS) - 1))
    }

    /// The port at a place of a class.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "sixteen bits")]
    pub fn port(&self, class: usize, place: usize) -> Port {
        Port(self.ports.apply((class << PLACE_BITS | place) as u16))
    }
}

/// A linear function of sixteen bits to sixteen bits, by halves.
#[derive(Debug)]
struct Linear {
    low: [u16; 256],
    high: [u16; 256],
}

impl Linear {
    /// What `of` says of single bits decides all.
    fn new(of: impl Fn(u16) -> u16) -> Self {
        let of_bits: [u16; 16] = std::array::from_fn(|bit| of(1 << bit));
        let sum = |byte: usize, shift: usize| {
            (0..8).filter(|bit| byte >> bit & 1 == 1).fold(0, |sum, bit| sum ^ of_bits[bit + shift])
        };
        Self { low: std::array::from_fn(|byte| sum(byte, 0)), high: std::array::from_fn(|byte| sum(byte, 8)) }
    }

    #[inline(always)]
    fn apply(&self, word: u16) -> u16 {
        let [high, low] = word.to_be_bytes();
        self.high[usize::from(high)] ^ self.low[usize::from(low)]
    }
}

/// Words none of which is the exclusive or of others: by their highest bits.
#[derive(Debug, Default)]
struct Independent([u16; 16]);

impl Independent {
    /// Whether the word could be added.
    fn add(&mut self, mut word: u16) -> bool {
        while let Some(bit) = word.checked_ilog2() {
            let known = &mut self.0[bit as usize];
            if *known == 0 {
                *known = word;
                return true;
            }
            word ^= *known;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of Microsoft's RSS verification suite.
    const KEY: [u8; 40] = [
        0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0,
        0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42,
        0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
    ];

    fn hash(source: (&str, u16), destination: (&str, u16)) -> u32 {
        let octets = |address: &str| match address.parse().unwrap() {
            IpAddr::V4(v4) => v4.octets().to_vec(),
            IpAddr::V6(v6) => v6.octets().to_vec(),
        };
        let ports = [source.1.to_be_bytes(), destination.1.to_be_bytes()].concat();
        toeplitz_at(&KEY, 0, &[octets(source.0), octets(destination.0), ports].concat())
    }

    #[test]
    fn the_verification_suite_comes_out_right() {
        assert_eq!(hash(("66.9.149.187", 2794), ("161.142.100.80", 1766)), 0x51cc_c178);
        assert_eq!(hash(("199.92.111.2", 14230), ("65.69.140.83", 4739)), 0xc626_b0ea);
        assert_eq!(hash(("3ffe:2501:200:1fff::7", 2794), ("3ffe:2501:200:3::1", 1766)), 0x4020_7d3d);
    }

    #[test]
    fn the_port_that_is_chosen_by_class_leads_to_the_queue_that_was_wanted() {
        let indirection: Vec<u16> = (0..128).map(|n| n % 5).collect();
        let rss = Rss::new(&KEY, &indirection).unwrap();
        for (server, pool) in [("10.0.1.11", "10.0.0.110"), ("fd00:1::11", "fd00::110")] {
            let (server, pool): (IpAddr, IpAddr) = (server.parse().unwrap(), pool.parse().unwrap());
            let queues = rss.queues(server, Port(8080), pool);
            for (class, queue) in queues.into_iter().enumerate() {
                let port = rss.classes(pool.is_ipv6()).port(class, 77);
                let whole = hash((&server.to_string(), 8080), (&pool.to_string(), port.0));
                assert_eq!(queue.0, indirection[whole as usize % 128], "{pool} {port}");
            }
        }
    }

    #[test]
    fn classes_are_even_and_places_lead_back() {
        let rss = Rss::new(&[0x6d, 0x5a].repeat(20), &[0, 1]).unwrap();
        for classes in [rss.classes(false), rss.classes(true), &Arc::default()] {
            for port in (0..=u16::MAX).map(Port) {
                let (class, place) = classes.place(port);
                assert_eq!(classes.port(class, place), port);
            }
        }
    }

    #[test]
    fn a_hash_that_says_little_still_gives_even_classes() {
        for hash in [|_: Port| 0, |port: Port| u32::from(port.0 & 1), |port: Port| u32::from(port.0 & 1) * 3]
        {
            let classes = PortClasses::new(hash);
            let mut counts = [0; CLASSES];
            for port in (0..=u16::MAX).map(Port) {
                let (class, place) = classes.place(port);
                assert_eq!(classes.port(class, place), port);
                counts[class] += 1;
            }
            assert_eq!(counts, [512; CLASSES]);
        }
    }

    #[test]
    fn a_table_that_is_too_fine_is_folded_or_refused() {
        let fine: Vec<u16> = (0..512).map(|n| n % 128).collect();
        assert!(Rss::new(&KEY, &fine).is_some());
        let finer: Vec<u16> = (0..512).map(|n| n / 128).collect();
        assert!(Rss::new(&KEY, &finer).is_none());
        assert!(Rss::new(&KEY[..16], &fine).is_none());
        assert!(Rss::new(&KEY, &[0, 1, 2]).is_none());
    }
}
