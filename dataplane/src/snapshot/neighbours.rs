//! Neighbours as the kernel has them, and which of them workers send by.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::backend::NextHop;
use crate::mem::KeyedHash;
use crate::types::InterfaceId;

/// A neighbour with a known MAC address.
#[derive(Debug)]
struct Neighbour {
    id: Id,
    next_hop: NextHop,
    /// A worker has sent a packet by it since management last looked. Workers set it, management clears it. It
    /// orders no other memory.
    used: AtomicBool,
}

/// An interface and an address, in words that are compared and hashed at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Id {
    address: u128,
    /// The interface, and whether the address is of IPv4.
    rest: u32,
}

/// Beyond the numbers of interfaces.
const IS_V4: u32 = 1 << 16;

impl Id {
    #[inline(always)]
    fn new(InterfaceId(interface): InterfaceId, address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => Self { address: v4.to_bits().into(), rest: u32::from(interface) | IS_V4 },
            IpAddr::V6(v6) => Self { address: v6.to_bits(), rest: interface.into() },
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "as they were put in")]
    fn parts(self) -> (InterfaceId, IpAddr) {
        let address = match self.rest & IS_V4 {
            0 => IpAddr::from(self.address.to_be_bytes()),
            _ => IpAddr::from((self.address as u32).to_be_bytes()),
        };
        (InterfaceId(self.rest as u16), address)
    }

    #[inline(always)]
    fn hash(self, hash: &KeyedHash) -> u64 {
        hash.one(self.address ^ u128::from(self.rest) << 64)
    }
}

impl Neighbour {
    fn new(id: Id, next_hop: NextHop) -> Self {
        Self { id, next_hop, used: AtomicBool::new(false) }
    }
}

impl Clone for Neighbour {
    fn clone(&self) -> Self {
        Self { used: AtomicBool::new(self.used.load(Ordering::Relaxed)), ..Self::new(self.id, self.next_hop) }
    }
}

/// Neighbours by interface and address. Keyed, as hosts choose their addresses.
#[derive(Debug, Clone, Default)]
pub struct Neighbours {
    all: HashTable<Neighbour>,
    hash: KeyedHash,
}

impl Neighbours {
    pub(super) fn new(all: impl IntoIterator<Item = (InterfaceId, IpAddr, NextHop)>) -> Self {
        let mut neighbours = Self::default();
        neighbours.amend(all.into_iter().map(|(interface, address, hop)| (interface, address, Some(hop))));
        neighbours
    }

    pub(super) fn amend(
        &mut self,
        changes: impl IntoIterator<Item = (InterfaceId, IpAddr, Option<NextHop>)>,
    ) {
        let Self { all, hash } = self;
        for (interface, address, hop) in changes {
            let id = Id::new(interface, address);
            let entry = all.entry(id.hash(hash), |neighbour| neighbour.id == id, |n| n.id.hash(hash));
            match (entry, hop) {
                (Entry::Occupied(mut known), Some(hop)) => *known.get_mut() = Neighbour::new(id, hop),
                (Entry::Occupied(known), None) => _ = known.remove(),
                (Entry::Vacant(place), Some(hop)) => _ = place.insert(Neighbour::new(id, hop)),
                (Entry::Vacant(_), None) => {}
            }
        }
    }

    #[inline(always)]
    fn find(&self, id: Id) -> Option<&Neighbour> {
        self.all.find(id.hash(&self.hash), |neighbour| neighbour.id == id)
    }

    /// The next hop of a neighbour.
    #[must_use]
    #[inline]
    pub fn get(&self, interface: InterfaceId, address: IpAddr) -> Option<&NextHop> {
        self.find(Id::new(interface, address)).map(|neighbour| &neighbour.next_hop)
    }

    /// The same for a packet that leaves by it. The flag is in the cache line that the MAC address is in, and is
    /// written once for each time that management clears it.
    #[inline]
    pub(super) fn take(&self, interface: InterfaceId, address: IpAddr) -> Option<&NextHop> {
        let neighbour = self.find(Id::new(interface, address))?;
        if !neighbour.used.load(Ordering::Relaxed) {
            neighbour.used.store(true, Ordering::Relaxed);
        }
        Some(&neighbour.next_hop)
    }

    /// The neighbours that workers have sent by since the last call.
    pub fn take_used(&self) -> impl Iterator<Item = (InterfaceId, IpAddr)> {
        let used = self.all.iter().filter(|neighbour| {
            neighbour.used.load(Ordering::Relaxed) && neighbour.used.swap(false, Ordering::Relaxed)
        });
        used.map(|neighbour| neighbour.id.parts())
    }

    /// Takes over from the neighbours that are to be replaced which of them were used.
    pub fn inherit(&self, before: &Self) {
        for neighbour in &before.all {
            if neighbour.used.load(Ordering::Relaxed)
                && let Some(own) = self.find(neighbour.id)
            {
                own.used.store(true, Ordering::Relaxed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Mac;

    const ETH0: InterfaceId = InterfaceId(0);

    fn hop(last: u8) -> NextHop {
        NextHop { interface: ETH0, mac: Mac([2, 0, 0, 0, 0, last]) }
    }

    fn address(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    #[test]
    fn what_packets_leave_by_is_known_once_and_survives_other_changes() {
        let all = [1, 2, 3].map(|last| (ETH0, address(last), hop(last)));
        let neighbours = Neighbours::new(all);
        assert_eq!(neighbours.get(ETH0, address(2)), Some(&hop(2)), "a look is no use");
        assert_eq!(neighbours.take_used().count(), 0);
        assert_eq!(neighbours.take(ETH0, address(2)), Some(&hop(2)));
        let mut amended = neighbours.clone();
        amended.amend([(ETH0, address(1), None), (ETH0, address(9), Some(hop(9)))]);
        assert_eq!((amended.get(ETH0, address(1)), amended.get(ETH0, address(9))), (None, Some(&hop(9))));
        let compiled = Neighbours::new(all);
        compiled.inherit(&amended);
        for neighbours in [neighbours, amended, compiled] {
            assert_eq!(neighbours.take_used().collect::<Vec<_>>(), [(ETH0, address(2))]);
            assert_eq!(neighbours.take_used().count(), 0);
        }
    }
}
