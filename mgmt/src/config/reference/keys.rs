//! The keys of `[[service]]` and what is in it, but for health checks.

use super::Range::{Flag, Integer, Other, Time, Words};
use super::Said::{Default, Example, Needed};
use super::{Key, Range, Said, Table};

pub(super) const NAME: Range = Other("1 to 64 letters, digits, dots, hyphens and underscores");
pub(super) const INTERFACE: Range = Other("up to 15 characters, as `ip link` lists it");
pub(super) const FILE: Range = Other("a whole path");
const ADDRESS: Range = Other("an IPv4 or IPv6 address");
const PORT: Range = Integer("1 to 65535");
const COUNT: Range = Integer("0 to 4294967295");

/// Shorter to write.
pub(super) const fn key(name: &'static str, said: Said, range: Range, meaning: &'static str) -> Key {
    Key { name, said, range, meaning }
}

const SERVICE: &[Key] = &[
    key("name", Needed("\"web\""), NAME, "What the service is called"),
    key(
        "address",
        Needed("\"10.0.0.100\""),
        Other("an address, or a prefix as in \"10.0.0.16/28\""),
        "The virtual IP",
    ),
    key("port", Needed("80"), PORT, "What clients ask for"),
    key("ports", Example("\"8000-8099\"", "`port`"), Other("a range, or \"any\""), "Instead of port"),
    key("protocol", Default("\"tcp\""), Words(&["tcp", "udp"]), "Of its packets"),
    key(
        "mode",
        Needed("\"router\""),
        Words(&["bridge", "router", "one-arm", "dsr", "tunnel"]),
        "How packets get to the backends",
    ),
    key(
        "scheduler",
        Default("\"maglev\""),
        Words(&[
            "rr", "wrr", "lc", "wlc", "sh", "dh", "maglev", "sed", "nq", "fo", "ovf", "lblc", "lblcr",
            "random", "twos",
        ]),
        "Which backend a new flow gets",
    ),
    key(
        "hash_on",
        Default("\"source+port\""),
        Words(&["source", "source+port", "destination-port"]),
        "What maglev and sh hash",
    ),
    key("hash_fallback", Default("true"), Flag, "Whether a flow whose backend is down goes to another one"),
    key(
        "group_minimum",
        Default("1"),
        Integer("1 to 4294967295"),
        "A priority group waits until fewer backends of the lower ones are up",
    ),
    key("quorum", Default("1"), Integer("1 to 4294967295"), "Sum of weights that has to be up"),
    key(
        "hysteresis",
        Default("0"),
        COUNT,
        "The quorum is lost below quorum - hysteresis, and found again at quorum + hysteresis",
    ),
    key(
        "notify",
        Example("\"/usr/local/bin/on-quorum\"", "none"),
        FILE,
        "Run when the quorum is lost or found, as `on-quorum SERVICE NAME DOWN` or `UP`",
    ),
    key(
        "slow_start",
        Default("\"0s\""),
        Time("0s to 1day"),
        "Over so long the weight of a backend that has come up grows",
    ),
    key(
        "on_backend_failure",
        Default("\"keep\""),
        Words(&["keep", "reset", "move"]),
        "What becomes of the flows of a backend that fails",
    ),
    key(
        "snat_pool",
        Default("[]"),
        Other("a list of addresses, ranges and prefixes; 256 addresses at most"),
        "One-arm mode, which needs it: where packets to the backends come from",
    ),
    key(
        "client_address",
        Default("\"none\""),
        Words(&["none", "proxy-v1", "proxy-v2", "toa"]),
        "One-arm mode: how backends learn who the client is",
    ),
    key(
        "missing_state",
        Default("\"drop\""),
        Words(&["drop", "reset"]),
        "What becomes of a packet from the middle of a connection that the box does not know, where addresses are translated",
    ),
    key(
        "mss_clamp",
        Default("0"),
        Integer("0 to 65535"),
        "The largest segment that either side may announce; 0: as they like",
    ),
    key("vlan", Default("0"), Integer("0 to 4094"), "The only VLAN of its packets; 0: any"),
    key(
        "ping",
        Default("\"up\""),
        Words(&["up", "always", "never"]),
        "When echo requests to the virtual IP are answered",
    ),
    key(
        "allow",
        Default("[]"),
        Other("a list of prefixes"),
        "Clients that are let in; the longest prefix that fits decides, of two that are as long deny",
    ),
    key("deny", Default("[]"), Other("a list of prefixes"), "Clients that are not"),
    key(
        "syn_proxy",
        Default("\"off\""),
        Words(&["off", "auto", "always"]),
        "When handshakes are answered by cookie: bridge, router and one-arm mode, TCP",
    ),
    key(
        "health_needs",
        Default("\"all\""),
        Words(&["all", "any"]),
        "How many of several checks have to be up",
    ),
    key("inhibit_on_failure", Default("false"), Flag, "Whether a backend that fails is kept with weight 0"),
    key(
        "observe",
        Default("0"),
        Integer("0 to 1000000"),
        "So many clients' handshakes in a row that fail count as one failed result of each check, where the box sees \
         replies; 0: none does",
    ),
];

const BACKUP: &[Key] = &[
    key("address", Needed("\"10.0.1.250\""), ADDRESS, "Who takes all new flows while the quorum is lost"),
    key("port", Example("8080", "the service's"), PORT, "Its port"),
];

const PERSISTENCE: &[Key] = &[
    key(
        "timeout",
        Default("\"5m\""),
        Time("1s to 7days"),
        "How long a client is remembered after its last flow",
    ),
    key("mask4", Default("32"), Integer("1 to 32"), "Bits of an IPv4 client's address that count"),
    key("mask6", Default("128"), Integer("1 to 128"), "Bits of an IPv6 client's address that count"),
    key("group", Example("\"shop\"", "none"), NAME, "Services of one group share their clients"),
];

const DRAIN: &[Key] = &[
    key(
        "deadline",
        Example("\"5m\"", "none"),
        Time("1s to 7days"),
        "How long flows of a drained backend have, and flows of datagrams of one that has left the file",
    ),
    key("then", Default("\"leave\""), Words(&["leave", "reset", "move"]), "What becomes of them then"),
];

const TUNNEL: &[Key] = &[
    key("kind", Needed("\"ipip\""), Words(&["ipip", "gre", "gue"]), "What the packets travel in"),
    key("port", Example("6080", "6080"), PORT, "Of gue"),
    key("variant", Example("0", "0"), Integer("0 to 1"), "Of gue"),
    key(
        "source4",
        Example("\"10.0.0.2\"", "an address of the interface"),
        Other("an IPv4 address"),
        "Where outer packets come from",
    ),
    key(
        "source6",
        Example("\"2001:db8::2\"", "an address of the interface"),
        Other("an IPv6 address"),
        "Where outer packets come from",
    ),
];

const DSR: &[Key] = &[key(
    "dscp",
    Default("0"),
    Integer("0 to 63"),
    "0: MAC addresses change alone. Else the destination changes too, and the DSCP names the virtual IP",
)];

const LIMITS: &[Key] = &[
    key("flows", Default("0"), COUNT, "Flows of the service; 0: no limit"),
    key("new_per_second", Default("0"), COUNT, "New flows of all clients in a second; 0: no limit"),
    key(
        "new_per_second_per_source",
        Default("0"),
        COUNT,
        "New flows of an IPv4 address or a /64 in a second; 0: no limit",
    ),
];

const BACKEND: &[Key] = &[
    key("address", Needed("\"10.0.1.11\""), ADDRESS, "The server, which cannot be the node itself"),
    key(
        "port",
        Example("8080", "the service's"),
        PORT,
        "Its port; in dsr and tunnel mode always the service's",
    ),
    key("weight", Default("100"), Integer("0 to 65535"), "Its share; 0 takes no new flows"),
    key(
        "admin",
        Default("\"enabled\""),
        Words(&["enabled", "disabled", "drain"]),
        "What the operator wants of it",
    ),
    key("priority_group", Default("1"), Integer("1 to 65535"), "Lower groups come first"),
    key(
        "upper_threshold",
        Default("0"),
        Integer("0 to 1073741824"),
        "Flows that it takes at once; 0: any number",
    ),
    key(
        "lower_threshold",
        Default("0"),
        Integer("0 to 1073741824"),
        "One that was full takes more below it; 0: three quarters of the upper one",
    ),
    key("health_needs", Default("\"all\""), Words(&["all", "any"]), "As of the service, for this backend"),
    key("inhibit_on_failure", Default("false"), Flag, "As of the service, for this backend"),
    key("observe", Default("0"), Integer("0 to 1000000"), "As of the service, for this backend"),
];

/// Shorter to write.
pub(super) const fn table(
    header: &'static str,
    name: &'static str,
    is_off: bool,
    keys: &'static [Key],
    about: &'static str,
) -> Table {
    Table { header, name, about, is_off, keys }
}

/// In the order of the file.
pub(super) const TABLES: &[Table] = &[
    table("[[service]]", "[[service]]", false, SERVICE, "What clients see."),
    table("[service.backup]", "backup", true, BACKUP, "The 'sorry server'. Off without this table."),
    table(
        "[service.persistence]",
        "persistence",
        true,
        PERSISTENCE,
        "A client's next flow goes to the server of its last one. Off without this table.",
    ),
    table("[service.drain]", "drain", false, DRAIN, "What becomes of the flows of a drained backend."),
    table("[service.tunnel]", "tunnel", true, TUNNEL, "Needed in tunnel mode, and of no other one."),
    table("[service.dsr]", "dsr", false, DSR, "Of dsr mode."),
    table(
        "[service.limits]",
        "limits",
        false,
        LIMITS,
        "What the service's new flows are limited to, over all workers.",
    ),
    table("[[service.backend]]", "[[service.backend]]", false, BACKEND, "A server."),
];
