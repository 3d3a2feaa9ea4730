//! Which packets of clients are too long for their way to the backends: what the box puts around them takes room, and
//! some ways are narrower than others.

use std::net::IpAddr;

use dataplane::snapshot::{Snapshot, Tunnel};

use crate::config::{Config, Forwarding, Service};

/// An IPv6 header is so much longer than an IPv4 header without options.
const LONGER: u16 = 20;
/// The headers of a TCP segment without options, over IPv4 and over IPv6.
const SEGMENT: [u16; 2] = [40, 60];

/// A service whose clients may send longer packets than its narrowest way takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tight {
    /// The service's name.
    pub service: String,
    /// The backend at the end of the narrowest way.
    pub backend: String,
    /// The interface's place in the configuration.
    pub interface: usize,
    /// What that carries.
    pub mtu: u16,
    /// What the box adds.
    pub overhead: u16,
    /// The longest packet of a client that fits.
    pub fits: u16,
    /// The `mss_clamp` with which TCP's packets fit.
    pub mss: u16,
}

/// The services concerned, each with its narrowest way. Clients may be behind any of the interfaces.
#[must_use]
pub fn tight(config: &Config, snapshot: &Snapshot) -> Vec<Tight> {
    let widest = snapshot.interfaces.iter().map(|interface| interface.mtu).max().unwrap_or(0);
    let of = |service: &Service| {
        let ways = service.backends.iter().filter_map(|backend| way(service, backend.address, snapshot));
        let tight = ways.min_by_key(|tight| tight.fits).filter(|tight| tight.fits < widest)?;
        let is_clamped = service.mss_clamp.is_some_and(|mss| mss <= tight.mss);
        (!is_clamped).then_some(tight)
    };
    config.services.iter().filter_map(of).collect()
}

fn way(service: &Service, backend: IpAddr, snapshot: &Snapshot) -> Option<Tight> {
    let (id, _) = snapshot.fib.neighbour_towards(backend)?;
    let mtu = snapshot.interface(id)?.mtu;
    let is_v4 = service.address.address().is_ipv4();
    let overhead = match &service.forwarding {
        Forwarding::Tunnel(tunnel) => {
            Tunnel { kind: tunnel.kind, source: backend, destination: backend }.overhead()
        }
        Forwarding::OneArm { .. } if is_v4 && backend.is_ipv6() => LONGER,
        Forwarding::Bridge | Forwarding::Router | Forwarding::OneArm { .. } | Forwarding::Dsr(_) => 0,
    };
    let fits = mtu.saturating_sub(overhead);
    let [v4, v6] = SEGMENT;
    let mss = fits.saturating_sub(if is_v4 { v4 } else { v6 });
    let (service, backend, interface) = (service.name.clone(), backend.to_string(), id.index());
    Some(Tight { service, backend, interface, mtu, overhead, fits, mss })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::config::{Machine, load_str};
    use dataplane::snapshot::{Fib, Interface, Route};
    use dataplane::types::{InterfaceId, Mac};

    fn snapshot(mtus: [u16; 2]) -> Snapshot {
        let route = |prefix: &str, length, interface| {
            Route::single(prefix.parse().unwrap(), length, Some(InterfaceId(interface)), None)
        };
        let routes = [route("10.0.0.0", 24, 0), route("10.0.1.0", 24, 1), route("fd01::", 64, 1)];
        let interface = |mtu| Interface { mac: Mac::default(), mtu, bridge: None, bridge_mac: None };
        Snapshot {
            interfaces: mtus.map(interface).into(),
            fib: Arc::new(Fib::new(routes, [])),
            ..Snapshot::default()
        }
    }

    /// Service, longest packet, clamp.
    fn found(keys: &str, backends: &[&str], mtus: [u16; 2]) -> Option<(u16, u16, u16)> {
        let backends: Vec<_> = backends.iter().map(|b| format!("{{ address = \"{b}\" }}")).collect();
        let text = format!(
            "[[interface]]\nname = \"eth0\"\n[[interface]]\nname = \"eth1\"\n[[service]]\nname = \"web\"\n\
             address = \"10.0.0.100\"\nport = 80\n{keys}\nbackend = [{}]\n",
            backends.join(", ")
        );
        let machine = Machine { cores: 4, hostname: "lb1".to_owned(), ..Machine::default() };
        let (config, _) = load_str("lb.toml", &text, &machine).unwrap_or_else(|errors| panic!("{errors}"));
        let tight = tight(&config, &snapshot(mtus)).pop()?;
        Some((tight.overhead, tight.fits, tight.mss))
    }

    #[test]
    fn a_tunnel_takes_its_headers_from_what_fits() {
        let tunnel = |kind| format!("mode = \"tunnel\"\ntunnel = {{ kind = \"{kind}\" }}");
        assert_eq!(found(&tunnel("ipip"), &["10.0.1.11"], [1500; 2]), Some((20, 1480, 1440)));
        assert_eq!(found(&tunnel("gue"), &["10.0.1.11"], [1500; 2]), Some((32, 1468, 1428)));
        let both = ["10.0.1.11", "fd01::11"];
        assert_eq!(found(&tunnel("gre"), &both, [1500; 2]), Some((44, 1456, 1416)), "the narrowest way");
    }

    #[test]
    fn what_is_clamped_fits_and_datagrams_are_not_clamped() {
        let tunnel = "mode = \"tunnel\"\ntunnel = { kind = \"ipip\" }\n";
        assert_eq!(found(&format!("{tunnel}mss_clamp = 1440"), &["10.0.1.11"], [1500; 2]), None);
        assert!(found(&format!("{tunnel}mss_clamp = 1441"), &["10.0.1.11"], [1500; 2]).is_some());
        let udp = format!("{tunnel}protocol = \"udp\"");
        assert!(found(&udp, &["10.0.1.11"], [1500; 2]).is_some());
    }

    #[test]
    fn a_longer_header_and_a_narrower_interface_count_too() {
        let one_arm = "mode = \"one-arm\"\nsnat_pool = [\"fd01::110\"]";
        assert_eq!(found(one_arm, &["fd01::11"], [1500; 2]), Some((20, 1480, 1440)));
        let router = "mode = \"router\"";
        assert_eq!(found(router, &["10.0.1.11"], [1500, 1400]), Some((0, 1400, 1360)));
        assert_eq!(found(router, &["10.0.1.11"], [1500; 2]), None);
    }
}
