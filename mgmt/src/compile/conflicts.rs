//! Addresses of the configuration that are somebody's already: workers would take packets that are not
//! theirs. The file alone does not tell, the network around the box does.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use dataplane::types::Prefix;

use super::{Served, pool_addresses};
use crate::config::Config;
use crate::net::NetState;

/// Why a configuration cannot be in force on this box.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Conflict {
    /// Replies to flows cannot be told from packets for the box itself, such as those of ssh and BGP.
    #[error(
        "snat_pool has {address}, which is an address of interface {interface:?}, and all \
         packets to it would be taken from Linux: use an address of that network that nobody has"
    )]
    PoolAddressOfTheBox {
        /// The address.
        address: IpAddr,
        /// The interface that has it.
        interface: String,
    },
    /// All of a prefix is answered for: also what is the box's by way of Linux.
    #[error(
        "the virtual prefix {prefix} contains {address}, which is an address of interface {interface:?}, and \
         the box would answer for all of it: {ADVICE}"
    )]
    PrefixWithTheBox {
        /// The prefix.
        prefix: Prefix,
        /// The address.
        address: IpAddr,
        /// The interface that has it.
        interface: String,
    },
    /// Also what is a router's.
    #[error(
        "the virtual prefix {prefix} contains {gateway}, which is the gateway of a route, and the box would \
         answer for all of it: {ADVICE}"
    )]
    PrefixWithAGateway {
        /// The prefix.
        prefix: Prefix,
        /// The router.
        gateway: IpAddr,
    },
    /// Frames of a VLAN would leave without their tag, and so into another VLAN.
    #[error(
        "interface {interface:?} takes VLAN tags out of frames and lets nothing change that, so that workers do not \
         see them; but {user}: {HIDDEN_ADVICE}"
    )]
    HiddenTags {
        /// The interface.
        interface: String,
        /// What needs the tags.
        user: String,
    },
}

/// A virtual IP that an interface of Linux has as well. It may be in force, with what comes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedAddress {
    /// The address.
    pub address: IpAddr,
    /// The interface that has it.
    pub interface: String,
    /// The interface has no other address of that family: what Linux sends by it has this one as its source.
    pub is_only: bool,
}

/// The addresses of the configuration that Linux has as well.
#[must_use]
pub fn shared_addresses(served: &Served, net: &NetState) -> Vec<SharedAddress> {
    let is_link_local = |a: &IpAddr| matches!(a, IpAddr::V6(v6) if v6.is_unicast_link_local());
    let shared = net.addresses().filter(|(_, address)| served.is_host(*address));
    let found = shared.map(|(link, address)| {
        let mut others = net.addresses_of(link.index).filter(|other| {
            *other != address && other.is_ipv4() == address.is_ipv4() && !is_link_local(other)
        });
        SharedAddress { address, interface: link.name.clone(), is_only: others.next().is_none() }
    });
    found.collect()
}

impl fmt::Display for SharedAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, interface, is_only } = self;
        write!(
            f,
            "{address} is a virtual IP, and interface {interface:?} has it too: Linux gets no packets to it any \
             more, those to ports without a service included; "
        )?;
        f.write_str(if *is_only {
            "it is the only address of that interface, so that health checks leave with it as their source, \
             their replies go to workers, and they time out; "
        } else {
            "where it is the only address of its subnet, health checks leave with it as their source, their \
             replies go to workers, and they time out; "
        })?;
        f.write_str("take it off the interface, and give that another address to reach the node by")
    }
}

const HIDDEN_ADVICE: &str = "use an interface whose driver has 'ethtool -K NAME rxvlan off', or a pair of veth under \
     Linux 6.8 or newer with xdp = \"auto\"";

const ADVICE: &str =
    "use a prefix that is routed to the box, or a part of the segment's that nobody else uses";

/// What needs to see VLAN tags on interfaces where workers do not see them.
#[must_use]
pub fn hidden_tags<'n>(
    config: &Config,
    net: &NetState,
    hidden: impl IntoIterator<Item = &'n str>,
) -> BTreeSet<Conflict> {
    let mut found = BTreeSet::new();
    let bound = config.services.iter().find(|service| service.vlan.is_some());
    for name in hidden {
        let vlan = net.link(name).and_then(|link| net.vlans_on(link.index).next());
        let user = match (bound, vlan) {
            (Some(service), _) => format!("service {:?} is bound to a `vlan`", service.name),
            (None, Some(vlan)) => format!("{:?} is an interface of a VLAN on it", vlan.name),
            (None, None) => continue,
        };
        found.insert(Conflict::HiddenTags { interface: name.to_owned(), user });
    }
    found
}

/// All conflicts between a configuration and the network of the box.
#[must_use]
pub fn conflicts(config: &Config, net: &NetState) -> BTreeSet<Conflict> {
    let pool = pool_addresses(config);
    let taken = net.addresses().filter(|(_, address)| pool.contains(address));
    let mut found: BTreeSet<_> = taken
        .map(|(link, address)| Conflict::PoolAddressOfTheBox { address, interface: link.name.clone() })
        .collect();
    let vips: BTreeSet<_> = config.services.iter().map(|service| service.address).collect();
    let gateways = net.gateways();
    for prefix in vips.into_iter().filter(|vip| vip.single().is_none()) {
        let own = net.addresses().filter(|(_, address)| prefix.contains(*address));
        found.extend(own.map(|(link, address)| {
            let interface = link.name.clone();
            Conflict::PrefixWithTheBox { prefix, address, interface }
        }));
        let routers = gateways.iter().filter(|gateway| prefix.contains(**gateway));
        found.extend(routers.map(|&gateway| Conflict::PrefixWithAGateway { prefix, gateway }));
    }
    found
}
