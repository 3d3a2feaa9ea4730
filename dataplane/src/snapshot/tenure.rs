//! Addresses that this box has only at times: those of virtual routers, while it is master.
//!
//! Who has them is said by a word that the election's thread writes and workers read: a takeover waits for no
//! new snapshot. It holds for a while only, and has to be said again: a box whose election hangs stops
//! answering before another one takes over.

use std::net::IpAddr;
use std::sync::Arc;

use hashbrown::HashMap;

use crate::sync::{AtomicU64, Ordering};
use crate::types::{InterfaceId, Mac};

/// See the module's head. Times are milliseconds of the data plane's clock; they wrap.
#[derive(Debug)]
pub struct Tenure(AtomicU64);

impl Tenure {
    const HELD: u64 = 1 << 32;
    const LINGERS: u64 = 1 << 33;

    /// Nobody's yet.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "loom's atomics have no default")]
    pub fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// The addresses are here until then.
    pub fn hold_until(&self, millis: u32) {
        self.0.store(Self::HELD | u64::from(millis), Ordering::Release);
    }

    /// Another box has them, and answers for them: until then this one takes what was under way to it.
    pub fn linger_until(&self, millis: u32) {
        self.0.store(Self::HELD | Self::LINGERS | u64::from(millis), Ordering::Release);
    }

    /// Whether this box says of itself that they are here.
    #[must_use]
    pub fn is_claimed(&self, now: u32) -> bool {
        self.is_held(now) && self.0.load(Ordering::Acquire) & Self::LINGERS == 0
    }

    /// They are elsewhere.
    pub fn give_up(&self) {
        self.0.store(0, Ordering::Release);
    }

    /// Whether they are here.
    #[inline]
    #[must_use]
    pub fn is_held(&self, now: u32) -> bool {
        let word = self.0.load(Ordering::Acquire);
        #[expect(clippy::cast_possible_truncation, reason = "the lower half is the time")]
        let left = (word as u32).wrapping_sub(now);
        let is_held = word & Self::HELD != 0 && left != 0 && left < 1 << 31;
        if word & Self::HELD != 0 && !is_held {
            // What has run out must not be true again when the clock has wrapped.
            let _: Result<u64, u64> = self.0.compare_exchange(word, 0, Ordering::AcqRel, Ordering::Relaxed);
        }
        is_held
    }
}

/// A virtual router, as far as workers go.
#[derive(Debug, Clone)]
pub struct Tenancy {
    /// Whether its addresses are here.
    pub tenure: Arc<Tenure>,
    /// What hosts know them by, where that is no interface's own.
    pub mac: Option<Mac>,
    /// Where it is heard of.
    pub interfaces: Vec<InterfaceId>,
}

/// All virtual routers.
#[derive(Debug, Clone, Default)]
pub struct Tenancies {
    list: Vec<Tenancy>,
    /// By address the place in the list.
    addresses: HashMap<IpAddr, usize>,
}

impl Tenancies {
    /// Adds one with its addresses; of two for the same address the first stays.
    pub fn add(&mut self, tenancy: Tenancy, addresses: impl IntoIterator<Item = IpAddr>) {
        for address in addresses {
            self.addresses.entry(address).or_insert(self.list.len());
        }
        self.list.push(tenancy);
    }

    /// Whether nothing is elsewhere: so it is mostly, and then nobody needs to look closer.
    #[inline]
    #[must_use]
    pub fn are_all_held(&self, now: u32) -> bool {
        self.list.iter().all(|tenancy| tenancy.tenure.is_held(now))
    }

    /// The virtual router that an address is of.
    #[must_use]
    pub fn of(&self, address: IpAddr) -> Option<&Tenancy> {
        self.list.get(*self.addresses.get(&address)?)
    }

    /// Whether an address is of a virtual router whose addresses are elsewhere.
    #[must_use]
    pub fn is_elsewhere(&self, address: IpAddr, now: u32) -> bool {
        self.of(address).is_some_and(|tenancy| !tenancy.tenure.is_held(now))
    }

    /// The same of a MAC address.
    #[must_use]
    pub fn is_mac_elsewhere(&self, mac: Mac, now: u32) -> bool {
        let mut of = self.list.iter().filter(|tenancy| tenancy.mac == Some(mac)).peekable();
        of.peek().is_some() && of.all(|tenancy| !tenancy.tenure.is_held(now))
    }

    /// Whether a MAC address is a virtual router's.
    #[must_use]
    pub fn is_virtual(&self, mac: Mac) -> bool {
        self.list.iter().any(|tenancy| tenancy.mac == Some(mac))
    }

    /// The MAC addresses that the box is known by beside those of its interfaces, and where.
    pub fn macs(&self) -> impl Iterator<Item = (InterfaceId, Mac)> {
        let with_mac = self.list.iter().filter_map(|tenancy| Some((tenancy, tenancy.mac?)));
        with_mac.flat_map(|(tenancy, mac)| tenancy.interfaces.iter().map(move |id| (*id, mac)))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn it_holds_until_its_time_is_over_and_not_again_after_the_clock_has_wrapped() {
        let tenure = Tenure::new();
        assert!(!tenure.is_held(0));
        for now in [0, 1000, u32::MAX - 50] {
            let at = |millis: u32| now.wrapping_add(millis);
            tenure.hold_until(at(100));
            assert!(tenure.is_held(now) && tenure.is_held(at(99)), "{now}");
            assert!(!tenure.is_held(at(100)), "{now}");
            assert!(!tenure.is_held(at(u32::MAX)), "{now}: what has run out stays so");
        }
        tenure.hold_until(100);
        assert!(tenure.is_claimed(99));
        tenure.linger_until(100);
        assert!(tenure.is_held(99) && !tenure.is_claimed(99) && !tenure.is_held(100));
        tenure.hold_until(100);
        tenure.give_up();
        assert!(!tenure.is_held(0));
    }

    #[test]
    fn addresses_and_macs_are_elsewhere_while_their_router_is_not_master() {
        let (here, there) = (Arc::new(Tenure::new()), Arc::new(Tenure::new()));
        here.hold_until(1000);
        let mac = |last| Mac([0, 0, 0x5e, 0, 1, last]);
        let address = |last| IpAddr::from([10, 0, 0, last]);
        let tenancy = |tenure: &Arc<Tenure>, last| Tenancy {
            tenure: Arc::clone(tenure),
            mac: Some(mac(last)),
            interfaces: vec![InterfaceId(0)],
        };
        let mut tenancies = Tenancies::default();
        assert!(tenancies.are_all_held(0));
        tenancies.add(tenancy(&here, 1), [address(1)]);
        assert!(tenancies.are_all_held(0));
        tenancies.add(tenancy(&there, 2), [address(2)]);
        assert!(!tenancies.are_all_held(0));
        let elsewhere = [1, 2, 3].map(|last| tenancies.is_elsewhere(address(last), 0));
        assert_eq!(elsewhere, [false, true, false]);
        let elsewhere = [1, 2, 3].map(|last| tenancies.is_mac_elsewhere(mac(last), 0));
        assert_eq!(elsewhere, [false, true, false]);
        // One number for both families, and a master of one of them: hosts of that one need it.
        tenancies.add(tenancy(&here, 2), [address(4)]);
        assert!(!tenancies.is_mac_elsewhere(mac(2), 0));
        assert_eq!(tenancies.macs().count(), 3);
    }
}
