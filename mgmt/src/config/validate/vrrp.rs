//! Virtual routers.

mod peers;

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use toml::Spanned;

use super::super::diagnostic::{Report, Span};
use super::super::model;
use super::super::vrrp::{Track, Tracking, Vrrp};
use super::{absolute, host_address, interface_name, name, unique};
use crate::vrrp::advert::{Addresses, Password};
use crate::vrrp::group::Weight;
use crate::vrrp::router::{AnnouncePlan, Repeats};
use crate::vrrp::timing::AdvertInterval;
use crate::vrrp::{Priority, Version, Vrid};

const INTERVAL: Duration = Duration::from_secs(1);
/// How often scripts are run and files are read.
const LOOK: Duration = Duration::from_secs(1);
/// More than anybody has; announcing them takes a while.
const MAX_ADDRESSES: usize = 4096;
/// What an advert has room for (RFC 9568 section 5.2.5).
const ADVERTISED4: usize = 255;
/// The same of a packet on Ethernet: adverts are not fragmented.
const ADVERTISED6: usize = 90;

/// Where things were seen first.
#[derive(Default)]
struct Seen<'m> {
    names: HashMap<&'m str, Span>,
    vrids: HashMap<(&'m str, bool, u8), Span>,
    addresses: HashMap<IpAddr, Span>,
    /// The first interval of each sync group.
    groups: HashMap<&'m str, Duration>,
}

pub(super) fn instances(
    written: &[model::Vrrp],
    services: &[model::Service],
    report: &mut Report<'_>,
) -> Vec<Arc<Vrrp>> {
    let known = services.iter().filter_map(|service| Some(service.name.as_ref()?.get_ref().as_str()));
    let known: HashSet<&str> = known.collect();
    let mut seen = Seen::default();
    let instances = written.iter().filter_map(|one| instance(one, &known, &mut seen, report)).map(Arc::new);
    let instances = instances.collect();
    if !written.is_empty() {
        warn_of_lone_vips(services, &seen.addresses, report);
    }
    instances
}

/// Both boxes of a pair would answer for them.
fn warn_of_lone_vips(
    services: &[model::Service],
    addresses: &HashMap<IpAddr, Span>,
    report: &mut Report<'_>,
) {
    let mut told = HashSet::new();
    for address in services.iter().filter_map(|service| service.address.as_ref()) {
        let Some(vip) = address.get_ref().single() else { continue };
        if !addresses.contains_key(&vip) && told.insert(vip) {
            let message = format!("{vip} belongs to no [[vrrp]]: this box answers for it, whoever is master");
            report.warning(&address.span(), message).help("add it to the `addresses` of a [[vrrp]]");
        }
    }
}

fn instance<'m>(
    written: &'m model::Vrrp,
    services: &HashSet<&str>,
    seen: &mut Seen<'m>,
    report: &mut Report<'_>,
) -> Option<Vrrp> {
    if let Some(text) = &written.name {
        name(text, "the name of a [[vrrp]]", report);
        let message = || format!("two [[vrrp]] are named `{}`", text.get_ref());
        unique(&mut seen.names, text.get_ref().as_str(), &text.span(), report, message);
    }
    if let Some(group) = &written.sync_group {
        name(group, "the name of a sync group", report);
    }
    if let Some(interface) = &written.interface {
        interface_name(interface, report);
    }
    let addresses = addresses(written, seen, report);
    let is_ipv4 = addresses.as_ref().is_some_and(|(_, advertised)| advertised.is_ipv4());
    if let (Some(interface), Some(vrid), Some(_)) = (&written.interface, &written.vrid, &addresses) {
        let key = (interface.get_ref().as_str(), is_ipv4, *vrid.get_ref());
        let (interface, family) = (interface.get_ref(), if is_ipv4 { "IPv4" } else { "IPv6" });
        let message = || format!("vrid {} of {family} is taken on `{interface}`", vrid.get_ref());
        unique(&mut seen.vrids, key, &vrid.span(), report, message);
    }
    let (peers, peer_ttl) = peers::peers(written, is_ipv4, report);
    let password = password(written, report);
    let interval = interval(written, is_ipv4, report);
    if let (Some(group), Some(interval)) = (&written.sync_group, interval) {
        let other = *seen.groups.entry(group.get_ref().as_str()).or_insert(interval.duration());
        if other != interval.duration() {
            let message = format!(
                "sync group `{}` has adverts of {other:?} and {:?}",
                group.get_ref(),
                interval.duration()
            );
            let help = "give all of its members the same `advert_interval`: they wait for their masters equally long";
            report.error(&group.span(), message).help(help);
        }
    }
    let bfd = written.bfd.as_ref().map(|watch| super::bfd::peers(watch, &peers, is_ipv4, report));
    let track = written.track.iter().filter_map(|one| track(one, services, report)).collect();
    let (addresses, advertised) = addresses?;
    Some(Vrrp {
        name: written.name.as_ref()?.get_ref().clone(),
        interface: written.interface.as_ref()?.get_ref().clone(),
        vrid: Vrid::new(*written.vrid.as_ref()?.get_ref())?,
        interval: interval?,
        priority: Priority(written.priority),
        preempt: written.preempt,
        preempt_delay: written.preempt_delay,
        start_delay: written.start_delay,
        mac: written.mac,
        addresses,
        advertised,
        peers,
        peer_ttl,
        coverage: written.checksum,
        password,
        announce: AnnouncePlan {
            repeats: Repeats(written.garp.repeat),
            delay: written.garp.delay,
            refresh: written.garp.refresh,
        },
        bfd,
        track,
        sync_group: written.sync_group.as_ref().map(|group| group.get_ref().clone()),
        notify: written.notify.as_ref().and_then(|path| absolute(path, "notify", report)),
    })
}

fn addresses(
    written: &model::Vrrp,
    seen: &mut Seen<'_>,
    report: &mut Report<'_>,
) -> Option<(Vec<IpAddr>, Addresses)> {
    let list = written.addresses.as_ref()?;
    if list.get_ref().len() > MAX_ADDRESSES {
        let message = format!("{} addresses, at most {MAX_ADDRESSES} are possible", list.get_ref().len());
        report.error(&list.span(), message);
        return None;
    }
    for address in list.get_ref() {
        // RFC 9568 section 5.2.9: over IPv6 the first one is link-local.
        let is_link_local = matches!(address.get_ref(), IpAddr::V6(v6) if v6.is_unicast_link_local());
        if !is_link_local {
            host_address(address, "a virtual address", report);
            let message = || format!("{} is listed twice", address.get_ref());
            unique(&mut seen.addresses, *address.get_ref(), &address.span(), report, message);
        }
    }
    let all: Vec<IpAddr> = list.get_ref().iter().map(|address| *address.get_ref()).collect();
    let room = if all.first().is_some_and(IpAddr::is_ipv4) { ADVERTISED4 } else { ADVERTISED6 };
    let advertised = match Addresses::new(all.get(..room).unwrap_or(&all)) {
        Ok(advertised) => advertised,
        Err(error) => {
            report.error(&list.span(), error.to_string()).help("give each family a [[vrrp]] of its own");
            return None;
        }
    };
    if let Some(family) = written.is_ipv4.as_ref().filter(|f| *f.get_ref() != advertised.is_ipv4()) {
        let finding = report.error(&family.span(), "`family` is not that of the addresses");
        finding.note("they are", &list.span()).help("take it out, it follows from them");
    }
    Some((all, advertised))
}

fn password(written: &model::Vrrp, report: &mut Report<'_>) -> Option<Password> {
    let text = written.password.as_ref().filter(|text| !text.get_ref().is_empty())?;
    if written.version == Version::V3 {
        let finding = report.error(&text.span(), "version 3 has no passwords");
        finding.help("RFC 9568 section 9: take it out, or write `version = 2` for old peers");
        return None;
    }
    let password = Password::new(text.get_ref());
    if password.is_none() {
        report.error(&text.span(), "`password` is longer than 8 bytes, which is all that packets carry");
    }
    password
}

fn interval(written: &model::Vrrp, is_ipv4: bool, report: &mut Report<'_>) -> Option<AdvertInterval> {
    if written.version == Version::V2 && !is_ipv4 && written.addresses.is_some() {
        report.error(&written.span, "version 2 does not know IPv6").help("take `version` out");
        return None;
    }
    let interval = written.advert_interval.as_ref();
    match AdvertInterval::new(written.version, interval.map_or(INTERVAL, |i| *i.get_ref())) {
        Ok(interval) => Some(interval),
        Err(error) => {
            let span = interval.map_or(written.span.clone(), Spanned::span);
            report.error(&span, format!("`advert_interval`: {error}"));
            None
        }
    }
}

fn track(written: &model::Track, services: &HashSet<&str>, report: &mut Report<'_>) -> Option<Track> {
    let subjects = [&written.interface, &written.script, &written.file, &written.service];
    let others = usize::from(written.bfd.is_some());
    if subjects.into_iter().flatten().count() + others != 1 {
        let finding = report.error(&written.span, "an item of `track` names one thing");
        finding.help("write one of `interface`, `script`, `file`, `service` and `bfd`");
        return None;
    }
    let interval = written.interval.as_ref().map_or(LOOK, |interval| *interval.get_ref());
    let what = if let Some(interface) = &written.interface {
        interface_name(interface, report);
        Tracking::Interface(interface.get_ref().clone())
    } else if let Some(script) = &written.script {
        script_of(written, script, interval, report)?
    } else if let Some(path) = &written.file {
        Tracking::File { path: absolute(path, "file", report)?, interval }
    } else if let Some(peer) = &written.bfd {
        let interval = written.interval.as_ref().map(|interval| *interval.get_ref());
        Tracking::Bfd(*peer.get_ref(), super::bfd::session(&written.session, interval))
    } else {
        let service = written.service.as_ref()?;
        if !services.contains(service.get_ref().as_str()) {
            report.error(&service.span(), format!("there is no service `{}`", service.get_ref()));
        }
        Tracking::Service(service.get_ref().clone())
    };
    let weight = if written.weight == 0 { Weight::Fault } else { Weight::Adds(written.weight) };
    Some(Track { what, weight })
}

fn script_of(
    written: &model::Track,
    script: &Spanned<String>,
    interval: Duration,
    report: &mut Report<'_>,
) -> Option<Tracking> {
    let command: Vec<String> = script.get_ref().split_whitespace().map(str::to_owned).collect();
    if !command.first().is_some_and(|program| program.starts_with('/')) {
        report.error(&script.span(), "`script` must begin with an absolute path");
        return None;
    }
    let count = |of: &Option<Spanned<u32>>| of.as_ref().map_or(1, |count| *count.get_ref());
    Some(Tracking::Script {
        command,
        interval,
        timeout: written.timeout.as_ref().map_or(interval, |timeout| *timeout.get_ref()),
        rise: count(&written.rise),
        fall: count(&written.fall),
        user: written.user.as_ref().map(|user| user.get_ref().clone()),
    })
}
