//! A datagram is answered, or at least not refused: an ICMP error is a failure, and silence is one where a
//! reply is required.

use std::io::ErrorKind;
use std::time::Duration;

use super::Target;
use super::socket::{datagrams, failed};
use crate::config::health::Udp;
use crate::health::tracker::Outcome;

/// The largest datagram.
const LARGEST: usize = 65_535;
/// Before the deadline of the whole check, whose failure silence need not be.
const MARGIN: Duration = Duration::from_millis(10);

pub(super) async fn run(udp: &Udp, target: &Target, timeout: Duration) -> Result<Outcome, Outcome> {
    let socket = datagrams(target).await?;
    socket.send(&udp.payload).await.map_err(failed)?;
    let mut buffer = vec![0; LARGEST];
    let patience = timeout.saturating_sub(MARGIN.min(timeout / 2));
    match tokio::time::timeout(patience, socket.recv(&mut buffer)).await {
        Ok(Ok(length)) => match &udp.expect {
            Some(expected) if !buffer[..length].starts_with(expected) => {
                Err(Outcome::fail("the reply is not the expected one"))
            }
            Some(_) | None => Ok(Outcome::pass("answered")),
        },
        // What the kernel makes of an ICMP error on a connected socket.
        Ok(Err(error)) if error.kind() == ErrorKind::ConnectionRefused => {
            Err(Outcome::fail("port unreachable"))
        }
        Ok(Err(error)) => Err(failed(error)),
        Err(_) if udp.require_reply => {
            Err(Outcome::fail(format!("no reply within {}", humantime::format_duration(timeout))))
        }
        Err(_) => Ok(Outcome::pass("not refused")),
    }
}
