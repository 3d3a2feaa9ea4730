//! Addresses of services that are somebody else's.

use super::*;

#[test]
fn a_pool_address_that_the_box_itself_has_is_refused_with_advice() {
    let pooled = |pool: &str| {
        let config = one(&format!(
            "address = \"10.0.0.100\"\nport = 80\nmode = \"one-arm\"\nsnat_pool = [\"{pool}\"]\n\
             backend = [{{ address = \"10.0.0.11\" }}]\n"
        ));
        conflicts(&config, &network()).iter().map(Conflict::to_string).collect::<Vec<_>>()
    };
    assert!(pooled("10.0.0.3-10.0.0.9").is_empty());
    let found = pooled("10.0.0.1-10.0.0.9");
    let [only] = &*found else { panic!("{found:?}") };
    assert!(only.starts_with("snat_pool has 10.0.0.2, which is an address of interface \"eth0\""));
    assert!(only.ends_with("use an address of that network that nobody has"), "{only}");
}

/// A service on a prefix.
fn wide(prefix: &str) -> Config {
    let backend = if prefix.contains(':') { "fd00:9::11" } else { "10.0.9.11" };
    one(&format!(
        "address = \"{prefix}\"\nport = 80\nmode = \"dsr\"\nbackend = [{{ address = \"{backend}\" }}]\n"
    ))
}

#[test]
fn a_prefix_with_an_address_of_the_box_or_of_a_router_is_refused_with_advice() {
    let found = |prefix: &str| {
        conflicts(&wide(prefix), &network()).iter().map(Conflict::to_string).collect::<Vec<_>>()
    };
    assert!(found("10.0.0.64/26").is_empty() && found("10.9.0.0/24").is_empty());
    let own = found("10.0.0.2/31");
    let advice = "use a prefix that is routed to the box, or a part of the segment's that nobody else uses";
    let start = "the virtual prefix 10.0.0.2/31 contains 10.0.0.2, which is an address of interface \"eth0\"";
    assert!(own.len() == 1 && own[0].starts_with(start) && own[0].ends_with(advice), "{own:?}");
    let router = found("fd00::/64");
    let start = "the virtual prefix fd00::/64 contains fd00::1, which is the gateway of a route";
    assert!(router.len() == 1 && router[0].starts_with(start) && router[0].ends_with(advice), "{router:?}");
    assert_eq!(found("10.0.0.0/24").len(), 2);
}

#[test]
fn within_a_prefix_only_hosts_are_answered_and_only_for_what_nobody_else_has() {
    let served = Served::new(&wide("10.0.0.64/26"));
    let answers = |address, asker, lingers, is_elsewhere| {
        served.answers(ip(address), asker, || lingers, || is_elsewhere)
    };
    assert!(answers("10.0.0.65", Asker::Host, false, false));
    assert!(!answers("10.0.0.65", Asker::Host, false, true));
    assert!(!answers("10.0.0.65", Asker::Claimant, false, false));
    assert!(!answers("10.0.0.1", Asker::Host, false, false));
    assert!(answers("10.0.0.1", Asker::Host, true, false), "it still has flows");
    assert!(!answers("10.0.0.1", Asker::Host, true, true));
    assert_eq!(served.hosts().count(), 0);
    let single = Served::new(&config(1));
    let vip = ip("10.0.0.100");
    assert!(single.answers(vip, Asker::Claimant, || false, || true), "it is the box's alone");
    assert!(single.hosts().eq([vip]) && single.is_host(vip));
}

#[test]
fn an_address_that_linux_has_too_is_warned_of_and_more_if_it_is_the_only_one() {
    let config =
        one("address = \"10.0.0.100\"\nport = 80\nmode = \"dsr\"\nbackend = [{ address = \"10.0.0.11\" }]\n");
    let served = Served::new(&config);
    let mut net = network();
    assert!(shared_addresses(&served, &net).is_empty());
    net.apply(Event::Address(7, ip("10.0.0.100")));
    let found = |net: &NetState| {
        let shared = shared_addresses(&served, net);
        let [only] = &*shared else { panic!("{shared:?}") };
        (only.interface.clone(), only.is_only, only.to_string())
    };
    let (interface, is_only, words) = found(&net);
    assert_eq!((interface.as_str(), is_only), ("eth0", false), "10.0.0.2 is there as well");
    assert!(words.contains("where it is the only address of its subnet, health checks"), "{words}");
    for other in ["10.0.0.2", "192.168.7.2"] {
        net.apply(Event::AddressGone(7, ip(other)));
    }
    net.apply(Event::Address(7, ip("fd00::7")));
    let (_, is_only, words) = found(&net);
    assert!(is_only && words.contains("they time out"), "{words}");
}
