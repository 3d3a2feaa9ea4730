//! Virtual routers: what the thread of VRRP must know of the box, and what it has to tell.

use std::net::IpAddr;
use std::sync::Arc;

use dataplane::types::{InterfaceId, Mac};

use super::Supervisor;
use crate::api::request::Refusal;
use crate::api::view;
use crate::config::{Tracking, Vrrp};
use crate::failover::board::News;
use crate::failover::watch::Watch;
use crate::vrrp::Priority;
use crate::vrrp::advert::{Differences, Refusal as Refused};
use crate::vrrp::counters::Remark;
use crate::vrrp::fleet::Report;
use crate::vrrp::group::{Condition, Tracked, standing};
use crate::vrrp::router::{Incident, Standing, State};
use crate::vrrp::wanted::{Place, Wanted};

/// What was said to the thread last.
pub(super) type Said = Vec<(Arc<Vrrp>, Option<Place>, Standing)>;

impl Supervisor {
    /// Tells the thread of VRRP what is true now, if it is anything new.
    pub(super) fn follow_vrrp(&mut self) {
        let watched = self.config.vrrp.iter().flat_map(|instance| &instance.track).map(|track| &track.what);
        self.watch.follow(watched);
        let wanted: Vec<Wanted> = self.config.vrrp.iter().filter_map(|one| self.wanted_vrrp(one)).collect();
        let said: Said =
            wanted.iter().map(|one| (Arc::clone(&one.config), one.place, one.standing)).collect();
        if said != self.vrrp_said {
            match self.failover.follow(wanted) {
                Ok(()) => self.vrrp_said = said,
                // Tried again by the next tick.
                Err(busy) => tracing::error!(event = "vrrp", "{busy}"),
            }
        }
    }

    fn wanted_vrrp(&self, instance: &Arc<Vrrp>) -> Option<Wanted> {
        Some(Wanted {
            config: Arc::clone(instance),
            place: self.place_of(instance),
            standing: self.standing_of(instance),
            tenure: self.compiler.tenure(&instance.name)?,
        })
    }

    /// Over IPv6 adverts come from a link-local address (RFC 9568 section 5.1.2.1); those to peers behind a router from one
    /// that the router can take replies to.
    fn place_of(&self, instance: &Vrrp) -> Option<Place> {
        let link = self.netlink.state().link(&instance.interface).filter(|link| link.usable())?;
        let is_virtual = |address: &IpAddr| {
            instance.priority != Priority::OWNER
                && self.config.vrrp.iter().any(|other| other.addresses.contains(address))
        };
        let is_far = |peer: &IpAddr| matches!(peer, IpAddr::V6(v6) if !v6.is_unicast_link_local());
        let is_routed = instance.peers.iter().any(is_far);
        let fits = |address: &IpAddr| match address {
            IpAddr::V4(_) => instance.is_ipv4(),
            IpAddr::V6(v6) => !instance.is_ipv4() && v6.is_unicast_link_local() != is_routed,
        };
        let mut own = self.netlink.state().addresses_of(link.index);
        let own = own.find(|address| fits(address) && !is_virtual(address))?;
        Some(Place { link: link.index, mac: link.mac, own })
    }

    /// A group moves by what all of its members track.
    fn standing_of(&self, instance: &Vrrp) -> Standing {
        let of_group = |other: &&Arc<Vrrp>| {
            other.name == instance.name
                || instance.sync_group.is_some() && other.sync_group == instance.sync_group
        };
        let tracks = self.config.vrrp.iter().filter(of_group).flat_map(|member| &member.track);
        let tracked =
            tracks.map(|track| Tracked { weight: track.weight, condition: self.condition(&track.what) });
        if !self.watched.workers.are_well() {
            return Standing::Unfit;
        }
        standing(instance.priority, tracked)
    }

    fn condition(&self, tracking: &Tracking) -> Condition {
        let well = |is_well| if is_well { Condition::Well } else { Condition::Failed };
        match tracking {
            Tracking::Interface(name) => {
                well(self.netlink.state().link(name).is_some_and(|link| link.usable()))
            }
            Tracking::Service(name) => {
                well(self.compiler.outcome(name).is_none_or(|outcome| outcome.has_quorum))
            }
            // Before anything is known it counts as well.
            Tracking::Bfd(peer, session) => {
                well(self.bfd.thread.board().status(&session.peer(*peer, None)).has_failed() != Some(true))
            }
            Tracking::Script { .. } | Tracking::File { .. } => self.watch.condition(tracking),
        }
    }

    /// Whether the box answers for an address now, as far as virtual routers go; and by which MAC address, if
    /// that is not the interface's.
    pub(super) fn holds(&self, address: IpAddr, at: InterfaceId) -> (bool, Option<Mac>) {
        let snapshot = self.dataplane.snapshot();
        let Some(tenancy) = snapshot.tenancies.of(address) else { return (true, None) };
        let mac = tenancy.mac.filter(|_| tenancy.interfaces.contains(&at));
        (tenancy.tenure.is_claimed(self.dataplane.millis()), mac)
    }

    /// Answers for the addresses of virtual routers until others do; asked a second time, no longer.
    pub(super) fn leave(&self) {
        if !self.config.vrrp.is_empty() {
            tracing::info!("stopping, once others are masters of what this box is master of");
        }
        if let Err(busy) = self.failover.shut_down() {
            tracing::error!(event = "vrrp", "{busy}; a further signal tries it again");
        }
    }

    pub(super) fn hear_vrrp(&mut self) {
        for news in self.failover.board().take_news() {
            match news {
                News::State(config, state, priority) => {
                    tracing::info!(event = "vrrp", vrrp = config.name, state = state.word(), %priority, "is now");
                    self.notifier.tell_state(&config, state, priority);
                }
                News::Incident(config, incident) => report(&config, incident),
                News::Remark(config, from, remark) => remark_on(&config, from, remark),
                News::Trouble(trouble) => tracing::warn!(event = "vrrp", trouble, "vrrp"),
            }
        }
    }

    pub(super) fn vrrp_states(&self) -> Vec<view::VrrpState> {
        let state = |instance: &Arc<Vrrp>| {
            let report = self.failover.board().report(&instance.name);
            let state = report.map_or(State::Init, |report| report.state).word().to_owned();
            view::VrrpState { name: instance.name.clone(), state }
        };
        self.config.vrrp.iter().map(state).collect()
    }

    pub(super) fn vrrp(&self) -> Vec<view::Vrrp> {
        let reports =
            self.config.vrrp.iter().filter_map(|instance| self.failover.board().report(&instance.name));
        reports.map(|report| vrrp_view(&report, self.bfd_of(&report.config))).collect()
    }

    /// Lets another box be master.
    pub(super) fn hand_over(&self, name: &str) -> Result<view::VrrpState, Refusal> {
        let unknown =
            || Refusal::not_found(format!("there is no VRRP instance {name:?}: `penstock vrrp` lists them"));
        let report = self.failover.board().report(name).ok_or_else(unknown)?;
        if report.state != State::Master {
            let state = report.state.word();
            return Err(Refusal::conflict(format!("{name} is {state} here: only the master can hand over")));
        }
        self.failover.hand_over(name).map_err(|busy| Refusal::failed(busy.to_string()))?;
        tracing::info!(event = "vrrp", vrrp = name, "hands over by hand");
        Ok(view::VrrpState { name: name.to_owned(), state: report.state.word().to_owned() })
    }
}

pub(super) fn new_watch() -> Watch {
    Watch::new(crate::launcher::Launcher::own())
}

fn report(config: &Vrrp, incident: Incident) {
    let vrrp = &config.name;
    match incident {
        Incident::SecondMaster(other) => {
            tracing::warn!(event = "vrrp", vrrp, %other, "is master too; this box is the better one, and has announced its addresses");
        }
        Incident::SecondOwner(other) => {
            tracing::error!(event = "vrrp", vrrp, %other, "says that the addresses are its own, as this box does: correct one priority");
        }
        Incident::NobodyTookOver => {
            tracing::warn!(event = "vrrp", vrrp, "nobody has taken over; this box goes on");
        }
    }
}

fn remark_on(config: &Vrrp, from: IpAddr, remark: Remark) {
    let vrrp = &config.name;
    match remark {
        Remark::Refused(why) => tracing::warn!(vrrp, %from, %why, "advert refused"),
        Remark::Differs(Differences { addresses, interval, checksum, .. }) => {
            tracing::warn!(vrrp, %from, addresses, interval, checksum, "advert differs from what is configured here");
        }
    }
}

fn vrrp_view(report: &Report, bfd: Vec<view::BfdSession>) -> view::Vrrp {
    let (config, counters) = (&report.config, &report.counters);
    let own = report.place.map(|place| place.mac);
    let refused = Refused::ALL.iter().zip(counters.refused);
    view::Vrrp {
        name: config.name.clone(),
        interface: config.interface.clone(),
        vrid: config.vrid.get(),
        family: if config.is_ipv4() { "ipv4" } else { "ipv6" }.to_owned(),
        version: report.version,
        state: report.state.word().to_owned(),
        priority: config.priority.0,
        effective_priority: report.priority.0,
        mac: config.virtual_mac().or(own).map(|mac| mac.to_string()).unwrap_or_default(),
        addresses: config.addresses.clone(),
        master: report.master,
        advert_interval_ms: u64::try_from(config.interval.duration().as_millis()).unwrap_or(u64::MAX),
        transitions: counters.transitions,
        last_transition_seconds: report
            .since
            .map(|at| crate::clock::now().saturating_duration_since(at).as_secs_f64()),
        adverts_sent: counters.sent,
        adverts_received: counters.received,
        adverts_refused: refused.map(|(why, count)| (why.code().to_owned(), count)).collect(),
        other_addresses: counters.other_addresses,
        other_interval: counters.other_interval,
        other_checksum: counters.other_checksum,
        second_masters: counters.second_masters,
        stalls: counters.stalls,
        bfd,
    }
}
