//! Gratuitous ARP and unsolicited neighbour advertisements: switches and hosts that remember another
//! box, another MAC or another port learn at once that a virtual IP is here.
//!
//! An announcement is due on each interface that leads straight to the address: at the start, after a
//! reload, and whenever the interface comes up, is back, has another MAC, or the route arrives. Each
//! is sent twice (RFC 5227 section 2.3, `ANNOUNCE_NUM`), for nobody confirms any.

use std::collections::BTreeMap;
use std::net::IpAddr;

use dataplane::ControlFrame;
use dataplane::types::{InterfaceId, Mac};

use super::Supervisor;
use crate::net::{arp, ndp};

const TIMES: u8 = 2;

/// Where an address is announced: the kernel's number of the link, the link's MAC, the address.
type Claim = (u32, Mac, IpAddr);

/// How often each announcement that holds has been sent.
#[derive(Debug, Default)]
pub(super) struct Announced(BTreeMap<Claim, u8>);

/// Which announcements are due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// Those that were never sent.
    New,
    /// Also those that were not yet sent often enough.
    Repeated,
}

impl Announced {
    /// Forgets what no longer holds, so that it is announced anew when it comes back, and gives what
    /// is due.
    fn follow<T>(&mut self, holds: BTreeMap<Claim, T>, due: Due) -> Vec<(Claim, T)> {
        self.0.retain(|claim, _| holds.contains_key(claim));
        let limit = if due == Due::New { 1 } else { TIMES };
        holds.into_iter().filter(|(claim, _)| self.0.get(claim).is_none_or(|times| *times < limit)).collect()
    }

    fn sent(&mut self, claim: Claim) {
        *self.0.entry(claim).or_default() += 1;
    }
}

impl Supervisor {
    /// Announces all virtual IPs, whatever was announced before.
    pub(super) fn announce_vips(&mut self) {
        self.announced = Announced::default();
        self.announce(Due::New);
    }

    /// Announces what is due. What finds no way out stays due. Of prefixes nothing is announced: they
    /// have too many addresses, and are routed to the box rather than asked for.
    pub(super) fn announce(&mut self, due: Due) {
        let mut holds = BTreeMap::new();
        let snapshot = self.dataplane.snapshot();
        // Those of virtual routers are announced by the thread of VRRP.
        for address in self.served.hosts().filter(|address| snapshot.tenancies.of(*address).is_none()) {
            for interface in self.segments_of(address) {
                if let Some((link, mac)) = self.way_out(interface) {
                    holds.insert((link, mac, address), interface);
                }
            }
        }
        for (claim, interface) in self.announced.follow(holds, due) {
            let (_, mac, address) = claim;
            let bytes = match address {
                IpAddr::V4(address) => arp::gratuitous_arp(address, mac),
                IpAddr::V6(address) => ndp::unsolicited_na(address, mac),
            };
            if ControlFrame::new(interface, &bytes).is_some_and(|frame| self.dataplane.transmit(frame)) {
                self.announced.sent(claim);
            }
        }
    }

    /// The link by which frames leave now, and what the box is known by there.
    fn way_out(&self, interface: InterfaceId) -> Option<(u32, Mac)> {
        let index = self.interfaces.in_use.get(interface.index()).copied().flatten()?;
        self.netlink.state().link_by_index(index).filter(|link| link.usable())?;
        Some((index, self.mac_of(interface)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: Mac = Mac([2, 0, 0, 0, 0, 1]);

    fn follow(announced: &mut Announced, holds: &[Claim], due: Due) -> Vec<Claim> {
        let due = announced.follow(holds.iter().map(|claim| (*claim, ())).collect(), due);
        due.into_iter().map(|(claim, ())| claim).inspect(|claim| announced.sent(*claim)).collect()
    }

    #[test]
    fn each_claim_is_announced_twice_and_anew_after_it_was_away_or_has_another_mac() {
        let mut announced = Announced::default();
        let here = (7, MAC, "10.0.0.100".parse().unwrap());
        let replaced = (7, Mac([2, 0, 0, 0, 0, 2]), here.2);
        assert_eq!(follow(&mut announced, &[here], Due::New), [here]);
        assert!(follow(&mut announced, &[here], Due::New).is_empty());
        assert_eq!(follow(&mut announced, &[here], Due::Repeated), [here]);
        assert!(follow(&mut announced, &[here], Due::Repeated).is_empty());
        assert_eq!(follow(&mut announced, &[replaced], Due::New), [replaced]);
        assert!(follow(&mut announced, &[], Due::Repeated).is_empty());
        assert_eq!(follow(&mut announced, &[replaced], Due::New), [replaced]);
    }

    #[test]
    fn what_was_not_sent_stays_due() {
        let mut announced = Announced::default();
        let here = (7, MAC, "fd00::100".parse().unwrap());
        let holds = || BTreeMap::from([(here, ())]);
        assert_eq!(announced.follow(holds(), Due::New).len(), 1);
        assert_eq!(announced.follow(holds(), Due::New).len(), 1);
    }
}
