use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn server(last: u8) -> Server {
    Server { address: ip(&format!("10.0.1.{last}")), port: Some(Port(80)), protocol: Protocol::Tcp }
}

const PLAIN: Spread<'_> = Spread { rss: None, workers: 2 };

/// One snapshot: numbers for the addresses, and the parts of each server.
fn compiled(pools: &mut Pools, addresses: &[&str], servers: &[u8]) -> Vec<Arc<[PoolPart]>> {
    let addresses: Vec<_> = addresses.iter().map(|address| ip(address)).collect();
    pools.begin();
    addresses.iter().for_each(|address| pools.number(*address));
    servers.iter().map(|last| pools.parts(server(*last), &addresses, PLAIN)).collect()
}

fn told(parts: &[PoolPart]) -> Vec<(u16, bool)> {
    parts.iter().map(|part| (part.address.0, part.open)).collect()
}

#[test]
fn a_server_has_one_set_for_each_address_and_keeps_it() {
    let mut pools = Pools::default();
    let first = compiled(&mut pools, &["10.0.0.110", "10.0.0.111"], &[11, 11, 12]);
    assert_eq!(told(&first[0]), [(0, true), (1, true)]);
    assert!(Arc::ptr_eq(&first[0][0].ports, &first[1][0].ports), "two services with the same server");
    assert!(!Arc::ptr_eq(&first[0][0].ports, &first[0][1].ports));
    assert!(!Arc::ptr_eq(&first[0][0].ports, &first[2][0].ports), "another server");
    assert!(Arc::ptr_eq(first[0][0].ports.layout(), first[2][1].ports.layout()), "one layout is enough");
    let second = compiled(&mut pools, &["10.0.0.110", "10.0.0.111"], &[11]);
    assert!(Arc::ptr_eq(&first[0][0].ports, &second[0][0].ports));
}

#[test]
fn only_addresses_of_the_server_s_family_serve() {
    let mut pools = Pools::default();
    let parts = compiled(&mut pools, &["fd00::110", "10.0.0.110"], &[11]);
    assert_eq!(told(&parts[0]), [(1, true)]);
}

#[test]
fn an_address_that_left_is_closed_and_keeps_number_and_ports_while_flows_are_left() {
    let mut pools = Pools::default();
    let none = |_: IpAddr| false;
    let first = compiled(&mut pools, &["10.0.0.110"], &[11]);
    assert!(!pools.prune(none, |_| 0) && !pools.prune(none, |_| 0), "open");
    for _ in 0..3 {
        let later = compiled(&mut pools, &["10.0.0.111"], &[11]);
        assert_eq!(told(&later[0]), [(0, false), (1, true)]);
        assert!(Arc::ptr_eq(&first[0][0].ports, &later[0][0].ports));
        assert!(!pools.prune(none, |_| 1));
    }
    assert!(!pools.prune(none, |_| 0), "a worker may still be in a batch with it");
    assert!(pools.prune(none, |_| 0));
    assert_eq!(pools.addresses(), [None, Some(ip("10.0.0.111"))]);
    let later = compiled(&mut pools, &["10.0.0.111", "10.0.0.112"], &[11]);
    assert_eq!(told(&later[0]), [(1, true), (0, true)], "the number is used again");
}

#[test]
fn a_flow_between_two_looks_keeps_a_closed_set() {
    let mut pools = Pools::default();
    compiled(&mut pools, &["10.0.0.110"], &[11]);
    compiled(&mut pools, &[], &[11]);
    let none = |_: IpAddr| false;
    assert!(!pools.prune(none, |_| 0) && !pools.prune(none, |_| 1) && !pools.prune(none, |_| 0));
    assert!(pools.prune(none, |_| 0));
}

#[test]
fn an_address_of_the_configuration_keeps_its_number_without_a_server() {
    let mut pools = Pools::default();
    compiled(&mut pools, &["10.0.0.110"], &[11]);
    compiled(&mut pools, &["10.0.0.110"], &[]);
    let is_configured = |address| address == ip("10.0.0.110");
    assert!(!pools.prune(is_configured, |_| 0) && pools.prune(is_configured, |_| 0));
    assert_eq!(pools.addresses(), [Some(ip("10.0.0.110"))]);
}

#[test]
fn usage_is_told_of_open_sets_alone() {
    let mut pools = Pools::default();
    compiled(&mut pools, &["10.0.0.110"], &[11]);
    compiled(&mut pools, &["10.0.0.111"], &[11]);
    let usage: Vec<_> = pools.usage().collect();
    assert_eq!(usage, [(ip("10.0.0.111"), server(11), 0)]);
}

#[test]
fn the_owner_of_a_class_is_the_worker_of_the_queue_that_replies_come_in_by() {
    let key: Vec<u8> = (0..40_u8).map(|n| n.wrapping_mul(37).wrapping_add(11)).collect();
    let indirection: Vec<u16> = (0..128).map(|n| n % 4).collect();
    let rss = Rss::new(&key, &indirection).unwrap();
    let spread = Spread { rss: Some(&rss), workers: 3 };
    let address = ip("10.0.0.110");
    let mut pools = Pools::default();
    pools.number(address);
    let parts = pools.parts(server(11), &[address], spread);
    let queues = rss.queues(server(11).address, Port(80), address);
    assert_eq!(**parts[0].owners.as_ref().unwrap(), queues.map(|queue| WorkerId(queue.0 % 3)));
    assert!(Arc::ptr_eq(parts[0].ports.layout(), rss.classes(false)));

    let any_port = Server { port: None, ..server(12) };
    assert!(pools.parts(any_port, &[address], spread)[0].owners.is_none(), "the port is not known before");
    let other = Rss::new(&key, &indirection).unwrap();
    let spread = Spread { rss: Some(&other), workers: 3 };
    assert!(pools.parts(server(11), &[address], spread)[0].owners.is_none(), "classes of another NIC");
}

#[test]
fn per_cent_are_of_what_a_set_has_to_give() {
    assert!(is_above(CAPACITY, 100) && !is_above(CAPACITY - 1, 100));
    assert!(is_above(51_610, 80) && !is_above(51_609, 80));
}
