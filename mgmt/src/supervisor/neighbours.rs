//! Neighbours: what frames teach of them, which ones workers wait for, and which ones are to be verified.

mod learned;
mod passing;

use dataplane::ControlFrame;
use dataplane::types::{InterfaceId, Mac};
use std::net::IpAddr;
use std::time::Duration;

pub(super) use self::learned::Learned;
use super::Supervisor;
use crate::compile::Facts;
use crate::net::{
    Heard, Neighbour, NeighbourId, NeighbourRequest, NeighbourState, NetError, Place, Touched, arp, lesson,
    ndp,
};

/// Neighbours that are verified in a second. Those that are left are marked again by their next packet.
const VERIFIED_AT_ONCE: usize = 256;
/// The log reports a full neighbour table of the kernel no more often.
const SAY_AGAIN: Duration = Duration::from_secs(60);

impl Supervisor {
    /// Takes from a frame what it states of its sender; `is_answered`: the node answers it.
    pub(super) fn learn(&mut self, frame: &ControlFrame, is_answered: bool) -> Option<NeighbourRequest> {
        let heard = Heard::new(frame.bytes());
        self.pass_on(frame, heard.as_ref(), is_answered);
        let heard = heard?;
        let link = self.ip_link_of(frame.interface)?;
        let place = Place {
            link,
            known: self.netlink.state().neighbour(link, heard.address),
            is_on_link: self.is_on_link(heard.address, frame.interface),
            is_own: self.is_own(&heard),
            // Where backends answer clients themselves the node sends nothing to these, and the kernel's table
            // need not have them.
            is_answered: is_answered && heard.target.is_some_and(|target| self.served.is_two_way(target)),
        };
        let lesson = lesson(&heard, &place)?;
        self.learned.due(lesson, crate::clock::now()).map(NeighbourRequest::Teach)
    }

    /// Whether hosts on an interface's segment have an address like this one. Those of the link alone are on each.
    fn is_on_link(&self, address: IpAddr, interface: InterfaceId) -> bool {
        if matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local()) {
            return true;
        }
        let snapshot = self.dataplane.snapshot();
        let bridge = |id: InterfaceId| snapshot.interface(id).and_then(|interface| interface.bridge);
        snapshot.fib.neighbour_towards(address).is_some_and(|(id, next)| {
            next == address && (id == interface || bridge(id).is_some() && bridge(id) == bridge(interface))
        })
    }

    fn is_own(&self, heard: &Heard) -> bool {
        let snapshot = self.dataplane.snapshot();
        let own_mac = |mac: Mac| {
            snapshot.tenancies.is_virtual(mac)
                || snapshot.interfaces.iter().any(|own| own.mac == mac || own.bridge_mac == Some(mac))
        };
        own_mac(heard.mac)
            || self.served.is_host(heard.address)
            || snapshot.vips.contains(heard.address)
            || snapshot.tenancies.of(heard.address).is_some()
            || snapshot.local_addresses.contains(&heard.address)
    }

    /// Takes for known what the kernel is about to be taught, so that workers know it before the host sends.
    pub(super) fn suppose(&mut self, requests: &[NeighbourRequest]) {
        let lessons = requests.iter().filter_map(|request| match request {
            NeighbourRequest::Teach(lesson) => Some(*lesson),
            NeighbourRequest::Resolve(_) => None,
        });
        let touched = self.netlink.suppose(lessons);
        self.follow_neighbours(&touched);
    }

    fn follow_neighbours(&mut self, touched: &Touched) {
        if !touched.neighbours.is_empty() && !self.publish_neighbours(touched) {
            self.publish();
        }
    }

    /// A host has begun a flow by another MAC address than the one it is known by: it is asked where it is, on all
    /// ports of its segment. Linux receives the reply.
    pub(super) fn has_moved(&mut self, interface: InterfaceId, address: IpAddr) {
        if self.learned.may_ask((interface, address), crate::clock::now()) {
            self.ask_where_it_is(interface, address);
        }
    }

    fn ask_where_it_is(&self, interface: InterfaceId, address: IpAddr) {
        let own = self.own_address(interface, address).zip(self.mac_of(interface));
        let Some((own, mac)) = own else { return };
        let question = match (own, address) {
            (IpAddr::V4(own), IpAddr::V4(host)) => arp::question((own, mac), host),
            (IpAddr::V6(own), IpAddr::V6(host)) => ndp::solicitation((own, mac), host),
            _ => return,
        };
        let snapshot = self.dataplane.snapshot();
        match snapshot.interface(interface).and_then(|interface| interface.bridge) {
            Some(bridge) => snapshot.ports_of(bridge).for_each(|port| self.send(port, &question)),
            None => self.send(interface, &question),
        }
    }

    /// Makes requests of the kernel, all of a round simultaneously.
    pub(super) async fn perform(&mut self, requests: &[NeighbourRequest]) {
        let failed = self.resolver.perform(requests).await;
        let mut touched = Touched::default();
        for request in requests {
            if let NeighbourRequest::Teach(lesson) = request
                && failed.iter().any(|(id, _)| *id == lesson.id)
            {
                touched.neighbours.extend(self.netlink.take_back(*lesson).neighbours);
            }
        }
        self.follow_neighbours(&touched);
        for ((_, address), error) in failed {
            tracing::debug!(%address, %error, "neighbour not resolved");
            if error.code() == Some(libc::ENOBUFS) {
                self.warn_of_a_full_table(&error);
            }
        }
    }

    fn warn_of_a_full_table(&mut self, error: &NetError) {
        if self.learned.may_report_a_full_table(crate::clock::now(), SAY_AGAIN) {
            tracing::warn!(
                event = "neighbour.table-full",
                %error,
                "The kernel's neighbour table is full: hosts on the service networks that are not in it get no \
                 packets. Raise net.ipv4.neigh.default.gc_thresh3 and net.ipv6.neigh.default.gc_thresh3, see \
                 `penstock doctor`."
            );
        }
    }

    /// Has the kernel verify the neighbours that workers send by and that it has not heard of for a while. Those
    /// that it manages it verifies by itself. To be called once a second.
    pub(super) async fn verify_used_neighbours(&mut self) {
        let later = self.learned.forget(crate::clock::now());
        self.suppose(&later);
        for (interface, address) in self.learned.moved() {
            self.ask_where_it_is(interface, address);
        }
        let snapshot = self.dataplane.snapshot();
        let state = self.netlink.state();
        let is_stale = |entry: &&Neighbour| entry.state == NeighbourState::Stale && !entry.managed;
        let used = snapshot.fib.neighbours().take_used();
        let used = used.filter(|(interface, address)| !self.learned.is_asked(*interface, *address));
        let stale = used.filter_map(|(interface, address)| {
            let entry = state.neighbour(self.ip_link_of(interface)?, address).filter(is_stale)?;
            Some(NeighbourRequest::Resolve((entry.interface, address)))
        });
        let requests: Vec<_> = stale.take(VERIFIED_AT_ONCE).chain(later).collect();
        self.perform(&requests).await;
    }

    /// Puts neighbours in force that have changed, where nothing else has; whether that is all there is to do.
    pub(super) fn publish_neighbours(&mut self, touched: &Touched) -> bool {
        if self.is_behind || self.is_of_backends(touched) {
            return false;
        }
        let (config, inventory, net) = (&self.config, &self.inventory, self.netlink.state());
        let (rss, workers, now) = (&*self.rss, self.workers, crate::clock::now());
        let facts = Facts { config, inventory, net, rss, workers, now };
        let next = self.compiler.amend_neighbours(&self.dataplane.snapshot(), &facts, touched);
        self.dataplane.publish_neighbours(next);
        true
    }

    /// Whether some of these are backends or routers.
    fn is_of_backends(&self, touched: &Touched) -> bool {
        let (kept, state) = (self.asked.kept(), self.netlink.state());
        let station = |id: &NeighbourId| Some((id.0, state.neighbour(id.0, id.1)?.mac?));
        touched.neighbours.iter().any(|id| kept.contains(id))
            || !touched.stations.is_empty()
                && kept.iter().filter_map(station).any(|station| touched.stations.contains(&station))
    }
}
