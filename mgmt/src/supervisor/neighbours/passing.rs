//! Questions to all that the node takes: what others would have learned from them is passed on.

use std::net::IpAddr;

use dataplane::ControlFrame;
use dataplane::types::{InterfaceId, Mac};

use super::super::Supervisor;
use crate::net::{Heard, arp, ndp};

/// Stations that one question is passed on to, of those that answer clients themselves.
const PASSED_ON_TO: usize = 64;

impl Supervisor {
    /// Passes on what others would have learned from a question to all, had the node not taken it.
    ///
    /// The other side of a bridge does not see the question. One that is not this node's to answer goes there as it is.
    /// With one that is answered, an announcement in its sender's name goes there.
    ///
    /// Backends that answer clients themselves have the virtual IP, and take no notice of questions for it (`arp_ignore`;
    /// and no router joins the group of a virtual IPv6 address). They, or the routers before them, get the announcement
    /// too: otherwise they would find another MAC address of a client after half a minute.
    pub(super) fn pass_on(&mut self, frame: &ControlFrame, heard: Option<&Heard>, is_answered: bool) {
        let (bytes, interface) = (frame.bytes(), frame.interface);
        let is_for_all = bytes.first().is_some_and(|byte| byte & 1 == 1);
        let source = bytes.get(6..12).and_then(|bytes| bytes.first_chunk()).map(|bytes| Mac(*bytes));
        let (true, Some(source)) = (is_for_all, source) else { return };
        let answered = heard.filter(|_| is_answered);
        let snapshot = self.dataplane.snapshot();
        let bridge = snapshot.interface(interface).and_then(|interface| interface.bridge);
        let ports: Vec<_> = bridge.into_iter().flat_map(|bridge| snapshot.ports_of(bridge)).collect();
        let one_way = answered.filter(|_| bridge.is_none()).map(|heard| self.who_answer(heard, interface));
        let one_way = one_way.unwrap_or_default();
        if ports.is_empty() && one_way.is_empty() {
            return;
        }
        let sender = heard.map_or(IpAddr::from([0; 4]), |heard| heard.address);
        if !self.learned.may_pass_on(sender, source, crate::clock::now()) {
            return;
        }
        let announcement = answered.map(|heard| match heard.address {
            IpAddr::V4(address) => arp::gratuitous_arp(address, heard.mac),
            IpAddr::V6(address) => ndp::unsolicited_na(address, heard.mac),
        });
        for port in ports.into_iter().filter(|port| *port != interface) {
            self.send(port, announcement.as_deref().unwrap_or(bytes));
        }
        for to in one_way {
            if let Some(announcement) = heard.and_then(|heard| self.announcement_of(heard, interface, to)) {
                self.send(interface, &announcement);
            }
        }
    }

    /// To one station, from the node's own MAC address: switches know the host to be elsewhere.
    fn announcement_of(&self, heard: &Heard, interface: InterfaceId, to: Mac) -> Option<Vec<u8>> {
        let own_mac = self.mac_of(interface)?;
        match heard.address {
            IpAddr::V4(host) => Some(arp::announcement_for((host, heard.mac), own_mac, to)),
            IpAddr::V6(host) => match self.own_address(interface, heard.address)? {
                IpAddr::V6(own) => Some(ndp::advertisement_for((host, heard.mac), (own, own_mac), to)),
                IpAddr::V4(_) => None,
            },
        }
    }

    /// The stations on an interface's segment by which replies may come that pass the node by.
    fn who_answer(&self, heard: &Heard, interface: InterfaceId) -> Vec<Mac> {
        let Some(target) = heard.target else { return Vec::new() };
        let snapshot = self.dataplane.snapshot();
        let members = self.inventory.members().filter_map(|(id, member)| Some((id, member?)));
        let asked = members.filter(|(_, m)| m.vip.contains(target) && !m.forwarding.mode().is_two_way());
        let hops = asked.filter_map(|(id, _)| snapshot.backend(id)?.next_hop);
        let here = hops.filter(|hop| hop.interface == interface && hop.mac != heard.mac);
        let mut macs: Vec<_> = here.map(|hop| hop.mac).collect();
        macs.sort_unstable();
        macs.dedup();
        macs.truncate(PASSED_ON_TO);
        macs
    }

    /// An address of the node on an interface's segment, of the family of a host there.
    pub(super) fn own_address(&self, interface: InterfaceId, host: IpAddr) -> Option<IpAddr> {
        let own = self.netlink.state().addresses_of(self.ip_link_of(interface)?);
        let fits = own.filter(|own| own.is_ipv4() == host.is_ipv4() && !self.served.is_host(*own));
        // Of several the one that is most like the host's.
        fits.max_by_key(|own| match (own, host) {
            (IpAddr::V4(own), IpAddr::V4(host)) => (own.to_bits() ^ host.to_bits()).leading_zeros(),
            (IpAddr::V6(own), IpAddr::V6(host)) => (own.to_bits() ^ host.to_bits()).leading_zeros(),
            _ => 0,
        })
    }
}
