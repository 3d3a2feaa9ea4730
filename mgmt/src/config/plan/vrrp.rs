//! What would change of the virtual routers.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use super::{Changes, index};
use crate::config::{Vrrp, read};
use crate::vrrp::Version;
use crate::vrrp::group::Weight;

pub(super) fn instances(changes: &mut Changes, old: &[Arc<Vrrp>], new: &[Arc<Vrrp>]) {
    let [before, after] = [old, new].map(|list| index(list, |instance| instance.name.as_str()));
    for gone in old.iter().filter(|instance| !after.contains_key(instance.name.as_str())) {
        changes.say(format!("vrrp {} is removed: {}", gone.name, described(gone)));
    }
    for instance in new {
        match before.get(instance.name.as_str()) {
            None => changes.say(format!("vrrp {} is added: {}", instance.name, described(instance))),
            Some(before) => self::instance(changes, before, instance),
        }
    }
}

fn instance(changes: &mut Changes, old: &Vrrp, new: &Vrrp) {
    let name = |field: &str| format!("vrrp {}: {field}", new.name);
    changes.field(&name("interface"), &old.interface, &new.interface);
    changes.field(&name("vrid"), old.vrid, new.vrid);
    changes.field(&name("version"), version(old), version(new));
    changes.field(&name("priority"), old.priority, new.priority);
    changes.field(&name("advert_interval"), time(old.interval.duration()), time(new.interval.duration()));
    changes.field(&name("preempt"), old.preempt, new.preempt);
    changes.field(&name("preempt_delay"), time(old.preempt_delay), time(new.preempt_delay));
    changes.field(&name("start_delay"), time(old.start_delay), time(new.start_delay));
    changes.field(&name("mac"), read::mac_word(old.mac), read::mac_word(new.mac));
    changes.list(&name("addresses"), &old.addresses, &new.addresses);
    changes.list(&name("unicast_peers"), &old.peers, &new.peers);
    changes.field(&name("min_ttl"), old.peer_ttl.0, new.peer_ttl.0);
    changes.field(&name("max_ttl"), old.peer_ttl.1, new.peer_ttl.1);
    changes.list(&name("checksum"), &old.coverage, &new.coverage);
    if old.password != new.password {
        changes.say(format!("{}: another one", name("password")));
    }
    changes.list(&name("garp"), &old.announce, &new.announce);
    changes.list(&name("bfd"), &old.bfd, &new.bfd);
    changes.field(&name("track"), tracked(old), tracked(new));
    let [before, after] = [old, new].map(|v| v.sync_group.as_deref().unwrap_or("none"));
    changes.field(&name("sync_group"), before, after);
    let notify = |v: &Vrrp| v.notify.as_ref().map_or("none".to_owned(), |path| path.display().to_string());
    changes.field(&name("notify"), notify(old), notify(new));
}

fn time(time: Duration) -> impl Display {
    humantime::format_duration(time)
}

fn version(instance: &Vrrp) -> u8 {
    match instance.interval.version() {
        Version::V2 => 2,
        Version::V3 => 3,
    }
}

fn tracked(instance: &Vrrp) -> String {
    if instance.track.is_empty() {
        return "nothing".to_owned();
    }
    let items = instance.track.iter().map(|track| match track.weight {
        Weight::Fault => track.what.to_string(),
        Weight::Adds(by) => format!("{} {by:+}", track.what),
    });
    items.collect::<Vec<_>>().join(", ")
}

fn described(instance: &Vrrp) -> String {
    let (count, plural) = match instance.addresses.len() {
        1 => (1, ""),
        count => (count, "es"),
    };
    format!(
        "vrid {} on {}, priority {}, {count} address{plural}",
        instance.vrid, instance.interface, instance.priority
    )
}
