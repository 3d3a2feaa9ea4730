//! The route of questions about a packet.

use std::net::IpAddr;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::Deserialize;

use super::handlers::{Answer, Requests, ask};
use super::request::{Refusal, RefusalKind, Request};
use super::view::{self, TraceProtocol, TraceQuery};

/// What a described packet comes from, unless it is said: the first port that the Internet's registry leaves to
/// everybody.
const PORT: u16 = 49_152;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Parameters {
    source: Option<IpAddr>,
    destination: Option<IpAddr>,
    protocol: Option<TraceProtocol>,
    sport: Option<u16>,
    dport: Option<u16>,
    interface: Option<String>,
    frame: Option<String>,
}

pub(super) async fn trace(
    State(requests): Requests,
    parameters: Result<Query<Parameters>, QueryRejection>,
) -> Answer<view::Trace> {
    let Query(parameters) = parameters?;
    let query = query(parameters).map_err(|why| Refusal::new(RefusalKind::Malformed, why))?;
    ask(&requests, |reply| Request::Trace(query, reply)).await.map(Json)
}

fn query(parameters: Parameters) -> Result<TraceQuery, &'static str> {
    let Parameters { source, destination, protocol, sport, dport, interface, frame } = parameters;
    match (source, destination, frame) {
        (Some(source), Some(destination), None) if source.is_ipv4() == destination.is_ipv4() => {
            Ok(TraceQuery::Described {
                source,
                destination: (destination, dport),
                protocol: protocol.unwrap_or(TraceProtocol::Tcp),
                port: sport.unwrap_or(PORT),
                interface,
            })
        }
        (Some(_), Some(_), None) => Err("source and destination are of different families"),
        (None, None, Some(hex)) => {
            let bytes = bytes(&hex).ok_or("frame: write whole bytes in hexadecimal, as in 0200000000b0")?;
            Ok(TraceQuery::Frame { bytes, interface })
        }
        _ => Err("name source and destination, or a frame"),
    }
}

/// Spaces and colons between bytes are as good as none.
fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits: Vec<u32> =
        hex.chars().filter(|c| !matches!(c, ' ' | ':')).map(|c| c.to_digit(16)).collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    let byte = |[high, low]: &[u32; 2]| u8::try_from(high << 4 | low).ok();
    (rest.is_empty() && !pairs.is_empty()).then(|| pairs.iter().map(byte).collect())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_whole_bytes_with_or_without_something_between_them() {
        assert_eq!(bytes("00 ff:1A2b"), Some(vec![0, 0xff, 0x1a, 0x2b]));
        for wrong in ["", "0", "0g", "00 f"] {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
    }
}
