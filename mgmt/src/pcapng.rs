//! Blocks of a pcapng file (draft-ietf-opsawg-pcapng), as Wireshark and tshark read them: written by the daemon, told
//! apart by the tool that receives them. All numbers are little-endian.

/// A file begins with it (section 4.1).
const SECTION: u32 = 0x0a0d_0d0a;
/// A packet (section 4.3).
const PACKET: u32 = 6;
/// What an interface has counted (section 4.6).
const STATISTICS: u32 = 5;
/// An interface (section 4.2).
const INTERFACE: u32 = 1;

/// Ethernet, in the registry of link types.
const ETHERNET: u16 = 1;

/// What a packet's option says of its way (section 4.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// It came in.
    Inbound = 1,
    /// It left.
    Outbound = 2,
}

/// A packet and what is said of it.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'p> {
    /// The interface's place in the order in which interfaces were written.
    pub interface: u32,
    /// Nanoseconds since 1970.
    pub nanos: u64,
    /// Whether it came or left.
    pub way: Way,
    /// For who reads.
    pub comment: &'p str,
    /// From the Ethernet header on.
    pub bytes: &'p [u8],
}

/// The beginning of a file: who has written it.
#[must_use]
pub fn section(application: &str) -> Vec<u8> {
    let mut body = 0x1a2b_3c4d_u32.to_le_bytes().to_vec();
    // Version 1.0, of a length that nobody knows yet.
    body.extend([1, 0, 0, 0]);
    body.extend(u64::MAX.to_le_bytes());
    body.extend(options(&[(4, application.as_bytes())]));
    block(SECTION, &body)
}

/// An interface; the first one has number 0.
#[must_use]
pub fn interface(name: &str) -> Vec<u8> {
    let mut body = ETHERNET.to_le_bytes().to_vec();
    body.extend([0; 2]);
    // No packet is cut.
    body.extend(0_u32.to_le_bytes());
    // Times are in nanoseconds.
    body.extend(options(&[(2, name.as_bytes()), (9, &[9])]));
    block(INTERFACE, &body)
}

/// A packet.
#[must_use]
pub fn packet(packet: &Packet<'_>) -> Vec<u8> {
    let [low, high] = halves(packet.nanos);
    let length = u32::try_from(packet.bytes.len()).unwrap_or(u32::MAX);
    let mut body = Vec::new();
    for word in [packet.interface, high, low, length, length] {
        body.extend(word.to_le_bytes());
    }
    body.extend(padded(packet.bytes));
    let flags = (packet.way as u32).to_le_bytes();
    body.extend(options(&[(1, packet.comment.as_bytes()), (2, &flags)]));
    block(PACKET, &body)
}

/// How many packets of an interface there was no room for.
#[must_use]
pub fn statistics(interface: u32, nanos: u64, lost: u64) -> Vec<u8> {
    let [low, high] = halves(nanos);
    let mut body = Vec::new();
    for word in [interface, high, low] {
        body.extend(word.to_le_bytes());
    }
    body.extend(options(&[(5, &lost.to_le_bytes())]));
    block(STATISTICS, &body)
}

fn halves(nanos: u64) -> [u32; 2] {
    let [a, b, c, d, high @ ..] = nanos.to_le_bytes();
    [u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes(high)]
}

fn padded(bytes: &[u8]) -> Vec<u8> {
    let mut padded = bytes.to_vec();
    padded.resize(bytes.len().next_multiple_of(4), 0);
    padded
}

fn options(options: &[(u16, &[u8])]) -> Vec<u8> {
    let mut text = Vec::new();
    for (code, value) in options {
        // Comments and names are of our own, and short.
        let value = value.get(..usize::from(u16::MAX)).unwrap_or(value);
        text.extend(code.to_le_bytes());
        text.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_le_bytes());
        text.extend(padded(value));
    }
    text.extend([0; 4]);
    text
}

fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 12).unwrap_or(u32::MAX).to_le_bytes();
    [&kind.to_le_bytes()[..], &length, body, &length].concat()
}

/// Takes a stream apart into whole blocks, so that what is written of it is a file at any time.
#[derive(Debug, Default)]
pub struct Blocks {
    rest: Vec<u8>,
    /// Packets so far.
    pub packets: u64,
    /// What the last statistics said of the first interface.
    pub lost: u64,
}

impl Blocks {
    /// The whole blocks that there are with what has come now.
    ///
    /// # Errors
    /// It is no pcapng.
    pub fn take(&mut self, bytes: &[u8]) -> Result<Vec<u8>, NotPcapng> {
        self.rest.extend(bytes);
        let mut whole = 0;
        while let Some([kind, length]) = self.words(whole) {
            if length < 12 || !length.is_multiple_of(4) || length > LONGEST {
                return Err(NotPcapng);
            }
            let Some(block) = self.rest.get(whole..whole + length as usize) else { break };
            match kind {
                PACKET => self.packets += 1,
                // Block, interface, time and the option's head are before it.
                STATISTICS => {
                    let lost = block.get(24..).and_then(<[u8]>::first_chunk);
                    self.lost = lost.map_or(self.lost, |lost| u64::from_le_bytes(*lost));
                }
                _ => {}
            }
            whole += length as usize;
        }
        Ok(self.rest.drain(..whole).collect())
    }

    fn words(&self, at: usize) -> Option<[u32; 2]> {
        let bytes: &[u8; 8] = self.rest.get(at..)?.first_chunk()?;
        let [a, b, c, d, rest @ ..] = *bytes;
        Some([u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes(rest)])
    }
}

/// No block of ours is as long.
const LONGEST: u32 = 1 << 17;

/// What the daemon sent is no capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("what came is no pcapng")]
pub struct NotPcapng;

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> Vec<u8> {
        let one = packet(&Packet {
            interface: 1,
            nanos: 0x1_0000_0002,
            way: Way::Outbound,
            comment: "sent",
            bytes: &[1, 2, 3, 4, 5],
        });
        [section("test"), interface("eth0"), interface("eth1"), one, statistics(0, 9, 7)].concat()
    }

    #[test]
    fn blocks_are_as_long_as_they_say_at_both_ends() {
        let (file, mut at, mut kinds) = (file(), 0, Vec::new());
        while at < file.len() {
            let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
            let length = word(at + 4) as usize;
            assert_eq!(word(at + length - 4) as usize, length);
            kinds.push(word(at));
            at += length;
        }
        assert_eq!(kinds, [SECTION, INTERFACE, INTERFACE, PACKET, STATISTICS]);
        assert_eq!(at, file.len());
    }

    #[test]
    fn a_packet_is_laid_out_as_the_draft_says() {
        let bytes = packet(&Packet {
            interface: 1,
            nanos: 0x1_0000_0002,
            way: Way::Inbound,
            comment: "abc",
            bytes: &[9; 5],
        });
        let expected = [
            &[6, 0, 0, 0, 60, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 5, 0, 0, 0, 5, 0, 0, 0][..],
            &[9, 9, 9, 9, 9, 0, 0, 0],
            &[1, 0, 3, 0, b'a', b'b', b'c', 0, 2, 0, 4, 0, 1, 0, 0, 0, 0, 0, 0, 0],
            &[60, 0, 0, 0],
        ];
        assert_eq!(bytes, expected.concat());
    }

    #[test]
    fn a_stream_in_any_pieces_is_the_same_blocks_and_half_a_block_is_kept_back() {
        let file = file();
        for size in [1, 3, 7, 64, file.len()] {
            let mut blocks = Blocks::default();
            let whole: Vec<u8> = file.chunks(size).flat_map(|piece| blocks.take(piece).unwrap()).collect();
            assert_eq!((whole, blocks.packets, blocks.lost), (file.clone(), 1, 7));
        }
        let mut blocks = Blocks::default();
        let cut = blocks.take(&file[..file.len() - 1]).unwrap();
        assert_eq!(cut.len(), file.len() - statistics(0, 9, 7).len());
        assert_eq!(Blocks::default().take(b"{\"error\": 1}"), Err(NotPcapng));
    }
}
