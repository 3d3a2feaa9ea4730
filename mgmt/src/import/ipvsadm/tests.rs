use super::super::tests::{accepted, said, told};
use super::super::{Import, Source, import as import_text};

fn import(text: &str) -> Import {
    import_text(Source::Ipvsadm, "rules", text).unwrap()
}

#[test]
fn what_ipvsadm_saves_becomes_services() {
    let import = import(
        "-A -t 10.0.0.1:80 -s wlc -p 300 -M 255.255.255.0\n\
         -a -t 10.0.0.1:80 -r 10.0.1.1:8080 -m -w 1\n\
         -a -t 10.0.0.1:80 -r 10.0.1.2:80 -m -w 0 -x 100 -y 50\n\
         -A -u [2001:db8::1]:53 -s mh -b mh-port\n\
         -a -u [2001:db8::1]:53 -r 10.0.1.3:53 -i -w 3 --tun-type gue --tun-port 6000\n\
         -A -t 10.0.0.2:0 -s sh -p 60\n\
         -a -t 10.0.0.2:0 -r 10.0.1.4:0 -g -w 1\n",
    );
    assert_eq!(told(&import), [""; 0]);
    let expected = r#"[[interface]]
name = "eth0"
[[service]]
name = "10.0.0.1-80"
address = "10.0.0.1"
port = 80
protocol = "tcp"
mode = "router"
scheduler = "wlc"
persistence = { timeout = "300s", mask4 = 24 }
[[service.backend]]
address = "10.0.1.1"
port = 8080
weight = 1
[[service.backend]]
address = "10.0.1.2"
weight = 0
upper_threshold = 100
lower_threshold = 50
[[service]]
name = "2001_db8__1-53"
address = "2001:db8::1"
port = 53
protocol = "udp"
mode = "tunnel"
scheduler = "maglev"
hash_on = "source+port"
tunnel = { kind = "gue", port = 6000 }
[[service.backend]]
address = "10.0.1.3"
weight = 3
[[service]]
name = "10.0.0.2-any"
address = "10.0.0.2"
ports = "any"
protocol = "tcp"
mode = "dsr"
scheduler = "sh"
hash_on = "source"
persistence = { timeout = "60s" }
[[service.backend]]
address = "10.0.1.4"
weight = 1
"#;
    assert_eq!(said(&import), expected);
    accepted(&import);
}

#[test]
fn what_has_no_counterpart_is_named() {
    let import = import(
        "-A -f 1 -s rr\n\
         -a -f 1 -r 10.0.1.1:80 -m\n\
         -A -t 10.0.0.1:80 -s rr --pe sip\n\
         -a -t 10.0.0.1:80 -r 10.0.1.1:80 -m -w 1\n\
         -a -t 10.0.0.1:80 -r 10.0.1.2:80 -g -w 1\n\
         -a -t 10.0.0.1:80 -r 10.0.0.1:81 -m -w 1\n\
         -a -t 10.0.0.1:80 -r 127.0.0.1:80 -m -w 1\n\
         -a -t 10.0.0.1:80 -r 10.0.1.1:80 -m -w 2\n\
         -A -t www:80 -s rr\n\
         -C\n",
    );
    assert_eq!(
        told(&import),
        [
            "1-1: services by mark, and of other protocols than TCP and UDP, have no counterpart",
            "2-2: its service is not above",
            "3-3: `--pe sip` has no counterpart",
            "5-5: goes another way than the first server: give it a service of its own",
            "6-6: 10.0.0.1 is a virtual IP (10.0.0.1) and cannot be a backend",
            "7-7: 127.0.0.1 is an address of the box itself: Penstock forwards to other machines",
            "8-8: is listed twice",
            "9-9: is no address with a port: save with -n",
            "10-10: is neither -A nor -a: the output of `ipvsadm -S -n` is read",
        ]
    );
    assert_eq!(accepted(&import).services[0].backends.len(), 1);
}
