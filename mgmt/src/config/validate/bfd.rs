//! Sessions of BFD: of checks, of what is tracked, and of virtual routers' peers.

use std::net::IpAddr;
use std::time::Duration;

use toml::Spanned;

use super::super::diagnostic::Report;
use super::super::health::{Bfd, Initial, Rules};
use super::super::model::{self, BfdKeys};
use super::super::vrrp::PeerWatch;

/// As FRR has it; others that are as quick say so.
const INTERVAL: Duration = Duration::from_millis(300);

pub(super) fn session(written: &BfdKeys, interval: Option<Duration>) -> Bfd {
    Bfd {
        interval: interval.unwrap_or(INTERVAL),
        multiplier: written.multiplier,
        multihop: written.multihop,
        auth: written.auth.clone(),
    }
}

/// A session tells of its changes by itself, and says between them that it is as it was: its interval is that of its
/// packets, and has nothing to do with how often it is asked.
pub(super) fn rules(written: &model::Check) -> Rules {
    const ASKED_AGAIN: Duration = Duration::from_millis(10);
    Rules {
        interval: ASKED_AGAIN,
        fast_interval: ASKED_AGAIN,
        down_interval: ASKED_AGAIN,
        timeout: written.timeout.unwrap_or(Duration::from_secs(10)),
        rise: written.rise.unwrap_or(1),
        fall: written.fall.unwrap_or(1),
        retries: written.retries,
        initial: written.initial.unwrap_or(Initial::UpUntilChecked),
        warmup: written.warmup.unwrap_or(Duration::ZERO),
    }
}

/// `unicast`: the peers that a virtual router has anyway.
pub(super) fn peers(
    written: &model::PeerWatch,
    unicast: &[IpAddr],
    is_ipv4: bool,
    report: &mut Report<'_>,
) -> PeerWatch {
    let list = written.peers.as_ref().map_or(&[][..], |list| list.get_ref());
    for peer in list {
        // The address of an advert says whose it is. Those to all come from link-local ones (RFC 9568 section 5.1.2.1).
        let fits = match peer.get_ref() {
            IpAddr::V4(_) => is_ipv4,
            IpAddr::V6(v6) => !is_ipv4 && (v6.is_unicast_link_local() || !unicast.is_empty()),
        };
        if !fits {
            let finding = report.error(&peer.span(), format!("no adverts come from {}", peer.get_ref()));
            finding.help("write the address that the other box sends them from; over IPv6 it is link-local");
        }
    }
    let peers: Vec<IpAddr> = match list {
        [] => unicast.to_vec(),
        list => list.iter().map(|peer| *peer.get_ref()).collect(),
    };
    if peers.is_empty() {
        let finding = report.error(&written.span, "`bfd` has no peers");
        finding.help("add those to be watched, as in `peers = [\"10.0.0.3\"]`");
    }
    let session = session(&written.keys, written.interval.as_ref().map(Spanned::get_ref).copied());
    PeerWatch { peers, session }
}
