//! Addresses of the configuration that are somebody's already: workers would take packets that are not
//! theirs. The file alone does not tell, the network around the box does.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::config::{Config, Forwarding};
use crate::net::NetState;

/// Why a configuration cannot be in force on this box.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Conflict {
    /// Replies to flows cannot be told from packets for the box itself, such as those of ssh and BGP.
    #[error(
        "service {service}: snat_pool has {address}, which is an address of interface {interface:?}, and all \
         packets to it would be taken from Linux: use an address of that network that nobody has"
    )]
    PoolAddressOfTheBox {
        /// The service's name.
        service: String,
        /// The address.
        address: IpAddr,
        /// The interface that has it.
        interface: String,
    },
}

/// All conflicts between a configuration and the network of the box.
#[must_use]
pub fn conflicts(config: &Config, net: &NetState) -> BTreeSet<Conflict> {
    pool_addresses_of_the_box(config, net).collect()
}

fn pool_addresses_of_the_box(config: &Config, net: &NetState) -> impl Iterator<Item = Conflict> {
    let pools = config.services.iter().filter_map(|service| match &service.forwarding {
        Forwarding::OneArm { pool, .. } => Some((service, pool)),
        _ => None,
    });
    pools.flat_map(move |(service, pool)| {
        let taken = net.addresses().filter(|(_, address)| pool.contains(address));
        taken.map(move |(interface, address)| {
            let (service, interface) = (service.name.clone(), interface.name.clone());
            Conflict::PoolAddressOfTheBox { service, address, interface }
        })
    })
}
