mod conflicts;

use super::*;
use crate::api::view::Admin;
use crate::config::{Machine, load_str};
use crate::net::{
    Asker, Event, Link, Neighbour, NeighbourState, Route, RouteKey, Station, TABLE_LOCAL, TABLE_MAIN, Target,
};
use dataplane::schedule::Ask;
use dataplane::snapshot::{
    self, Backend, ClientAddress, Dscp, Endpoint, MissingState, NextHop, PoolPart, TunnelKind,
};
use dataplane::types::{BackendId, InterfaceId, Port, Protocol, VlanId};

fn config(weight: u16) -> Config {
    let text = format!(
        "[[interface]]\nname = \"eth0\"\n\
         [[service]]\nname = \"web\"\naddress = \"10.0.0.100\"\nport = 80\nmode = \"router\"\nscheduler = \"rr\"\n\
         [[service.backend]]\naddress = \"10.0.1.11\"\nport = 8080\n\
         [[service.backend]]\naddress = \"10.0.1.12\"\nport = 8080\nweight = {weight}\n\
         [[service]]\nname = \"dns\"\naddress = \"10.0.0.100\"\nport = 53\nprotocol = \"udp\"\nmode = \"dsr\"\n\
         [[service.backend]]\naddress = \"10.0.1.21\"\n"
    );
    load_str("test.toml", &text, &Machine { cores: 2, hostname: "lb".into(), ..Machine::default() })
        .unwrap()
        .0
}

fn inventory(config: &Config) -> Inventory {
    let mut inventory = Inventory::default();
    inventory.follow(config, crate::clock::now(), |_| dataplane::BackendStats::default());
    inventory
}

fn compile(compiler: &mut Compiler, config: &Config, inventory: &Inventory, net: &NetState) -> Snapshot {
    compiler.compile(&Facts { config, inventory, net, rss: &[], workers: 2, now: crate::clock::now() })
}

#[test]
fn services_and_return_endpoints_are_found_by_what_packets_carry() {
    let config = config(1);
    let snapshot = compile(&mut Compiler::default(), &config, &inventory(&config), &NetState::default());
    let vip = |port, protocol| Endpoint { address: "10.0.0.100".parse().unwrap(), protocol, port };
    assert_eq!(snapshot.endpoints.get(&vip(Port(80), Protocol::Tcp)), Some(ServiceId(0)));
    assert_eq!(snapshot.endpoints.get(&vip(Port(53), Protocol::Udp)), Some(ServiceId(1)));
    assert_eq!(snapshot.endpoints.get(&vip(Port(53), Protocol::Tcp)), None);
    assert_eq!(snapshot.return_endpoints.endpoints().count(), 2, "of the router service alone");
    assert_eq!(snapshot.vips.iter().count(), 1);
    assert_eq!(snapshot.backends.len(), 3);
}

#[test]
fn an_unchanged_service_keeps_its_schedule_and_a_changed_one_does_not() {
    let mut compiler = Compiler::default();
    let (config, changed) = (config(1), config(2));
    let mut inventory = inventory(&config);
    let net = NetState::default();
    let first = compile(&mut compiler, &config, &inventory, &net);
    let second = compile(&mut compiler, &config, &inventory, &net);
    assert!(Arc::ptr_eq(&first.services[0].schedule, &second.services[0].schedule));
    inventory.follow(&changed, crate::clock::now(), |_| dataplane::BackendStats::default());
    let third = compile(&mut compiler, &changed, &inventory, &net);
    assert!(!Arc::ptr_eq(&second.services[0].schedule, &third.services[0].schedule));
    assert!(Arc::ptr_eq(&second.services[1].schedule, &third.services[1].schedule));
}

/// A takeover must not move flows of modes that go on without flows.
#[test]
fn two_nodes_that_were_told_nothing_choose_alike() {
    let [one, other] = ["lb1", "lb2"].map(|name| {
        let text = format!(
            "[node]\nname = \"{name}\"\n[[interface]]\nname = \"eth0\"\n[[service]]\nname = \"web\"\n\
             address = \"10.0.0.100\"\nport = 80\nmode = \"dsr\"\n\
             backend = [{{ address = \"10.0.0.11\" }}, {{ address = \"10.0.0.12\" }}, {{ address = \"10.0.0.13\" }}]\n"
        );
        let (config, _) = load_str("t.toml", &text, &Machine { cores: 2, hostname: name.into(), ..Machine::default() }).unwrap();
        compile(&mut Compiler::default(), &config, &inventory(&config), &NetState::default())
    });
    assert_eq!(one.hash_seed, other.hash_seed);
    let chosen = |snapshot: &Snapshot| -> Vec<_> {
        let schedule = &snapshot.services[0].schedule;
        (0..1000_u64).map(|n| schedule.choose_stateless(n << 54)).collect()
    };
    assert_eq!(chosen(&one), chosen(&other));
}

#[test]
fn datagrams_of_a_pool_that_has_lost_an_address_are_looked_at() {
    let config = |protocol: &str, pool: &str| {
        load(&format!(
            "[[interface]]\nname = \"eth0\"\n[[service]]\nname = \"web\"\naddress = \"10.0.0.100\"\n\
             port = 80\nprotocol = \"{protocol}\"\nmode = \"one-arm\"\nsnat_pool = [{pool}]\n\
             backend = [{{ address = \"10.0.1.11\" }}]\n"
        ))
    };
    let net = NetState::default();
    for (protocol, expected) in [("udp", snapshot::Fate::Review), ("tcp", snapshot::Fate::Stays)] {
        let mut compiler = Compiler::default();
        let before = config(protocol, "\"10.0.1.110\", \"10.0.1.111\"");
        let mut inventory = inventory(&before);
        let first = compile(&mut compiler, &before, &inventory, &net);
        assert_eq!(first.fate(BackendId(0)), snapshot::Fate::Stays);
        let after = config(protocol, "\"10.0.1.110\"");
        inventory.follow(&after, crate::clock::now(), |_| dataplane::BackendStats::default());
        assert_eq!(compile(&mut compiler, &after, &inventory, &net).fate(BackendId(0)), expected);
        // Two looks without a flow, and nothing is left of the address.
        assert!(!compiler.prune_pools(&after) && compiler.prune_pools(&after));
        let last = compile(&mut compiler, &after, &inventory, &net);
        assert_eq!(last.fate(BackendId(0)), snapshot::Fate::Stays);
    }
}

#[test]
fn one_services_choice_is_compiled_without_the_others() {
    let (config, net, now) = (config(1), NetState::default(), crate::clock::now());
    let (mut inventory, mut compiler) = (inventory(&config), Compiler::default());
    let first = compile(&mut compiler, &config, &inventory, &net);
    let mut amend = |inventory: &Inventory, before: &Snapshot| {
        let facts = Facts { config: &config, inventory, net: &net, rss: &[], workers: 2, now };
        compiler.amend(before, &facts, |service| service.name == "web")
    };
    let drain = |inventory: &mut Inventory, id| {
        assert!(inventory.get_mut(BackendId(id)).unwrap().change(now, |member| member.admin = Admin::Drain));
    };
    drain(&mut inventory, 0);
    let second = amend(&inventory, &first).unwrap();
    assert!(second.generation > first.generation);
    assert!(!Arc::ptr_eq(&first.services[0].schedule, &second.services[0].schedule));
    assert!(Arc::ptr_eq(&first.services[1].schedule, &second.services[1].schedule));
    let ask = Ask::new(Default::default(), 0);
    assert_eq!(second.services[0].schedule.choose(&ask, &second), Some(BackendId(1)));
    assert!(!second.fates.is_empty() && second.fate(BackendId(0)) == snapshot::Fate::Leave);
    drain(&mut inventory, 1);
    assert!(amend(&inventory, &second).is_none(), "its address answers no echo requests any more");
}

#[test]
fn clients_are_shared_by_services_of_a_group_and_outlive_a_configuration() {
    let service = |name: &str, port: u16, keys: &str| {
        format!(
            "[[service]]\nname = \"{name}\"\naddress = \"10.0.0.100\"\nport = {port}\nmode = \"router\"\n{keys}\n\
             backend = [{{ address = \"10.0.1.11\" }}, {{ address = \"10.0.1.12\" }}]\n"
        )
    };
    let shop = "persistence = { group = \"shop\" }";
    let with = |keys: [&str; 3]| {
        let services = [("web", 80), ("tls", 443), ("dns", 53)].into_iter().zip(keys);
        let services: String = services.map(|((name, port), keys)| service(name, port, keys)).collect();
        load(&format!("[[interface]]\nname = \"eth0\"\n{services}"))
    };
    let mut compiler = Compiler::default();
    let mut groups = |keys| {
        let config = with(keys);
        let snapshot = compile(&mut compiler, &config, &inventory(&config), &NetState::default());
        let (clients, names) = compiler.clients().unwrap();
        let mut names: Vec<_> = names.iter().map(|((shared, name), n)| (*n, *shared, name.clone())).collect();
        names.sort_unstable();
        let has: Vec<_> = snapshot.services.iter().map(|service| service.persistence.is_some()).collect();
        (Arc::as_ptr(clients), names, has)
    };
    let first = groups([shop, shop, "persistence = {}"]);
    assert_eq!(first.1, [(0, true, "shop".to_owned()), (1, false, "dns".to_owned())]);
    let second = groups([shop, "", "persistence = { mask4 = 24 }"]);
    assert_eq!((second.0, second.1), (first.0, first.1));
    assert_eq!(second.2, [true, false, true]);
}

#[test]
fn a_disabled_backend_takes_no_new_flows() {
    let config = config(1);
    let mut inventory = inventory(&config);
    inventory.get_mut(BackendId(0)).unwrap().admin = Admin::Disabled;
    let snapshot = compile(&mut Compiler::default(), &config, &inventory, &NetState::default());
    let schedule = &snapshot.services[0].schedule;
    let ask = Ask::new(Default::default(), 0);
    let chosen: Vec<_> = (0..4).map(|_| schedule.choose(&ask, &snapshot)).collect();
    assert_eq!(chosen, [Some(BackendId(1)); 4]);
    assert!(snapshot.backend(BackendId(0)).is_some(), "its flows go on");
}

fn load(text: &str) -> Config {
    load_str("test.toml", text, &Machine { cores: 2, hostname: "lb".into(), ..Machine::default() })
        .unwrap_or_else(|e| panic!("{e}"))
        .0
}

/// One service named `web` on eth0, with these keys.
fn one(keys: &str) -> Config {
    load(&format!("[[interface]]\nname = \"eth0\"\n[[service]]\nname = \"web\"\n{keys}"))
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

const PEER: Mac = Mac([2, 0, 0, 0, 0, 9]);

/// Bridges have numbers from 20 on here.
fn link(index: u32, name: &str) -> Link {
    let (name, mac) = (name.to_owned(), Mac([2, 0, 0, 0, 1, u8::try_from(index).unwrap()]));
    Link { index, name, mac, mtu: 1500, up: true, carrier: true, is_bridge: index >= 20, ..Link::default() }
}

fn route(prefix: &str, interface: u32, gateway: Option<&str>) -> Event {
    let (address, length) = prefix.split_once('/').unwrap();
    let key = RouteKey {
        table: TABLE_MAIN,
        metric: 0,
        prefix: ip(address),
        length: length.parse().unwrap(),
        tos: 0,
    };
    Event::Route(
        Route { key, target: Target::single(Some(interface), gateway.map(ip)), is_sibling: false },
        false,
    )
}

fn neighbour(interface: u32, address: &str) -> Event {
    let state = NeighbourState::Reachable;
    Event::Neighbour(Neighbour {
        interface,
        address: ip(address),
        mac: Some(PEER),
        state,
        managed: false,
        router: false,
    })
}

/// A network of eth0 with 10.0.0.2, and routers .1 and fd00::1 that lead to all else.
fn network() -> NetState {
    let mut net = NetState::default();
    let events = [
        Event::Link(link(7, "eth0")),
        Event::Address(7, ip("10.0.0.2")),
        Event::Address(7, ip("192.168.7.2")),
        Event::Address(7, ip("fe80::2")),
        route("10.0.0.0/24", 7, None),
        route("0.0.0.0/0", 7, Some("10.0.0.1")),
        route("::/0", 7, Some("fd00::1")),
        neighbour(7, "10.0.0.1"),
        neighbour(7, "10.0.0.11"),
        neighbour(7, "fd00::1"),
    ];
    events.into_iter().for_each(|event| _ = net.apply(event));
    net
}

fn snapshot(config: &Config, net: &NetState) -> Snapshot {
    compile(&mut Compiler::default(), config, &inventory(config), net)
}

fn backend(snapshot: &Snapshot) -> &Backend {
    snapshot.backend(BackendId(0)).unwrap()
}

#[test]
fn a_one_arm_service_has_its_pool_as_addresses_of_the_box_and_no_return_endpoints() {
    let config =
        one("address = \"2001:db8::100\"\nport = 80\nmode = \"one-arm\"\nclient_address = \"proxy-v1\"\n\
         missing_state = \"reset\"\nmss_clamp = 1300\nvlan = 9\n\
         snat_pool = [\"10.0.0.110-10.0.0.111\", \"fd00::110\"]\n\
         backend = [{ address = \"10.0.0.11\", port = 8080 }, { address = \"fd00:1::12\" }]\n");
    let snapshot = snapshot(&config, &network());
    let service = &snapshot.services[0];
    assert_eq!((service.mode, service.missing_state), (Mode::OneArm, MissingState::Reset));
    assert_eq!(service.vlan, Some(VlanId(9)));
    let backend = backend(&snapshot);
    assert_eq!((backend.port, backend.mss_clamp), (Some(Port(8080)), Some(1300)));
    assert_eq!(backend.next_hop, Some(NextHop { interface: InterfaceId(0), mac: PEER }));
    let snapshot::Forwarding::OneArm(one_arm) = &backend.forwarding else { panic!("{backend:?}") };
    assert_eq!(one_arm.client_address, ClientAddress::ProxyV1);
    let named = |part: &PoolPart| (snapshot.snat[part.address.index()].unwrap(), part.open);
    let parts: Vec<_> = one_arm.pool.iter().map(named).collect();
    assert_eq!(parts, [(ip("10.0.0.110"), true), (ip("10.0.0.111"), true)], "of the backend's family");
    for (address, pool) in
        [("10.0.0.110", true), ("10.0.0.111", true), ("fd00::110", true), ("2001:db8::100", false)]
    {
        let expected = Some(Vip { echo: true, bridge: false, pool });
        assert_eq!(snapshot.vips.get(ip(address)), expected, "{address}");
    }
    assert_eq!(snapshot.return_endpoints.endpoints().count(), 0);
    let resets = |address: &str, port| {
        let endpoint = Endpoint { address: ip(address), protocol: Protocol::Tcp, port: Port(port) };
        snapshot.reset_endpoints.contains(&endpoint)
    };
    assert!(resets("10.0.0.11", 8080) && !resets("10.0.0.11", 8081) && !resets("10.0.0.110", 8080));
    assert!(resets("fd00:1::12", 80) && !resets("fd00:1::12", 81), "the service's own port");
}

#[test]
fn backends_are_reset_where_their_one_arm_service_asks_for_it() {
    for (mode, missing_state, resets) in
        [("one-arm", "reset", true), ("one-arm", "drop", false), ("router", "reset", false)]
    {
        let pool = if mode == "one-arm" { "snat_pool = [\"10.0.0.110\"]\n" } else { "" };
        let config = one(&format!(
            "address = \"10.0.0.100\"\nport = 80\nmode = \"{mode}\"\nmissing_state = \"{missing_state}\"\n{pool}\
             backend = [{{ address = \"10.0.0.11\" }}]\n"
        ));
        let snapshot = snapshot(&config, &network());
        assert_eq!(snapshot.reset_endpoints.endpoints().next().is_some(), resets, "{mode} {missing_state}");
    }
}

#[test]
fn a_pool_address_that_left_is_steered_and_named_until_its_flows_are_gone() {
    let pooled = |pool: &str| {
        one(&format!(
            "address = \"10.0.0.100\"\nport = 80\nmode = \"one-arm\"\nsnat_pool = [\"{pool}\"]\n\
             backend = [{{ address = \"10.0.0.11\" }}]\n"
        ))
    };
    let (before, after) = (pooled("10.0.0.110"), pooled("10.0.0.111"));
    let (mut compiler, mut inventory) = (Compiler::default(), inventory(&before));
    compile(&mut compiler, &before, &inventory, &network());
    inventory.follow(&after, crate::clock::now(), |_| dataplane::BackendStats::default());
    let snapshot = compile(&mut compiler, &after, &inventory, &network());
    assert_eq!(snapshot.backends.len(), 1, "a pool makes no other backend");
    let snapshot::Forwarding::OneArm(one_arm) = &backend(&snapshot).forwarding else { panic!() };
    assert_eq!(one_arm.pool.iter().map(|part| part.open).collect::<Vec<_>>(), [false, true]);
    assert_eq!(snapshot.vips.get(ip("10.0.0.110")), Some(Vip { pool: true, ..Vip::default() }));
    assert!(!compiler.prune_pools(&after) && compiler.prune_pools(&after));
    let snapshot = compile(&mut compiler, &after, &inventory, &network());
    assert_eq!(snapshot.snat, [None, Some(ip("10.0.0.111"))]);
    assert_eq!(snapshot.vips.get(ip("10.0.0.110")), None);
}

#[test]
fn a_tunnel_begins_at_the_configured_address_or_at_the_interface_s() {
    let tunnel = |keys: &str, backend: &str| {
        one(&format!(
            "address = \"10.0.0.100\"\nport = 80\nmode = \"tunnel\"\ntunnel = {{ kind = \"gre\"{keys} }}\n\
             backend = [{{ address = \"{backend}\" }}]\n"
        ))
    };
    let compiled = |keys: &str, to: &str| {
        let snapshot = snapshot(&tunnel(keys, to), &network());
        let snapshot::Forwarding::Tunnel(tunnel) = backend(&snapshot).forwarding else { panic!() };
        assert_eq!((tunnel.kind, tunnel.destination), (TunnelKind::Gre, ip(to)));
        (tunnel.source.to_string(), backend(&snapshot).next_hop.is_some())
    };
    let own = |text: &str, is_reached| (text.to_owned(), is_reached);
    assert_eq!(compiled("", "198.51.100.9"), own("10.0.0.2", true), "that of the router's segment");
    assert_eq!(compiled(", source4 = \"192.0.2.1\"", "10.0.0.11"), own("192.0.2.1", true));
    assert_eq!(compiled("", "2001:db8::9"), own("::", false), "a link-local address leads nowhere");
    assert_eq!(compiled(", source6 = \"2001:db8::2\"", "2001:db8::9"), own("2001:db8::2", true));
}

#[test]
fn dsr_by_dscp_reaches_behind_a_router_and_dsr_by_mac_does_not() {
    let dsr = |keys: &str| {
        let keys = format!(
            "address = \"10.0.0.100\"\nport = 80\nmode = \"dsr\"\n{keys}backend = [{{ address = \"10.9.0.11\" }}]\n"
        );
        let snapshot = snapshot(&one(&keys), &network());
        let snapshot::Forwarding::Dsr(dscp) = backend(&snapshot).forwarding else { panic!() };
        (dscp.map(Dscp::number), backend(&snapshot).next_hop.is_some())
    };
    assert_eq!(dsr(""), (None, false));
    assert_eq!(dsr("dsr = { dscp = 7 }\n"), (Some(7), true));
}

#[test]
fn a_range_of_ports_leads_to_the_client_s_port_or_to_the_backend_s_own() {
    let config =
        one("address = \"10.0.0.96/28\"\nports = \"8000-8099\"\nmode = \"router\"\nscheduler = \"rr\"\n\
         backend = [{ address = \"10.0.0.11\" }, { address = \"10.0.0.12\", port = 80 }]\n");
    let snapshot = snapshot(&config, &network());
    let find = |address: &str, port| {
        let endpoint = Endpoint { address: ip(address), protocol: Protocol::Tcp, port: Port(port) };
        snapshot.endpoints.get(&endpoint)
    };
    assert_eq!(find("10.0.0.111", 8099), Some(ServiceId(0)));
    assert_eq!((find("10.0.0.111", 8100), find("10.0.0.112", 8000)), (None, None));
    let ports: Vec<_> = snapshot.backends.iter().flatten().map(|backend| backend.port).collect();
    assert_eq!(ports, [None, Some(Port(80))]);
    let returns = |last: &str, port| {
        let endpoint = Endpoint { address: ip(last), protocol: Protocol::Tcp, port: Port(port) };
        snapshot.return_endpoints.contains(&endpoint)
    };
    assert!(returns("10.0.0.11", 8042) && returns("10.0.0.12", 80) && !returns("10.0.0.12", 8042));
    assert!(snapshot.vips.get(ip("10.0.0.97")).is_some());
}

#[test]
fn pings_are_answered_while_a_backend_takes_flows_or_as_the_service_says() {
    let service = |name: &str, port: u16, ping: &str, weight: u16| {
        format!(
            "[[service]]\nname = \"{name}\"\naddress = \"10.0.0.100\"\nport = {port}\nmode = \"dsr\"\n\
             ping = \"{ping}\"\nbackend = [{{ address = \"10.0.0.11\", weight = {weight} }}]\n"
        )
    };
    let echo = |services: &[String]| {
        let config = load(&format!("[[interface]]\nname = \"eth0\"\n{}", services.concat()));
        snapshot(&config, &network()).vips.get(ip("10.0.0.100")).unwrap().echo
    };
    assert!(echo(&[service("a", 80, "up", 1)]));
    assert!(!echo(&[service("a", 80, "up", 0)]));
    assert!(echo(&[service("a", 80, "always", 0)]));
    assert!(!echo(&[service("a", 80, "never", 1)]));
    assert!(echo(&[service("a", 80, "never", 1), service("b", 81, "up", 1)]), "one that answers is enough");
}

#[test]
fn a_bridge_service_knows_ports_stations_and_backends_without_an_address_of_the_box() {
    let config = load(
        "[[interface]]\nname = \"eth0\"\n\
         [[interface]]\nname = \"eth1\"\nbridge = \"br0\"\n[[interface]]\nname = \"eth2\"\nbridge = \"br0\"\n\
         [[service]]\nname = \"web\"\naddress = \"10.5.0.100\"\nport = 80\nmode = \"bridge\"\n\
         backend = [{ address = \"10.5.0.11\", port = 8080 }]\n",
    );
    let mut net = network();
    for (index, name) in [(11, "eth1"), (12, "eth2"), (20, "br0")] {
        net.apply(Event::Link(link(index, name)));
    }
    let before = snapshot(&config, &net);
    assert_eq!(backend(&before).next_hop, None);
    assert_eq!(before.fib.neighbour_towards(ip("10.5.0.11")), Some((InterfaceId(1), ip("10.5.0.11"))));
    net.apply(neighbour(20, "10.5.0.11"));
    let everywhere = NextHop { interface: InterfaceId(1), mac: PEER };
    assert_eq!(backend(&snapshot(&config, &net)).next_hop, Some(everywhere), "its port is not known");
    net.apply(Event::Station(Station { bridge: 20, port: 12, mac: PEER, vlan: 0 }));
    let snapshot = snapshot(&config, &net);
    assert_eq!(backend(&snapshot).next_hop, Some(NextHop { interface: InterfaceId(2), mac: PEER }));
    assert!(matches!(backend(&snapshot).forwarding, snapshot::Forwarding::Bridge));
    assert_eq!(snapshot.stations.get(&(BridgeId(0), PEER)), Some(&InterfaceId(2)));
    let bridges: Vec<_> = snapshot.interfaces.iter().map(|i| (i.bridge, i.bridge_mac)).collect();
    let inline = (Some(BridgeId(0)), Some(Mac([2, 0, 0, 0, 1, 20])));
    assert_eq!(bridges, [(None, None), inline, inline]);
    assert_eq!(snapshot.vips.get(ip("10.5.0.100")), Some(Vip { echo: true, bridge: true, pool: false }));
    assert_eq!(snapshot.return_endpoints.endpoints().count(), 1);
}

#[test]
fn a_service_that_left_goes_on_as_it_was_last() {
    let tunnel = |kind: &str| {
        format!(
            "address = \"10.0.0.100\"\nport = 80\nmode = \"tunnel\"\ntunnel = {{ kind = \"{kind}\" }}\n\
             backend = [{{ address = \"10.0.0.11\" }}]\n"
        )
    };
    let mut inventory = inventory(&one(&tunnel("gre")));
    let follow = |inventory: &mut Inventory, config: &Config| {
        inventory.follow(config, crate::clock::now(), |_| dataplane::BackendStats::default());
    };
    follow(&mut inventory, &one(&tunnel("ipip")));
    let gone = load("[[interface]]\nname = \"eth0\"\n");
    follow(&mut inventory, &gone);
    let snapshot = compile(&mut Compiler::default(), &gone, &inventory, &network());
    assert_eq!((snapshot.services.len(), snapshot.backends.len()), (0, 1));
    let snapshot::Forwarding::Tunnel(tunnel) = backend(&snapshot).forwarding else { panic!() };
    assert_eq!(tunnel.kind, TunnelKind::Ipip);
    assert_eq!(snapshot.vips.get(ip("10.0.0.100")), Some(Vip::default()), "steered, and not answered for");
}

#[test]
fn meters_are_kept_over_reloads_and_lists_while_they_are_the_same() {
    let text = |more: &str| {
        format!(
            "address = \"10.0.0.100\"\nport = 80\nmode = \"dsr\"\nscheduler = \"rr\"\n{more}\n\
             backend = [{{ address = \"10.0.0.11\", upper_threshold = 9 }}]\n"
        )
    };
    let config = one(&text("deny = [\"10.9.0.0/16\"]\nlimits = { flows = 5 }"));
    let mut compiler = Compiler::default();
    let mut inventory = inventory(&config);
    let net = network();
    let first = compile(&mut compiler, &config, &inventory, &net);
    let second = compile(&mut compiler, &config, &inventory, &net);
    let [a, b] = [&first, &second].map(|snapshot| &snapshot.services[0].admission);
    assert!(Arc::ptr_eq(&a.meter, &b.meter) && Arc::ptr_eq(&a.access, &b.access));
    assert!(Arc::ptr_eq(a.fallback.as_ref().unwrap(), b.fallback.as_ref().unwrap()));
    assert!(a.fallback.as_ref().unwrap().is_consistent());
    assert!(!a.access.allows(ip("10.9.1.1")) && a.access.allows(ip("10.8.1.1")));
    assert_eq!((a.limits.flows, a.limits.new_per_second), (Some(5), None));
    assert!(Arc::ptr_eq(&backend(&first).meters.service, &a.meter));
    assert!(Arc::ptr_eq(&backend(&first).meters.backend, &backend(&second).meters.backend));
    assert_eq!(backend(&first).meters.thresholds.map(|t| (t.upper(), t.lower())), Some((9, 6)));
    // The service leaves while its backend has flows, and comes back with another list.
    let without = load("[[interface]]\nname = \"eth0\"\n");
    inventory.follow(&without, crate::clock::now(), |_| dataplane::BackendStats::default());
    let third = compile(&mut compiler, &without, &inventory, &net);
    assert!(third.services.is_empty() && Arc::ptr_eq(&backend(&third).meters.service, &a.meter));
    let config = one(&text("deny = [\"10.8.0.0/16\"]"));
    inventory.follow(&config, crate::clock::now(), |_| dataplane::BackendStats::default());
    let fourth = compile(&mut compiler, &config, &inventory, &net);
    let again = &fourth.services[0].admission;
    assert!(Arc::ptr_eq(&again.meter, &a.meter) && !Arc::ptr_eq(&again.access, &a.access));
    assert!(!again.access.allows(ip("10.8.1.1")));
}

#[test]
fn a_service_that_translates_or_hashes_needs_no_second_scheduler() {
    let config = config(1);
    let snapshot = compile(&mut Compiler::default(), &config, &inventory(&config), &NetState::default());
    assert!(snapshot.services.iter().all(|service| service.admission.fallback.is_none()));
}

/// What is promised of large boxes. Times are of an unoptimised build that shares its cores, and so are the
/// bounds: that one change costs a small part of a compilation is what counts.
#[test]
fn one_change_among_ten_thousand_services_costs_a_small_part_of_them_all() {
    use std::fmt::Write;
    let mut text = "[[interface]]\nname = \"eth0\"\n".to_owned();
    for n in 0..10_000 {
        let (high, low) = (n / 250, n % 250 + 1);
        writeln!(
            text,
            "[[service]]\nname = \"s{n}\"\naddress = \"10.100.{high}.{low}\"\nport = 80\nmode = \"router\""
        )
        .unwrap();
        for backend in 1..=10 {
            writeln!(text, "[[service.backend]]\naddress = \"10.{backend}.{high}.{low}\"").unwrap();
        }
    }
    let timed = |what: &str, since: Instant| {
        let took = crate::clock::now().duration_since(since);
        eprintln!("{what}: {took:?}");
        took
    };
    let begin = crate::clock::now();
    let config = load(&text);
    timed("read", begin);
    let (mut inventory, mut compiler, net) = (inventory(&config), Compiler::default(), NetState::default());
    let begin = crate::clock::now();
    let first = compile(&mut compiler, &config, &inventory, &net);
    let all = timed("compiled", begin);
    let now = crate::clock::now();
    inventory.get_mut(BackendId(7)).unwrap().change(now, |member| member.weight = 5);
    let facts = Facts { config: &config, inventory: &inventory, net: &net, rss: &[], workers: 2, now };
    let begin = crate::clock::now();
    let next = compiler.amend(&first, &facts, |service| service.name == "s0").unwrap();
    let one = timed("one changed", begin);
    assert!(one * 10 < all, "{one:?} of {all:?}");
    let shared = first.services.iter().zip(next.services.iter());
    assert_eq!(shared.filter(|(a, b)| Arc::ptr_eq(&a.schedule, &b.schedule)).count(), 9_999);
}

#[test]
fn a_backend_whose_path_depends_on_the_packet_is_looked_up_by_workers() {
    let config = one(
        "address = \"10.0.0.100\"\nport = 80\nmode = \"router\"\nbackend = [{ address = \"10.5.0.11\" }]\n",
    );
    let next_hop = |net: &NetState| backend(&snapshot(&config, net)).next_hop;
    let mut net = network();
    assert!(next_hop(&net).is_some(), "by the default route");
    let hop = |gateway| crate::net::RouteHop { interface: 7, gateway: Some(ip(gateway)), weight: 1 };
    let Event::Route(mut several, _) = route("10.5.0.0/24", 7, None) else { unreachable!() };
    several.target = Target::Many(vec![hop("10.0.0.1"), hop("10.0.0.9")]);
    net.apply(Event::Route(several.clone(), false));
    assert_eq!(next_hop(&net), None, "by one of two routers");
    net.apply(Event::RouteGone(several));
    assert!(next_hop(&net).is_some());

    let rule = |from: Option<&str>, table| {
        use rtnetlink::packet_route::AddressFamily;
        use rtnetlink::packet_route::rule::{RuleAction, RuleAttribute, RuleMessage};
        let mut message = RuleMessage::default();
        (message.header.family, message.header.action) = (AddressFamily::Inet, RuleAction::ToTable);
        message.header.src_len = 32 * u8::from(from.is_some());
        message.attributes = vec![RuleAttribute::Table(table)];
        message.attributes.extend(from.map(|from| RuleAttribute::Source(ip(from))));
        Event::Rule(crate::net::PolicyRule::from_message(&message).unwrap())
    };
    net.apply(rule(Some("192.0.2.7"), 100));
    net.apply(rule(None, TABLE_LOCAL));
    net.apply(rule(None, TABLE_MAIN));
    assert!(next_hop(&net).is_some(), "the rule's table is empty");
    let Event::Route(mut uplink, _) = route("0.0.0.0/0", 7, Some("10.0.0.9")) else { unreachable!() };
    uplink.key.table = 100;
    net.apply(Event::Route(uplink, false));
    assert_eq!(next_hop(&net), None, "by the source of the packet");
}

#[test]
fn a_client_s_neighbour_is_put_into_the_snapshot_in_force_which_is_shared_else() {
    let (config, mut net) = (config(1), network());
    let (mut compiler, inventory) = (Compiler::default(), inventory(&config));
    let first = compile(&mut compiler, &config, &inventory, &net);
    net.apply(neighbour(7, "10.0.0.77"));
    let touched = crate::net::Touched { neighbours: [(7, ip("10.0.0.77"))].into(), ..Default::default() };
    let facts = Facts {
        config: &config,
        inventory: &inventory,
        net: &net,
        rss: &[],
        workers: 2,
        now: crate::clock::now(),
    };
    let next = compiler.amend_neighbours(&first, &facts, &touched);
    let hop = snapshot::Hop::Known(NextHop { interface: InterfaceId(0), mac: PEER });
    assert_eq!(next.fib.lookup(ip("10.0.0.77")), hop);
    assert_ne!(first.fib.lookup(ip("10.0.0.77")), hop);
    assert_eq!(next.fib.lookup(ip("10.0.0.11")), hop, "the others stay");
    assert!(next.generation > first.generation);
    assert!(
        std::ptr::eq(&*next.backends, &*first.backends) && std::ptr::eq(&*next.services, &*first.services)
    );
    assert!(Arc::ptr_eq(&next.stations, &first.stations));
}
