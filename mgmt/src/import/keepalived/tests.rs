use super::super::tests::{accepted, said, told};
use super::super::{Import, ParseError, Source, import as import_text};

fn import(text: &str) -> Import {
    import_text(Source::Keepalived, "ka.conf", text).unwrap_or_else(|error| panic!("{error}"))
}

fn refused(text: &str) -> (usize, String) {
    let ParseError { line, message } = import_text(Source::Keepalived, "ka.conf", text).unwrap_err();
    (line, message)
}

#[test]
fn a_service_with_its_checks_is_said_in_full() {
    let import = import(
        r#"
global_defs {
    router_id LVS_1          ! the node
    lvs_timeouts tcp 900 udp 30
}
$NET=10.0.1
virtual_server 10.0.0.100 80 {
    delay_loop 6
    lb_algo sh
    sh-port
    lb_kind NAT
    persistence_timeout 50
    persistence_granularity 255.255.255.0
    protocol TCP
    alpha
    quorum 2
    hysteresis 1
    sorry_server 10.0.1.250 8080
    virtualhost www.example.org
    real_server ${NET}.11 8080 {
        weight 3
        inhibit_on_failure
        uthreshold 100
        HTTP_GET
        {
            url {
                path /a
                status_code 200-299 404
            }
            url { # two
                path "/b c"
                digest ff20ad2481f97b1754ef3e12ecd3a9cc
                virtualhost other.example.org
                regex "well\s+done"
                regex_options caseless
            }
            connect_timeout 2.5
            retry 2
            connect_port 81
        }
    }
    real_server $NET.12 80 {
        MISC_CHECK {
            misc_path "/usr/local/bin/is-well 'a b'"
            misc_dynamic
            user nobody
        }
    }
}
"#,
    );
    assert_eq!(told(&import), [""; 0]);
    let expected = r#"[node]
name = "LVS_1"
[dataplane]
flow_timeouts = { tcp_established = "900s", udp = "30s" }
[[interface]]
name = "eth0"
[[service]]
name = "10.0.0.100-80"
address = "10.0.0.100"
port = 80
protocol = "tcp"
mode = "router"
scheduler = "sh"
hash_on = "source+port"
quorum = 2
hysteresis = 1
backup = { address = "10.0.1.250", port = 8080 }
persistence = { timeout = "50s", mask4 = 24 }
[[service.backend]]
address = "10.0.1.11"
port = 8080
weight = 3
upper_threshold = 100
inhibit_on_failure = true
[[service.backend.health]]
check = "http"
interval = "6s"
fast_interval = "3s"
rise = 1
fall = 3
initial = "down"
timeout = "2500ms"
port = 81
version = "1.0"
path = "/a"
host = "www.example.org"
status = "200-299,404"
[[service.backend.health]]
check = "http"
interval = "6s"
fast_interval = "3s"
rise = 1
fall = 3
initial = "down"
timeout = "2500ms"
port = 81
version = "1.0"
path = "/b%20c"
host = "other.example.org"
digest = "md5:ff20ad2481f97b1754ef3e12ecd3a9cc"
body_regex = '(?i)well\s+done'
[[service.backend]]
address = "10.0.1.12"
weight = 1
[service.backend.health]
check = "script"
interval = "6s"
fast_interval = "1s"
rise = 1
fall = 1
initial = "down"
command = ["/usr/local/bin/is-well", "a b"]
timeout = "6s"
dynamic = true
user = "nobody"
"#;
    assert_eq!(said(&import), expected);
    let config = accepted(&import);
    assert_eq!(config.services[0].backends[0].health.as_ref().unwrap().checks.len(), 2);
}

#[test]
fn a_group_becomes_a_service_for_each_of_its_prefixes() {
    let import = import(
        "virtual_server_group shop {\n 10.0.0.8/30 80\n 10.0.0.1-2 443\n fwmark 7\n}\n\
         virtual_server group shop {\n lb_kind DR\n lb_algo mh\n real_server 10.0.1.1 81 {\n  weight 1\n }\n}\n",
    );
    let config = accepted(&import);
    let listed: Vec<_> = config.services.iter().map(|s| format!("{} {}", s.name, s.endpoint())).collect();
    assert_eq!(listed, ["shop-1 10.0.0.8/30:80", "shop-2 10.0.0.1:443", "shop-3 10.0.0.2:443"]);
    let told = told(&import);
    assert!(told[0].starts_with("4-4: packets with a mark"), "{told:?}");
    assert!(told[1].starts_with("9-9: in dsr mode a packet keeps its port: 81"), "{told:?}");
}

#[test]
fn every_kind_of_check_is_imported() {
    let server = |check: &str| {
        import(&format!(
            "SSL {{\n certificate /etc/c.pem\n key /etc/k.pem\n}}\ntrack_file f {{\n file /run/f\n}}\n\
             virtual_server 10.0.0.1 80 {{\n real_server 10.0.1.1 80 {{\n{check}\n }}\n}}\n"
        ))
    };
    for (check, expected) in [
        (
            "TCP_CHECK {\n bindto 10.0.0.2\n }",
            vec![
                "check = \"tcp\"",
                "bind = \"10.0.0.2\"",
                "timeout = \"5s\"",
                "interval = \"60s\"",
                "fall = 2",
            ],
        ),
        (
            "SSL_GET {\n enable_sni\n http_protocol 1.1\n }",
            vec!["check = \"https\"", "verify = false", "client_key = \"/etc/k.pem\"", "version = \"1.1\""],
        ),
        (
            "SMTP_CHECK {\n helo_name a.b\n host {\n connect_ip 10.2.0.1\n connect_port 587\n }\n }",
            vec!["check = \"smtp\"", "helo = \"a.b\"", "address = \"10.2.0.1\"", "port = 587"],
        ),
        (
            "DNS_CHECK {\n type A\n name example.org\n }",
            vec![
                "check = \"dns\"",
                "type = \"A\"",
                "name = \"example.org\"",
                "fall = 4",
                "fast_interval = \"60s\"",
            ],
        ),
        (
            "UDP_CHECK {\n payload Ab12f 3\n require_reply 00\n }",
            vec!["check = \"udp\"", "payload = \"hex:ab120f03\"", "expect = \"hex:00\""],
        ),
        ("PING_CHECK {\n retry 4\n }", vec!["check = \"ping\"", "fall = 5"]),
        ("FILE_CHECK {\n track_file f\n }", vec!["check = \"file\"", "path = \"/run/f\""]),
    ] {
        let import = server(check);
        accepted(&import);
        let said = said(&import);
        for line in expected {
            assert!(said.lines().any(|l| l == line), "{check}: no {line} in\n{said}");
        }
    }
    let told = told(&server("BFD_CHECK {\n name x\n }"));
    assert!(told.iter().any(|told| told.starts_with("10-12: checks by BFD")), "{told:?}");
}

#[test]
fn vrrp_is_said_with_the_contracts_keys() {
    let import = import(
        "global_defs {\n vrrp_garp_master_repeat 3\n}\n\
         vrrp_script up {\n script /usr/local/bin/up\n interval 2\n weight -30\n rise 3\n timeout 1\n user nobody\n}\n\
         vrrp_script odd {\n script \"killall -0 sshd\"\n}\n\
         vrrp_sync_group gateway {\n group {\n  inside\n }\n notify /usr/local/bin/group\n}\n\
         vrrp_instance inside {\n state MASTER\n interface eth1\n virtual_router_id 51\n priority 150\n version 3\n \
         advert_int 0.25\n nopreempt\n use_vmac\n track_interface {\n  eth0\n  eth2 weight 20\n }\n \
         track_script {\n  up\n  odd\n }\n unicast_peer {\n  10.0.0.3 min_ttl 253 max_ttl 254\n  10.0.0.4 min_ttl 252\n  \
         10.0.0.5 max_ttl 250 min_ttl 253\n }\n \
         virtual_ipaddress {\n  10.0.0.100/24 dev eth1\n  10.0.0.101/32\n  10.0.0.101\n  fd00::1\n }\n \
         notify \"/usr/local/bin/on-vrrp\"\n}\n",
    );
    let expected = r#"[[interface]]
name = "eth1"
[[vrrp]]
name = "inside"
interface = "eth1"
vrid = 51
version = 3
priority = 150
advert_interval = "250ms"
preempt = false
mac = "virtual"
addresses = ["10.0.0.100", "10.0.0.101"]
unicast_peers = ["10.0.0.3", "10.0.0.4", "10.0.0.5"]
min_ttl = 252
garp = { repeat = 3 }
track = [
    { interface = "eth0" },
    { interface = "eth2", weight = 20 },
    { script = "/usr/local/bin/up", interval = "2s", timeout = "1s", rise = 3, user = "nobody", weight = -30 },
]
sync_group = "gateway"
notify = "/usr/local/bin/on-vrrp"
"#;
    assert_eq!(said(&import), expected);
    accepted(&import);
    let told = told(&import);
    for start in [
        "13-13: a script is one program",
        "19-19: has no counterpart",
        "22-22: each instance begins as backup",
        "36-36: its vrrp_script",
        "39-39: min_ttl and max_ttl are those of the instance: 252 and 255",
        "41-41: min_ttl and max_ttl",
        "44-44: `/24`",
        "46-46: 10.0.0.101 is in the list already",
        "47-47: an instance has addresses of one family",
    ] {
        assert!(told.iter().any(|told| told.starts_with(start)), "no {start} in {told:#?}");
    }
    assert_eq!(told.len(), 9, "{told:#?}");
}

#[test]
fn version_2_is_the_default_and_has_passwords() {
    let instance = |keys: &str| {
        said(&import(&format!(
            "vrrp_instance a {{\n interface eth0\n virtual_router_id 1\n virtual_ipaddress {{\n {keys}\n}}\n"
        )))
    };
    let v2 = instance("10.0.0.1\n }\n authentication {\n auth_type PASS\n auth_pass 1234567890\n }");
    assert!(v2.contains("version = 2\n") && v2.contains("password = \"12345678\"\n"), "{v2}");
    let v6 = instance("fd00::1\n }\n authentication {\n auth_type PASS\n auth_pass 1234567890\n }");
    assert!(v6.contains("version = 3\n") && !v6.contains("password"), "{v6}");
}

#[test]
fn what_is_not_followed_or_not_for_all_is_named() {
    let told = told(&import(
        "include /etc/keepalived/more.conf\n@high vrrp_instance a {\n interface eth0\n}\nfoo ${BAR}\nfoo bar\n",
    ));
    assert_eq!(
        told,
        [
            "1-1: is not followed: import that file too",
            "2-4: is for one configuration id: take in what is for this box by hand",
            "5-5: stands for something that is not known here",
            "6-6: has no counterpart",
        ]
    );
}

#[test]
fn braces_and_quotes_that_do_not_match_are_errors_with_their_line() {
    assert_eq!(refused("a {\n b\n"), (1, "`a {` is never closed".to_owned()));
    assert_eq!(refused("a {\n}\n}\n"), (3, "`}` closes nothing".to_owned()));
    assert_eq!(refused("\n{\n}\n"), (2, "`{` without a name before it".to_owned()));
    assert_eq!(refused("a \"b\n").0, 1);
}

#[test]
fn what_two_instances_cannot_share_is_the_first_ones() {
    let instance = |name: &str, vrid: u8, address: &str| {
        format!(
            "vrrp_instance {name} {{\n interface eth0\n virtual_router_id {vrid}\n virtual_ipaddress {{\n {address}\n }}\n}}\n"
        )
    };
    let text =
        [instance("a", 1, "10.0.0.1"), instance("b", 1, "10.0.0.2"), instance("c", 2, "10.0.0.1\n 10.0.0.3")]
            .concat();
    let import = import(&text);
    assert_eq!(said(&import).matches("[[vrrp]]").count(), 2);
    assert!(said(&import).contains("addresses = [\"10.0.0.3\"]"));
    let told = told(&import);
    assert!(told[0].starts_with("8-14: its name, or its virtual_router_id"), "{told:?}");
    assert!(told[1].starts_with("19-19: 10.0.0.1 is another instance's already"), "{told:?}");
}
