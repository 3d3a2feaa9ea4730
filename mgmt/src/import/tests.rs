//! What holds for whatever is imported.

use proptest::prelude::*;

use super::*;
use crate::config::{self, Machine};

/// The configuration as it was written, with what it says of `[[vrrp]]` taken out if this version does not read that.
pub(super) fn accepted(import: &Import) -> config::Config {
    let machine = Machine { cores: 4, hostname: "lb1".to_owned(), ..Machine::default() };
    let config = if reads_vrrp() { import.config.clone() } else { without_vrrp(&import.config) };
    match config::load_str("imported.toml", &config, &machine) {
        Ok((config, _)) => config,
        Err(errors) => panic!("{errors}\n{config}"),
    }
}

/// Not before `[[vrrp]]` is read can it be checked.
fn reads_vrrp() -> bool {
    let machine = Machine { cores: 4, hostname: "lb1".to_owned(), ..Machine::default() };
    let said = config::load_str("vrrp.toml", "[[vrrp]]\nname = \"a\"\n", &machine).unwrap_err().to_string();
    !said.contains("is not available in this version")
}

fn without_vrrp(config: &str) -> String {
    let mut file: toml_edit::DocumentMut = config.parse().unwrap_or_else(|error| panic!("{error}\n{config}"));
    file.remove("vrrp");
    file.to_string()
}

/// What is said of each line: `FILE` without its notes, and the notes in short.
pub(super) fn told(import: &Import) -> Vec<String> {
    import.notes.iter().map(|note| format!("{}-{}: {}", note.line, note.last, note.reason)).collect()
}

/// The configuration without its comments.
pub(super) fn said(import: &Import) -> String {
    let lines = import.config.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn notes_stand_in_front_with_the_lines_that_they_are_about() {
    let text = "global_defs {\n  smtp_server 10.0.0.1\n}\nstatic_routes {\n  10.1.0.0/16 via 10.0.0.1\n}\n";
    let import = import(Source::Keepalived, "ka.conf", text).unwrap();
    let front: Vec<_> = import.config.lines().take_while(|line| line.starts_with('#')).collect();
    assert_eq!(
        front,
        [
            "# Imported from ka.conf by penstock import.",
            "#",
            "# What has no counterpart in Penstock:",
            "#",
            "# ka.conf:2: Penstock sends no mail: watch its log or /metrics",
            "#       smtp_server 10.0.0.1",
            "#",
            "# ka.conf:4: addresses, routes and rules of the box are Linux's: put them where the others are",
            "#     static_routes {",
            "#       10.1.0.0/16 via 10.0.0.1",
            "#     }",
        ]
    );
    accepted(&import);
}

/// Pieces of real files.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("virtual_server 10.0.0.1 80 {\n"),
        Just("virtual_server group G {\n"),
        Just("virtual_server_group G {\n10.0.0.1-5 80-90\nfwmark 2\n}\n"),
        Just("lb_kind TUN type gue port 6080 csum\n"),
        Just("lb_algo mh\nmh-port\n"),
        Just("real_server 10.0.1.1 80 {\n"),
        Just("real_server 10.0.0.1 {\n weight 2\n weight 3\n }\n"),
        Just("sorry_server 10.0.0.3 81\n"),
        Just("HTTP_GET {\n url {\n path /\n regex \"a(\"\n }\n retry x\n }\n"),
        Just("MISC_CHECK {\n misc_path \"/bin/true a\"\n }\n"),
        Just("SMTP_CHECK {\n host {\n connect_ip 10.9.9.9\n}\n}\n"),
        Just(
            "vrrp_instance V {\n interface eth0\n virtual_router_id 7\n virtual_ipaddress {\n 10.0.0.1/24\n}\n"
        ),
        Just("persistence_timeout\n"),
        Just("quorum 0\nprotocol UDP\n"),
        Just("@a b\n$X=1\n~Y(a)\ninclude z\n"),
        Just("}\n"),
        Just("{"),
        Just("\"\u{1f980}\n"),
        Just("-A -t 10.0.0.1:80 -s rr -p -b x\n"),
        Just("-a -t 10.0.0.1:80 -r 10.0.1.1:81 -m -w -5\n"),
        Just("-a -t 10.0.0.1:80 -r [::1]:0 -i --tun-type gue\n"),
    ];
    proptest::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn whatever_is_imported_is_accepted_and_nothing_panics(text in prop_oneof![pieces(), any::<String>()]) {
        for source in [Source::Keepalived, Source::Ipvsadm] {
            if let Ok(import) = import(source, "a file", &text) {
                accepted(&import);
            }
        }
    }
}
