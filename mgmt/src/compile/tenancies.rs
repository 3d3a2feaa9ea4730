//! Virtual routers, as workers see them.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use dataplane::snapshot::{Snapshot, Tenancy, Tenure, Vip};
use dataplane::types::{InterfaceId, Prefix};

use super::Compiler;
use crate::config::{Config, Vrrp};
use crate::net::Port;

impl Compiler {
    /// Where workers read whether a virtual router's addresses are here. It outlives configurations.
    #[must_use]
    pub fn tenure(&self, instance: &str) -> Option<Arc<Tenure>> {
        self.tenures.get(instance).cloned()
    }

    pub(super) fn add_tenancies(&mut self, snapshot: &mut Snapshot, config: &Config, ports: &[Port<'_>]) {
        let vips: HashSet<Prefix> = config.services.iter().map(|service| service.address).collect();
        let (hosts, networks): (Vec<_>, Vec<_>) = vips.into_iter().partition(|vip| vip.single().is_some());
        let hosts: HashSet<IpAddr> = hosts.into_iter().filter_map(Prefix::single).collect();
        for instance in &config.vrrp {
            // One that has left is kept: the thread of VRRP writes to it until it hears of that, and a configuration
            // that cannot be put in force is taken back.
            let tenure = self.tenures.entry(instance.name.clone()).or_insert_with(|| Arc::new(Tenure::new()));
            let tenure = Arc::clone(tenure);
            let interfaces = interfaces(instance, ports);
            let tenancy = Tenancy { tenure, mac: instance.virtual_mac(), interfaces };
            snapshot.tenancies.add(tenancy, instance.addresses.iter().copied());
            for address in &instance.addresses {
                // One that no service has is a gateway's: it answers echo requests, and routes.
                let is_service =
                    hosts.contains(address) || networks.iter().any(|network| network.contains(*address));
                snapshot.vips.insert(Prefix::host(*address), Vip { echo: !is_service, ..Vip::default() });
            }
        }
    }
}

/// Where frames to a virtual router come in: its interface, the ports of its bridge, or all, if it is another one
/// on top of them.
fn interfaces(instance: &Vrrp, ports: &[Port<'_>]) -> Vec<InterfaceId> {
    let numbered = || (0..).map(InterfaceId).zip(ports);
    let is_it =
        |port: &Port<'_>| port.name == instance.interface || port.bridge == Some(&*instance.interface);
    let own: Vec<_> = numbered().filter(|(_, port)| is_it(port)).map(|(id, _)| id).collect();
    if own.is_empty() { numbered().map(|(id, _)| id).collect() } else { own }
}
