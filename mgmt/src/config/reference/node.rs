//! The keys of the box: `[node]`, `[dataplane]`, `[[interface]]`.

use super::Range::{Integer, Other, Time, Words};
use super::Said::{Default, Example, Needed};
use super::keys::{INTERFACE, NAME, key, table};
use super::{Key, Range, Table};

const IDLE: Range = Time("100ms to 1day");

const NODE: &[Key] = &[
    key("name", Example("\"lb1\"", "the host's name"), NAME, "What the box is called in answers and logs"),
    key(
        "run_dir",
        Default("\"/run/penstock\""),
        Other("a whole path"),
        "Holds the sockets control.sock and view.sock",
    ),
    key(
        "state_dir",
        Default("\"/var/lib/penstock\""),
        Other("a whole path"),
        "Holds the history of configurations; where run_dir is another than the usual one, that is the default",
    ),
    key(
        "cluster",
        Default("\"penstock\""),
        NAME,
        "Seeds the schedulers' hashing: nodes with the same word choose the same backends",
    ),
];

const DATAPLANE: &[Key] = &[
    key(
        "cores",
        Example("[1, 2, 3]", "every core but the first"),
        Other("a list of cores, counted from 0"),
        "One pinned worker on each",
    ),
    key(
        "poll",
        Default("\"adaptive\""),
        Words(&["busy", "adaptive"]),
        "Whether an idle worker spins for ever, or sleeps after a while",
    ),
    key(
        "flows",
        Default("1_048_576"),
        Integer("1 to 268435456"),
        "Flows that the table holds; each takes 86 bytes, reserved at the start",
    ),
    key(
        "hugepages",
        Default("\"auto\""),
        Words(&["auto", "require", "off"]),
        "Whether the flow table is in huge pages",
    ),
    key(
        "persistence",
        Default("131_072"),
        Integer("1 to 16777216"),
        "Clients of services with persistence that are remembered",
    ),
];

const FLOW_TIMEOUTS: &[Key] = &[
    key("tcp_syn", Default("\"10s\""), IDLE, "Of a connection whose handshake is not over"),
    key(
        "tcp_established",
        Default("\"15m\""),
        IDLE,
        "Of a connection that is established, also when one side has finished and the other has not",
    ),
    key(
        "tcp_fin",
        Default("\"30s\""),
        IDLE,
        "Of a connection that is over for certain: each side has acknowledged the FIN of the other, or the number of a RST fits",
    ),
    key(
        "tcp_reset",
        Default("\"4m\""),
        IDLE,
        "Of a connection that seems to be over, by a RST or FINs that can be forged; later traffic takes that back. \
         RFC 5382 and RFC 7857 ask for 4 minutes. tcp_fin where that is longer, or half of the room is taken, or the \
         backend is on its way out; at most tcp_established",
    ),
    key("udp", Default("\"60s\""), IDLE, "Of datagrams"),
    key("icmp", Default("\"10s\""), IDLE, "Of echo requests"),
];

const METRICS: &[Key] = &[key(
    "listen",
    Example("\"127.0.0.1:9580\"", "nowhere but on the control socket"),
    Other("an address with a port"),
    "Where /metrics and a page to look at are served over HTTP, to everybody who reaches that address",
)];

const INTERFACES: &[Key] = &[
    key("name", Needed("\"eth0\""), INTERFACE, "The kernel's name for it"),
    key(
        "xdp",
        Default("\"auto\""),
        Words(&["auto", "zero-copy", "copy", "generic"]),
        "How its driver is used; auto takes the best that there is",
    ),
    key(
        "bridge",
        Example("\"br-inline\"", "none"),
        INTERFACE,
        "For bridge mode: the ports of one inline segment share a name",
    ),
];

/// In the order of the file.
pub(super) const TABLES: &[Table] = &[
    table("[node]", "[node]", false, NODE, "The box."),
    table(
        "[dataplane]",
        "[dataplane]",
        false,
        DATAPLANE,
        "The workers. None of it can be changed while the daemon runs, but for the timeouts.",
    ),
    table("[dataplane.flow_timeouts]", "flow_timeouts", false, FLOW_TIMEOUTS, "How long a flow may be idle."),
    table(
        "[metrics]",
        "[metrics]",
        false,
        METRICS,
        "Figures for Prometheus, and a page of them. Cannot be changed while the daemon runs.",
    ),
    table(
        "[[interface]]",
        "[[interface]]",
        false,
        INTERFACES,
        "Each interface that carries packets of services; at least one.",
    ),
];
