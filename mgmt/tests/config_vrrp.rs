//! What a file says of virtual routers, and what becomes of it.

use std::net::IpAddr;
use std::time::Duration;

use mgmt::config::{Config, MacMode, Machine, Tracking, load_str, plan};
use mgmt::vrrp::group::Weight;
use mgmt::vrrp::{Priority, Version};

const HEAD: &str = "[[interface]]\nname = \"eth0\"\n";

fn config(text: &str) -> Config {
    let machine = Machine { cores: 2, hostname: "lb1".to_owned(), ..Machine::default() };
    load_str("lb.toml", &format!("{HEAD}{text}"), &machine).unwrap_or_else(|e| panic!("{e}")).0
}

fn instance(name: &str, vrid: u8, keys: &str) -> String {
    format!("[[vrrp]]\nname = \"{name}\"\ninterface = \"eth0\"\nvrid = {vrid}\n{keys}\n")
}

#[test]
fn defaults_are_those_of_the_table() {
    let config = config(&instance("outside", 51, "addresses = [\"10.0.0.100\"]"));
    let one = &config.vrrp[0];
    assert_eq!((one.interval.version(), one.interval.duration()), (Version::V3, Duration::from_secs(1)));
    assert_eq!((one.priority, one.preempt, one.mac), (Priority(100), true, MacMode::Virtual));
    assert_eq!(one.virtual_mac().unwrap().to_string(), "00:00:5e:00:01:33");
    let announce = one.announce;
    assert_eq!(
        (announce.repeats.0, announce.delay, announce.refresh.is_zero()),
        (5, 5 * Duration::from_secs(1), true)
    );
}

#[test]
fn adverts_have_room_for_fewer_addresses_than_a_virtual_router() {
    let list = |prefix: &str, count: u16| {
        let list: Vec<_> = (1..=count).map(|n| format!("\"{prefix}{n}\"")).collect();
        format!("addresses = [{}]", list.join(","))
    };
    let config = config(&instance("six", 51, &list("fd00::", 500)));
    assert_eq!(config.vrrp[0].addresses.len(), 500);
    assert!(!config.vrrp[0].is_ipv4());
    assert_eq!(config.vrrp[0].addresses[0], "fd00::1".parse::<IpAddr>().unwrap());
    assert_eq!(config.vrrp[0].virtual_mac().unwrap().to_string(), "00:00:5e:00:02:33");
}

#[test]
fn sessions_of_bfd_are_with_the_peers_or_with_whom_is_tracked() {
    let keys = "addresses = [\"10.0.0.100\"]\nunicast_peers = [\"10.0.0.3\"]\nbfd = { interval = \"10ms\" }\n\
                track = [{ bfd = \"10.9.0.9\", multihop = true, weight = -20 }]";
    let config = config(&instance("outside", 51, keys));
    let watch = config.vrrp[0].bfd.as_ref().unwrap();
    assert_eq!(watch.peers, ["10.0.0.3".parse::<IpAddr>().unwrap()]);
    assert_eq!((watch.session.interval, watch.session.multihop), (Duration::from_millis(10), false));
    let track = &config.vrrp[0].track[0];
    let Tracking::Bfd(peer, session) = &track.what else { panic!() };
    assert_eq!(
        (peer.to_string().as_str(), session.multihop, track.weight),
        ("10.9.0.9", true, Weight::Adds(-20))
    );
    assert_eq!(track.what.to_string(), "bfd 10.9.0.9");
}

#[test]
fn adverts_of_peers_may_come_through_routers() {
    let peers = "addresses = [\"10.0.0.100\"]\nunicast_peers = [\"10.1.0.3\"]\n";
    let bounds = |keys: &str| config(&instance("outside", 51, &format!("{peers}{keys}"))).vrrp[0].peer_ttl;
    assert_eq!(bounds(""), (0, 255));
    assert_eq!(bounds("min_ttl = 254"), (254, 255));
    assert_eq!(bounds("min_ttl = 1\nmax_ttl = 64"), (1, 64));
    let keys = format!("{peers}bfd = {{ multihop = true }}");
    assert!(config(&instance("outside", 51, &keys)).vrrp[0].bfd.as_ref().unwrap().session.multihop);
    let far = "addresses = [\"fd00::100\"]\nunicast_peers = [\"fd01::3\"]\nbfd = { peers = [\"fd01::3\"], multihop = true }";
    assert_eq!(config(&instance("outside", 51, far)).vrrp[0].peers.len(), 1);
    let machine = Machine { cores: 2, hostname: "lb1".to_owned(), ..Machine::default() };
    let loaded = |keys: &str| {
        let text = format!("{HEAD}{}", instance("outside", 51, keys));
        load_str("lb.toml", &text, &machine)
    };
    let (_, warnings) = loaded("addresses = [\"10.0.0.100\"]\nmin_ttl = 254").unwrap();
    assert!(warnings.iter().any(|warning| warning.to_string().contains("`min_ttl` without `unicast_peers`")));
    // Before, 255 was demanded: an advert could be forged on the segment alone.
    for (keys, is_warned) in
        [("", true), ("max_ttl = 254", true), ("min_ttl = 1", false), ("min_ttl = 255", false)]
    {
        let (_, warnings) = loaded(&format!("{peers}{keys}")).unwrap();
        let words = "`unicast_peers` without `min_ttl`";
        let of_peers: Vec<_> =
            warnings.iter().map(ToString::to_string).filter(|warning| warning.contains(words)).collect();
        assert_eq!(of_peers.len(), usize::from(is_warned), "{keys}: {warnings:?}");
        assert!(of_peers.iter().all(|warning| warning.contains("lb.toml:8:")), "{of_peers:?}");
    }
    let refused = |keys: &str| loaded(keys).unwrap_err().to_string();
    let empty = refused(&format!("{peers}min_ttl = 255\nmax_ttl = 254"));
    assert!(empty.contains("`max_ttl` is 254, and `min_ttl` is 255"), "{empty}");
}

/// What a machine calls its interfaces beside the kernel's main name.
#[test]
fn other_names_of_interfaces_stand_for_the_main_one_wherever_one_is_written() {
    let mut machine = Machine { cores: 2, hostname: "lb1".to_owned(), ..Machine::default() };
    let others = ["enp3s0f0", "a-name-longer-than-the-main-one", "wire"].map(|other| [other.to_owned()]);
    machine.learn_names(["eth0", "eth1", "br0"].into_iter().zip(others.iter().map(|other| &other[..])));
    let load =
        |text: &str| load_str("lb.toml", text, &machine).map(|(config, _)| config).map_err(|e| e.to_string());
    let text = "[[interface]]\nname = \"enp3s0f0\"\n[[interface]]\nname = \"a-name-longer-than-the-main-one\"\nbridge = \"wire\"\n\
                [[interface]]\nname = \"eth2\"\nbridge = \"br0\"\n";
    let router = "[[vrrp]]\nname = \"outside\"\ninterface = \"enp3s0f0\"\nvrid = 51\naddresses = [\"10.0.0.100\"]\n\
                  track = [{ interface = \"a-name-longer-than-the-main-one\" }]\n";
    let config = load(&format!("{text}{router}")).unwrap();
    let names: Vec<_> = config.interfaces.iter().map(|i| (i.name.as_str(), i.bridge.as_deref())).collect();
    assert_eq!(names, [("eth0", None), ("eth1", Some("br0")), ("eth2", Some("br0"))]);
    assert_eq!(config.vrrp[0].interface, "eth0");
    assert_eq!(config.vrrp[0].track[0].what, Tracking::Interface("eth1".to_owned()));
    let twice = load("[[interface]]\nname = \"eth0\"\n\n[[interface]]\nname = \"enp3s0f0\"\n").unwrap_err();
    assert!(
        twice.contains("lb.toml:5:8") && twice.contains("the first one is at lb.toml:2:8"),
        "both lines: {twice}"
    );
    let vrid =
        router.replace("outside", "again").replace("enp3s0f0", "eth0").replace("10.0.0.100", "10.0.0.101");
    let taken = load(&format!("{text}{router}{vrid}")).unwrap_err();
    assert!(taken.contains("vrid 51 of IPv4 is taken on `eth0`"), "{taken}");
}

#[test]
fn what_is_tracked_takes_part_by_its_weight_or_takes_the_router_out() {
    let keys = "addresses = [\"10.0.0.100\"]\ntrack = [{ interface = \"eth1\", weight = -60 }, \
                { script = \"/bin/up now\", interval = \"2s\", rise = 3 }, { file = \"/run/up\", weight = 5 }]";
    let config = config(&instance("outside", 51, keys));
    let [interface, script, file] = &config.vrrp[0].track[..] else { panic!("not three") };
    assert_eq!(
        (&interface.what, interface.weight),
        (&Tracking::Interface("eth1".to_owned()), Weight::Adds(-60))
    );
    let Tracking::Script { command, interval, timeout, rise, fall, user } = &script.what else {
        panic!("no script")
    };
    assert_eq!((command.join("|"), user), ("/bin/up|now".to_owned(), &None));
    assert_eq!((interval.as_secs(), timeout.as_secs(), *rise, *fall), (2, 2, 3, 1));
    assert_eq!((script.weight, file.weight), (Weight::Fault, Weight::Adds(5)));
}

#[test]
fn a_plan_tells_of_virtual_routers_key_by_key() {
    let old = instance("outside", 51, "addresses = [\"10.0.0.100\"]")
        + &instance("gone", 52, "addresses = [\"10.0.0.101\"]");
    let new = instance(
        "outside",
        51,
        "addresses = [\"10.0.0.100\"]\npriority = 200\nadvert_interval = \"100ms\"\nmac = \"interface\"\n\
         preempt = false\ntrack = [{ interface = \"eth1\", weight = -60 }]\nnotify = \"/bin/on-vrrp\"",
    ) + &instance("new", 53, "addresses = [\"10.0.0.101\", \"10.0.0.102\"]");
    let plan = plan::plan(&config(&old), &config(&new));
    let expected = [
        "vrrp gone is removed: vrid 52 on eth0, priority 100, 1 address",
        "vrrp outside: priority: 100 -> 200",
        "vrrp outside: advert_interval: 1s -> 100ms",
        "vrrp outside: preempt: true -> false",
        "vrrp outside: mac: virtual -> interface",
        "vrrp outside: track: nothing -> interface eth1 -60",
        "vrrp outside: notify: none -> /bin/on-vrrp",
        "vrrp new is added: vrid 53 on eth0, priority 100, 2 addresses",
    ];
    assert_eq!(plan.changes, expected);
    assert!(plan.needs_restart.is_empty());
}
