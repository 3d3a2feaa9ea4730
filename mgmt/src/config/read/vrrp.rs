//! `[[vrrp]]` and the tables in it.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::super::diagnostic::Report;
use super::super::model::{Garp, PeerWatch, Track, Vrrp};
use super::super::reader::Reader;
use super::super::value::{address, boolean, duration, integer, string, word};
use super::super::vrrp::MacMode;
use super::{Table, health};
use crate::vrrp::Version;
use crate::vrrp::advert::Coverage;

const FAMILIES: &[(&str, bool)] = &[("ipv4", true), ("ipv6", false)];
const MACS: &[(&str, MacMode)] = &[("virtual", MacMode::Virtual), ("interface", MacMode::Interface)];
const CHECKSUMS: &[(&str, Coverage)] = &[("rfc5798", Coverage::PseudoHeader), ("rfc9568", Coverage::Message)];

/// What packets can say of either version; which one it is, is checked later.
const INTERVAL: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(255);
/// As Keepalived has it.
const DELAY: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(1000);
const REFRESH: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(86_400);
const LOOK: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(86_400);
const MAX_REPEAT: u8 = 60;
/// Beyond these no priority is left to move.
const WEIGHT: RangeInclusive<i16> = -253..=253;

pub(super) fn instance(table: Table<'_, '_>, report: &mut Report<'_>) -> Vrrp {
    let span = table.0.clone();
    let mut reader = Reader::new("[[vrrp]]", table, report);
    let name = reader.need("name", "\"outside\"", string);
    let interface = reader.need("interface", "\"eth0\"", string);
    let is_ipv4 = reader.take("family", word(FAMILIES, &[]));
    let vrid = reader.need("vrid", "51", integer(1..=u8::MAX));
    let version = reader.take_or("version", 3, integer(2..=3));
    let priority = reader.take_or("priority", 100, integer(1..=u8::MAX));
    let advert_interval = reader.take("advert_interval", duration(INTERVAL));
    let preempt = reader.take_or("preempt", true, boolean);
    let preempt_delay = reader.take_or("preempt_delay", Duration::ZERO, duration(DELAY));
    let start_delay = reader.take_or("start_delay", Duration::ZERO, duration(DELAY));
    let mac = reader.take_or("mac", MacMode::Virtual, word(MACS, &[]));
    let has_addresses = reader.has("addresses");
    let addresses = reader.take_list("addresses", address);
    let unicast_peers = reader.take_list("unicast_peers", address);
    let min_ttl = reader.take("min_ttl", integer(1..=u8::MAX));
    let max_ttl = reader.take("max_ttl", integer(1..=u8::MAX));
    let checksum = reader.take_or("checksum", Coverage::PseudoHeader, word(CHECKSUMS, &[]));
    let password = reader.take("password", string);
    let garp_table = reader.table("garp");
    let bfd_table = reader.table("bfd");
    let tracked = reader.tables("track");
    let sync_group = reader.take("sync_group", string);
    let notify = reader.take("notify", string);
    let report = reader.finish();
    if !has_addresses {
        let finding = report.error(&span, "[[vrrp]] has no `addresses`");
        finding.help("add it, as in `addresses = [\"10.0.0.100\"]`");
    }
    Vrrp {
        name,
        interface,
        is_ipv4,
        vrid,
        version: if version == 2 { Version::V2 } else { Version::V3 },
        priority,
        advert_interval,
        preempt,
        preempt_delay,
        start_delay,
        mac,
        addresses,
        unicast_peers,
        min_ttl,
        max_ttl,
        checksum,
        password,
        garp: garp_table.map_or(Garp::DEFAULT, |table| garp(table, report)),
        bfd: bfd_table.map(|table| watch(table, report)),
        track: tracked.into_iter().map(|table| track(table, report)).collect(),
        sync_group,
        notify,
        span,
    }
}

impl Garp {
    /// Those of Keepalived.
    const DEFAULT: Self = Self { repeat: 5, delay: Duration::from_secs(5), refresh: Duration::ZERO };
}

fn garp(table: Table<'_, '_>, report: &mut Report<'_>) -> Garp {
    let mut reader = Reader::new("garp", table, report);
    let garp = Garp {
        repeat: reader.take_or("repeat", Garp::DEFAULT.repeat, integer(1..=MAX_REPEAT)),
        delay: reader.take_or("delay", Garp::DEFAULT.delay, duration(DELAY)),
        refresh: reader.take_or("refresh", Garp::DEFAULT.refresh, duration(REFRESH)),
    };
    reader.finish();
    garp
}

fn watch(table: Table<'_, '_>, report: &mut Report<'_>) -> PeerWatch {
    let span = table.0.clone();
    let mut reader = Reader::new("bfd", table, report);
    let watch = PeerWatch {
        peers: reader.take_list("peers", address),
        interval: reader.take("interval", duration(LOOK)),
        keys: health::bfd(&mut reader),
        span,
    };
    reader.finish();
    watch
}

fn track(table: Table<'_, '_>, report: &mut Report<'_>) -> Track {
    let span = table.0.clone();
    let mut reader = Reader::new("track", table, report);
    let track = Track {
        interface: reader.take("interface", string),
        script: reader.take("script", string),
        file: reader.take("file", string),
        service: reader.take("service", string),
        bfd: reader.take("bfd", address),
        session: health::bfd(&mut reader),
        weight: reader.take_or("weight", 0, integer(WEIGHT)),
        interval: reader.take("interval", duration(LOOK)),
        timeout: reader.take("timeout", duration(LOOK)),
        rise: reader.take("rise", integer(1..=1000)),
        fall: reader.take("fall", integer(1..=1000)),
        user: reader.take("user", string),
        span,
    };
    reader.finish();
    track
}

/// What operators write for the MAC address that hosts know a virtual router by.
pub(in super::super) fn mac_word(mac: MacMode) -> &'static str {
    MACS.iter().find(|(_, m)| *m == mac).map_or("unknown", |(word, _)| word)
}
