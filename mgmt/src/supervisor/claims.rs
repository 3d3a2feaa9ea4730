//! Other stations that claim an address which this box answers for (RFC 5227 section 2.4, and the same of IPv6).
//!
//! A peer that takes over claims the addresses, too, and what it says may be heard a moment before its advert: a claim
//! counts if this box still has the address a while later. Then the operator is told, and the address is announced
//! again, so that hosts and switches come back; not too often, since the other may do the same.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use dataplane::ControlFrame;
use dataplane::types::{InterfaceId, Mac};

use super::Supervisor;
use crate::api::view;
use crate::failover::Busy;
use crate::net::{arp, ndp};

/// How long a claim waits before it counts.
const DOUBT: Duration = Duration::from_millis(500);
/// RFC 5227 section 1.1: `DEFEND_INTERVAL`.
const DEFEND_EVERY: Duration = Duration::from_secs(10);
/// The log hears of the same station no more often.
const SAY_AGAIN: Duration = Duration::from_secs(60);

/// A claim that may be one.
#[derive(Debug, Clone, Copy)]
struct Claim {
    interface: InterfaceId,
    by: Mac,
    at: Instant,
}

/// What is known of an address that others claim.
#[derive(Debug, Clone, Copy)]
struct Dispute {
    /// Who did last.
    by: Mac,
    /// How often.
    claims: u64,
    /// When.
    at: Instant,
    said: Option<Instant>,
    defended: Option<Instant>,
}

/// What follows from a claim that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Answer {
    address: IpAddr,
    interface: InterfaceId,
    by: Mac,
    is_said: bool,
    is_defended: bool,
}

/// See the module's head.
#[derive(Debug, Default)]
pub(super) struct Claims {
    waiting: HashMap<IpAddr, Claim>,
    disputes: BTreeMap<IpAddr, Dispute>,
}

impl Claims {
    fn heard(&mut self, address: IpAddr, interface: InterfaceId, by: Mac, now: Instant) {
        // The first one of several is the one that waits longest.
        self.waiting.entry(address).or_insert(Claim { interface, by, at: now });
    }

    /// Those that have waited long enough, of addresses that are still here.
    fn settle(&mut self, now: Instant, is_here: impl Fn(IpAddr, InterfaceId) -> bool) -> Vec<Answer> {
        let is_old = |_: &IpAddr, claim: &mut Claim| now.saturating_duration_since(claim.at) >= DOUBT;
        let old: Vec<_> = self.waiting.extract_if(is_old).collect();
        let real = old.into_iter().filter(|(address, claim)| is_here(*address, claim.interface));
        real.map(|(address, claim)| self.count(address, claim, now)).collect()
    }

    fn count(&mut self, address: IpAddr, Claim { interface, by, at }: Claim, now: Instant) -> Answer {
        let new = Dispute { by, claims: 0, at, said: None, defended: None };
        let dispute = self.disputes.entry(address).or_insert(new);
        let is_over = |last: Option<Instant>, pause| {
            last.is_none_or(|last| now.saturating_duration_since(last) >= pause)
        };
        let is_said = dispute.by != by || is_over(dispute.said, SAY_AGAIN);
        let is_defended = is_over(dispute.defended, DEFEND_EVERY);
        (dispute.by, dispute.at, dispute.claims) = (by, at, dispute.claims + 1);
        if is_said {
            dispute.said = Some(now);
        }
        if is_defended {
            dispute.defended = Some(now);
        }
        Answer { address, interface, by, is_said, is_defended }
    }
}

impl Supervisor {
    /// Takes note of a frame that claims an address of this box.
    pub(super) fn hear_claim(&mut self, frame: &ControlFrame) {
        let bytes = frame.bytes();
        let v4 = arp::claim(bytes).map(|(address, by)| (IpAddr::V4(address), by));
        let Some((address, by)) = v4.or_else(|| ndp::claim(bytes).map(|(a, by)| (IpAddr::V6(a), by))) else {
            return;
        };
        let snapshot = self.dataplane.snapshot();
        // What the box has sent may come back to it; and a virtual MAC says no more than that the other is master.
        let is_own = || {
            snapshot.tenancies.is_virtual(by)
                || snapshot.interfaces.iter().any(|own| own.mac == by || own.bridge_mac == Some(by))
        };
        let is_ours = self.served.is_host(address) || snapshot.tenancies.of(address).is_some();
        if is_ours && !is_own() && self.holds(address, frame.interface).0 {
            self.watched.claims.heard(address, frame.interface, by, crate::clock::now());
        }
    }

    pub(super) fn dispute_views(&self) -> Vec<view::Dispute> {
        let now = crate::clock::now();
        let view = |(address, dispute): (&IpAddr, &Dispute)| view::Dispute {
            address: *address,
            mac: dispute.by.to_string(),
            claims: dispute.claims,
            last_seconds: now.saturating_duration_since(dispute.at).as_secs_f64(),
        };
        self.watched.claims.disputes.iter().map(view).collect()
    }

    /// Tells of the claims that count, and answers them.
    pub(super) fn settle_claims(&mut self) {
        let mut claims = std::mem::take(&mut self.watched.claims);
        let answers = claims.settle(crate::clock::now(), |address, at| self.holds(address, at).0);
        self.watched.claims = claims;
        for Answer { address, interface, by, is_said, is_defended } in answers {
            if is_said {
                tracing::warn!(event = "claim", %address, %by, %interface, "another station claims an address of this box");
            }
            if is_defended {
                self.defend(address, interface);
            }
        }
    }

    fn defend(&self, address: IpAddr, interface: InterfaceId) {
        if let Some(instance) = self.config.vrrp.iter().find(|vrrp| vrrp.addresses.contains(&address)) {
            // A claim that goes on is answered again.
            let _: Result<(), Busy> = self.failover.announce(&instance.name);
            return;
        }
        let Some(own) = self.mac_of(interface) else { return };
        let bytes = match address {
            IpAddr::V4(address) => arp::gratuitous_arp(address, own),
            IpAddr::V6(address) => ndp::unsolicited_na(address, own),
        };
        self.send(interface, &bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ETH0: InterfaceId = InterfaceId(0);
    const OTHER: Mac = Mac([2, 0, 0, 0, 0, 9]);
    const THIRD: Mac = Mac([2, 0, 0, 0, 0, 8]);

    #[test]
    fn a_claim_counts_if_the_address_is_still_here_a_while_later() {
        let (mut claims, start) = (Claims::default(), crate::clock::now());
        let vip: IpAddr = "10.0.0.100".parse().unwrap();
        claims.heard(vip, ETH0, OTHER, start);
        assert!(claims.settle(start + DOUBT / 2, |_, _| true).is_empty(), "too early");
        assert!(claims.settle(start + DOUBT, |_, _| false).is_empty(), "it was the next master");
        assert!(claims.settle(start + DOUBT * 2, |_, _| true).is_empty(), "and that is forgotten");
        claims.heard(vip, ETH0, OTHER, start);
        let answer = Answer { address: vip, interface: ETH0, by: OTHER, is_said: true, is_defended: true };
        assert_eq!(claims.settle(start + DOUBT, |_, _| true), [answer]);
        assert_eq!(claims.disputes.values().map(|dispute| dispute.claims).sum::<u64>(), 1);
    }

    #[test]
    fn the_same_station_is_told_of_once_a_minute_and_answered_every_ten_seconds() {
        let (mut claims, start) = (Claims::default(), crate::clock::now());
        let vip: IpAddr = "fd00::100".parse().unwrap();
        let mut at = |seconds: u64, by| {
            let now = start + Duration::from_secs(seconds);
            claims.heard(vip, ETH0, by, now);
            let answers = claims.settle(now + DOUBT, |_, _| true);
            answers.iter().map(|answer| (answer.is_said, answer.is_defended)).collect::<Vec<_>>()
        };
        assert_eq!(at(0, OTHER), [(true, true)]);
        assert_eq!(at(5, OTHER), [(false, false)]);
        assert_eq!(at(11, OTHER), [(false, true)]);
        assert_eq!(at(12, THIRD), [(true, false)]);
        assert_eq!(at(73, THIRD), [(true, true)]);
    }
}
