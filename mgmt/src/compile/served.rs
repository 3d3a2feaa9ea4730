//! The addresses that the box has by its configuration alone, and whom it answers for them.

use std::collections::BTreeSet;
use std::net::IpAddr;

use dataplane::types::Prefix;

use super::pool_addresses;
use crate::config::Config;
use crate::net::Asker;

/// Virtual IPs, the addresses of pools, and those of virtual routers.
#[derive(Debug, Default)]
pub struct Served {
    hosts: BTreeSet<IpAddr>,
    prefixes: BTreeSet<Prefix>,
    /// Of both, those whose clients the node sends to: of services whose replies pass through it, and of pools.
    two_way: BTreeSet<Prefix>,
}

impl Served {
    /// Those of a configuration.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let vips = || config.services.iter().map(|service| service.address);
        let pool = pool_addresses(config);
        let two_way = config.services.iter().filter(|service| service.mode().is_two_way());
        let two_way = two_way.map(|service| service.address).chain(pool.iter().copied().map(Prefix::host));
        let two_way = two_way.collect();
        let mut hosts = pool;
        hosts.extend(vips().filter_map(Prefix::single));
        hosts.extend(config.vrrp.iter().flat_map(|instance| instance.addresses.iter().copied()));
        Self { hosts, prefixes: vips().filter(|vip| vip.single().is_none()).collect(), two_way }
    }

    /// The single ones, not those that only lie within a prefix.
    pub fn hosts(&self) -> impl Iterator<Item = IpAddr> {
        self.hosts.iter().copied()
    }

    /// Whether the node sends to hosts that ask for this address, because replies pass through it.
    #[must_use]
    pub fn is_two_way(&self, address: IpAddr) -> bool {
        let of = |prefix: &Prefix| prefix.contains(address);
        self.two_way.contains(&Prefix::host(address))
            || self.prefixes.iter().any(of) && self.two_way.iter().any(of)
    }

    /// Whether an address is a single one.
    #[must_use]
    pub fn is_host(&self, address: IpAddr) -> bool {
        self.hosts.contains(&address)
    }

    /// Whether the box answers who asks for an address. A single one is the box's alone. Of a prefix, or
    /// of what `lingers` for its flows alone, a part may be somebody else's: who `is_elsewhere` as far as
    /// the kernel knows is left alone, and nobody is kept from taking an address.
    pub fn answers(
        &self,
        address: IpAddr,
        asker: Asker,
        lingers: impl FnOnce() -> bool,
        is_elsewhere: impl FnOnce() -> bool,
    ) -> bool {
        if self.is_host(address) {
            return true;
        }
        let is_ours = self.prefixes.iter().any(|prefix| prefix.contains(address)) || lingers();
        is_ours && asker == Asker::Host && !is_elsewhere()
    }
}
