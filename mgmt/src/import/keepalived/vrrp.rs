//! `vrrp_instance`, with what the groups, scripts and global definitions say of it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::IpAddr;
use std::time::Duration;

use super::super::output::Keys;
use super::super::statement::Statement;
use super::super::value::{is_interface, name, problem, seconds};
use super::track::{script, track};
use crate::vrrp::Version;
use crate::vrrp::timing::AdvertInterval;

/// Keepalived's bound on delays.
const LONGEST: Duration = Duration::from_secs(1000);

/// What instances refer to.
#[derive(Default)]
pub(super) struct Around<'s> {
    /// `global_defs`
    pub(super) globals: Option<&'s Statement>,
    /// `vrrp_script`, by name.
    pub(super) scripts: HashMap<&'s str, &'s Statement>,
    /// The group that an instance is in.
    pub(super) groups: HashMap<&'s str, &'s str>,
}

impl Around<'_> {
    /// An instance's own word, else the one for all.
    fn own_or_global<'a>(&'a self, instance: &'a Statement, name: &str) -> Option<&'a Statement> {
        let global = self.globals.and_then(|globals| globals.find(&[&format!("vrrp_{name}")]));
        global.into_iter().for_each(Statement::carry);
        instance.find(&[name]).or(global)
    }
}

/// The instances that a `vrrp_sync_group` names.
pub(super) fn members(group: &Statement) -> impl Iterator<Item = &str> {
    const KEYS: &[&str] =
        &["notify", "smtp_alert", "track_", "global_tracking", "sync_group_tracking_weight"];
    let inside = group.block().iter();
    let listed = inside.clone().filter(|line| line.keyword() == "group").flat_map(|list| {
        list.carry();
        list.block()
    });
    // Old files name them without a list.
    let bare = inside.filter(|line| {
        line.words.len() == 1
            && line.inside.is_none()
            && !KEYS.iter().any(|key| line.keyword().starts_with(key))
    });
    listed.chain(bare).flat_map(|line| {
        line.carry();
        line.words.iter().map(String::as_str)
    })
}

/// What the instances so far have.
#[derive(Default)]
pub(super) struct Seen {
    /// The interfaces that carry them.
    pub(super) interfaces: BTreeSet<String>,
    names: HashSet<String>,
    /// By interface, and whether it is IPv6.
    vrids: HashSet<(String, bool, u8)>,
    addresses: HashSet<IpAddr>,
}

/// The `[[vrrp]]` of an instance; `None`: there is none.
pub(super) fn instance(instance: &Statement, around: &Around<'_>, seen: &mut Seen) -> Option<Keys> {
    instance.carry();
    let called = instance.argument().unwrap_or_default();
    let Some(interface) =
        instance.find(&["interface"]).and_then(Statement::argument).filter(|i| is_interface(i))
    else {
        instance.lose("an instance without an interface has no counterpart");
        return None;
    };
    let addresses = addresses(instance, interface, &seen.addresses);
    let Some(is_v6) = addresses.first().map(IpAddr::is_ipv6) else {
        instance.lose("an instance without an address has no counterpart");
        return None;
    };
    let Some(vrid) = byte(instance, "virtual_router_id").filter(|vrid| *vrid > 0) else {
        instance.lose("needs a virtual_router_id of 1 to 255");
        return None;
    };
    if !seen.vrids.insert((interface.to_owned(), is_v6, vrid)) || !seen.names.insert(name(called)) {
        instance.lose("its name, or its virtual_router_id on this interface, is another instance's already");
        return None;
    }
    seen.addresses.extend(&addresses);
    seen.interfaces.insert(interface.to_owned());
    let mut keys =
        Keys::default().with("name", name(called)).with("interface", interface).with("vrid", i64::from(vrid));
    let version = version(instance, around, is_v6);
    keys.set("version", version);
    keys.set("priority", i64::from(byte(instance, "priority").filter(|p| *p > 0).unwrap_or(100)));
    times(instance, version, &mut keys);
    let vmac = instance.find(&["use_vmac"]);
    vmac.into_iter().for_each(|vmac| {
        vmac.carry();
        if !vmac.arguments().is_empty() {
            vmac.carry_without("there is no interface of its own for it, so it needs no name");
        }
    });
    keys.set("mac", if vmac.is_some() { "virtual" } else { "interface" });
    keys.list("addresses", addresses.iter().map(IpAddr::to_string));
    peers(instance, &mut keys);
    password(instance, version, &mut keys);
    garp(instance, around, &mut keys);
    track(instance, around, &mut keys);
    if let Some(group) = around.groups.get(called) {
        keys.set("sync_group", name(group));
    }
    if let Some(notify) = instance.find(&["notify"]) {
        match script(notify.arguments()) {
            Some(path) => {
                notify.carry();
                keys.set("notify", path);
            }
            None => {
                notify.lose("`notify` is one program, named by its whole path, without arguments of its own");
            }
        }
    }
    Some(keys)
}

/// Of one family, each once.
fn addresses(instance: &Statement, interface: &str, taken: &HashSet<IpAddr>) -> Vec<IpAddr> {
    let mut found: Vec<IpAddr> = Vec::new();
    let Some(list) = instance.find(&["virtual_ipaddress"]) else { return found };
    list.carry();
    for line in list.block() {
        let text = line.keyword();
        let (address, length) =
            text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
        let Ok(address) = address.parse::<IpAddr>() else {
            line.lose("is no address");
            continue;
        };
        // RFC 9568 section 5.2.9: over IPv6 the first one is link-local.
        let is_link_local = matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local());
        if taken.contains(&address) && !is_link_local {
            line.lose(format!("{address} is another instance's already"));
        } else if let Some(problem) = problem(address).filter(|_| !is_link_local) {
            line.lose(format!("{address} {problem}"));
        } else if found.contains(&address) {
            line.lose(format!("{address} is in the list already"));
        } else if found.first().is_some_and(|first| first.is_ipv4() != address.is_ipv4()) {
            line.lose("an instance has addresses of one family: write a [[vrrp]] for the other one");
        } else {
            found.push(address);
            line.carry();
            let rest = line.arguments().join(" ");
            let rest = rest.strip_prefix(&format!("dev {interface}")).unwrap_or(&rest).trim();
            if !rest.is_empty() {
                line.carry_without(format!(
                    "`{rest}`: a virtual IP is answered by workers, and is on no interface of Linux"
                ));
            }
            let is_host = |length: &str| length == if address.is_ipv4() { "32" } else { "128" };
            if let Some(length) = length.filter(|length| !is_host(length)) {
                line.carry_without(format!("`/{length}`: a virtual IP makes no route of Linux"));
            }
        }
    }
    found
}

/// Version 2 unless something says otherwise; IPv6 has but 3.
fn version(instance: &Statement, around: &Around<'_>, is_v6: bool) -> i64 {
    let said = around.own_or_global(instance, "version").and_then(Statement::argument);
    if is_v6 || said == Some("3") { 3 } else { 2 }
}

fn times(instance: &Statement, version: i64, keys: &mut Keys) {
    let interval = instance.find(&["advert_int"]);
    let time = interval.and_then(Statement::argument).map_or(Some(Duration::from_secs(1)), seconds);
    let kind = if version == 3 { Version::V3 } else { Version::V2 };
    match time.filter(|time| AdvertInterval::new(kind, *time).is_ok()) {
        Some(time) => keys.time("advert_interval", time),
        None => {
            let why = format!("no packet of version {version} says that: one second is taken");
            interval.into_iter().for_each(|found| found.lose(why.clone()));
            keys.set("advert_interval", "1s");
        }
    }
    if let Some(nopreempt) = instance.find(&["nopreempt"]) {
        nopreempt.carry();
        keys.set("preempt", false);
    }
    if let Some(delay) = instance.find(&["preempt_delay"]) {
        match delay.argument().and_then(seconds).filter(|time| *time <= LONGEST) {
            Some(time) => keys.time("preempt_delay", time),
            None => delay.lose("is no time in seconds, of 1000 at most"),
        }
    }
}

fn peers(instance: &Statement, keys: &mut Keys) {
    let Some(list) = instance.find(&["unicast_peer"]) else { return };
    list.carry();
    let (mut peers, mut bounds) = (Vec::new(), Vec::new());
    for line in list.block() {
        match line.keyword().parse::<IpAddr>() {
            Ok(address) => {
                line.carry();
                peers.push(address.to_string());
                bounds.push((line, bounds_of(line)));
            }
            Err(_) => line.lose("is no address"),
        }
    }
    keys.list("unicast_peers", peers);
    // Keepalived has bounds for each peer: here the widest hold for all.
    let widest =
        bounds.iter().fold((u8::MAX, 0), |(low, high), (_, (min, max))| (low.min(*min), high.max(*max)));
    for (line, _) in bounds.iter().filter(|(_, own)| *own != widest) {
        line.carry_without(format!(
            "min_ttl and max_ttl are those of the instance: {} and {} for all of its peers",
            widest.0, widest.1
        ));
    }
    if !bounds.is_empty() {
        let (least, most) = widest;
        [("min_ttl", least, 0), ("max_ttl", most, u8::MAX)]
            .into_iter()
            .filter(|(_, found, any)| found != any)
            .for_each(|(key, found, _)| keys.set(key, i64::from(found.max(1))));
    }
}

/// The least and the greatest TTL of a peer's adverts; 0 and 255 where nothing is said.
fn bounds_of(peer: &Statement) -> (u8, u8) {
    let (mut bounds, mut rest) = ((0, u8::MAX), Vec::new());
    let mut words = peer.arguments().iter();
    while let Some(word) = words.next() {
        let bound = match word.as_str() {
            "min_ttl" => &mut bounds.0,
            "max_ttl" => &mut bounds.1,
            other => {
                rest.push(other);
                continue;
            }
        };
        match words.next().map(|number| number.parse()) {
            Some(Ok(number)) => *bound = number,
            _ => rest.push(word),
        }
    }
    if !rest.is_empty() {
        peer.carry_without(format!("`{}` has no counterpart", rest.join(" ")));
    }
    bounds
}

fn password(instance: &Statement, version: i64, keys: &mut Keys) {
    let Some(authentication) = instance.find(&["authentication"]) else { return };
    authentication.carry();
    let kind = authentication.find(&["auth_type"]);
    if version != 2 || kind.and_then(Statement::argument) != Some("PASS") {
        authentication.lose("version 3 has none, and of version 2 there is the password alone");
    } else if let Some(word) = authentication.find(&["auth_pass"]).and_then(Statement::argument) {
        // keepalived.conf(5): only the first eight characters are used.
        keys.set("password", word.chars().take(8).collect::<String>());
    }
}

fn garp(instance: &Statement, around: &Around<'_>, keys: &mut Keys) {
    let mut garp = Keys::default();
    if let Some(found) = around.own_or_global(instance, "garp_master_repeat") {
        match found.argument().and_then(|text| text.parse::<u8>().ok()).filter(|n| (1..=60).contains(n)) {
            Some(repeat) => garp.set("repeat", i64::from(repeat)),
            None => found.lose("is no number of 1 to 60"),
        }
    }
    for (from, to) in [("garp_master_delay", "delay"), ("garp_master_refresh", "refresh")] {
        let Some(found) = around.own_or_global(instance, from) else { continue };
        match found.argument().and_then(seconds).filter(|time| to == "refresh" || *time <= LONGEST) {
            Some(time) => garp.time(to, time),
            None => found.lose("is no time in seconds"),
        }
    }
    if garp != Keys::default() {
        keys.raw("garp", garp.inline());
    }
}

fn byte(instance: &Statement, key: &str) -> Option<u8> {
    let found = instance.find(&[key])?;
    let number = found.argument().and_then(|text| text.parse().ok());
    if number.is_none() {
        found.lose("is no number of 0 to 255");
    }
    number
}
