//! Persistence: a client's next flow goes to the server that its last one went to.
//!
//! [`Clients`] is one table for all services, of a fixed size, allocated by management and kept over
//! configurations. A client is the network that its address is in, by the service's mask. What is remembered
//! is the server, not the backend: services of a group share it, each with a backend of its own at that server's
//! address. A client's time begins anew with each of its flows.
//!
//! A client whose server takes no new flows here (it is down, disabled, drained, full, of weight 0, or has left) gets
//! another one by the service's scheduler, and is remembered with that from then on. It does not go back by itself.
//!
//! Without a lock: a choice reads one word. Sets of four entries; when a set is full the entry whose time is over
//! first makes way, which costs that client its server and nothing else.

mod clients;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::types::Tick;
use crate::types::{BackendId, Port, Prefix};

pub use clients::{Client, Clients};

/// What a server is remembered by, the same at every start and on every box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Server(u32);

impl Server {
    /// That of a service's own, or of a group where the address alone counts.
    #[must_use]
    pub fn new(address: IpAddr, port: Option<Port>) -> Self {
        let hash = crate::schedule::address_hash(0x7365_7276, address, port.unwrap_or(Port(0)));
        Self((hash >> 32) as u32)
    }
}

/// A service's persistence.
#[derive(Debug, Clone)]
pub struct Persistence {
    clients: Arc<Clients>,
    /// Whose entries: of the service, or of its group.
    group: u32,
    timeout: u32,
    masks: (u8, u8),
    /// Those that take new flows, by server.
    by_server: Arc<[(Server, BackendId)]>,
    by_backend: Arc<[(BackendId, Server)]>,
}

impl Persistence {
    /// `masks`: lengths of the prefixes that clients are taken for, of IPv4 and IPv6. `takers`: the backends
    /// that take new flows.
    #[must_use]
    pub fn new(
        clients: Arc<Clients>,
        group: u32,
        timeout: Duration,
        masks: (u8, u8),
        takers: &[(Server, BackendId)],
    ) -> Self {
        let mut by_server = takers.to_vec();
        by_server.sort_unstable();
        let mut by_backend: Vec<_> = takers.iter().map(|(server, id)| (*id, *server)).collect();
        by_backend.sort_unstable();
        // Times beyond half a turn of the clock would look as if they were over.
        let timeout = u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX).min(u32::MAX / 4);
        Self { clients, group, timeout, masks, by_server: by_server.into(), by_backend: by_backend.into() }
    }

    fn key(&self, client: IpAddr) -> Client {
        let length = if client.is_ipv4() { self.masks.0 } else { self.masks.1 };
        let network = Prefix::new(client, length).map_or(client, Prefix::address);
        Client { group: self.group, network }
    }

    /// The backend at a client's server, if that takes new flows here.
    pub(crate) fn backend(&self, client: IpAddr, now: Tick) -> Option<BackendId> {
        let server = self.clients.find(self.key(client), now)?;
        let first = self.by_server.partition_point(|(other, _)| *other < server);
        self.by_server.get(first).filter(|(other, _)| *other == server).map(|(_, id)| *id)
    }

    /// Remembers a client with the server of a backend, for the whole time from now on. What stands in for all
    /// backends is not remembered.
    pub(crate) fn remember(&self, client: IpAddr, id: BackendId, now: Tick) {
        if let Ok(place) = self.by_backend.binary_search_by_key(&id, |(id, _)| *id)
            && let Some((_, server)) = self.by_backend.get(place)
        {
            self.clients.put(self.key(client), *server, Tick(now.0.wrapping_add(self.timeout)), now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn takers(backends: &[(&str, u32)]) -> Vec<(Server, BackendId)> {
        backends.iter().map(|(address, id)| (Server::new(ip(address), None), BackendId(*id))).collect()
    }

    const WEB: &[(&str, u32)] = &[("10.0.1.11", 1), ("10.0.1.12", 2)];
    const TLS: &[(&str, u32)] = &[("10.0.1.11", 11), ("10.0.1.12", 12)];

    fn persistence(clients: &Arc<Clients>, group: u32, backends: &[(&str, u32)]) -> Persistence {
        let timeout = Duration::from_secs(300);
        Persistence::new(Arc::clone(clients), group, timeout, (24, 64), &takers(backends))
    }

    #[test]
    fn a_client_is_its_network_and_its_time_begins_anew_with_each_flow() {
        let web = persistence(&Arc::new(Clients::new(64)), 1, WEB);
        assert_eq!(web.backend(ip("192.0.2.7"), Tick(0)), None);
        web.remember(ip("192.0.2.7"), BackendId(2), Tick(0));
        let found = |address, at| web.backend(ip(address), Tick(at));
        assert_eq!(found("192.0.2.200", 299_999), Some(BackendId(2)));
        assert_eq!(found("192.0.3.7", 0), None);
        assert_eq!(found("192.0.2.7", 300_000), None);
        web.remember(ip("2001:db8::7"), BackendId(1), Tick(0));
        assert_eq!(found("2001:db8::ffff:1", 1), Some(BackendId(1)));
        assert_eq!(found("2001:db8:0:1::1", 1), None);
        web.remember(ip("2001:db8::8"), BackendId(1), Tick(200_000));
        assert_eq!(found("2001:db8::7", 450_000), Some(BackendId(1)));
    }

    #[test]
    fn services_of_a_group_share_servers_and_others_do_not() {
        let clients = Arc::new(Clients::new(64));
        let client = ip("192.0.2.7");
        persistence(&clients, 1, WEB).remember(client, BackendId(2), Tick(0));
        assert_eq!(persistence(&clients, 1, TLS).backend(client, Tick(1)), Some(BackendId(12)));
        assert_eq!(persistence(&clients, 2, TLS).backend(client, Tick(1)), None);
    }

    #[test]
    fn a_client_of_a_server_that_takes_nothing_is_moved_and_stays_there() {
        let clients = Arc::new(Clients::new(64));
        let client = ip("192.0.2.7");
        persistence(&clients, 1, WEB).remember(client, BackendId(2), Tick(0));
        let fewer = persistence(&clients, 1, &WEB[..1]);
        assert_eq!(fewer.backend(client, Tick(1)), None);
        fewer.remember(client, BackendId(1), Tick(1));
        assert_eq!(persistence(&clients, 1, WEB).backend(client, Tick(2)), Some(BackendId(1)));
        fewer.remember(client, BackendId(99), Tick(3));
        assert_eq!(fewer.backend(client, Tick(4)), Some(BackendId(1)), "a backup is not remembered");
    }
}
