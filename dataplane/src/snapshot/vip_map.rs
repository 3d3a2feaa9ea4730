//! (address, protocol, port) to whatever stands behind it.

use std::net::IpAddr;

use hashbrown::HashMap;

use crate::types::{Endpoint, Port, PortRange, Prefix, Protocol, ServiceId};

/// Virtual endpoints to services, the most specific first: an exact address and port, then the longest
/// prefix, within it the narrowest range of ports.
#[derive(Debug, Clone, Default)]
pub struct ServiceMap {
    exact: HashMap<Endpoint, ServiceId>,
    /// By prefix length, longest first.
    wide: Vec<(u8, Wide)>,
}

type Wide = HashMap<(Prefix, Protocol), Ranges>;

/// Narrowest first.
type Ranges = Vec<(PortRange, ServiceId)>;

impl ServiceMap {
    /// Puts a service in; of two for the same endpoints the first stays.
    pub fn insert(&mut self, vip: Prefix, protocol: Protocol, ports: PortRange, service: ServiceId) {
        if let (Some(address), Some(port)) = (vip.single(), ports.single()) {
            self.exact.entry(Endpoint { address, protocol, port }).or_insert(service);
            return;
        }
        let place = self.wide.partition_point(|(length, _)| *length > vip.length());
        if self.wide.get(place).is_none_or(|(length, _)| *length != vip.length()) {
            self.wide.insert(place, (vip.length(), HashMap::new()));
        }
        let ranges = self.wide[place].1.entry((vip, protocol)).or_default();
        let place = ranges.partition_point(|(range, _)| range.width() <= ports.width());
        ranges.insert(place, (ports, service));
    }

    /// The service behind an endpoint.
    #[must_use]
    pub fn get(&self, endpoint: &Endpoint) -> Option<ServiceId> {
        match self.exact.get(endpoint) {
            Some(service) => Some(*service),
            None if self.wide.is_empty() => None,
            None => self.find_wide(endpoint),
        }
    }

    fn find_wide(&self, endpoint: &Endpoint) -> Option<ServiceId> {
        let Endpoint { address, protocol, port } = *endpoint;
        self.wide.iter().find_map(|(length, services)| {
            let ranges = services.get(&(Prefix::new(address, *length)?, protocol))?;
            ranges.iter().find(|(range, _)| range.contains(port)).map(|(_, service)| *service)
        })
    }
}

/// What the box answers to as a virtual address, and whether it does so now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Vip {
    /// Echo requests to it are answered.
    pub echo: bool,
    /// It belongs to a bridge service: frames to it are taken whatever MAC they are addressed to.
    pub bridge: bool,
    /// It is of a source-NAT pool.
    pub pool: bool,
}

/// All virtual addresses, those of source-NAT pools among them.
#[derive(Debug, Clone, Default)]
pub struct VipSet {
    hosts: HashMap<IpAddr, Vip>,
    /// Longest first.
    prefixes: Vec<(Prefix, Vip)>,
}

impl VipSet {
    /// Adds an address or a prefix; what two services say of the same one holds together.
    pub fn insert(&mut self, vip: Prefix, what: Vip) {
        let held = if let Some(address) = vip.single() {
            self.hosts.entry(address).or_default()
        } else {
            let place = self.prefixes.partition_point(|(p, _)| p.length() > vip.length());
            let place = match self.prefixes[place..].iter().position(|(p, _)| *p == vip) {
                Some(offset) => place + offset,
                None => {
                    self.prefixes.insert(place, (vip, Vip::default()));
                    place
                }
            };
            &mut self.prefixes[place].1
        };
        held.echo |= what.echo;
        held.bridge |= what.bridge;
        held.pool |= what.pool;
    }

    /// What `address` is, if it is a virtual one; the longest prefix decides.
    #[must_use]
    pub fn get(&self, address: IpAddr) -> Option<Vip> {
        let of_prefix =
            || self.prefixes.iter().find(|(prefix, _)| prefix.contains(address)).map(|(_, vip)| *vip);
        self.hosts.get(&address).copied().or_else(of_prefix)
    }

    /// Whether `address` is a virtual one.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.get(address).is_some()
    }

    /// All of them, hosts and prefixes.
    pub fn iter(&self) -> impl Iterator<Item = (Prefix, Vip)> {
        let hosts = self.hosts.iter().map(|(address, vip)| (Prefix::host(*address), *vip));
        hosts.chain(self.prefixes.iter().copied())
    }
}

/// Where replies come from: the endpoints of backends whose packets are translated.
#[derive(Debug, Clone, Default)]
pub struct ReturnEndpoints(HashMap<IpAddr, Vec<(Protocol, Port)>>);

impl ReturnEndpoints {
    /// Adds an endpoint; port 0: all ports of the address.
    pub fn insert(&mut self, endpoint: Endpoint) {
        let ports = self.0.entry(endpoint.address).or_default();
        if !ports.contains(&(endpoint.protocol, endpoint.port)) {
            ports.push((endpoint.protocol, endpoint.port));
        }
    }

    /// Whether packets from `endpoint` may be replies.
    #[must_use]
    pub fn contains(&self, endpoint: &Endpoint) -> bool {
        self.0.get(&endpoint.address).is_some_and(|ports| {
            ports.iter().any(|(protocol, port)| {
                *protocol == endpoint.protocol && (*port == endpoint.port || *port == Port(0))
            })
        })
    }

    /// Whether `address` is that of such a backend for `protocol`: fragments of whatever it sends are
    /// steered to the workers, for they have no ports to tell them apart by.
    #[must_use]
    pub fn has_sender(&self, address: IpAddr, protocol: Protocol) -> bool {
        self.0.get(&address).is_some_and(|ports| ports.iter().any(|(p, _)| *p == protocol))
    }

    /// All of them.
    pub fn endpoints(&self) -> impl Iterator<Item = Endpoint> {
        self.0.iter().flat_map(|(&address, ports)| {
            ports.iter().map(move |&(protocol, port)| Endpoint { address, protocol, port })
        })
    }

    /// Their addresses, each once.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.0.keys().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Protocol::{Tcp, Udp};

    fn prefix(text: &str) -> Prefix {
        let (address, length) = text.split_once('/').unwrap();
        Prefix::new(address.parse().unwrap(), length.parse().unwrap()).unwrap()
    }

    fn range(first: u16, last: u16) -> PortRange {
        PortRange { first: Port(first), last: Port(last) }
    }

    #[test]
    fn the_most_specific_service_wins() {
        let mut map = ServiceMap::default();
        map.insert(prefix("10.0.0.0/24"), Tcp, PortRange::ANY, ServiceId(0));
        map.insert(prefix("10.0.0.16/28"), Tcp, range(8000, 8999), ServiceId(1));
        map.insert(prefix("10.0.0.16/28"), Tcp, range(8080, 8089), ServiceId(2));
        map.insert(prefix("10.0.0.20/32"), Tcp, PortRange::ANY, ServiceId(3));
        map.insert(prefix("10.0.0.20/32"), Tcp, PortRange::one(Port(80)), ServiceId(4));
        map.insert(prefix("2001:db8::/64"), Udp, PortRange::one(Port(53)), ServiceId(5));
        let find = |address: &str, protocol, port| {
            let endpoint = Endpoint { address: address.parse().unwrap(), protocol, port: Port(port) };
            map.get(&endpoint).map(|service| service.0)
        };
        assert_eq!(find("10.0.0.20", Tcp, 80), Some(4), "address and port");
        assert_eq!(find("10.0.0.20", Tcp, 8085), Some(3), "the longer prefix goes before the narrower range");
        assert_eq!(find("10.0.0.21", Tcp, 8085), Some(2), "the narrower range");
        assert_eq!(find("10.0.0.21", Tcp, 8500), Some(1));
        assert_eq!(find("10.0.0.21", Tcp, 80), Some(0), "no range of the longer prefix has it");
        assert_eq!(find("10.0.0.21", Udp, 80), None);
        assert_eq!(find("2001:db8::77", Udp, 53), Some(5));
        assert_eq!(find("2001:db8:1::77", Udp, 53), None);
    }

    #[test]
    fn a_virtual_address_is_what_all_its_services_say() {
        let mut vips = VipSet::default();
        vips.insert(prefix("10.0.0.20/32"), Vip { bridge: true, ..Vip::default() });
        vips.insert(prefix("10.0.0.20/32"), Vip { echo: true, ..Vip::default() });
        vips.insert(prefix("10.0.0.16/28"), Vip::default());
        vips.insert(prefix("10.0.0.16/28"), Vip { echo: true, ..Vip::default() });
        vips.insert(prefix("10.0.0.0/24"), Vip::default());
        let get = |address: &str| vips.get(address.parse().unwrap());
        assert_eq!(get("10.0.0.20"), Some(Vip { echo: true, bridge: true, pool: false }));
        assert_eq!(get("10.0.0.21"), Some(Vip { echo: true, ..Vip::default() }));
        assert_eq!(get("10.0.0.99"), Some(Vip::default()));
        assert_eq!(get("10.0.1.1"), None);
        assert_eq!(vips.iter().count(), 3);
    }

    #[test]
    fn a_reply_may_come_from_any_port_of_a_backend_that_keeps_the_clients() {
        let mut endpoints = ReturnEndpoints::default();
        let endpoint =
            |protocol, port| Endpoint { address: "10.0.1.1".parse().unwrap(), protocol, port: Port(port) };
        endpoints.insert(endpoint(Tcp, 80));
        endpoints.insert(endpoint(Udp, 0));
        endpoints.insert(endpoint(Udp, 0));
        assert!(endpoints.contains(&endpoint(Tcp, 80)) && !endpoints.contains(&endpoint(Tcp, 81)));
        assert!(endpoints.contains(&endpoint(Udp, 9)));
        assert_eq!(endpoints.endpoints().count(), 2);
        assert_eq!(endpoints.addresses().count(), 1);
    }
}
