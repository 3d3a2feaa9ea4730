//! The cookie: the box's initial sequence number, by which it knows its own SYN-ACK again when the client's
//! ACK repeats it (RFC 4987 section 3.6).
//!
//! | bits | |
//! | --- | --- |
//! | 0..3 | which of eight segment sizes the client has announced |
//! | 3 | the lowest bit of the period that the cookie is of |
//! | 4..32 | a keyed hash over all that must not be forged |
//!
//! A period is 2^16 ms, about 65 s. A cookie of this period or of the last one is accepted, so it lives
//! between 65 and 131 s, which is longer than a client's patience. The number of the period wraps after 49
//! days as [`Tick`] does: who has kept an ACK for just so long may use it again from the same address and port.
//!
//! The hash is over the client's and the service's address and port, the client's initial sequence number, the
//! period, the segment size and all that the timestamp carries. Who does not know the secret guesses it with a
//! probability of 2^-28; an ACK without data is tried with two sequence numbers (see [`super::handshake`]), so one in
//! 134 million forged ACKs opens a connection. A cookie is of no use to another client, another
//! service, or a client that has announced something else.

use std::hash::{BuildHasher, RandomState};

use siphasher::sip::SipHasher24;

use super::options::Agreed;
use crate::flow::{Addresses, Tuple};
use crate::types::Tick;
use crate::wire::tcp::Sequence;
use crate::wire::tcp_options::Mss;

/// The segment sizes that a cookie tells apart: a client's is rounded down, so that no backend sends what
/// the client did not ask for. 88: what Linux takes for the smallest; 536 and 1220: the least that the families carry
/// (RFC 9293 section 3.7.1); then tunnels, DSL, and Ethernet for IPv6 and IPv4. A frame has no room for more.
const SIZES: [Mss; 8] = [Mss(88), Mss(536), Mss(1220), Mss(1300), Mss(1360), Mss(1400), Mss(1440), Mss(1460)];

const SIZE_BITS: u32 = 0b111;
const PERIOD_BIT: u32 = 0b1000;
const MAC_BITS: u32 = !(SIZE_BITS | PERIOD_BIT);

/// Milliseconds that a cookie lives at most: two periods.
pub(crate) const COOKIE_LIFE: u32 = 2 << 16;

/// Which of [`SIZES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Size(u8);

impl Size {
    /// `announced`: by a SYN; without the option the family's least counts.
    fn of(announced: Option<Mss>, addresses: &Addresses) -> Self {
        let least = match addresses {
            Addresses::V4 { .. } => Mss(536),
            Addresses::V6 { .. } => Mss(1220),
        };
        let size = announced.unwrap_or(least);
        let place = SIZES.iter().rposition(|smaller| *smaller <= size).unwrap_or(0);
        Self(u8::try_from(place).unwrap_or(0))
    }
}

/// The segment size that a cookie remembers.
pub(crate) fn mss(cookie: Sequence) -> Mss {
    let [.., last] = SIZES;
    SIZES.get((cookie.0 & SIZE_BITS) as usize).copied().unwrap_or(last)
}

/// A handshake, by what the client has to repeat of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claim<'a> {
    /// Client to service.
    pub(crate) tuple: &'a Tuple,
    /// The client's initial sequence number.
    pub(crate) isn: Sequence,
    /// With a client that sends timestamps.
    pub(crate) agreed: Option<Agreed>,
}

/// What goes into a SYN-ACK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Issued {
    pub(crate) cookie: Sequence,
    /// The connection's own offset of timestamps: the high bits of one.
    pub(crate) timestamp: u32,
}

/// The secret of the process, shared by all workers: RSS may bring SYN and ACK to two of them.
#[derive(Debug, Clone)]
pub(crate) struct Secret(SipHasher24);

impl Secret {
    /// A secret that nobody knows: from the operating system's random numbers, by way of the standard
    /// library's own keyed hash.
    pub(crate) fn random() -> Self {
        let word = |n: u64| RandomState::new().hash_one(n);
        Self::new(word(0), word(1))
    }

    pub(crate) fn new(first: u64, second: u64) -> Self {
        Self(SipHasher24::new_with_keys(first, second))
    }

    /// A cookie for a SYN that announces `mss`.
    pub(crate) fn issue(&self, claim: &Claim<'_>, mss: Option<Mss>, now: Tick) -> Issued {
        let size = Size::of(mss, &claim.tuple.addresses);
        let period = Period::of(now);
        let hash = self.hash(claim, size, period);
        let cookie = mac(hash) | period.bit() | u32::from(size.0);
        // The half of the hash that no cookie shows.
        #[expect(clippy::cast_possible_truncation, reason = "the lower half")]
        let timestamp = (hash as u32) << Agreed::BITS;
        Issued { cookie: Sequence(cookie), timestamp }
    }

    /// Whether this secret has issued `cookie` for the claim, in this period or in the last one.
    pub(crate) fn knows(&self, claim: &Claim<'_>, cookie: Sequence, now: Tick) -> bool {
        let size = Size((cookie.0 & SIZE_BITS) as u8);
        let this = Period::of(now);
        let period = if this.bit() == cookie.0 & PERIOD_BIT { this } else { this.last() };
        mac(self.hash(claim, size, period)) == cookie.0 & MAC_BITS
    }

    fn hash(&self, claim: &Claim<'_>, size: Size, period: Period) -> u64 {
        let tuple = claim.tuple;
        let mut text = Text::default();
        match tuple.addresses {
            Addresses::V4 { source, destination } => {
                text.push(source.octets());
                text.push(destination.octets());
            }
            Addresses::V6 { source, destination } => {
                text.push(source.octets());
                text.push(destination.octets());
            }
        }
        text.push(tuple.source_port.0.to_be_bytes());
        text.push(tuple.destination_port.0.to_be_bytes());
        text.push(claim.isn.0.to_be_bytes());
        text.push(period.0.to_be_bytes());
        text.push([size.0]);
        // No agreement encodes as all ones.
        text.push(claim.agreed.map_or(u32::MAX, Agreed::encode).to_be_bytes());
        self.0.hash(text.bytes())
    }
}

/// The part of a hash that a cookie shows.
fn mac(hash: u64) -> u32 {
    (hash >> 32) as u32 & MAC_BITS
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Period(u16);

impl Period {
    fn of(now: Tick) -> Self {
        Self((now.0 >> 16) as u16)
    }

    fn last(self) -> Self {
        Self(self.0.wrapping_sub(1))
    }

    fn bit(self) -> u32 {
        if self.0 & 1 == 1 { PERIOD_BIT } else { 0 }
    }
}

/// What is hashed: of one length for each family, so that no two claims have the same text.
#[derive(Debug)]
struct Text {
    bytes: [u8; 48],
    length: usize,
}

impl Default for Text {
    fn default() -> Self {
        Self { bytes: [0; 48], length: 0 }
    }
}

impl Text {
    fn push<const N: usize>(&mut self, bytes: [u8; N]) {
        let free = self.bytes.get_mut(self.length..).and_then(<[u8]>::first_chunk_mut::<N>);
        if let Some(place) = free {
            *place = bytes;
            self.length += N;
        }
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::super::options::{Scales, WindowScale};
    use super::*;
    use crate::types::{Port, Protocol};
    use proptest::prelude::*;

    const NOW: Tick = Tick(10 << 16);

    fn tuple(client: &str, vip: &str) -> Tuple {
        Tuple {
            addresses: Addresses::new(client.parse().unwrap(), vip.parse().unwrap()).unwrap(),
            source_port: Port(40000),
            destination_port: Port(80),
            protocol: Protocol::Tcp,
        }
    }

    fn tuples() -> [Tuple; 2] {
        [tuple("192.0.2.7", "10.0.0.100"), tuple("2001:db8::7", "fd00::64")]
    }

    fn secret() -> Secret {
        Secret::new(1, 2)
    }

    #[test]
    fn the_text_of_either_family_fits() {
        for tuple in tuples() {
            let long = Claim { tuple: &tuple, isn: Sequence(0), agreed: None };
            let other = Claim { agreed: Some(Agreed { scales: None, sack: false }), ..long };
            // The last field is the first to be left out.
            assert_ne!(secret().issue(&long, None, NOW), secret().issue(&other, None, NOW));
        }
    }

    #[test]
    fn a_cookie_lives_for_its_period_and_the_next_one() {
        for tuple in tuples() {
            for start in [NOW, Tick(NOW.0 + 0xffff), Tick(u32::MAX)] {
                let claim = Claim { tuple: &tuple, isn: Sequence(77), agreed: None };
                let cookie = secret().issue(&claim, Some(Mss(1460)), start).cookie;
                let knows = |later: u32| secret().knows(&claim, cookie, Tick(start.0.wrapping_add(later)));
                assert!(knows(0) && knows(65_536));
                assert!(!knows(131_072), "an old one");
                assert!(!knows(10_000_000), "a very old one");
                assert!(!knows(u32::MAX - 65_535), "one of the next period");
            }
        }
    }

    #[test]
    fn a_cookie_is_of_use_to_nobody_else() {
        let [v4, v6] = tuples();
        let agreed = Some(Agreed { scales: None, sack: true });
        let own = Claim { tuple: &v4, isn: Sequence(77), agreed };
        let cookie = secret().issue(&own, None, NOW).cookie;
        assert!(secret().knows(&own, cookie, NOW));
        let scales = Scales { client: WindowScale::new(1), promised: WindowScale::new(2) };
        let port = Tuple { source_port: Port(40001), ..v4 };
        let service = Tuple { destination_port: Port(81), ..v4 };
        let (client, vip) = (tuple("192.0.2.8", "10.0.0.100"), tuple("192.0.2.7", "10.0.0.101"));
        for other in [
            Claim { tuple: &port, ..own },
            Claim { tuple: &service, ..own },
            Claim { tuple: &client, ..own },
            Claim { tuple: &vip, ..own },
            Claim { tuple: &v6, ..own },
            Claim { isn: Sequence(78), ..own },
            Claim { agreed: None, ..own },
            Claim { agreed: Some(Agreed { scales: Some(scales), sack: true }), ..own },
            Claim { agreed: Some(Agreed { scales: None, sack: false }), ..own },
        ] {
            assert!(!secret().knows(&other, cookie, NOW), "{other:?}");
        }
        assert!(!Secret::new(1, 3).knows(&own, cookie, NOW), "another process");
        assert!(!Secret::random().knows(&own, cookie, NOW));
    }

    #[test]
    fn any_changed_bit_is_noticed() {
        let [v4, _] = tuples();
        let claim = Claim { tuple: &v4, isn: Sequence(77), agreed: None };
        let cookie = secret().issue(&claim, Some(Mss(1400)), NOW).cookie;
        for bit in 0..32 {
            assert!(!secret().knows(&claim, Sequence(cookie.0 ^ 1 << bit), NOW), "bit {bit}");
        }
    }

    #[test]
    fn segment_sizes_are_rounded_down() {
        for ([v4, v6], announced) in [(tuples(), [0, 88, 535, 536, 1259, 1299, 1399, 1452, 1460, 9000])] {
            let sizes = [88, 88, 88, 536, 1220, 1220, 1360, 1440, 1460, 1460];
            for (announced, expected) in announced.into_iter().zip(sizes) {
                for tuple in [v4, v6] {
                    let claim = Claim { tuple: &tuple, isn: Sequence(7), agreed: None };
                    let issued = secret().issue(&claim, Some(Mss(announced)), NOW);
                    assert_eq!(mss(issued.cookie), Mss(expected), "{announced}");
                }
            }
            let silent = |tuple: &Tuple| {
                let claim = Claim { tuple, isn: Sequence(7), agreed: None };
                mss(secret().issue(&claim, None, NOW).cookie)
            };
            assert_eq!((silent(&v4), silent(&v6)), (Mss(536), Mss(1220)), "RFC 9293 section 3.7.1");
        }
    }

    #[test]
    fn guesses_fail() {
        let [v4, _] = tuples();
        let claim = Claim { tuple: &v4, isn: Sequence(77), agreed: None };
        let hits = (0..1_000_000_u32).filter(|n| secret().knows(&claim, Sequence(n.wrapping_mul(4099)), NOW));
        assert_eq!(hits.count(), 0, "2^-28 each");
    }

    proptest! {
        #[test]
        fn what_is_issued_is_known(isn: u32, mss: Option<u16>, tick: u32, later in 0..65_536_u32, v6: bool, timestamp: Option<u32>) {
            let tuple = tuples()[usize::from(v6)];
            let agreed = timestamp.and_then(Agreed::decode);
            let claim = Claim { tuple: &tuple, isn: Sequence(isn), agreed };
            let issued = secret().issue(&claim, mss.map(Mss), Tick(tick));
            prop_assert!(secret().knows(&claim, issued.cookie, Tick(tick.wrapping_add(later))));
            prop_assert_eq!(issued.timestamp.trailing_zeros().min(9), 9);
        }
    }
}
