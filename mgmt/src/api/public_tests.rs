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

#[tokio::test]
async fn who_holds_connections_keeps_no_more_than_a_few() {
    let address = start().await;
    let mut idle = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // Answered, so that it has been taken, and kept open.
        stream.write_all(b"GET / HTTP/1.1\r\nHost: lb1\r\n\r\n").await.unwrap();
        assert_ne!(stream.read(&mut [0; 64]).await.unwrap(), 0);
        idle.push(stream);
    }
    let one_more = tokio::spawn(call(address, "GET", "/metrics"));
    idle.pop();
    assert!(one_more.await.unwrap().starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn an_address_that_is_taken_is_named() {
    let address = start().await;
    let error = PublicServer::bind(address).await.unwrap_err();
    assert!(error.contains(&address.to_string()) && error.contains("[metrics]"), "{error}");
}
