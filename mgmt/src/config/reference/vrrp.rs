//! The keys of `[[vrrp]]`.

use super::Range::{Flag, Integer, Other, Time, Words};
use super::Said::{Default, Example, Needed};
use super::checks::AUTH;
use super::keys::{FILE, INTERFACE, NAME, key, table};
use super::{Key, Range, Table};

const DELAY: Range = Time("0s to 16m 40s");
const LOOK: Range = Time("10ms to 1day");
const ADDRESSES: Range = Other("a list of addresses");

const VRRP: &[Key] = &[
    key("name", Needed("\"outside\""), NAME, "What the virtual router is called"),
    key("interface", Needed("\"eth0\""), INTERFACE, "Where it is"),
    key(
        "family",
        Example("\"ipv4\"", "that of the addresses"),
        Words(&["ipv4", "ipv6"]),
        "Of its adverts and addresses",
    ),
    key("vrid", Needed("51"), Integer("1 to 255"), "Its number, the same on all of its boxes"),
    key("version", Default("3"), Integer("2 to 3"), "Of VRRP; 2 is for old peers"),
    key(
        "priority",
        Default("100"),
        Integer("1 to 255"),
        "The highest is master; 255: this box owns the addresses",
    ),
    key(
        "advert_interval",
        Default("\"1s\""),
        Time("10ms to 4m 15s"),
        "How often the master says that it is; whole seconds with version 2",
    ),
    key("preempt", Default("true"), Flag, "Whether a higher priority takes over from a lower one"),
    key("preempt_delay", Default("\"0s\""), DELAY, "It waits so long before it does"),
    key("start_delay", Default("\"0s\""), DELAY, "It takes part so long after the start"),
    key(
        "mac",
        Default("\"virtual\""),
        Words(&["virtual", "interface"]),
        "Whether the addresses have a MAC address of their own, or that of the interface",
    ),
    key("addresses", Needed("[\"10.0.0.100\"]"), ADDRESSES, "The virtual IPs, at least one"),
    key("unicast_peers", Default("[]"), ADDRESSES, "Adverts go to these instead of to the group"),
    key(
        "min_ttl",
        Example("254", "any"),
        Integer("1 to 255"),
        "The least TTL of their adverts, which are sent with 255; each router takes one off",
    ),
    key("max_ttl", Example("255", "any"), Integer("1 to 255"), "The greatest"),
    key(
        "checksum",
        Default("\"rfc5798\""),
        Words(&["rfc5798", "rfc9568"]),
        "Whether the checksum of IPv4 adverts is with the pseudo-header; both are understood",
    ),
    key("password", Default("\"\""), Other("up to 8 characters"), "With version 2 only; none: without one"),
    key("sync_group", Example("\"gateway\"", "none"), NAME, "Those of one group are master together"),
    key(
        "notify",
        Example("\"/usr/local/bin/on-vrrp\"", "none"),
        FILE,
        "Run at each change, as `on-vrrp INSTANCE NAME STATE PRIORITY`",
    ),
];

const GARP: &[Key] = &[
    key("repeat", Default("5"), Integer("1 to 60"), "So many at a time"),
    key("delay", Default("\"5s\""), DELAY, "A second time after so long; 0s: not"),
    key("refresh", Default("\"0s\""), Time("0s to 1day"), "Again and again with such pauses; 0s: not"),
];

const BFD: &[Key] = &[
    key(
        "peers",
        Example("[\"10.0.0.3\"]", "unicast_peers"),
        ADDRESSES,
        "The other boxes, by the addresses that adverts come from",
    ),
    key("interval", Default("\"300ms\""), LOOK, "Between two packets"),
    key("multiplier", Default("3"), Integer("1 to 255"), "So many packets missed are too many"),
    key("multihop", Default("false"), Flag, "Whether there may be routers in between"),
    key("auth", Example("\"sha1:1:secret\"", "none"), AUTH, "Kind, number of the key, and key"),
];

const TRACK: &[Key] = &[
    key("interface", Example("\"eth1\"", "none"), INTERFACE, "Down while this one has no carrier"),
    key(
        "script",
        Example("\"/usr/local/bin/uplink-ok\"", "none"),
        FILE,
        "Down while it ends with another status than 0",
    ),
    key("file", Example("\"/run/ready\"", "none"), FILE, "A number in it moves the priority"),
    key("service", Example("\"web\"", "none"), NAME, "Down while this service has no quorum"),
    key(
        "bfd",
        Example("\"10.0.0.9\"", "none"),
        Other("an IPv4 or IPv6 address"),
        "Down while a session of BFD with this address is",
    ),
    key(
        "multiplier",
        Example("3", "3"),
        Integer("1 to 255"),
        "Of the session: so many packets missed are too many",
    ),
    key(
        "multihop",
        Example("false", "false"),
        Flag,
        "Of the session: whether there may be routers in between",
    ),
    key(
        "auth",
        Example("\"sha1:1:secret\"", "none"),
        AUTH,
        "Of the session: kind, number of the key, and key",
    ),
    key(
        "weight",
        Default("0"),
        Integer("-253 to 253"),
        "Added to the priority: below 0 while it is down, above 0 while it is up; 0: while it is down, no part is taken",
    ),
    key(
        "interval",
        Example("\"1s\"", "a second; of bfd 300ms"),
        LOOK,
        "How often the script runs, the file is read, or a packet of BFD is sent",
    ),
    key("timeout", Example("\"1s\"", "the interval"), LOOK, "A script that takes longer has failed"),
    key("rise", Example("1", "1"), Integer("1 to 1000"), "Successes in a row that make it up"),
    key("fall", Example("1", "1"), Integer("1 to 1000"), "Failures in a row that make it down"),
    key("user", Example("\"nobody\"", "nobody where the daemon is root"), NAME, "Whom the script runs as"),
];

/// In the order of the file.
pub(super) const TABLES: &[Table] = &[
    table("[[vrrp]]", "[[vrrp]]", true, VRRP, "A virtual router: addresses that one of several boxes has."),
    table(
        "[vrrp.garp]",
        "garp",
        true,
        GARP,
        "How hosts are told of a new master, where the MAC address is another.",
    ),
    table("[vrrp.bfd]", "bfd", true, BFD, "Finds out sooner than by adverts that the master has gone."),
    table(
        "[[vrrp.track]]",
        "track",
        true,
        TRACK,
        "What the priority depends on; one of the first five keys each.",
    ),
];
