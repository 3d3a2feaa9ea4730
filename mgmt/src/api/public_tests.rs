//! The address that everybody may reach.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::api::{fake, request};

async fn start() -> SocketAddr {
    let (requests, inbox) = request::channel();
    tokio::spawn(fake::supervise(inbox));
    let server = PublicServer::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = server.address().unwrap();
    tokio::spawn(server.run(requests, std::future::pending()));
    address
}

/// The whole answer, head and body.
async fn call(address: SocketAddr, method: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("{method} {path} HTTP/1.1\r\nHost: lb1\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn figures_and_the_page_are_there_and_nothing_else_is() {
    let address = start().await;
    let metrics = call(address, "GET", "/metrics").await;
    assert!(
        metrics.starts_with("HTTP/1.1 200") && metrics.contains("text/plain; version=0.0.4"),
        "{metrics}"
    );
    assert!(metrics.contains("\npenstock_service_up{service=\"web\"} 1\n"), "{metrics}");
    let page = call(address, "GET", "/").await;
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("content-security-policy: default-src 'none'"));
    assert!(page.contains("<title>Penstock"), "{page}");
    let events = call(address, "GET", "/events").await;
    assert!(events.starts_with("HTTP/1.1 200") && events.contains("\"kind\":\"vrrp\""), "{events}");
    assert!(!events.contains("nobody else's"), "what has no name is for who has the log: {events}");
    for path in ["/v1/status", "/v1/events", "/v1/flows", "/v1/config/history", "/v1/trace"] {
        assert!(call(address, "GET", path).await.starts_with("HTTP/1.1 404"), "{path}");
    }
    for (method, path) in [("POST", "/metrics"), ("DELETE", "/"), ("PUT", "/metrics"), ("POST", "/events")] {
        assert!(call(address, method, path).await.starts_with("HTTP/1.1 405"), "{method} {path}");
    }
    assert!(call(address, "POST", "/v1/reload").await.starts_with("HTTP/1.1 404"));
}

#[tokio::test]
async fn many_who_ask_at_once_are_one_question() {
    let (requests, mut inbox) = request::channel();
    let server = PublicServer::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let server = PublicServer { fresh: Duration::from_secs(3600), ..server };
    let address = server.address().unwrap();
    tokio::spawn(server.run(requests, std::future::pending()));
    let calls = (0..20).map(|_| tokio::spawn(call(address, "GET", "/metrics"))).collect::<Vec<_>>();
    let Some(Request::Status(reply)) = inbox.recv().await else { panic!("not the first question") };
    reply.send(Ok(fake::status())).unwrap();
    let Some(Request::Services(reply)) = inbox.recv().await else { panic!("not the second question") };
    reply.send(Ok(vec![fake::service()])).unwrap();
    let Some(Request::Stats(reply)) = inbox.recv().await else { panic!("not the third question") };
    reply.send(Ok(fake::stats())).unwrap();
    let Some(Request::Vrrp(reply)) = inbox.recv().await else { panic!("not the last question") };
    reply.send(Ok(Vec::new())).unwrap();
    // Those behind the first get its answer: nobody is there to give another one.
    drop(inbox);
    let mut answered = 0;
    for call in calls {
        answered += usize::from(call.await.unwrap().starts_with("HTTP/1.1 200"));
    }
    assert_eq!(answered, 20);
}

/// A server whose limits of time are short, and its address.
async fn start_with(limits: Limits) -> SocketAddr {
    let (requests, inbox) = request::channel();
    tokio::spawn(fake::supervise(inbox));
    let server = PublicServer::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = server.address().unwrap();
    tokio::spawn(PublicServer { limits, ..server }.run(requests, std::future::pending()));
    address
}

const SHORT: Limits = Limits {
    connections: 32,
    head: Duration::from_millis(1500),
    body: Duration::from_millis(1500),
    idle: Duration::from_millis(1500),
    stall: Some(Duration::from_millis(1500)),
};

async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(5), what).await.expect("within five seconds")
}

/// Whether the server has closed a connection, whatever it has sent before.
async fn is_closed(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut rest)).await.is_ok()
}

async fn held(address: SocketAddr, count: usize, bytes: &[u8]) -> Vec<TcpStream> {
    let mut held = Vec::new();
    for _ in 0..count {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        held.push(stream);
    }
    held
}

#[tokio::test]
async fn connections_without_a_request_give_way_to_one_that_asks() {
    for bytes in ["", "GET /met", "GET / HTTP/1.1\r\nHost: lb1\r\n\r\n"] {
        let address = start().await;
        let _held = held(address, LIMITS.connections + 8, bytes.as_bytes()).await;
        for _ in 0..3 {
            assert!(soon(call(address, "GET", "/metrics")).await.starts_with("HTTP/1.1 200"), "{bytes:?}");
        }
    }
}

#[tokio::test]
async fn the_head_of_a_request_and_the_time_between_two_are_limited() {
    let address = start_with(SHORT).await;
    let mut silent = TcpStream::connect(address).await.unwrap();
    let mut idle = held(address, 1, b"GET / HTTP/1.1\r\nHost: lb1\r\n\r\n").await.remove(0);
    // A byte now and then is no progress.
    let slow = TcpStream::connect(address).await.unwrap();
    let (mut slow, mut sender) = slow.into_split();
    let drips = tokio::spawn(async move {
        while sender.write_all(b"G").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    assert!(is_closed(&mut silent).await, "a silent connection");
    assert!(is_closed(&mut idle).await, "an idle connection");
    let ended = tokio::time::timeout(Duration::from_secs(10), slow.read(&mut [0; 64])).await;
    assert!(matches!(ended, Ok(Ok(0) | Err(_))), "a slow connection");
    drips.abort();
}

#[tokio::test]
async fn a_connection_that_is_used_stays() {
    let address = start_with(SHORT).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    for _ in 0..5 {
        stream.write_all(b"GET /events HTTP/1.1\r\nHost: lb1\r\n\r\n").await.unwrap();
        let mut answer = [0; 64];
        assert_ne!(soon(stream.read(&mut answer)).await.unwrap(), 0);
        tokio::time::sleep(Duration::from_millis(700)).await;
        while stream.try_read(&mut [0; 4096]).is_ok_and(|length| length > 0) {}
    }
}

#[tokio::test]
async fn an_answer_that_is_not_taken_ends() {
    let address = start_with(SHORT).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    // Many pages, of which none is read.
    let asking =
        async { while stream.write_all(&b"GET / HTTP/1.1\r\nHost: lb1\r\n\r\n".repeat(64)).await.is_ok() {} };
    tokio::time::timeout(Duration::from_secs(20), asking).await.expect("the server closes");
}

#[tokio::test]
async fn an_address_that_is_taken_is_named() {
    let address = start().await;
    let error = PublicServer::bind(address).await.unwrap_err();
    assert!(error.contains(&address.to_string()) && error.contains("[metrics]"), "{error}");
}
