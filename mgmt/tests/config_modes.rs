//! What the keys of the modes become, and what is said of services that share packets.

use std::net::IpAddr;

use dataplane::snapshot::{ClientAddress, Dscp, GueVariant, MissingState, TunnelKind};
use dataplane::types::{Mode, Port, PortRange, VlanId};
use mgmt::config::{self, Backend, Config, Forwarding, Machine, Ping, Tunnel};

const BRIDGED: &str = "[[interface]]\nname = \"eth0\"\nbridge = \"br0\"\n\
                       [[interface]]\nname = \"eth1\"\nbridge = \"br0\"\n";

fn load(services: &str) -> (Config, Vec<config::Diagnostic>) {
    let machine = Machine { cores: 4, hostname: "lb1".to_owned(), ..Machine::default() };
    config::load_str("lb.toml", &format!("{BRIDGED}{services}"), &machine).unwrap_or_else(|e| panic!("{e}"))
}

/// One service with these keys beside its name.
fn service(keys: &str) -> config::Service {
    let (config, warnings) = load(&format!("[[service]]\nname = \"web\"\n{keys}"));
    assert_eq!(warnings, []);
    config.services.into_iter().next().unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn a_pool_is_written_as_ranges_addresses_and_prefixes() {
    let service = service(
        "address = \"2001:db8::100\"\nport = 443\nmode = \"one-arm\"\nclient_address = \"proxy-v2\"\n\
         missing_state = \"reset\"\nmss_clamp = 1400\nvlan = 7\nping = \"never\"\n\
         snat_pool = [\"10.0.0.110-10.0.0.112\", \"10.0.0.130\", \"10.0.0.254/31\", \"2001:db8::110\"]\n\
         backend = [{ address = \"10.0.1.11\", port = 8443 }, { address = \"2001:db8:1::12\" }]\n",
    );
    let Forwarding::OneArm { pool, client_address } = &service.forwarding else { panic!("{service:?}") };
    let expected = ["10.0.0.110", "10.0.0.111", "10.0.0.112", "10.0.0.130", "10.0.0.254", "10.0.0.255"];
    assert_eq!(pool[..6], expected.map(ip));
    assert_eq!((pool[6], pool.len()), (ip("2001:db8::110"), 7));
    assert_eq!(*client_address, ClientAddress::ProxyV2);
    assert_eq!((service.missing_state, service.ping), (MissingState::Reset, Ping::Never));
    assert_eq!((service.mss_clamp, service.vlan), (Some(1400), Some(VlanId(7))));
    assert_eq!(service.backends[0].name(), "10.0.1.11:8443");
    assert_eq!(service.backends[1].name(), "[2001:db8:1::12]:443");
}

#[test]
fn tunnels_have_a_kind_and_gue_a_port_and_a_variant() {
    let tunnel = |tunnel: &str| {
        let service = service(&format!(
            "address = \"10.0.0.100\"\nport = 80\nmode = \"tunnel\"\ntunnel = {{ {tunnel} }}\n\
             backend = [{{ address = \"10.0.1.11\" }}, {{ address = \"fd00::11\", port = 80 }}]\n"
        ));
        match service.forwarding {
            Forwarding::Tunnel(tunnel) => tunnel,
            other => panic!("{other:?}"),
        }
    };
    let (source4, source6) = (None, None);
    assert_eq!(tunnel("kind = \"ipip\""), Tunnel { kind: TunnelKind::Ipip, source4, source6 });
    let kind = TunnelKind::Gue { port: Port(6080), variant: GueVariant::Zero };
    assert_eq!(tunnel("kind = \"gue\""), Tunnel { kind, source4, source6 });
    let said =
        tunnel("kind = \"gue\", port = 5555, variant = 1, source4 = \"10.0.0.2\", source6 = \"fd00::2\"");
    let kind = TunnelKind::Gue { port: Port(5555), variant: GueVariant::One };
    let expected = Tunnel { kind, source4: "10.0.0.2".parse().ok(), source6: "fd00::2".parse().ok() };
    assert_eq!(said, expected);
    assert_eq!(said.to_string(), "gue variant 1 to port 5555 from 10.0.0.2 from fd00::2");
    let gre = tunnel("kind = \"gre\", source4 = \"10.0.0.2\"");
    assert_eq!((gre.kind, gre.to_string().as_str()), (TunnelKind::Gre, "gre from 10.0.0.2"));
}

#[test]
fn a_service_of_many_ports_keeps_the_clients_unless_a_backend_has_its_own() {
    let ranged = service(
        "address = \"10.0.0.0/28\"\nports = \"8000-8099\"\nmode = \"bridge\"\n\
         backend = [{ address = \"10.0.1.11\" }, { address = \"10.0.1.12\", port = 80 }]\n",
    );
    assert_eq!(ranged.ports, PortRange { first: Port(8000), last: Port(8099) });
    assert_eq!((ranged.mode(), ranged.endpoint().as_str()), (Mode::Bridge, "10.0.0.0/28:8000-8099"));
    let ports: Vec<_> = ranged.backends.iter().map(|backend| backend.port).collect();
    assert_eq!(ports, [None, Some(Port(80))]);
    assert_eq!(ranged.backends.iter().map(Backend::name).collect::<Vec<_>>(), ["10.0.1.11", "10.0.1.12:80"]);
    let all = service(
        "address = \"2001:db8::/64\"\nports = \"any\"\nmode = \"dsr\"\ndsr = { dscp = 7 }\n\
         backend = [{ address = \"2001:db8:1::11\" }]\n",
    );
    assert_eq!((all.ports, all.endpoint().as_str()), (PortRange::ANY, "[2001:db8::/64]:any"));
    assert_eq!(all.forwarding, Forwarding::Dsr(Dscp::new(7)));
    let single = service(
        "address = \"10.0.0.100\"\nports = \"80\"\nmode = \"dsr\"\nbackend = [{ address = \"10.0.1.11\" }]\n",
    );
    assert_eq!((single.ports, single.backends[0].port), (PortRange::one(Port(80)), Some(Port(80))));
    assert_eq!(single.forwarding, Forwarding::Dsr(None));
}

#[test]
fn services_may_share_a_pool_address_and_take_from_one_another_by_being_more_specific() {
    let one_arm = |name: &str, address: &str, ports: &str| {
        format!(
            "[[service]]\nname = \"{name}\"\naddress = \"{address}\"\nports = \"{ports}\"\nmode = \"one-arm\"\n\
             snat_pool = [\"10.0.9.1\"]\nbackend = [{{ address = \"10.0.1.11\", port = 80 }}]\n"
        )
    };
    let (_, warnings) = load(&(one_arm("wide", "10.0.0.0/24", "any") + &one_arm("web", "10.0.0.100", "80")));
    let messages: Vec<_> = warnings.iter().map(|w| (w.message.as_str(), w.help.as_deref())).collect();
    let expected = "services `web` and `wide` both list tcp 10.0.0.100:80";
    assert_eq!(messages, [(expected, Some("`web` wins: its address is the more specific one"))]);
}

#[test]
fn ten_thousand_services_that_overlap_with_none_are_read_in_no_time() {
    use std::fmt::Write;
    let mut text = String::new();
    for n in 0..10_000 {
        let (address, ports) = (format!("10.{}.{}.0/28", n / 250, n % 250), format!("{}-{}", n + 1, n + 9));
        write!(
            text,
            "[[service]]\nname = \"s{n}\"\naddress = \"{address}\"\nports = \"{ports}\"\nmode = \"router\"\n\
             backend = [{{ address = \"192.168.0.1\" }}]\n\
             [[service]]\nname = \"t{n}\"\naddress = \"172.16.0.1\"\nport = {}\nmode = \"router\"\n\
             backend = [{{ address = \"192.168.0.1\" }}]\n",
            n + 1
        )
        .unwrap();
    }
    let (config, warnings) = load(&text);
    assert_eq!((config.services.len(), warnings.len()), (20_000, 0));
}
