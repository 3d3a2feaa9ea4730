//! The route that shows packets: pcapng for as long as somebody reads it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use dataplane::capture::{Became, Capture, Shot};
use dataplane::types::InterfaceId;
use futures_util::stream;
use serde::Deserialize;

use super::handlers::{Requests, ask};
use super::request::{CaptureQuery, Capturing, Refusal, RefusalKind, Request};
use crate::pcapng::{self, Packet, Way};

/// How often packets are taken from the workers: their room is for a hundred thousand a second then.
const STEP: Duration = Duration::from_millis(10);
/// How often what was lost is told.
const STATISTICS: Duration = Duration::from_secs(1);
/// The longest that can be asked for, in seconds: a capture that somebody has forgotten ends.
const LONGEST: u64 = 86_400;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Parameters {
    service: Option<String>,
    client: Option<std::net::IpAddr>,
    drop: Option<String>,
    /// Packets.
    limit: Option<u64>,
    seconds: Option<f64>,
}

pub(super) async fn capture(
    State(requests): Requests,
    parameters: Result<Query<Parameters>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(Parameters { service, client, drop, limit, seconds }) = parameters?;
    let longest = Duration::from_secs(LONGEST);
    let duration = match seconds.map(Duration::try_from_secs_f64) {
        None => longest,
        Some(Ok(duration)) if duration <= longest => duration,
        Some(_) => {
            let message = format!("seconds: more than 0 and up to {LONGEST} are possible");
            return Err(Refusal::new(RefusalKind::Malformed, message));
        }
    };
    let query = CaptureQuery { service, client, drop };
    let capturing = ask(&requests, |reply| Request::Capture(query, reply)).await?;
    let until = crate::clock::now() + duration;
    let film = Film::new(capturing, limit.unwrap_or(u64::MAX), until);
    let body = Body::from_stream(stream::unfold(film, |mut film| async {
        let bytes = film.next().await?;
        Some((Ok::<_, std::convert::Infallible>(Bytes::from(bytes)), film))
    }));
    Ok(([(header::CONTENT_TYPE, "application/x-pcapng")], body).into_response())
}

/// A capture that is read. Ends with its reader.
struct Film {
    capture: Arc<Capture>,
    interfaces: Vec<String>,
    epoch_nanos: u64,
    /// Packets that may still be shown.
    left: u64,
    until: Instant,
    told: Option<(Instant, u64)>,
    has_begun: bool,
    has_ended: bool,
}

impl Drop for Film {
    fn drop(&mut self) {
        self.capture.end();
    }
}

impl Film {
    fn new(Capturing { capture, interfaces, epoch_nanos }: Capturing, left: u64, until: Instant) -> Self {
        let (told, has_begun, has_ended) = (None, false, false);
        Self { capture, interfaces, epoch_nanos, left, until, told, has_begun, has_ended }
    }

    /// The next blocks; `None`: there are no more.
    async fn next(&mut self) -> Option<Vec<u8>> {
        if !self.has_begun {
            self.has_begun = true;
            return Some(self.head());
        }
        loop {
            if self.has_ended {
                return None;
            }
            let now = crate::clock::now();
            self.has_ended = self.capture.is_over() || self.left == 0 || now >= self.until;
            let blocks = self.blocks(now);
            if !blocks.is_empty() {
                return Some(blocks);
            }
            tokio::time::sleep(STEP).await;
        }
    }

    fn head(&self) -> Vec<u8> {
        let mut head = pcapng::section(concat!("penstock ", env!("CARGO_PKG_VERSION")));
        self.interfaces.iter().for_each(|name| head.extend(pcapng::interface(name)));
        head
    }

    fn blocks(&mut self, now: Instant) -> Vec<u8> {
        let mut blocks = Vec::new();
        let (interfaces, epoch) = (&self.interfaces, self.epoch_nanos);
        while self.left > 0
            && let Some(shown) = self.capture.next(|shot| show(shot, interfaces, epoch))
        {
            blocks.extend(shown);
            self.left -= 1;
        }
        self.has_ended |= self.left == 0;
        let lost = self.capture.lost();
        let is_due = self.told.is_none_or(|(at, told)| told != lost && now.duration_since(at) >= STATISTICS);
        if is_due || self.has_ended {
            blocks.extend(pcapng::statistics(0, wall_nanos(), lost));
            self.told = Some((now, lost));
        }
        blocks
    }
}

fn wall_nanos() -> u64 {
    let since = crate::clock::wall().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// As it came, and as it left, each with what became of it.
fn show(shot: &Shot, interfaces: &[String], epoch_nanos: u64) -> Vec<u8> {
    let nanos = epoch_nanos.saturating_add(shot.nanos);
    let mut blocks = Vec::new();
    let mut write = |id: InterfaceId, way, comment: &str, bytes: &[u8]| {
        if !bytes.is_empty() {
            blocks.extend(pcapng::packet(&Packet { interface: id.0.into(), nanos, way, comment, bytes }));
        }
    };
    if let Some(ingress) = shot.ingress {
        write(ingress, Way::Inbound, &fate(shot.became, interfaces), shot.before());
    }
    match shot.became {
        Became::Sent(egress) => write(egress, Way::Outbound, "as it left", shot.after()),
        Became::Made(egress) => write(egress, Way::Outbound, "made by the box", shot.after()),
        Became::Answered(egress, _) => write(egress, Way::Outbound, "what its sender is told", shot.after()),
        Became::Dropped(_) | Became::Punted | Became::Waits | Became::WaitsForNextHop => {}
    }
    blocks
}

fn fate(became: Became, interfaces: &[String]) -> String {
    let name = |id: InterfaceId| interfaces.get(id.index()).map_or("?", String::as_str);
    match became {
        Became::Sent(egress) => format!("forwarded by {}", name(egress)),
        Became::Made(egress) => format!("made by the box, for {}", name(egress)),
        Became::Dropped(reason) => format!("dropped: {}: {}", reason.code(), reason.meaning()),
        Became::Answered(_, reason) => {
            format!("dropped, and its sender is told: {}: {}", reason.code(), reason.meaning())
        }
        Became::Punted => "handed to the management thread".to_owned(),
        Became::WaitsForNextHop => "waits for the MAC address of its next hop".to_owned(),
        Became::Waits => "waits for the first fragment of its packet".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dataplane::DropReason;
    use dataplane::capture::Filter;

    fn film(left: u64, seconds: u64) -> Film {
        let capture = Arc::new(Capture::new(Filter::default(), 0));
        let interfaces = vec!["eth0".to_owned(), "eth1".to_owned()];
        let until = crate::clock::now() + Duration::from_secs(seconds);
        Film::new(Capturing { capture, interfaces, epoch_nanos: 5 }, left, until)
    }

    #[test]
    fn a_packet_becomes_two_with_what_became_of_it() {
        let interfaces = ["eth0".to_owned(), "eth1".to_owned()];
        let shown = |became, before: &[u8], after: &[u8]| {
            show(&Shot::of(10, Some(InterfaceId(0)), became, before, after), &interfaces, 5)
        };
        let packet = |interface, way, comment, bytes| {
            pcapng::packet(&Packet { interface, nanos: 15, way, comment, bytes })
        };
        let sent = shown(Became::Sent(InterfaceId(1)), &[1; 60], &[2; 60]);
        let expected = [
            packet(0, Way::Inbound, "forwarded by eth1", &[1; 60]),
            packet(1, Way::Outbound, "as it left", &[2; 60]),
        ];
        assert_eq!(sent, expected.concat());
        let dropped = shown(Became::Dropped(DropReason::NoBackend), &[1; 60], &[]);
        let comment = "dropped: no-backend: every backend of the service is down";
        assert_eq!(dropped, packet(0, Way::Inbound, comment, &[1; 60]));
        let made = Shot::of(10, None, Became::Made(InterfaceId(1)), &[], &[2; 60]);
        assert_eq!(show(&made, &interfaces, 5), packet(1, Way::Outbound, "made by the box", &[2; 60]));
    }

    #[tokio::test]
    async fn a_capture_ends_by_its_time_by_its_owner_and_with_its_reader() {
        for (mut film, ends) in [(film(9, 0), false), (film(9, 60), true)] {
            let head = film.next().await.unwrap();
            assert!(head.starts_with(&pcapng::section(concat!("penstock ", env!("CARGO_PKG_VERSION")))[..8]));
            if ends {
                film.capture.end();
            }
            let mut blocks = pcapng::Blocks::default();
            blocks.take(&film.next().await.unwrap()).unwrap();
            assert_eq!((film.next().await, blocks.packets), (None, 0));
            let capture = Arc::clone(&film.capture);
            drop(film);
            assert!(capture.is_over());
        }
    }
}
