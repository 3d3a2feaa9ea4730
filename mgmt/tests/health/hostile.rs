use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::*;

const HTTP: &str = "check = \"http\"\ntimeout = \"300ms\"";

/// Sends this again and again, until nobody takes it any more.
fn flood(mut stream: TcpStream, first: &str, again: &[u8]) {
    let _ = stream.write_all(first.as_bytes());
    while stream.write_all(again).is_ok() {}
}

/// Says nothing, until the other end has had enough.
fn hold(mut stream: TcpStream) {
    while stream.read(&mut [0; 1024]).is_ok_and(|length| length > 0) {}
}

/// The most memory that this process has ever had, in kilobytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_closed_port_refuses() {
    for kind in ["tcp", "http", "https", "smtp"] {
        let said = fails(&format!("check = \"{kind}\""), closed_port());
        assert_eq!(said, "connection refused", "{kind}");
    }
    assert_eq!(fails("check = \"dns\"\ntransport = \"tcp\"", closed_port()), "connection refused");
    assert_eq!(fails("check = \"udp\"\npayload = \"x\"", closed_port()), "port unreachable");
    let agent = check("check = \"agent\"\nport = 1", closed_port());
    assert_eq!((agent.verdict, &*agent.said), (Verdict::NoNews, "no agent: connection refused"));
}

#[test]
fn a_connection_that_is_held_ends_at_the_timeout_and_the_stage_is_named() {
    let said = fails(HTTP, server(hold));
    assert_eq!(said, "timed out after 300ms while waiting for the status");
    let said = fails("check = \"https\"\ntimeout = \"300ms\"\nverify = false", server(hold));
    assert_eq!(said, "timed out after 300ms while in the TLS handshake");
    let said = fails("check = \"smtp\"\ntimeout = \"300ms\"", server(hold));
    assert_eq!(said, "timed out after 300ms while waiting for the greeting");
    let said = fails("check = \"dns\"\ntransport = \"tcp\"\ntimeout = \"300ms\"", server(hold));
    assert_eq!(said, "timed out after 300ms while waiting for the answer");
}

#[test]
fn a_server_that_says_one_byte_now_and_then_ends_at_the_timeout() {
    let port = server(|mut stream| {
        for byte in b"HTTP/1.1 200 OK\r\nX: y\r\n".iter().cycle() {
            if stream.write_all(&[*byte]).is_err() {
                return;
            }
            // The slowness is what is tested.
            #[expect(clippy::disallowed_methods, reason = "a slow server")]
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    assert_eq!(fails(HTTP, port), "timed out after 300ms while waiting for the head's end");
}

#[test]
fn endless_heads_end_by_their_bounds() {
    let port = server(|stream| flood(stream, "HTTP/1.1 200 OK\r\n", b"Name: value\r\n"));
    assert_eq!(fails(HTTP, port), "the answer has a head of more than 128 KiB, the most that a check reads");
    let port = server(|stream| flood(stream, "HTTP/1.1 200 OK\r\nX: ", &[b'x'; 1000]));
    let said = fails(HTTP, port);
    assert_eq!(said, "the answer has a line of more than 16 KiB in its head, the most that a check reads");
}

#[test]
fn an_endless_body_costs_neither_time_nor_memory() {
    let before = peak();
    let endless = || server(|stream| flood(stream, "HTTP/1.1 200 OK\r\n\r\n", &[b'x'; 65_536]));
    assert_eq!(passes(HTTP, endless()), "200 OK");
    let said = fails(&format!("{HTTP}\nbody = \"needle\""), endless());
    assert_eq!(said, "the body has no \"needle\" in its first 256 KiB, the most that is searched");
    let sum = "0".repeat(64);
    let said = fails(&format!("check = \"http\"\ntimeout = \"2s\"\ndigest = \"sha256:{sum}\""), endless());
    let expected = [
        "the body is longer than 64 MiB, too long for a digest",
        "timed out after 2s while reading the body",
    ];
    assert!(expected.contains(&&*said), "{said}");
    let grown = peak() - before;
    assert!(grown < 16 * 1024, "{grown} kB more than before");
}

#[test]
fn what_is_no_http_is_told_as_such() {
    let say = |text: &'static [u8]| {
        server(move |mut stream| {
            let _ = stream.write_all(text);
            hold(stream);
        })
    };
    assert_eq!(fails(HTTP, say(b"SSH-2.0-OpenSSH_9.2\r\n")), "the answer is not HTTP");
    assert_eq!(
        fails(HTTP, say(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n")),
        "the answer has a broken header"
    );
    let said = fails(
        &format!("{HTTP}\nbody = \"x\""),
        say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n"),
    );
    assert_eq!(said, "the answer has a broken chunk");
    assert_eq!(fails(HTTP, say(b"HTTP/1.1 503 No\r\n\r\n")), "status 503, wanted 200-299");
    assert_eq!(fails(HTTP, say(b"HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n")), "status 302, wanted 200-299");
}

#[test]
fn connections_that_break_off_are_told_apart() {
    let reset = server(|mut stream| {
        let _ = stream.read(&mut [0; 1024]);
        let socket = socket2::Socket::from(stream);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
    });
    assert_eq!(fails(HTTP, reset), "connection reset");
    let close = || server(|mut stream| drop(stream.read(&mut [0; 1024])));
    assert_eq!(fails(HTTP, close()), "the answer is empty");
    assert_eq!(fails("check = \"https\"", close()), "connection closed in the TLS handshake");
    let greeting = server(|mut stream| drop(stream.write_all(b"220-wait\r\n")));
    assert_eq!(fails("check = \"smtp\"", greeting), "connection closed while waiting for the greeting");
}

#[test]
fn what_is_no_tls_is_told_as_such() {
    let port = server(|mut stream| {
        let _ = stream.read(&mut [0; 1024]);
        flood(stream, "HTTP/1.1 400 Bad Request\r\n\r\n", b"garbage");
    });
    assert_eq!(fails("check = \"https\"", port), "the server does not speak TLS");
    // A record of the largest length, and then again.
    let port = server(|mut stream| {
        let _ = stream.read(&mut [0; 1024]);
        flood(stream, "", &[&[22, 3, 3, 0x40, 0][..], &[0xff; 0x4000]].concat());
    });
    let said = fails("check = \"https\"\ntimeout = \"500ms\"", port);
    assert!(said.contains("TLS"), "{said}");
}

#[test]
fn endless_lines_of_other_protocols_end_too() {
    let lines = || server(|stream| flood(stream, "", &[b'2'; 1000]));
    assert_eq!(fails("check = \"smtp\"", lines()), "the server's line is endless");
    let agent = check("check = \"agent\"\nport = 1", lines());
    assert_eq!((agent.verdict, &*agent.said), (Verdict::NoNews, "the agent's line is endless"));
    let port = server(|stream| flood(stream, "", &[0xff; 65_537]));
    assert_eq!(fails("check = \"dns\"\ntransport = \"tcp\"", port), "the answer is to another question");
}
