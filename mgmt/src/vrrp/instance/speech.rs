//! What a virtual router says to others.

use std::net::IpAddr;
use std::sync::Arc;

use super::Instance;
use crate::vrrp::Priority;
use crate::vrrp::advert::{Endpoints, Outgoing};
use crate::vrrp::packet;
use crate::vrrp::router::Repeats;
use crate::vrrp::timing::AdvertInterval;
use crate::vrrp::wanted::{Effect, Place};

impl Instance {
    /// That this box is master no longer.
    pub(in crate::vrrp) fn last_words(&self) -> Vec<Effect> {
        self.adverts(Priority::RELEASE, self.wanted.config.interval)
    }

    pub(super) fn adverts(&self, priority: Priority, interval: AdvertInterval) -> Vec<Effect> {
        let Some(Place { link, mac, own }) = self.place else { return Vec::new() };
        let config = &self.wanted.config;
        let outgoing = Outgoing {
            vrid: config.vrid,
            priority,
            interval,
            addresses: &config.advertised,
            coverage: config.coverage,
            password: config.password,
        };
        if config.peers.is_empty() {
            let Ok(message) = outgoing.emit(Endpoints::multicast(own)) else { return Vec::new() };
            let mac = config.virtual_mac().unwrap_or(mac);
            return vec![Effect::Frame(link, packet::multicast(own, mac, &message))];
        }
        let to_peer = |peer: &IpAddr| {
            let message = outgoing.emit(Endpoints::unicast(own, *peer)?).ok()?;
            Some(Effect::Packet { link, own, peer: *peer, message })
        };
        config.peers.iter().filter_map(to_peer).collect()
    }

    pub(in crate::vrrp) fn announce(&self, repeats: Repeats) -> Option<Effect> {
        let Place { link, mac, .. } = self.place?;
        let mac = self.wanted.config.virtual_mac().unwrap_or(mac);
        Some(Effect::Announce(link, mac, Arc::clone(&self.wanted.config), repeats))
    }
}
