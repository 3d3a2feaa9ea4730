//! The addresses of a snapshot that the XDP classifier chooses frames by.

use std::net::IpAddr;

use super::Snapshot;
use crate::types::{Endpoint, InterfaceId, Mac, Prefix};
use crate::xdp::Steered;

impl Steered for Snapshot {
    fn vips(&self) -> impl Iterator<Item = (Prefix, bool)> {
        self.vips.iter().map(|(prefix, vip)| (prefix, vip.bridge))
    }

    fn return_endpoints(&self) -> impl Iterator<Item = Endpoint> {
        self.return_endpoints.endpoints()
    }

    fn local_addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.local_addresses.iter().copied()
    }

    fn macs(&self) -> impl Iterator<Item = (InterfaceId, Mac)> {
        let interfaces = (0..).map(InterfaceId).zip(&self.interfaces);
        let own = interfaces.flat_map(|(id, interface)| {
            [Some(interface.mac), interface.bridge_mac].into_iter().flatten().map(move |mac| (id, mac))
        });
        own.chain(self.tenancies.macs())
    }

    fn bridge_ports(&self) -> impl Iterator<Item = InterfaceId> {
        let interfaces = (0..).map(InterfaceId).zip(&self.interfaces);
        interfaces.filter(|(_, interface)| interface.bridge.is_some()).map(|(id, _)| id)
    }
}
