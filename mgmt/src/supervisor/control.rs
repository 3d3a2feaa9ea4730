//! Control frames that workers hand over, stations that they hear, and the neighbours that are kept fresh before
//! packets need them.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use dataplane::types::{InterfaceId, Mac, Mode};
use dataplane::{ControlFrame, Punt};

use super::Supervisor;
use crate::compile::ports;
use crate::net::{NeighbourId, NeighbourRequest, arp, ndp, solicited_node};

/// A neighbour that is missed again within this time is not asked for again: the kernel is at it.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// Neighbours that may be asked for within that time: a scan of a network must not keep the
/// management thread busy.
const ASKED_AT_ONCE: usize = 4096;
/// How often the neighbours that are kept fresh are looked at without an occasion.
const KEEP_EVERY: Duration = Duration::from_secs(10);
/// Frames taken from the workers before other events have their turn.
const BURST: usize = 256;

/// What was asked lately.
#[derive(Debug, Default)]
pub(super) struct Asked {
    neighbours: HashMap<(InterfaceId, IpAddr), Instant>,
    stations: HashMap<(InterfaceId, Mac), Instant>,
    kept: BTreeSet<NeighbourId>,
    kept_at: Option<Instant>,
}

impl Asked {
    /// Whether it is time to ask for a neighbour.
    fn is_due(&mut self, id: (InterfaceId, IpAddr), now: Instant) -> bool {
        is_due(&mut self.neighbours, id, now)
    }

    /// The neighbours that the kernel keeps fresh: backends, and routers.
    pub(super) fn kept(&self) -> &BTreeSet<NeighbourId> {
        &self.kept
    }

    pub(super) fn forget(&mut self, now: Instant) {
        let is_recent = |at: &mut Instant| now.duration_since(*at) < ASK_AGAIN;
        self.neighbours.retain(|_, at| is_recent(at));
        self.stations.retain(|_, at| is_recent(at));
    }
}

pub(super) fn is_due<K: Hash + Eq>(asked: &mut HashMap<K, Instant>, id: K, now: Instant) -> bool {
    let recently = asked.get(&id).is_some_and(|at| now.duration_since(*at) < ASK_AGAIN);
    if recently || asked.len() >= ASKED_AT_ONCE {
        return false;
    }
    asked.insert(id, now);
    true
}

impl Supervisor {
    pub(super) async fn take_punts(&mut self) {
        self.dataplane.clear_punt_event();
        self.watch_for_dead_workers();
        let punts: Vec<_> = std::iter::from_fn(|| self.dataplane.punted()).take(BURST).collect();
        if punts.len() == BURST {
            // More may wait, and no worker will report that again.
            self.dataplane.ring_punt_event();
        }
        let (mut replies, mut requests) = (Vec::new(), Vec::new());
        for punt in punts {
            match punt {
                Punt::Frame(frame) => {
                    self.hear_claim(&frame);
                    let reply = self.reply(&frame);
                    requests.extend(self.learn(&frame, reply.is_some()));
                    replies.extend(reply.map(|reply| (frame.interface, reply)));
                }
                Punt::NeighbourMissing { interface, address } => {
                    requests.extend(self.resolution(interface, address));
                }
                Punt::NeighbourMoved { interface, address } => self.has_moved(interface, address),
                Punt::Station { interface, mac } => self.heard(interface, mac).await,
            }
        }
        // A host that gets its reply sends at once: workers know by then where it is.
        self.suppose(&requests);
        for (interface, reply) in replies {
            self.send(interface, &reply);
        }
        self.perform(&requests).await;
    }

    /// The reply to a question for an address of the node.
    fn reply(&self, frame: &ControlFrame) -> Option<Vec<u8>> {
        let mac = self.mac_of(frame.interface)?;
        let bytes = frame.bytes();
        let snapshot = self.dataplane.snapshot();
        // An address that has left the configuration still has flows. Who knows the box for it asks
        // the box itself, and goes on; who asks everybody may be told by another box that has it now.
        let to_us = bytes.starts_with(&mac.0);
        let answers = |address: IpAddr, asker| {
            let lingers = || to_us && snapshot.vips.contains(address);
            let is_elsewhere = || self.station_of(frame.interface, address).is_some_and(|other| other != mac);
            let is_ours = self.served.answers(address, asker, lingers, is_elsewhere);
            let (is_held, virtual_mac) = self.holds(address, frame.interface);
            (is_ours && is_held).then(|| virtual_mac.unwrap_or(mac))
        };
        let answer = match arp::respond(bytes, |vip, asker| answers(vip.into(), asker)) {
            Ok(reply) => Ok(reply),
            Err(arp::Silence::NotArp) => {
                ndp::respond(bytes, |vip, asker| answers(vip.into(), asker)).map_err(|why| format!("{why:?}"))
            }
            Err(why) => Err(format!("{why:?}")),
        };
        let log = |why| tracing::debug!(interface = %frame.interface, why, "control frame without an answer");
        answer.map_err(log).ok()
    }

    pub(super) fn send(&self, interface: InterfaceId, bytes: &[u8]) {
        let sent = ControlFrame::new(interface, bytes).is_some_and(|frame| self.dataplane.transmit(frame));
        if !sent {
            tracing::debug!(%interface, "a control frame found no way out");
        }
    }

    /// Who has an address on an interface's segment, as far as the kernel knows.
    fn station_of(&self, interface: InterfaceId, address: IpAddr) -> Option<Mac> {
        self.netlink.state().neighbour(self.ip_link_of(interface)?, address)?.usable_mac()
    }

    /// What hosts on an interface's segment know the box by. On all ports of a bridge it is the same: a
    /// host that moves to another one finds the box where it was.
    pub(super) fn mac_of(&self, interface: InterfaceId) -> Option<Mac> {
        Some(self.netlink.state().ip_link(*ports(&self.config).get(interface.index())?)?.mac)
    }

    /// The kernel's number of the link that has an interface's addresses and neighbours.
    pub(super) fn ip_link_of(&self, interface: InterfaceId) -> Option<u32> {
        let port = *ports(&self.config).get(interface.index())?;
        match port.bridge {
            Some(_) => Some(self.netlink.state().ip_link(port)?.index),
            None => self.interfaces.in_use.get(interface.index()).copied().flatten(),
        }
    }

    /// Makes neighbour solicitations for the virtual IPs and pool addresses arrive.
    pub(super) fn join_groups(&mut self) {
        let served = self.served.hosts();
        let of = |address| match address {
            IpAddr::V6(vip) => Some((self.segments_of(address), solicited_node(vip))),
            IpAddr::V4(_) => None,
        };
        let groups = served.filter_map(of).flat_map(|(interfaces, group)| {
            let links = interfaces.into_iter().filter_map(|interface| self.ip_link_of(interface));
            links.map(move |link| (link, group)).collect::<Vec<_>>()
        });
        let wanted = groups.collect();
        let Some(groups) = &mut self.groups else { return };
        for ((_, group), error) in groups.follow(&wanted) {
            tracing::warn!(%group, %error, "neighbour solicitations may not arrive: group not joined");
        }
    }

    /// The interfaces on whose segment an address of ours is: all ports of a bridge.
    pub(super) fn segments_of(&self, address: IpAddr) -> Vec<InterfaceId> {
        let snapshot = self.dataplane.snapshot();
        let towards = snapshot.fib.neighbour_towards(address).map(|(interface, _)| interface);
        let bridge_of = |id: InterfaceId| snapshot.interface(id).and_then(|interface| interface.bridge);
        let all = || (0..).map(InterfaceId).take(snapshot.interfaces.len());
        match (towards, towards.and_then(bridge_of)) {
            (_, Some(bridge)) => snapshot.ports_of(bridge).collect(),
            // A bridge may have no address, and so no route: its services are on it all the same.
            _ if snapshot.vips.get(address).is_some_and(|vip| vip.bridge) => {
                all().filter(|id| bridge_of(*id).is_some()).collect()
            }
            (interface, None) => interface.into_iter().collect(),
        }
    }

    /// A neighbour that packets wait for.
    fn resolution(&mut self, interface: InterfaceId, address: IpAddr) -> Option<NeighbourRequest> {
        let link = self.ip_link_of(interface)?;
        // What has been heard of it meanwhile is on its way to the workers.
        let is_known =
            self.netlink.state().neighbour(link, address).is_some_and(|n| n.usable_mac().is_some());
        let is_due = !is_known && self.asked.is_due((interface, address), crate::clock::now());
        is_due.then_some(NeighbourRequest::Resolve((link, address)))
    }

    /// A port's bridge learns of a station whose packets it never sees.
    pub(super) async fn heard(&mut self, interface: InterfaceId, mac: Mac) {
        if !is_due(&mut self.asked.stations, (interface, mac), crate::clock::now()) {
            return;
        }
        let Some(port) = self.interfaces.in_use.get(interface.index()).copied().flatten() else { return };
        if let Err(error) = self.resolver.heard(port, mac).await {
            tracing::debug!(%mac, %error, "the bridge was not told of a station");
        }
    }

    /// Has the kernel resolve and keep the next hops of all backends, and the routers' MACs: before
    /// the first client needs them.
    pub(super) async fn keep_neighbours(&mut self) {
        let wanted = self.wanted_neighbours();
        if wanted == self.asked.kept && self.asked.kept_at.is_some() {
            return;
        }
        self.keep(wanted).await;
    }

    pub(super) async fn keep_neighbours_now_and_then(&mut self) {
        let now = crate::clock::now();
        if self.asked.kept_at.is_none_or(|at| now.duration_since(at) >= KEEP_EVERY) {
            self.keep(self.wanted_neighbours()).await;
        }
    }

    async fn keep(&mut self, wanted: BTreeSet<NeighbourId>) {
        for ((_, address), error) in self.resolver.keep(&wanted).await {
            tracing::debug!(%address, %error, "neighbour not kept fresh");
        }
        self.asked.kept = wanted;
        self.asked.kept_at = Some(crate::clock::now());
    }

    fn wanted_neighbours(&self) -> BTreeSet<NeighbourId> {
        let fib = &self.dataplane.snapshot().fib;
        let members = || self.inventory.members().filter_map(|(_, member)| member);
        let backends = members().filter_map(|member| fib.neighbour_towards(member.address));
        let number = |(id, address): (InterfaceId, IpAddr)| Some((self.ip_link_of(id)?, address));
        let mut wanted: BTreeSet<_> = backends.chain(fib.gateways()).filter_map(number).collect();
        // Nobody has said which bridge a backend is on: where it answers, it is.
        let state = self.netlink.state();
        let bridges = self.config.bridges().into_iter().filter_map(|name| state.link(name));
        for bridge in bridges {
            let bridged = members().filter(|member| member.forwarding.mode() == Mode::Bridge);
            wanted.extend(bridged.map(|member| (bridge.index, member.address)));
        }
        wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_neighbour_is_asked_for_once_a_second_and_not_too_many_at_once() {
        let mut asked = Asked::default();
        let start = crate::clock::now();
        let id = |n: u32| (InterfaceId(0), IpAddr::V4(std::net::Ipv4Addr::from_bits(0x0a00_0000 + n)));
        assert!(asked.is_due(id(1), start) && !asked.is_due(id(1), start));
        let later = start + ASK_AGAIN;
        asked.forget(later);
        assert!(asked.is_due(id(1), later));
        let accepted = (2..10_000).filter(|n| asked.is_due(id(*n), later)).count();
        assert_eq!(accepted, ASKED_AT_ONCE - 1);
        assert!(
            is_due(&mut asked.stations, (InterfaceId(0), Mac([2; 6])), later),
            "not for want of room there"
        );
    }
}
