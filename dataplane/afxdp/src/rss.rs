//! How an interface spreads what it receives over its queues.

use std::io;

use super::sys::{self, Plain};
use crate::indirection::Rss;

const ETHTOOL_GRSSH: u32 = 0x46;
/// `ETH_RSS_HASH_TOP`: Toeplitz.
const TOEPLITZ: u8 = 1;
/// Room for the indirection table and key of any NIC known: both are a few hundred bytes on most.
const ROOM: usize = 16384;

/// `struct ethtool_rxfh` of linux/ethtool.h.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct Request {
    command: u32,
    context: u32,
    indirection_entries: u32,
    key_bytes: u32,
    function: u8,
    /// What is done to a packet's fields before they are hashed.
    transformation: u8,
    reserved: [u8; 2],
    reserved_word: u32,
    /// The indirection table, of four bytes an entry, then the key.
    configuration: [u8; ROOM],
}

// SAFETY: integers only.
unsafe impl Plain for Request {}

impl Request {
    fn new(indirection_entries: u32, key_bytes: u32) -> Box<Self> {
        Box::new(Self {
            command: ETHTOOL_GRSSH,
            context: 0,
            indirection_entries,
            key_bytes,
            function: 0,
            transformation: 0,
            reserved: [0; 2],
            reserved_word: 0,
            configuration: [0; ROOM],
        })
    }

    /// Bytes of the indirection table, if table and key fit.
    fn table_bytes(&self) -> Option<usize> {
        let table = usize::try_from(self.indirection_entries).ok()?.checked_mul(4)?;
        let whole = table.checked_add(usize::try_from(self.key_bytes).ok()?)?;
        (whole <= ROOM).then_some(table)
    }

    /// The answer; `None`: the hash is another one, or what it hashes is not what a packet has.
    fn rss(&self) -> Option<Rss> {
        if self.function != TOEPLITZ || self.transformation != 0 {
            return None;
        }
        let (table, key) = self.configuration.split_at_checked(self.table_bytes()?)?;
        let key = key.get(..usize::try_from(self.key_bytes).ok()?)?;
        let (entries, _) = table.as_chunks();
        let queues: Result<Vec<u16>, _> =
            entries.iter().map(|entry| u16::try_from(u32::from_ne_bytes(*entry))).collect();
        Rss::new(key, &queues.ok()?)
    }
}

/// The key and indirection table of an interface, if its driver tells them and they are of use: its hash
/// is Toeplitz over a packet's fields as they are.
pub fn rss(interface: &str) -> io::Result<Option<Rss>> {
    // Without sizes the question is for the sizes; with the wrong ones it is refused.
    let mut sizes = Request::new(0, 0);
    if !is_answered(sys::ethtool(interface, &mut *sizes))? || sizes.table_bytes().is_none() {
        return Ok(None);
    }
    let mut request = Request::new(sizes.indirection_entries, sizes.key_bytes);
    if !is_answered(sys::ethtool(interface, &mut *request))? {
        return Ok(None);
    }
    Ok(request.rss())
}

fn is_answered(result: io::Result<()>) -> io::Result<bool> {
    match result {
        Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => Ok(false),
        result => result.map(|()| true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use penstock_types::{Port, QueueId};

    /// The answer of a NIC with two queues, and a key of one byte repeated.
    fn answer() -> Box<Request> {
        let mut request = Request::new(128, 40);
        request.function = TOEPLITZ;
        for (entry, place) in (0..128_u32).zip(request.configuration.chunks_mut(4)) {
            place.copy_from_slice(&(entry % 2).to_ne_bytes());
        }
        request.configuration[512..552].fill(0x6d);
        request
    }

    #[test]
    fn table_and_key_are_read_from_where_they_are() {
        let rss = answer().rss().unwrap();
        let address = |text: &str| text.parse().unwrap();
        let queues = rss.queues(address("10.0.1.11"), Port(80), address("10.0.0.110"));
        let expected = Rss::new(&[0x6d; 40], &[0, 1]).unwrap();
        assert_eq!(queues, expected.queues(address("10.0.1.11"), Port(80), address("10.0.0.110")));
        assert!(queues.contains(&QueueId(0)) && queues.contains(&QueueId(1)));
    }

    #[test]
    fn what_is_no_plain_toeplitz_hash_is_of_no_use() {
        let with = |change: fn(&mut Request)| {
            let mut request = answer();
            change(&mut request);
            request.rss().is_some()
        };
        assert!(with(|_| ()));
        assert!(!with(|request| request.function = 2), "exclusive or");
        assert!(!with(|request| request.transformation = 1), "symmetric");
        assert!(!with(|request| request.key_bytes = 16), "a key too short for IPv6");
        assert!(!with(|request| request.indirection_entries = 0), "no table");
        assert!(!with(|request| request.indirection_entries = u32::MAX), "sizes beyond the room");
        assert!(!with(|request| request.configuration[2] = 1), "a queue beyond all numbers");
    }

    #[test]
    fn a_driver_without_an_answer_is_none_and_an_unknown_interface_an_error() {
        assert!(rss("lo").unwrap().is_none());
        assert_eq!(rss("no-such-device").unwrap_err().raw_os_error(), Some(libc::ENODEV));
    }
}
