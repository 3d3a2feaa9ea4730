use super::*;
use crate::config::{Machine, load_str};

#[test]
fn lists_of_numbers_are_read_and_written() {
    assert_eq!(list("0-2,8,x,5-"), [0, 1, 2, 8]);
    assert_eq!(list(""), [0; 0]);
    assert_eq!(listed(&[1, 3]), "1,3");
}

#[test]
fn a_machine_without_anything_is_told_what_keeps_it_from_running() {
    let machine = Machine { cores: 4, hostname: "lb1".to_owned(), ..Machine::default() };
    let config = load_str("lb.toml", "[[interface]]\nname = \"eth0\"\n", &machine).unwrap().0;
    let findings = examine(&Sight::of(&[]), &config, &machine, &NetState::default());
    let problems: Vec<_> =
        findings.iter().filter(|f| f.state == State::Problem).map(|f| f.what.as_str()).collect();
    assert_eq!(
        problems.iter().filter(|what| **what != "af_xdp").collect::<Vec<_>>(),
        [&"kernel", &"cpu", &"interface eth0"]
    );
    assert!(
        findings.iter().all(|finding| (finding.state == State::Ok) == finding.advice.is_empty()),
        "{findings:#?}"
    );
}

#[test]
fn what_a_configuration_needs_is_told() {
    let machine = Machine { cores: 4, hostname: "lb1".to_owned(), ..Machine::default() };
    let needs = |dataplane: &str| {
        let text = format!(
            "[dataplane]\n{dataplane}\n[[interface]]\nname = \"eth0\"\n[[interface]]\nname = \"eth1\"\n"
        );
        needs(&Sight::of(&[]), &load_str("lb.toml", &text, &machine).unwrap().0)
    };
    let found = needs("flows = 1_000_000");
    assert_eq!((found.cores, found.huge_pages), (vec![1, 2, 3], 43));
    assert_eq!(found.interfaces, ["eth0", "eth1"]);
    assert_eq!(needs("hugepages = \"off\"").huge_pages, 0);
}

#[test]
fn rules_that_the_data_plane_cannot_follow_are_named() {
    use rtnetlink::packet_route::AddressFamily;
    use rtnetlink::packet_route::rule::{RuleAction, RuleAttribute, RuleMessage};

    let config = load_str("lb.toml", "[[interface]]\nname = \"eth0\"\n", &Machine::this()).unwrap().0;
    let mut net = NetState::default();
    let found = |net: &NetState| routing::examine(net, &config).remove(0);
    assert_eq!((found(&net).state, found(&net).found.as_str()), (State::Ok, "the kernel's own alone"));
    let mut message = RuleMessage::default();
    (message.header.family, message.header.action) = (AddressFamily::Inet, RuleAction::ToTable);
    message.attributes = vec![
        RuleAttribute::Priority(100),
        RuleAttribute::Table(7),
        RuleAttribute::IpProtocol(rtnetlink::packet_route::IpProtocol::Tcp),
    ];
    net.apply(crate::net::Event::Rule(crate::net::PolicyRule::from_message(&message).unwrap()));
    let named = found(&net);
    assert_eq!(named.state, State::Advice);
    assert_eq!(named.found, "IPv4 rule 100 (from all lookup 7) has ipproto");
}

#[test]
fn this_machine_can_be_looked_at() {
    let machine = Machine::this();
    let config = load_str("lb.toml", "[[interface]]\nname = \"lo0\"\n", &machine).unwrap().0;
    assert!(examine(&Sight::default(), &config, &machine, &NetState::default()).len() > 5);
    assert!(examine_machine(&Sight::default(), &machine, &NetState::default()).len() > 5);
}

#[test]
fn without_a_configuration_the_machine_is_looked_at_and_no_interface_keeps_it_from_running() {
    let machine = Machine { cores: 4, hostname: "lb1".to_owned(), ..Machine::default() };
    let sight = Sight::of(&[
        ("/proc/sys/kernel/osrelease", "6.12.3\n"),
        ("/proc/cpuinfo", "flags : fpu avx2 bmi2 aes pclmulqdq\n"),
        ("/sys/class/net/lo/mtu", "65536\n"),
        ("/sys/class/net/eth0/mtu", "9000\n"),
        ("/sys/class/net/eth1/operstate", "down\n"),
    ]);
    let findings = examine_machine(&sight, &machine, &NetState::default());
    let states = |what: &str| -> Vec<_> {
        findings.iter().filter(|f| f.what == what).map(|finding| finding.state).collect()
    };
    assert_eq!(states("kernel"), [State::Ok]);
    assert_eq!((states("mtu eth0"), states("link eth1")), (vec![State::Advice], vec![State::Advice]));
    assert!(states("link lo").is_empty(), "{findings:#?}");
    assert!(findings.iter().all(|f| f.state != State::Problem || f.what == "af_xdp"), "{findings:#?}");
}
