//! Verbs against a daemon, from words to printed text and exit status.

use clap::Parser;

use super::*;
use crate::api::fake::{self, FakeDaemon};

/// Standard output, standard error, and whether the exit status is 0.
async fn penstock(socket: &Path, line: &str) -> (String, String, bool) {
    let words = ["penstock", "--socket", socket.to_str().unwrap()].into_iter().chain(line.split_whitespace());
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let cli = Cli::try_parse_from(words).unwrap();
    let result = run(cli, &mut Terminal::plain(&mut out, &mut err)).await;
    let failure = result.as_ref().err().map(ToString::to_string).unwrap_or_default();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(out), text(err) + &failure, result.is_ok())
}

fn file(name: &str) -> String {
    format!("{}/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[tokio::test]
async fn json_is_the_body_as_served() {
    let daemon = FakeDaemon::start();
    let served = send(&daemon.socket, Call::get("/v1/services")).await.unwrap().body;
    let (out, _, done) = penstock(&daemon.socket, "services --json").await;
    assert!(done);
    assert_eq!(out, String::from_utf8(served).unwrap() + "\n");
}

#[tokio::test]
async fn every_verb_of_state_prints_text() {
    let daemon = FakeDaemon::start();
    for verb in ["status", "services", "services web", "flows", "vrrp", "interfaces", "neighbours", "stats"] {
        let (out, err, done) = penstock(&daemon.socket, verb).await;
        assert!(done && err.is_empty(), "{verb}: {err}");
        assert!(out.ends_with('\n') && !out.contains(['\t', '\x1b']), "{verb}: {out}");
    }
}

#[tokio::test]
async fn backends_are_steered() {
    let daemon = FakeDaemon::start();
    let (out, _, done) = penstock(&daemon.socket, "backend drain web 10.0.1.11").await;
    assert_eq!((out.as_str(), done), ("10.0.1.11:8080: drain, weight 100, state drain\n", true));
    let (out, _, _) = penstock(&daemon.socket, "backend weight web [2001:db8::12]:8080 5").await;
    assert_eq!(out, "[2001:db8::12]:8080: enabled, weight 5, state up\n");
    let (out, err, done) = penstock(&daemon.socket, "backend enable nope 10.0.1.11").await;
    assert_eq!((out.as_str(), done), ("", false));
    assert_eq!(err, "penstock: there is no service \"nope\": `penstock services` lists them");
    let (_, err, done) = penstock(&daemon.socket, "backend enable web host1").await;
    assert!(!done && err.starts_with("penstock: \"host1\" is not a backend's address"), "{err}");
}

#[tokio::test]
async fn check_works_without_a_daemon() {
    let nowhere = Path::new("/nowhere/control.sock");
    let (out, err, done) = penstock(nowhere, &format!("check {}", file("../configs/router.toml"))).await;
    assert!(done && err.is_empty(), "{err}");
    assert!(out.ends_with("router.toml: correct; services: 3, backends: 6\n"), "{out}");

    let bad = file("tests/config_errors/five_errors.toml");
    let (out, err, done) = penstock(nowhere, &format!("check {bad}")).await;
    assert!(!done && out.is_empty());
    assert!(err.starts_with("error: unknown key `nmae`\n --> "), "{err}");
    assert!(err.ends_with("five_errors.toml has 5 errors; nothing was changed"), "{err}");
    let (out, _, done) = penstock(nowhere, &format!("--json check {bad}")).await;
    assert!(!done && out.starts_with("{\"error\":"), "{out}");
}

#[tokio::test]
async fn apply_says_that_the_file_on_disk_stays() {
    let daemon = FakeDaemon::start();
    let (out, _, done) = penstock(&daemon.socket, &format!("apply {}", file("../configs/dsr.toml"))).await;
    assert!(done);
    let note = "in force until the daemon stops or reloads; its own file was not changed\n";
    let added =
        ["web", "dns", "web-by-dscp", "web6"].map(|name| format!("service {name} is added\n")).concat();
    assert_eq!(out, format!("{added}{note}"));
    let bad = file("tests/config_errors/names.toml");
    let (_, err, done) = penstock(&daemon.socket, &format!("apply {bad}")).await;
    assert!(!done && err.contains("\n --> ") && err.contains("names.toml:4:8\n"), "{err}");
}

#[tokio::test]
async fn without_a_daemon_the_socket_and_the_remedy_are_named() {
    let (out, err, done) = penstock(Path::new("/nowhere/control.sock"), "status").await;
    assert!(!done && out.is_empty());
    let expected = "penstock: cannot reach the daemon at /nowhere/control.sock: No such file or directory \
                    (os error 2); is penstockd running? --socket or $PENSTOCK_SOCKET name another socket";
    assert_eq!(err, expected);
}

#[tokio::test]
async fn version_needs_no_daemon() {
    let nowhere = Path::new("/nowhere/control.sock");
    let (out, _, done) = penstock(nowhere, "version").await;
    assert!(done && out.ends_with("penstockd does not answer\n"), "{out}");
}

#[tokio::test]
async fn a_packet_is_traced_in_words_and_as_a_frame() {
    let daemon = FakeDaemon::start();
    let (out, _, done) =
        penstock(&daemon.socket, "trace 192.0.2.7 10.0.0.100 --dport 80 --protocol udp").await;
    assert!(done);
    assert_eq!(out, "parse    udp 192.0.2.7 port 49152 to 10.0.0.100 port 80\nverdict  it leaves by eth1\n");
    let (out, _, done) = penstock(&daemon.socket, "--json trace --hex 0200:0000:00b0").await;
    assert!(done && out.contains("\"frame\":\"[2, 0, 0, 0, 0, 176]\""), "{out}");
    for (line, why) in [
        ("trace 192.0.2.7 fd00::1", "of different families"),
        ("trace --hex 02000", "whole bytes in hexadecimal"),
    ] {
        let (_, err, done) = penstock(&daemon.socket, line).await;
        assert!(!done && err.contains(why), "{err}");
    }
}

struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_reader_that_has_left_is_told_apart_from_failures() {
    let cli = Cli::try_parse_from(["penstock", "completion", "bash"]).unwrap();
    let failure = run(cli, &mut Terminal::plain(Closed, io::sink())).await.unwrap_err();
    assert!(failure.is_broken_pipe());
    assert!(!Failure::refused("x").is_broken_pipe());
}

#[tokio::test]
async fn what_is_no_daemon_gets_an_error_and_no_hang() {
    let dir = fake::fresh_dir();
    std::fs::create_dir_all(&dir).unwrap();
    let socket = dir.join("s");
    let listener = tokio::net::UnixListener::bind(&socket).unwrap();
    let rude = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"220 smtp\r\n").await.unwrap();
    });
    let (_, err, done) = penstock(&socket, "status").await;
    assert!(!done && err.contains("broke off"), "{err}");
    rude.await.unwrap();
    std::fs::remove_dir_all(&dir).unwrap();
}

#[tokio::test]
async fn a_plan_is_told_with_what_it_means_for_the_traffic() {
    let daemon = FakeDaemon::start();
    let (out, err, done) =
        penstock(&daemon.socket, &format!("plan {}", file("../configs/router.toml"))).await;
    assert!(!out.is_empty() && done, "{err}");
    let forecast = out.split_once("\nforecast:\n").unwrap().1;
    let expected = "  service web: 12.5 % of new flows go elsewhere\n  3 of 1000 established flows are ended\n  \
                    40 flows of backends that leave go on until they end\n  \
                    the flow table takes 172 MiB instead of 86 MiB\n  \
                    service tls: its pool has room for 64512 flows to each backend; 60000 is the most that one has now\n  \
                    service far: packets of clients over 1476 bytes do not fit on the way to 10.9.0.1 (eth0 carries 1500, and \
                    the box adds 24): they are cut, or their senders told; mss_clamp = 1436 keeps TCP below\n";
    assert_eq!(forecast, expected);
}

#[tokio::test]
async fn what_is_applied_for_a_time_says_how_it_stays() {
    let daemon = FakeDaemon::start();
    let dsr = file("../configs/dsr.toml");
    let (out, _, done) = penstock(&daemon.socket, &format!("apply {dsr} --confirm 1500ms")).await;
    assert!(
        done && out.ends_with("in force for 2 seconds: `penstock confirm` keeps it, else it is taken back\n"),
        "{out}"
    );
    let (out, _, done) = penstock(&daemon.socket, "confirm").await;
    assert!(done && out.ends_with("stays in force (number 3)\n"), "{out}");
    let (out, _, done) = penstock(&daemon.socket, "history").await;
    let expected = "NUMBER  AT                    WHO    HOW    STATE            FILE\n     \
                    3  2026-01-02T03:04:05Z  alice  apply  unconfirmed-42s  lb.toml\n";
    assert_eq!((out.as_str(), done), (expected, true));
    assert_eq!(penstock(&daemon.socket, "history 3").await.0, "# number 3\n");
    assert!(!penstock(&daemon.socket, "rollback 9").await.2);
}

#[tokio::test]
async fn what_is_dropped_is_told_and_a_code_is_asked_for_alone() {
    let daemon = FakeDaemon::start();
    let (out, _, done) = penstock(&daemon.socket, "drops").await;
    assert!(done && out.starts_with("no-backend: 2; ") && !out.contains("truncated"), "{out}");
    let (out, _, _) = penstock(&daemon.socket, "drops --code truncated").await;
    assert_eq!(out, "truncated: 0; the frame ends too early\n");
}

#[tokio::test]
async fn packets_are_written_into_a_file_that_others_cannot_read() {
    use std::os::unix::fs::PermissionsExt;
    let daemon = FakeDaemon::start();
    let path = daemon.socket.with_file_name("web.pcapng");
    let line = format!("capture --service web --limit 3 -w {}", path.display());
    let (out, err, done) = penstock(&daemon.socket, &line).await;
    assert!(done && out.is_empty(), "{err}");
    assert_eq!(err, format!("0 frames in {}\n", path.display()));
    let file = std::fs::read(&path).unwrap();
    assert_eq!((crate::pcapng::Blocks::default().take(&file), file.is_empty()), (Ok(file.clone()), false));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let (_, err, done) =
        penstock(&daemon.socket, &format!("capture --service wbe -w {}", path.display())).await;
    assert!(!done && err.contains("there is no service \"wbe\""), "{err}");
    assert_eq!(std::fs::read(&path).unwrap(), file, "what was captured before stays");
}

#[tokio::test]
async fn a_capture_is_not_for_who_may_only_look() {
    let daemon = FakeDaemon::start_with(crate::api::Rights::View);
    let (_, err, done) = penstock(&daemon.socket, "capture -w /nowhere/x").await;
    assert!(!done && err.contains("for looking only"), "{err}");
}

#[tokio::test]
async fn events_are_listed_and_followed_until_the_daemon_ends() {
    let daemon = FakeDaemon::start();
    let (listed, _, done) = penstock(&daemon.socket, "events").await;
    let expected = "2026-01-02T03:04:05.678Z  info   vrrp           is now vrrp=outside state=master\n\
                    2026-01-02T03:04:05.678Z  warn   backend        backend is down service=web\n\
                    2026-01-02T03:04:05.678Z  info   other          nobody else's\n";
    assert_eq!((listed.as_str(), done), (expected, true));
    assert_eq!(penstock(&daemon.socket, "events --follow").await.0, expected);
    assert_eq!(penstock(&daemon.socket, "events --follow --after 1").await.0.lines().count(), 2);
    let (lines, _, _) = penstock(&daemon.socket, "--json events --follow").await;
    assert!(
        lines.lines().all(|line| line.starts_with("{\"number\":")) && lines.lines().count() == 3,
        "{lines}"
    );
}
