//! A page is as it should be. Redirects are answers like any other: they are not followed.

mod body;
pub mod reader;

use std::fmt::Write;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::socket::{connect, failed};
use super::{Stage, Target, tls};
use crate::config;
use crate::config::health::{Http, HttpVersion};
use crate::health::tracker::Outcome;
use body::Examiner;
use reader::Reader;

/// What is read at once.
const PIECE: usize = 8 * 1024;

pub(super) async fn run(
    http: &Http,
    tls: Option<&tls::Client>,
    target: &Target,
    stage: &Stage,
) -> Result<Outcome, Outcome> {
    let stream = connect(target).await?;
    let request = request(http, target, tls.is_some());
    let Some(tls) = tls else {
        return exchange(stream, http, &request, stage).await;
    };
    stage.is("in the TLS handshake");
    let name = tls.name(http.host.as_deref(), target.address)?;
    let (stream, warning) = tls.handshake(name, stream).await?;
    let outcome = exchange(stream, http, &request, stage).await?;
    Ok(Outcome { warning: warning.map(Into::into), ..outcome })
}

/// RFC 9112 section 3.
fn request(http: &Http, target: &Target, is_tls: bool) -> String {
    let version = match http.version {
        HttpVersion::Ten => "1.0",
        HttpVersion::Eleven => "1.1",
    };
    let default_port = if is_tls { 443 } else { 80 };
    let host = http.host.clone().unwrap_or_else(|| match target.port.0 == default_port {
        true if target.address.is_ipv6() => format!("[{}]", target.address),
        true => target.address.to_string(),
        false => config::endpoint(target.address, target.port),
    });
    let mut text = format!("{} {} HTTP/{version}\r\nHost: {host}\r\n", http.method, http.path);
    let is_set = |wanted: &str| http.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(wanted));
    for (name, value) in [("User-Agent", "penstock"), ("Accept", "*/*"), ("Connection", "close")] {
        if !is_set(name) {
            // Writing to a String cannot fail.
            let _ = write!(text, "{name}: {value}\r\n");
        }
    }
    for (name, value) in &http.headers {
        let _ = write!(text, "{name}: {value}\r\n");
    }
    text + "\r\n"
}

async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    http: &Http,
    request: &str,
    stage: &Stage,
) -> Result<Outcome, Outcome> {
    stage.is("sending the request");
    stream.write_all(request.as_bytes()).await.map_err(failed)?;
    stream.flush().await.map_err(failed)?;
    stage.is("waiting for the status");
    let mut reader = Reader::new(http.method == "HEAD");
    let mut examiner = Examiner::new(&http.body);
    let mut buffer = vec![0; PIECE];
    loop {
        let length = match stream.read(&mut buffer).await {
            Ok(length) => length,
            // TLS that ends without its goodbye; whether too early, the length tells.
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => 0,
            Err(error) => return Err(failed(error)),
        };
        let taken = match length {
            0 => reader.end(),
            _ => reader.push(&buffer[..length], |piece| examiner.push(piece)),
        };
        taken.map_err(|wrong| Outcome::fail(format!("the answer {wrong}")))?;
        if let Some(status) = reader.status() {
            stage.is("reading the body");
            if !http.status.contains(status) {
                return Err(Outcome::fail(format!("status {status}, wanted {}", http.status)));
            }
            // Without a wish for the body nobody waits for it.
            if reader.is_done() || !examiner.is_needed() || examiner.has_enough() {
                examiner.finish().map_err(Outcome::fail)?;
                return Ok(Outcome::pass(in_words(status)));
            }
        } else {
            stage.is("waiting for the head's end");
        }
    }
}

/// `200 OK`
fn in_words(status: u16) -> String {
    let phrase = hyper::StatusCode::from_u16(status).ok().and_then(|code| code.canonical_reason());
    phrase.map_or_else(|| format!("status {status}"), |phrase| format!("{status} {phrase}"))
}

#[cfg(test)]
mod tests {
    use dataplane::types::Port;

    use super::*;
    use crate::config::health::{Body, StatusSet};

    fn http() -> Http {
        Http {
            method: "GET".to_owned(),
            path: "/healthz".to_owned(),
            host: None,
            headers: Vec::new(),
            version: HttpVersion::Eleven,
            status: StatusSet(vec![(200, 299)]),
            body: Body::default(),
        }
    }

    fn asked(http: &Http, address: &str, port: u16) -> String {
        request(
            http,
            &Target { address: address.parse().unwrap(), port: Port(port), bind: None, way: None },
            false,
        )
    }

    #[test]
    fn the_host_is_the_backend_unless_another_is_named() {
        let text = asked(&http(), "10.0.1.11", 8080);
        assert!(text.starts_with("GET /healthz HTTP/1.1\r\nHost: 10.0.1.11:8080\r\n"), "{text}");
        assert!(text.ends_with("\r\nConnection: close\r\n\r\n"), "{text}");
        assert!(asked(&http(), "2001:db8::1", 80).contains("\r\nHost: [2001:db8::1]\r\n"));
        let named = Http { host: Some("example.org".to_owned()), version: HttpVersion::Ten, ..http() };
        assert!(asked(&named, "10.0.1.11", 80).starts_with("GET /healthz HTTP/1.0\r\nHost: example.org\r\n"));
    }

    #[test]
    fn headers_of_the_configuration_take_the_place_of_ours() {
        let headers = vec![("user-agent".to_owned(), "probe".to_owned()), ("X-A".to_owned(), "b".to_owned())];
        let text = asked(&Http { headers, ..http() }, "10.0.1.11", 80);
        assert!(text.contains("\r\nuser-agent: probe\r\nX-A: b\r\n") && !text.contains("penstock"), "{text}");
    }
}
