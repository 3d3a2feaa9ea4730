//! Interfaces that vanish and come back.

use std::collections::{BTreeSet, HashMap};

use dataplane::types::InterfaceId;
use dataplane::{Dataplane, VlanTags};

use super::{Supervisor, pools};
use crate::compile::{Conflict, conflicts, hidden_tags, ports};
use crate::config::Config;
use crate::net::bridges::refuse_foreign_ports;
use crate::net::{Link, NetState};

/// What is known of the interfaces since the last look.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// The kernel's number of each interface that is in use.
    pub(super) in_use: Vec<Option<u32>>,
    /// Interfaces that are there and could not be taken back.
    refused: HashMap<InterfaceId, Refused>,
    /// A port of a bridge that is back as another device is no port any more.
    strayed: BTreeSet<InterfaceId>,
}

/// A try that failed.
#[derive(Debug)]
struct Refused {
    /// The link as it was: once it differs, it is tried again at once.
    link: Tried,
    /// Has been said, and is said again only when it becomes another.
    reason: String,
}

/// What of a link may decide whether it can be used: its number, its MTU, and whether it is up. The
/// carrier is not of it, for some drivers drop it at each try.
type Tried = (u32, u32, bool);

fn tried(link: &Link) -> Tried {
    (link.index, link.mtu, link.up)
}

/// Why the interfaces are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Occasion {
    /// The network has changed, which it may do thousands of times a second.
    Change,
    /// A second has passed: what was refused is tried again.
    Tick,
}

impl Watch {
    /// All are in use at first.
    pub(super) fn new(setup: &dataplane::Setup) -> Self {
        Self { in_use: setup.interfaces.iter().map(|i| Some(i.index)).collect(), ..Self::default() }
    }
}

impl Supervisor {
    /// Lets go of interfaces that have vanished and takes back those that returned.
    pub(super) fn watch_interfaces(&mut self, occasion: Occasion) {
        for (id, interface) in (0..).map(InterfaceId).zip(&self.config.interfaces) {
            let link = self.netlink.state().link(&interface.name);
            let in_use = self.interfaces.in_use.get(id.index()).copied().flatten();
            // A device may have come back under its old number before anybody looked.
            let is_same = in_use == link.map(|link| link.index) && !self.dataplane.has_lost(id);
            if is_same {
                continue;
            }
            if in_use.is_some() {
                tracing::error!(
                    event = "interface",
                    interface = interface.name,
                    "has vanished; its services rest until it is back"
                );
                self.dataplane.detach(id);
                self.interfaces.in_use[id.index()] = None;
            }
            let Some(link) = link else {
                self.interfaces.refused.remove(&id);
                continue;
            };
            let before = self.interfaces.refused.get(&id);
            if occasion == Occasion::Change && before.is_some_and(|refused| refused.link == tried(link)) {
                continue;
            }
            let attached = self.dataplane.attach(id, link.index).map_err(|error| error.to_string());
            let served = attached.and_then(|()| {
                let hidden = with_hidden_tags(&self.dataplane);
                let it = hidden.iter().map(String::as_str).filter(|name| *name == interface.name);
                let conflict = hidden_tags(&self.config, self.netlink.state(), it).pop_first();
                conflict.map_or(Ok(()), |conflict| {
                    self.dataplane.detach(id);
                    Err(conflict.to_string())
                })
            });
            match served {
                Ok(()) => {
                    tracing::info!(event = "interface", interface = interface.name, "is back");
                    self.interfaces.in_use[id.index()] = Some(link.index);
                    self.interfaces.refused.remove(&id);
                    self.rss[id.index()] = pools::rss(&interface.name);
                    if interface.bridge.is_some() {
                        self.interfaces.strayed.insert(id);
                    }
                }
                Err(reason) => {
                    if before.is_none_or(|refused| refused.reason != reason) {
                        tracing::error!(
                            event = "interface",
                            error = reason,
                            "is back but cannot be used; tried again each second"
                        );
                    }
                    self.interfaces.refused.insert(id, Refused { link: tried(link), reason });
                }
            }
        }
    }

    /// What of a configuration needs to see VLAN tags where workers do not see them.
    pub(super) fn hidden_tags(&self, config: &Config) -> BTreeSet<Conflict> {
        let hidden = with_hidden_tags(&self.dataplane);
        hidden_tags(config, self.netlink.state(), hidden.iter().map(String::as_str))
    }

    /// Makes ports of their bridges again what came back as another device.
    pub(super) async fn rejoin_bridges(&mut self) {
        for id in std::mem::take(&mut self.interfaces.strayed) {
            let Some(interface) = self.config.interfaces.get(id.index()) else { continue };
            let Some(bridge) = &interface.bridge else { continue };
            if let Err(error) = self.netlink.provide_bridge(bridge, &[&interface.name]).await {
                tracing::error!(event = "interface", %error, interface = interface.name, "is back, but not in its bridge");
            }
        }
    }

    /// What would have been refused at the start and came later: said once, and again only after it was
    /// put right.
    pub(super) fn warn_of_what_has_come(&mut self) {
        let state = self.netlink.state();
        let bridges = self.config.bridges().into_iter();
        let foreign = |bridge| refuse_foreign_ports(state, bridge, &self.config.ports_of(bridge)).err();
        let foreign = bridges.filter_map(foreign).map(|error| error.to_string());
        let mut conflicts = conflicts(&self.config, state);
        conflicts.extend(self.hidden_tags(&self.config));
        let mut wrong: BTreeSet<_> = foreign.chain(conflicts.iter().map(Conflict::to_string)).collect();
        for message in wrong.difference(&self.said) {
            tracing::warn!("{message}");
        }
        let not_followed = state.not_followed(&ports(&self.config)).into_iter();
        let not_followed: BTreeSet<_> = not_followed
            .map(|what| format!("{what}: workers choose paths as if it were not there, and Linux does not"))
            .collect();
        for message in not_followed.difference(&self.said) {
            tracing::warn!(event = "network.rule-not-followed", "{message}");
        }
        wrong.extend(not_followed);
        self.said = wrong;
    }
}

/// The interfaces whose VLAN tags workers do not see.
pub(super) fn with_hidden_tags(dataplane: &Dataplane) -> Vec<String> {
    let interfaces = dataplane.interfaces().into_iter();
    interfaces.filter(|status| status.tags == Some(VlanTags::Hidden)).map(|status| status.name).collect()
}

pub(super) fn warn_of_hidden_tags(interfaces: &[String]) {
    for interface in interfaces {
        tracing::warn!(
            event = "interface.vlan-tags-hidden",
            interface,
            "Workers do not see VLAN tags on this interface: tagged frames to a service would leave without their tag. See penstock doctor."
        );
    }
}

/// Once, at the start.
pub(super) fn tell_of_unfinished(config: &Config, net: &NetState) {
    let local = config
        .interfaces
        .iter()
        .filter(|interface| net.link(&interface.name).is_some_and(|link| net.is_unfinished(link)));
    for interface in local {
        tracing::info!(
            event = "interface.checksums-finished",
            interface = interface.name,
            "Frames of this interface may come from the same machine with unfinished checksums, which workers finish."
        );
    }
}
