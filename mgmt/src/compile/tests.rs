use super::*;
use crate::api::view::Admin;
use crate::config::{Machine, load_str};
use dataplane::snapshot::Endpoint;
use dataplane::types::BackendId;

fn config(weight: u16) -> Config {
    let text = format!(
        "[[interface]]\nname = \"eth0\"\n\
         [[service]]\nname = \"web\"\naddress = \"10.0.0.100\"\nport = 80\nmode = \"router\"\nscheduler = \"rr\"\n\
         [[service.backend]]\naddress = \"10.0.1.11\"\nport = 8080\n\
         [[service.backend]]\naddress = \"10.0.1.12\"\nport = 8080\nweight = {weight}\n\
         [[service]]\nname = \"dns\"\naddress = \"10.0.0.100\"\nport = 53\nprotocol = \"udp\"\nmode = \"dsr\"\n\
         [[service.backend]]\naddress = \"10.0.1.21\"\n"
    );
    load_str("test.toml", &text, &Machine { cores: 2, hostname: "lb".into() }).unwrap().0
}

fn inventory(config: &Config) -> Inventory {
    let mut inventory = Inventory::default();
    inventory.follow(config, crate::clock::now(), |_| dataplane::BackendStats::default());
    inventory
}

fn compile(compiler: &mut Compiler, config: &Config, inventory: &Inventory, net: &NetState) -> Snapshot {
    compiler.compile(&Facts { config, inventory, net, rss: &[], workers: 2 })
}

#[test]
fn services_and_return_endpoints_are_found_by_what_packets_carry() {
    let config = config(1);
    let snapshot = compile(&mut Compiler::default(), &config, &inventory(&config), &NetState::default());
    let vip = |port, protocol| Endpoint { address: "10.0.0.100".parse().unwrap(), protocol, port };
    use dataplane::types::{Port, Protocol};
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

#[test]
fn a_disabled_backend_takes_no_new_flows() {
    let config = config(1);
    let mut inventory = inventory(&config);
    inventory.get_mut(BackendId(0)).unwrap().admin = Admin::Disabled;
    let snapshot = compile(&mut Compiler::default(), &config, &inventory, &NetState::default());
    let schedule = &snapshot.services[0].schedule;
    let chosen: Vec<_> = (0..4).map(|_| schedule.choose(Default::default(), 0)).collect();
    assert_eq!(chosen, [Some(BackendId(1)); 4]);
    assert!(snapshot.backend(BackendId(0)).is_some(), "its flows go on");
}
