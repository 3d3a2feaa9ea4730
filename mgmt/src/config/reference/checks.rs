//! The keys of health checks.

use super::Range::{Flag, Integer, Other, Time, Words};
use super::Said::{Default, Example, Needed};
use super::keys::key;
use super::{Key, Range, Table};

const TEXT: Range = Other("a text");
const FILE: Range = Other("a whole path");
pub(super) const AUTH: Range = Other("simple, sha1 or meticulous-sha1, a number, and a text");
const PAUSE: Range = Time("10ms to 1day");

const CHECK: &[Key] = &[
    key(
        "check",
        Needed("\"tcp\""),
        Words(&["tcp", "http", "https", "script", "smtp", "dns", "udp", "ping", "file", "agent", "bfd"]),
        "What is asked",
    ),
    key(
        "interval",
        Default("\"2s\""),
        PAUSE,
        "From one start to the next; of bfd from one packet to the next, 300ms without the key",
    ),
    key(
        "fast_interval",
        Example("\"500ms\"", "interval"),
        PAUSE,
        "The same while results contradict the state",
    ),
    key("down_interval", Example("\"5s\"", "interval"), PAUSE, "The same while it is down"),
    key(
        "timeout",
        Example("\"1s\"", "a second, or the interval where that is shorter"),
        Time("1ms to 1day"),
        "What takes longer has failed",
    ),
    key(
        "rise",
        Default("2"),
        Integer("1 to 1000"),
        "Successes in a row that make it up; of an agent 1 without the key",
    ),
    key(
        "fall",
        Default("3"),
        Integer("1 to 1000"),
        "Failures in a row that make it down; of an agent 1 without the key",
    ),
    key("retries", Default("0"), Integer("0 to 10"), "A failure counts after so many more tries at once"),
    key(
        "initial",
        Default("\"up-until-checked\""),
        Words(&["up", "down", "up-until-checked", "down-until-checked"]),
        "What counts before there are results enough; of an agent up without the key",
    ),
    key(
        "warmup",
        Example("\"2s\"", "interval"),
        Time("0s to 1day"),
        "The first checks are spread over this time",
    ),
    key(
        "address",
        Example("\"10.0.2.12\"", "the backend's"),
        Other("an IPv4 or IPv6 address"),
        "Whom to ask",
    ),
    key(
        "port",
        Example("8443", "the backend's"),
        Integer("1 to 65535"),
        "Which port; an agent's has to be said",
    ),
    key(
        "bind",
        Example("\"eth0\"", "as the kernel routes"),
        Other("an interface, or an address of the box"),
        "Where to ask from",
    ),
    key(
        "via",
        Default("\"socket\""),
        Words(&["socket", "data-path"]),
        "How it gets there: to the backend's own address, or to the virtual IP, as a client's packets do",
    ),
    key(
        "method",
        Example("\"GET\"", "GET"),
        Other("capital letters"),
        "http, https: how the page is asked for",
    ),
    key(
        "path",
        Example("\"/healthz\"", "/"),
        TEXT,
        "http, https: which page. file: which file, by its whole path; it has to be said there",
    ),
    key("host", Example("\"www.example.org\"", "address and port"), TEXT, "http, https: whose page"),
    key(
        "headers",
        Example("{ X-Probe = \"penstock\" }", "none"),
        Other("a table of texts"),
        "http, https: more headers",
    ),
    key("version", Example("\"1.1\"", "1.1"), Words(&["1.0", "1.1"]), "http, https: of HTTP"),
    key(
        "status",
        Example("\"200-299,301\"", "200-299"),
        Other("codes and ranges"),
        "http, https: what has to be answered",
    ),
    key("body", Example("\"all well\"", "anything"), TEXT, "http, https: has to occur in the page"),
    key(
        "body_regex",
        Example("'replicas: [1-9]\\d*'", "anything"),
        Other("a regular expression"),
        "http, https: has to match somewhere in the page",
    ),
    key(
        "digest",
        Example("\"md5:ff20ad2481f97b1754ef3e12ecd3a9cc\"", "anything"),
        Other("sha256:… or md5:…"),
        "http, https: of the whole page",
    ),
    key(
        "sni",
        Example("\"www.example.org\"", "host, else the address"),
        TEXT,
        "https, smtp: asked for, and what the certificate must be for",
    ),
    key(
        "verify",
        Example("true", "true"),
        Flag,
        "https, smtp: whether the certificate has to be good; false takes any certificate and key",
    ),
    key(
        "ca",
        Example("\"/etc/penstock/ca.pem\"", "whom the system trusts"),
        FILE,
        "https, smtp: whom to trust: authorities, or the servers' own certificates",
    ),
    key(
        "client_certificate",
        Example("\"/etc/penstock/probe.pem\"", "none"),
        FILE,
        "https, smtp: what the check shows of itself",
    ),
    key(
        "client_key",
        Example("\"/etc/penstock/probe.key\"", "none"),
        FILE,
        "https, smtp: the key to that, not encrypted",
    ),
    key(
        "warn_before",
        Example("\"14d\"", "14d"),
        Time("0s to 10years"),
        "https, smtp: told of before a certificate ends",
    ),
    key(
        "command",
        Example("[\"/usr/local/bin/is-well\", \"--quick\"]", "none, but a script needs it"),
        Other("a list of texts, the first a whole path"),
        "script: what is run, without a shell",
    ),
    key(
        "dynamic",
        Example("false", "false"),
        Flag,
        "script: whether a status of 2 to 255 is a weight of 0 to 253",
    ),
    key("user", Example("\"nobody\"", "nobody, where the daemon is root"), TEXT, "script: whom it runs as"),
    key(
        "helo",
        Example("\"lb1.example.org\"", "the node's name"),
        TEXT,
        "smtp: how the check introduces itself",
    ),
    key("starttls", Example("false", "false"), Flag, "smtp: whether TLS has to begin"),
    key("name", Example("\"www.example.org\"", "the root"), TEXT, "dns: what is asked for"),
    key("type", Example("\"A\"", "SOA"), Other("a type of records"), "dns: which records"),
    key("answer", Example("\"192.0.2.80\"", "any"), TEXT, "dns: one of the records in the answer"),
    key(
        "transport",
        Example("\"udp\"", "udp"),
        Words(&["udp", "tcp"]),
        "dns: what the question travels in; answers truncated over udp are asked for again over tcp",
    ),
    key("payload", Example("\"hex:00ff\"", "nothing"), Other("a text, or hex:…"), "udp: what is sent"),
    key(
        "expect",
        Example("\"pong\"", "anything"),
        Other("a text, or hex:…"),
        "udp: what the reply begins with",
    ),
    key("require_reply", Example("false", "false"), Flag, "udp: whether silence is a failure"),
    key("send", Example("\"web\\n\"", "nothing"), TEXT, "agent: what is sent first"),
    key("multiplier", Example("3", "3"), Integer("1 to 255"), "bfd: so many packets missed are too many"),
    key("multihop", Example("false", "false"), Flag, "bfd: whether there may be routers in between"),
    key("auth", Example("\"sha1:1:secret\"", "none"), AUTH, "bfd: kind, number of the key, and key"),
];

/// In the order of the file.
pub(super) const TABLES: &[Table] = &[Table {
    header: "[service.health]",
    name: "the check",
    about: "How it is found out whether a backend lives: for all backends of the service, or as [service.backend.health] for \
            one. Written with two pairs of brackets it may be there several times. Off without this table.",
    is_off: true,
    keys: CHECK,
}];
