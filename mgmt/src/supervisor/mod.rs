//! The only place where configuration, network, control socket and data plane meet: one task that
//! takes one event at a time and publishes what follows from it.
//!
//! | event | what follows |
//! | --- | --- |
//! | a request on the control socket | an answer; a new snapshot where it changes something |
//! | neighbours change that are no backends | the same snapshot with these |
//! | links, routes or neighbours change | a new snapshot; interfaces that vanished are let go or taken back, and virtual IPs announced on them |
//! | a worker hands over a frame | an answer of ARP or neighbour discovery for a virtual IP; a word if another station claims it |
//! | a host asks for an address of the node | the kernel learns where the host is, as Linux would have |
//! | a worker misses a neighbour | the kernel is asked to find it |
//! | a host begins a flow by another MAC address than it is known by | it is asked where it is |
//! | a worker hears a station that the bridge does not know | the bridge learns it |
//! | the kernel has a packet of a check that takes the data path | a worker sends it as it sends a client's |
//! | a virtual router is in another state | it is told, and its script run; workers know it already |
//! | a session of BFD comes up or goes down | it is told; priorities that depend on it move, checks know it already |
//! | a script or file that moves a priority has changed | the thread of VRRP hears of it |
//! | handshakes of clients fail | checks count that as a failure, where the operator wants it |
//! | checks find that a backend is up, down or of another weight | a new snapshot |
//! | SIGHUP | the file is read anew |
//! | a file was read or written | the new configuration is put in force, or the answer goes to whoever waits for it |
//! | a backend warms up | every fifth of a second a new snapshot with its weight |
//! | what was put in force for a time is not confirmed | what was before is put in force |
//! | a second has passed | stale neighbours that workers send by are verified, backends and pool addresses without flows are forgotten, interfaces tried again, full pools and services without room told of |

mod announce;
mod bfd;
mod capture;
mod change;
mod choice;
mod claims;
mod control;
mod disk;
mod drops;
mod failover;
mod forecast;
mod health;
mod interfaces;
mod neighbours;
mod observe;
mod own;
mod pools;
mod pressure;
mod publish;
mod quorum;
mod requests;
mod side_way;
mod start;
mod transaction;
mod views;
mod watched;
mod workers;

pub use start::{StartFailure, start};

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dataplane::Dataplane;
use dataplane::snapshot::Rss;
use dataplane::types::BackendId;
use tokio::io::unix::AsyncFd;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Interval, MissedTickBehavior};

use crate::api::request::Request;
use crate::compile::{self, Compiler, Served};
use crate::config::{Config, Machine};
use crate::events::Events;
use crate::failover::Failover;
use crate::failover::notify::Notifier;
use crate::failover::watch::Watch;
use crate::health::engine::Checks;
use crate::history::Caller;
use crate::inventory::{Inventory, Member};
use crate::log;
use crate::net::{Change, Groups, NetError, Netlink, Resolver};
use crate::pulse::Beat;
use crate::systemd::Manager;
use announce::Due;
use interfaces::Occasion;
use watched::Watched;

/// How often what is due is looked after.
const TICK: Duration = Duration::from_secs(1);

/// What notify scripts have to say at the end may take so long.
const LAST_SCRIPTS: Duration = Duration::from_secs(2);

/// How often the weights of backends that warm up are reckoned anew.
const WARM_STEP: Duration = Duration::from_millis(200);

/// See the module's head.
#[derive(Debug)]
pub struct Supervisor {
    /// Its turns, without which the thread of VRRP leaves the election.
    beat: Arc<Beat>,
    disk: disk::Disk,
    file: PathBuf,
    machine: Machine,
    config: Config,
    /// Configurations put in force, counted from 1.
    config_generation: u64,
    inventory: Inventory,
    checks: Checks,
    failover: Failover,
    vrrp_said: failover::Said,
    bfd: bfd::Sessions,
    watch: Watch,
    notifier: Notifier,
    observed: observe::Observed,
    side_way: side_way::SideWay,
    compiler: Compiler,
    /// Worker threads.
    workers: usize,
    /// The NICs' hashes, in the order of the interfaces.
    rss: Vec<Option<Rss>>,
    /// The virtual IPs and pool addresses of the configuration.
    served: Served,
    crowded: pools::Crowded,
    /// The data plane has refused the last snapshot, or a part of it.
    is_behind: bool,
    watched: Watched,
    netlink: Netlink,
    resolver: Resolver,
    dataplane: Dataplane,
    punt_event: AsyncFd<std::os::fd::OwnedFd>,
    interfaces: interfaces::Watch,
    asked: control::Asked,
    learned: neighbours::Learned,
    transaction: transaction::Transaction,
    announced: announce::Announced,
    /// `None`: the kernel has no IPv6.
    groups: Option<Groups>,
    /// What is wrong with the network around the box, and was said.
    said: BTreeSet<String>,
    started: Instant,
    manager: Manager,
    events: Arc<Events>,
    log: Arc<log::Queue>,
}

/// What ends the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// SIGTERM or SIGINT.
    Asked,
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

async fn asked_to_end(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// A tick that comes late moves those after it.
fn every(pause: Duration) -> Interval {
    let mut interval = tokio::time::interval(pause);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

impl Supervisor {
    /// Serves until the daemon is asked to end. `reload`: SIGHUP, which may have come since the start.
    pub async fn run(
        &mut self,
        mut requests: mpsc::Receiver<Request>,
        mut reload: Signal,
    ) -> std::io::Result<End> {
        let mut signals = Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        };
        let (mut tick, mut observe, mut warm) = (every(TICK), every(observe::STEP), every(WARM_STEP));
        let mut packet = [0; side_way::PACKET];
        self.warn_of_what_cannot_work();
        self.warn_of_what_has_come();
        self.join_groups();
        self.announce_vips();
        self.follow_vrrp();
        self.manager.ready();
        let mut is_ending = false;
        loop {
            self.beat.turn();
            // Begins with a branch at random, so that none that is always ready starves the others;
            // each keeps its progress when another one is taken.
            tokio::select! {
                Some(request) = requests.recv() => self.answer(request).await,
                () = self.checks.board().has_changed() => self.health_changed(),
                () = self.failover.board().has_news() => {
                    self.hear_vrrp();
                    if is_ending && self.failover.board().has_ended() {
                        return Ok(End::Asked);
                    }
                }
                () = self.watch.changed() => self.follow_vrrp(),
                () = self.bfd.thread.board().has_news() => self.hear_bfd(),
                changed = self.netlink.changed() => self.network_changed(changed).await,
                punts = self.punt_event.readable() => {
                    if let Ok(mut guard) = punts {
                        guard.clear_ready();
                    }
                    self.take_punts().await;
                }
                _ = tick.tick() => self.look_after().await,
                _ = warm.tick(), if self.compiler.warming_up().next().is_some() => self.warm_up(),
                length = self.side_way.receive(&mut packet) => {
                    self.send_by_the_data_path(length.map(|length| &packet[..length]));
                }
                () = self.transaction.due() => self.take_back().await,
                _ = observe.tick(), if self.observes() => self.observe(),
                done = self.disk.done() => self.go_on(done).await,
                _ = reload.recv() => self.reload(Caller::default(), None),
                () = asked_to_end(&mut signals.terminate, &mut signals.interrupt) => {
                    is_ending = true;
                    self.leave();
                }
            }
        }
    }

    /// Lets go of what would outlive the daemon.
    pub async fn stop(mut self) {
        self.manager.stopping();
        self.notifier.finish(LAST_SCRIPTS).await;
        self.resolver.release().await;
        self.side_way.release().await;
        self.disk.finish().await;
    }

    async fn network_changed(&mut self, changed: Result<Change, NetError>) {
        match changed {
            Err(error) => return tracing::error!(%error, "the network's state is not known for now"),
            Ok(Change::Neighbours(touched)) if self.publish_neighbours(&touched) => return,
            Ok(Change::Neighbours(_) | Change::Whole) => {}
        }
        self.machine.learn_names(self.netlink.state().names());
        self.watch_interfaces(Occasion::Change);
        self.rejoin_bridges().await;
        self.warn_of_what_has_come();
        self.follow_own_addresses();
        self.publish();
        self.join_groups();
        self.follow_vrrp();
        self.announce(Due::New);
        self.keep_neighbours().await;
    }

    /// Whether something else becomes of the flows of a backend from now on.
    fn has_met_a_deadline(&self, now: Instant) -> bool {
        let snapshot = self.dataplane.snapshot();
        let has_met = |(id, member): (BackendId, &Member)| {
            member.has_deadlines() && snapshot.fate(id) != compile::fate(member, snapshot.backend(id), now)
        };
        self.inventory.members().filter_map(|(id, member)| Some((id, member?))).any(has_met)
    }

    async fn look_after(&mut self) {
        let (dataplane, now) = (&self.dataplane, crate::clock::now());
        let pruned = self.inventory.prune(now, |id| dataplane.backend(id).active_flows);
        if self.compiler.prune_pools(&self.config) || pruned || self.has_met_a_deadline(now) || self.is_behind
        {
            self.publish();
        }
        self.watch_pools();
        self.watch_pressure();
        self.dataplane.keep_tags();
        self.watch_interfaces(Occasion::Tick);
        self.rejoin_bridges().await;
        self.announce(Due::Repeated);
        self.asked.forget(now);
        self.verify_used_neighbours().await;
        self.keep_neighbours_now_and_then().await;
        self.watch_workers();
        self.watch_checks();
        self.settle_claims();
        self.follow_vrrp();
        self.pet_watchdog();
        self.forget_clients();
        self.dataplane.end_capture_that_is_over();
    }
}
