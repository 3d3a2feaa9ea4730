use std::io::{Read, Write};
use std::net::UdpSocket;

use mgmt::health::tracker::Share;

use super::*;

fn answering(answer: &'static str) -> u16 {
    server(move |mut stream| {
        let mut request = Vec::new();
        let mut buffer = [0; 1024];
        while !request.ends_with(b"\r\n\r\n") {
            match stream.read(&mut buffer) {
                Ok(length) if length > 0 => request.extend_from_slice(&buffer[..length]),
                _ => return,
            }
        }
        let _ = stream.write_all(answer.as_bytes());
    })
}

/// Answers each datagram with this.
fn echo(answer: &'static [u8]) -> u16 {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = socket.local_addr().unwrap().port();
    std::thread::spawn(move || {
        while let Ok((_, from)) = socket.recv_from(&mut [0; 2048]) {
            let _ = socket.send_to(answer, from);
        }
    });
    port
}

#[test]
fn a_connection_or_a_page_is_enough() {
    assert_eq!(passes("check = \"tcp\"", server(drop)), "connected");
    assert_eq!(passes("check = \"http\"", answering("HTTP/1.0 204 x\r\n\r\n")), "204 No Content");
    let body = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nall\r\n5\r\n well\r\n0\r\n\r\n";
    assert_eq!(
        passes("check = \"http\"\nbody = \"all well\"\nbody_regex = '^a.*l$'", answering(body)),
        "200 OK"
    );
}

#[test]
fn udp_is_answered_as_expected_or_at_least_not_refused() {
    assert_eq!(passes("check = \"udp\"\nexpect = \"pong\"", echo(b"pong!")), "answered");
    assert_eq!(
        fails("check = \"udp\"\nexpect = \"pong\"", echo(b"ping")),
        "the reply is not the expected one"
    );
    let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = silent.local_addr().unwrap().port();
    assert_eq!(passes("check = \"udp\"\ntimeout = \"100ms\"", port), "not refused");
    assert_eq!(
        fails("check = \"udp\"\ntimeout = \"100ms\"\nrequire_reply = true", port),
        "no reply within 100ms"
    );
}

#[test]
fn an_agent_is_asked_and_believed() {
    let port = server(|mut stream| {
        let mut word = [0; 6];
        stream.read_exact(&mut word).unwrap();
        assert_eq!(&word, b"hello\n");
        stream.write_all(b"up 50%\n").unwrap();
    });
    let outcome = check("check = \"agent\"\nport = 1\nsend = \"hello\\n\"", port);
    assert_eq!((outcome.verdict, outcome.share), (Verdict::Pass, Share::Percent(50)));
}

#[test]
fn a_file_is_read_anew_each_time() {
    let path = std::env::temp_dir().join(format!("penstock-health-{}", std::process::id()));
    let keys = format!("check = \"file\"\npath = \"{}\"", path.display());
    assert_eq!(fails(&keys, 0), "cannot read the file: not found");
    std::fs::write(&path, "20\n").unwrap();
    assert_eq!(passes(&keys, 0), "weight 20");
    std::fs::write(&path, "down\n").unwrap();
    assert_eq!(fails(&keys, 0), "down");
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_source_address_that_the_node_does_not_have_is_the_nodes_fault() {
    for kind in ["tcp", "http", "udp", "dns", "smtp", "agent", "https"] {
        let keys = match kind {
            "agent" => "port = 1",
            "https" => "verify = false",
            _ => "",
        };
        let outcome = check(&format!("check = \"{kind}\"\nbind = \"192.0.2.1\"\n{keys}"), 1);
        let said = "not checked, because of this node: no address or port to send from";
        assert_eq!((outcome.verdict, &*outcome.said), (Verdict::CannotRun, said), "{kind}");
    }
}

#[test]
fn files_of_the_node_that_cannot_be_read_are_the_nodes_fault() {
    let outcome = check("check = \"https\"\nca = \"/nowhere/ca.pem\"", 1);
    let said = "not checked, because of this node: cannot read /nowhere/ca.pem: not found";
    assert_eq!((outcome.verdict, &*outcome.said), (Verdict::CannotRun, said));
}
