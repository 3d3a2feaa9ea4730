//! Peers of unicast, and how far they may be.

use std::net::IpAddr;

use toml::Spanned;

use super::super::super::diagnostic::Report;
use super::super::super::model;

/// Them, and the bounds of their TTLs.
pub(super) fn peers(
    written: &model::Vrrp,
    is_ipv4: bool,
    report: &mut Report<'_>,
) -> (Vec<IpAddr>, (u8, u8)) {
    let list = written.unicast_peers.as_ref().map_or(&[][..], |list| list.get_ref());
    for peer in list {
        if peer.get_ref().is_ipv4() != is_ipv4 {
            let message = format!("the peer {} is of another family than the addresses", peer.get_ref());
            report.error(&peer.span(), message);
        }
    }
    let peers: Vec<_> = list.iter().map(|peer| *peer.get_ref()).collect();
    let ttl = peer_ttl(written, &peers, report);
    (peers, ttl)
}

/// Adverts to all have 255, and nothing else (RFC 9568 sections 5.1.1.3 and 5.1.2.3).
fn peer_ttl(written: &model::Vrrp, peers: &[IpAddr], report: &mut Report<'_>) -> (u8, u8) {
    let keys = [("min_ttl", &written.min_ttl), ("max_ttl", &written.max_ttl)];
    for (key, value) in keys.into_iter().filter(|_| peers.is_empty()) {
        let Some(value) = value else { continue };
        let finding =
            report.warning(&value.span(), format!("`{key}` without `unicast_peers`: it has no effect"));
        finding.help("take it out: adverts to all must come with 255; or name the peers");
    }
    warn_of_distance(written, report);
    let of = |value: &Option<Spanned<u8>>, default| value.as_ref().map_or(default, |value| *value.get_ref());
    let (least, most) = (of(&written.min_ttl, 0), of(&written.max_ttl, u8::MAX));
    if let Some(max_ttl) = written.max_ttl.as_ref().filter(|_| least > most) {
        let message =
            format!("`max_ttl` is {most}, and `min_ttl` is {least}: no advert would be listened to");
        report.error(&max_ttl.span(), message).help("adverts are sent with 255; each router takes one off");
    }
    (least, most)
}

/// Adverts of unicast were once taken with 255 alone, and cannot be forged from behind a router then. That is no default,
/// because two nodes on either side of a router would both be masters; and which nodes are is not known from the file.
fn warn_of_distance(written: &model::Vrrp, report: &mut Report<'_>) {
    let peers = written.unicast_peers.as_ref().filter(|list| !list.get_ref().is_empty());
    let Some(peers) = peers.filter(|_| written.min_ttl.is_none()) else { return };
    let message =
        "`unicast_peers` without `min_ttl`: adverts count as a peer's from any distance, forged ones too";
    let finding = report.warning(&peers.span(), message);
    finding.help(
        "write `min_ttl = 255` if all peers are on this segment, 254 if they are behind one router, 1 for any distance",
    );
}
