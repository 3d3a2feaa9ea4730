//! Announcements of addresses, a few at a time.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dataplane::types::Mac;

use super::Engine;
use crate::config::Vrrp;
use crate::net::{arp, ndp};

/// Announcements sent before anything else has its turn.
const ANNOUNCED_AT_ONCE: usize = 64;
/// Between two rounds of the same: what has made one be lost, or believed no longer, may be over then.
const ROUND: Duration = Duration::from_millis(10);

/// Of one virtual router, the next address first.
#[derive(Debug)]
pub(super) struct Announcement {
    pub(super) link: u32,
    pub(super) mac: Mac,
    pub(super) config: Arc<Vrrp>,
    pub(super) rounds: u8,
    pub(super) next: usize,
    pub(super) due: Instant,
}

impl Engine {
    pub(super) fn announce(&mut self, now: Instant) {
        for _ in 0..ANNOUNCED_AT_ONCE {
            let is_due = |announcement: &Announcement| announcement.due <= now;
            let Some(place) = self.announcements.iter().position(is_due) else { return };
            let announcement = &mut self.announcements[place];
            let Some(address) = announcement.config.addresses.get(announcement.next) else {
                (announcement.next, announcement.due) = (0, now + ROUND);
                announcement.rounds = announcement.rounds.saturating_sub(1);
                if announcement.rounds == 0 {
                    self.announcements.remove(place);
                }
                continue;
            };
            announcement.next += 1;
            let bytes = match *address {
                IpAddr::V4(address) => arp::gratuitous_arp(address, announcement.mac),
                IpAddr::V6(address) => ndp::unsolicited_na(address, announcement.mac),
            };
            // Nobody confirms any: that is what the repetitions are for.
            let _: io::Result<()> =
                self.sockets.frame((announcement.link, announcement.config.is_ipv4()), &bytes);
        }
    }
}
