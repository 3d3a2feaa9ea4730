//! Neighbours as the kernel has them, and which of them workers send by.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use hashbrown::HashMap;

use super::backend::NextHop;
use crate::types::InterfaceId;

/// A neighbour with a known MAC address.
#[derive(Debug)]
struct Neighbour {
    next_hop: NextHop,
    /// A worker has sent a packet by it since management last looked. Workers set it, management clears it. It
    /// orders no other memory.
    used: AtomicBool,
}

impl Neighbour {
    fn new(next_hop: NextHop) -> Self {
        Self { next_hop, used: AtomicBool::new(false) }
    }
}

impl Clone for Neighbour {
    fn clone(&self) -> Self {
        Self { next_hop: self.next_hop, used: AtomicBool::new(self.used.load(Ordering::Relaxed)) }
    }
}

/// Neighbours by interface and address.
#[derive(Debug, Clone, Default)]
pub struct Neighbours(HashMap<(InterfaceId, IpAddr), Neighbour>);

impl Neighbours {
    pub(super) fn new(all: impl IntoIterator<Item = (InterfaceId, IpAddr, NextHop)>) -> Self {
        let entry = |(interface, address, hop)| ((interface, address), Neighbour::new(hop));
        Self(all.into_iter().map(entry).collect())
    }

    pub(super) fn amend(
        &mut self,
        changes: impl IntoIterator<Item = (InterfaceId, IpAddr, Option<NextHop>)>,
    ) {
        for (interface, address, hop) in changes {
            match hop {
                Some(hop) => _ = self.0.insert((interface, address), Neighbour::new(hop)),
                None => _ = self.0.remove(&(interface, address)),
            }
        }
    }

    /// The next hop of a neighbour.
    #[must_use]
    pub fn get(&self, interface: InterfaceId, address: IpAddr) -> Option<&NextHop> {
        self.0.get(&(interface, address)).map(|neighbour| &neighbour.next_hop)
    }

    /// The same for a packet that leaves by it. The flag is in the cache line that the MAC address is in, and is
    /// written once for each time that management clears it.
    #[inline]
    pub(super) fn take(&self, interface: InterfaceId, address: IpAddr) -> Option<&NextHop> {
        let neighbour = self.0.get(&(interface, address))?;
        if !neighbour.used.load(Ordering::Relaxed) {
            neighbour.used.store(true, Ordering::Relaxed);
        }
        Some(&neighbour.next_hop)
    }

    /// The neighbours that workers have sent by since the last call.
    pub fn take_used(&self) -> impl Iterator<Item = (InterfaceId, IpAddr)> {
        let used = self.0.iter().filter(|(_, neighbour)| {
            neighbour.used.load(Ordering::Relaxed) && neighbour.used.swap(false, Ordering::Relaxed)
        });
        used.map(|(id, _)| *id)
    }

    /// Takes over from the neighbours that are to be replaced which of them were used.
    pub fn inherit(&self, before: &Self) {
        for (id, neighbour) in &before.0 {
            if neighbour.used.load(Ordering::Relaxed)
                && let Some(own) = self.0.get(id)
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
