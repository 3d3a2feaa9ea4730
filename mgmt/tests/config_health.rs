//! What a file says of health checks, and what becomes of it.

use std::sync::Arc;
use std::time::Duration;

use mgmt::config::health::{Bind, Check, Health, Initial, Kind, Needs, Via};
use mgmt::config::{Config, Machine, load_str, plan};

const HEAD: &str = "[[interface]]\nname = \"eth0\"\n[[service]]\nname = \"web\"\naddress = \"10.0.0.100\"\nport = 80\n\
                    mode = \"router\"\n";
const BACKENDS: &str =
    "[[service.backend]]\naddress = \"10.0.1.11\"\n[[service.backend]]\naddress = \"10.0.1.12\"\n";

fn config(service: &str, backends: &str) -> Config {
    let machine = Machine { cores: 2, hostname: "lb1".to_owned(), ..Machine::default() };
    load_str("lb.toml", &format!("{HEAD}{service}\n{backends}"), &machine).unwrap_or_else(|e| panic!("{e}")).0
}

fn health(config: &Config, backend: usize) -> Option<&Arc<Health>> {
    config.services[0].backends[backend].health.as_ref()
}

fn one(keys: &str) -> Check {
    let config = config(&format!("[service.health]\n{keys}"), BACKENDS);
    health(&config, 0).unwrap().checks[0].clone()
}

#[test]
fn a_check_of_the_node_s_own_virtual_address_is_warned_of() {
    let warnings = |address: &str| {
        let machine = Machine { cores: 2, hostname: "lb1".to_owned(), ..Machine::default() };
        let check = format!("[service.health]\ncheck = \"tcp\"\naddress = \"{address}\"\nport = 80");
        let loaded = load_str("lb.toml", &format!("{HEAD}{check}\n{BACKENDS}"), &machine);
        loaded
            .unwrap_or_else(|errors| panic!("{errors}"))
            .1
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    assert!(warnings("10.0.1.11").is_empty());
    let found = warnings("10.0.0.100");
    assert!(found.len() == 1 && found[0].contains("no client of its own services"), "{found:?}");
}

#[test]
fn defaults_are_those_of_the_table() {
    let Check { kind, rules, address, port, bind, via } = one("check = \"tcp\"");
    assert_eq!((kind, address, port, bind, via), (Kind::Tcp, None, None, None, Via::Socket));
    let second = Duration::from_secs(1);
    assert_eq!([rules.interval, rules.fast_interval, rules.down_interval, rules.warmup], [2 * second; 4]);
    assert_eq!((rules.timeout, rules.rise, rules.fall, rules.retries), (second, 2, 3, 0));
    assert_eq!(rules.initial, Initial::UpUntilChecked);
    let fast = one("check = \"ping\"\ninterval = \"100ms\"").rules;
    assert_eq!(fast.timeout, Duration::from_millis(100), "no check may run into the next one");
    let agent = one("check = \"agent\"\nport = 9777").rules;
    assert_eq!((agent.rise, agent.fall, agent.initial), (1, 1, Initial::Up));
}

#[test]
fn a_session_has_its_own_interval_and_counts_at_once() {
    let Check { kind, rules, .. } = one("check = \"bfd\"");
    let Kind::Bfd(bfd) = kind else { panic!() };
    assert_eq!((bfd.interval, bfd.multiplier, bfd.multihop), (Duration::from_millis(300), 3, false));
    assert_eq!((bfd.auth.as_ref(), rules.rise, rules.fall), (None, 1, 1));
    let keys = "check = \"bfd\"\ninterval = \"10ms\"\nmultiplier = 5\nmultihop = true\n\
                auth = \"meticulous-sha1:7:a:b\"";
    let config = config(&format!("[service.health]\n{keys}"), BACKENDS);
    let health = health(&config, 0).unwrap();
    assert_eq!(health.to_string(), "bfd every 10ms, rise 1, fall 1");
    let Kind::Bfd(bfd) = &health.checks[0].kind else { panic!() };
    assert_eq!((bfd.interval, bfd.multiplier, bfd.multihop), (Duration::from_millis(10), 5, true));
    assert_eq!(format!("{:?}", bfd.auth), "Some(MeticulousSha1 with key 7)", "and never the key");
}

#[test]
fn every_kind_has_its_keys() {
    let http = "method = \"HEAD\"\npath = \"/healthz\"\nhost = \"example.org\"\nheaders = { X-A = \"b\" }\n\
                version = \"1.0\"\nstatus = \"200-299, 301\"\nbody = \"ok\"\nbody_regex = 'o.'\n\
                digest = \"md5:5d41402abc4b2a76b9719d911017c592\"\n";
    let Kind::Http(read) = one(&format!("check = \"http\"\n{http}")).kind else { panic!() };
    assert_eq!((read.method.as_str(), read.status.to_string().as_str()), ("HEAD", "200-299,301"));
    assert!(read.status.contains(301) && !read.status.contains(300));
    let tls = "sni = \"example.org\"\nca = \"/etc/ca.pem\"\nclient_certificate = \"/etc/c.pem\"\n\
               client_key = \"/etc/k.pem\"\nwarn_before = \"3d\"\n";
    let Kind::Https(_, read) = one(&format!("check = \"https\"\nport = 443\n{http}{tls}")).kind else {
        panic!()
    };
    assert!(read.verify && read.client.is_some());
    let Kind::Script(read) =
        one("check = \"script\"\ncommand = [\"/bin/a\", \"b\"]\ndynamic = true\nuser = \"u\"").kind
    else {
        panic!()
    };
    assert_eq!((read.command.len(), read.dynamic, read.user.as_deref()), (2, true, Some("u")));
    let Kind::Smtp(read) = one("check = \"smtp\"\nstarttls = true\nverify = false").kind else { panic!() };
    assert_eq!((read.helo.as_str(), read.starttls.is_some()), ("lb1", true));
    let Kind::Dns(read) =
        one("check = \"dns\"\nname = \"www.example.org\"\ntype = \"a\"\nanswer = \"192.0.2.1\"").kind
    else {
        panic!()
    };
    assert_eq!((read.name.to_string(), read.record.to_string()), ("www.example.org.".into(), "A".into()));
    let Kind::Udp(read) = one("check = \"udp\"\npayload = \"hex:00ff\"\nexpect = \"pong\"").kind else {
        panic!()
    };
    assert_eq!(
        (&*read.payload, read.expect.as_deref(), read.require_reply),
        (&[0, 255][..], Some(&b"pong"[..]), true)
    );
    assert!(matches!(one("check = \"file\"\npath = \"/run/a\"").kind, Kind::File(_)));
    let bound = one("check = \"tcp\"\naddress = \"10.9.0.1\"\nport = 99\nbind = \"eth1\"");
    assert_eq!((bound.port.map(|port| port.0), bound.bind), (Some(99), Some(Bind::Interface("eth1".into()))));
}

#[test]
fn a_backend_has_its_services_checks_or_its_own_or_none() {
    let own = "[[service.backend]]\naddress = \"10.0.1.13\"\nhealth = { check = \"ping\" }\nobserve = 5\n\
               [[service.backend]]\naddress = \"10.0.1.14\"\nhealth = []\n\
               [[service.backend]]\naddress = \"10.0.1.15\"\ninhibit_on_failure = true\n";
    let service = "health_needs = \"any\"\nobserve = 7\n[[service.health]]\ncheck = \"tcp\"\n[[service.health]]\ncheck = \"http\"\n";
    let config = config(service, &format!("{BACKENDS}{own}"));
    let kinds = |backend| {
        let health = health(&config, backend)?;
        Some(health.checks.iter().map(|check| check.kind.word()).collect::<Vec<_>>().join(" "))
    };
    assert_eq!(
        [0, 1, 2, 3].map(kinds),
        [Some("tcp http".into()), Some("tcp http".into()), Some("ping".into()), None]
    );
    assert!(Arc::ptr_eq(health(&config, 0).unwrap(), health(&config, 1).unwrap()), "they are shared");
    let inhibited = health(&config, 4).unwrap();
    assert!(inhibited.inhibit_on_failure && inhibited.needs == Needs::Any);
    let observed = [0, 2, 4].map(|backend| health(&config, backend).unwrap().observe);
    assert_eq!(observed, [7, 5, 7]);
}

#[test]
fn a_plan_tells_of_a_services_checks_once() {
    let changes = |old: &str, new: &str| plan::plan(&config(old, BACKENDS), &config(new, BACKENDS)).changes;
    let tcp = "[service.health]\ncheck = \"tcp\"\n";
    assert_eq!(changes("", tcp), ["service web: health: none -> tcp every 2s, rise 2, fall 3"]);
    assert_eq!(
        changes(tcp, "[service.health]\ncheck = \"tcp\"\ntimeout = \"2s\"\n"),
        ["service web: health: other keys of tcp every 2s, rise 2, fall 3"]
    );
    let own = config(tcp, &BACKENDS.replacen("address", "health = { check = \"ping\" }\naddress", 1));
    assert_eq!(
        plan::plan(&config(tcp, BACKENDS), &own).changes,
        [
            "service web: backend 10.0.1.11:80: health: tcp every 2s, rise 2, fall 3 -> ping every 2s, rise 2, fall 3"
        ]
    );
}

#[test]
fn the_example_has_every_kind_and_is_accepted_without_a_warning() {
    let machine = Machine { cores: 2, hostname: "lb1".to_owned(), ..Machine::default() };
    let text = include_str!("../../configs/checks/every-kind.toml");
    let (config, warnings) =
        load_str("every-kind.toml", text, &machine).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(warnings, []);
    let backends = config.services.iter().flat_map(|service| &service.backends);
    let checks = backends.filter_map(|backend| backend.health.as_ref()).flat_map(|health| &health.checks);
    let mut kinds: Vec<_> = checks.map(|check| check.kind.word()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["agent", "bfd", "dns", "file", "https", "ping", "script", "smtp", "tcp", "udp"]);
}
