//! From a configuration to a running box, or to the one reason why not.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use dataplane::snapshot::Rss;
use dataplane::{Dataplane, InterfaceSetup, Setup, StartError, at_once};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::disk::Disk;
use super::{
    Supervisor, Watched, announce, bfd, control, failover, interfaces, neighbours, observe, pools, side_way,
    transaction,
};
use crate::bfd::engine::Bfd;
use crate::compile::{Compiler, Conflict, Facts, Served, conflicts, hidden_tags};
use crate::config::{Config, Machine};
use crate::events::Events;
use crate::failover::Failover;
use crate::failover::notify::Notifier;
use crate::health::engine::{self, Checks};
use crate::inventory::Inventory;
use crate::launcher::Launcher;
use crate::log;
use crate::net::bridges::refuse_foreign_ports;
use crate::net::{BridgeError, Groups, Link, NetError, NetState, Netlink};
use crate::pulse::Beat;
use crate::systemd::Manager;

/// Why the box did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartFailure {
    /// An interface is not there.
    #[error(
        "there is no interface {name:?} (there are: {there}): correct [[interface]] name, or create it first"
    )]
    NoInterface {
        /// The one that was asked for.
        name: String,
        /// Those there are.
        there: String,
    },
    /// The kernel's tables cannot be read.
    #[error(transparent)]
    Net(#[from] NetError),
    /// A bridge cannot be had.
    #[error(transparent)]
    Bridge(#[from] BridgeError),
    /// Addresses of the configuration are taken already.
    #[error("{}", one_a_line(.0))]
    Conflicts(BTreeSet<Conflict>),
    /// The data plane.
    #[error(transparent)]
    Dataplane(#[from] StartError),
    /// The thread of the health checks.
    #[error("cannot run health checks: {0}")]
    Checks(std::io::Error),
    /// The thread of VRRP.
    #[error("cannot run VRRP: {0}")]
    Failover(std::io::Error),
    /// The thread of BFD.
    #[error("cannot run BFD: {0}")]
    Bfd(std::io::Error),
    /// The thread that reads and writes files.
    #[error("cannot read and write files: {0}")]
    Disk(std::io::Error),
    /// The event of the workers cannot be watched.
    #[error("cannot watch the workers: {0}")]
    Watch(#[from] std::io::Error),
}

fn one_a_line(conflicts: &BTreeSet<Conflict>) -> String {
    conflicts.iter().map(Conflict::to_string).collect::<Vec<_>>().join("\n")
}

/// Starts the data plane with a checked configuration. `file` is what a reload reads.
///
/// # Errors
/// See [`StartFailure`]; nothing stays behind, but for a bridge that was made.
pub async fn start(
    (file, text): (PathBuf, String),
    machine: Machine,
    config: Config,
    (events, log): (Arc<Events>, Arc<log::Queue>),
) -> Result<Supervisor, StartFailure> {
    let mut netlink = Netlink::open().await?;
    let setup = setup(&config, &machine, netlink.state())?;
    let conflicts = conflicts(&config, netlink.state());
    if !conflicts.is_empty() {
        return Err(StartFailure::Conflicts(conflicts));
    }
    provide_bridges(&mut netlink, &config).await?;
    let (now, workers) = (crate::clock::now(), setup.cores.len());
    let rss: Vec<_> = config.interfaces.iter().map(|interface| pools::rss(&interface.name)).collect();
    let (dataplane, inventory, compiler) = started(&setup, (&config, netlink.state(), &rss), now)?;
    examine_frames(&dataplane, &config, netlink.state())?;
    let (punt_event, resolver) = (punt_event(&dataplane)?, netlink.resolver());
    let beat = Arc::<Beat>::default();
    let (failover, bfd, checks) = threads(&dataplane, &beat)?;
    let watched = Watched::new(&checks);
    let transaction = transaction::Transaction::begin(&config, file.display().to_string(), text);
    let mut supervisor = Supervisor {
        beat,
        disk: Disk::start().map_err(StartFailure::Disk)?,
        file,
        machine,
        served: Served::new(&config),
        config,
        config_generation: 1,
        inventory,
        checks,
        failover,
        vrrp_said: failover::Said::default(),
        bfd,
        watch: failover::new_watch(),
        notifier: Notifier::new(Launcher::own()),
        observed: observe::Observed::default(),
        side_way: side_way::SideWay::default(),
        compiler,
        workers,
        rss,
        crowded: pools::Crowded::default(),
        is_behind: false,
        netlink,
        resolver,
        dataplane,
        punt_event,
        interfaces: interfaces::Watch::new(&setup),
        asked: control::Asked::default(),
        learned: neighbours::Learned::default(),
        watched,
        transaction,
        announced: announce::Announced::default(),
        groups: Groups::new().ok(),
        said: BTreeSet::new(),
        started: now,
        manager: Manager::default(),
        events,
        log,
    };
    supervisor.tell_quorums(|_| true);
    supervisor.follow_checks();
    supervisor.follow_side_way().await;
    supervisor.keep_neighbours().await;
    Ok(supervisor)
}

/// The data plane with its first snapshot, and what later ones are made from.
fn started(
    setup: &Setup,
    (config, net, rss): (&Config, &NetState, &[Option<Rss>]),
    now: Instant,
) -> Result<(Dataplane, Inventory, Compiler), StartError> {
    let (mut inventory, mut compiler) = (Inventory::default(), Compiler::default());
    let workers = setup.cores.len();
    // Nothing is forwarded yet: every core builds. Later on the workers' are left alone.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let first = || {
        inventory.follow(config, now, |_| dataplane::BackendStats::default());
        super::own::take_own(&mut inventory, &crate::net::own_addresses(net), now);
        compiler.build_on(cores);
        compiler.compile(&Facts { config, inventory: &inventory, net, rss, workers, now })
    };
    let (first, prepared) = at_once(first, || Dataplane::prepare(setup));
    compiler.build_on(cores.saturating_sub(workers));
    let dataplane = Dataplane::start(setup, prepared?, first)?;
    Ok((dataplane, inventory, compiler))
}

/// Whether workers get frames as they were sent: with their tags, and with checksums.
fn examine_frames(dataplane: &Dataplane, config: &Config, net: &NetState) -> Result<(), StartFailure> {
    let hidden = interfaces::with_hidden_tags(dataplane);
    let conflicts = hidden_tags(config, net, hidden.iter().map(String::as_str));
    if !conflicts.is_empty() {
        return Err(StartFailure::Conflicts(conflicts));
    }
    interfaces::warn_of_hidden_tags(&hidden);
    interfaces::tell_of_unfinished(config, net);
    Ok(())
}

fn punt_event(dataplane: &Dataplane) -> std::io::Result<AsyncFd<OwnedFd>> {
    let event = dataplane.punt_event().as_fd().try_clone_to_owned()?;
    #[expect(
        deprecated,
        reason = "its successor is unsafe for descriptors that may close; this one is owned"
    )]
    AsyncFd::with_interest(event, Interest::READABLE)
}

/// Whatever has a thread of its own. What BFD finds goes straight to the others.
fn threads(
    dataplane: &Dataplane,
    beat: &Arc<Beat>,
) -> Result<(Failover, bfd::Sessions, Checks), StartFailure> {
    raise_descriptors();
    let failover = Failover::start(dataplane.epoch(), Arc::clone(beat)).map_err(StartFailure::Failover)?;
    let thread = Bfd::start(Box::new(failover.messenger())).map_err(StartFailure::Bfd)?;
    let checks = Checks::start(Launcher::own(), Arc::clone(thread.board()), Arc::clone(beat));
    let checks = checks.map_err(StartFailure::Checks)?;
    Ok((failover, bfd::Sessions { thread, said: BTreeSet::new() }, checks))
}

/// Checks open many sockets at once.
fn raise_descriptors() {
    if let Err(error) = engine::raise_descriptors() {
        tracing::warn!(%error, "no more descriptors than were given: checks may run late");
    }
}

/// None is touched if one of them cannot be had.
async fn provide_bridges(netlink: &mut Netlink, config: &Config) -> Result<(), StartFailure> {
    for bridge in config.bridges() {
        refuse_foreign_ports(netlink.state(), bridge, &config.ports_of(bridge))?;
    }
    for bridge in config.bridges() {
        netlink.provide_bridge(bridge, &config.ports_of(bridge)).await?;
    }
    Ok(())
}

/// The default takes as many cores as there are queues for: each worker needs one on every interface.
/// A list that the operator has written is taken as it is.
fn cores(config: &Config, machine: &Machine) -> Vec<usize> {
    let mut cores = config.dataplane.cores.clone();
    let queues = config.interfaces.iter().filter_map(|interface| dataplane::queues(&interface.name).ok());
    let queues = queues.min().map_or(usize::MAX, usize::from);
    if cores == machine.default_cores() && cores.len() > queues {
        cores.truncate(queues);
        tracing::info!(?cores, "fewer workers than cores: the interfaces have no more queues");
    }
    cores
}

fn setup(config: &Config, machine: &Machine, net: &NetState) -> Result<Setup, StartFailure> {
    let interfaces = config.interfaces.iter().map(|interface| {
        let name = interface.name.clone();
        let Some(link) = net.link(&name) else {
            let there: Vec<_> = net.links().map(Link::names).collect();
            return Err(StartFailure::NoInterface { name, there: there.join(", ") });
        };
        if !link.usable() {
            tracing::warn!(interface = name, "is down: 'ip link set dev {name} up', and look at the cable");
        }
        Ok(InterfaceSetup { name, index: link.index, xdp: interface.xdp })
    });
    Ok(Setup {
        cores: cores(config, machine),
        poll: config.dataplane.poll,
        flows: config.dataplane.flows,
        huge_pages: config.dataplane.huge_pages,
        interfaces: interfaces.collect::<Result<_, _>>()?,
    })
}
