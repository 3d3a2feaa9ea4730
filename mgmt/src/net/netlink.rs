//! The kernel's view, read once in full and then kept current by its multicast groups.
//!
//! Two sockets: one hears the groups, the other asks. A dump therefore never competes with a
//! flood of notifications for one receive buffer. When that buffer overflows (ENOBUFS), or an
//! event says that more has changed than it tells, everything is read again: begun once, and gone on
//! with by each call of [`Netlink::changed`], however often the calls before it were cancelled.

mod touched;

pub use touched::{Change, Touched};

use std::net::IpAddr;
use std::pin::Pin;
use std::time::Duration;

use futures_util::{FutureExt, Stream, StreamExt};
use rtnetlink::packet_core::{NLM_F_REPLACE, NetlinkMessage, NetlinkPayload};
use rtnetlink::packet_route::address::{AddressAttribute, AddressMessage};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};
use rtnetlink::{Handle, MulticastGroup};
use tokio::task::JoinHandle;
use tokio::time::{Sleep, sleep};

use super::bridges::{self, BridgeError};
use super::dump::dump;
use super::nexthop_watch::NexthopWatch;
use super::{
    Effect, Event, Link, Neighbour, NetError, NetState, PolicyRule, Resolver, Route, SideDevice,
    SideDeviceError, Station,
};

const GROUPS: [MulticastGroup; 8] = [
    MulticastGroup::Link,
    MulticastGroup::Neigh,
    MulticastGroup::Ipv4Ifaddr,
    MulticastGroup::Ipv4Route,
    MulticastGroup::Ipv4Rule,
    MulticastGroup::Ipv6Ifaddr,
    MulticastGroup::Ipv6Route,
    MulticastGroup::Ipv6Rule,
];

/// What comes in a burst, such as a link that goes down with all its routes, costs one dump.
const SETTLE: Duration = Duration::from_millis(20);

/// After a dump that the kernel refused.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// Notifications taken in before the caller hears of them, so that a flood of changes cannot
/// hold back the first of them for ever.
const BURST: usize = 1024;

type Message = NetlinkMessage<RouteNetlinkMessage>;
type Notices = Box<dyn Stream<Item = Message> + Send + Unpin>;
type Dump = Pin<Box<dyn Future<Output = Result<NetState, NetError>> + Send>>;

/// How the state is kept current. What is under way lives here and not in the caller's future, which
/// is cancelled at each event of another kind.
enum Progress {
    /// Nothing is missing but what will be heard.
    Hears,
    /// A dump is due when this has elapsed.
    Settles(Pin<Box<Sleep>>),
    /// What is heard meanwhile waits, and is taken in on top of the dump.
    Reads(Dump),
    /// The socket is gone, and this has been said.
    Deaf,
}

impl Progress {
    fn settle(time: Duration) -> Self {
        Self::Settles(Box::pin(sleep(time)))
    }
}

/// A live [`NetState`]. Works in the network namespace of the thread that opened it.
pub struct Netlink {
    handle: Handle,
    notices: Notices,
    nexthops: NexthopWatch,
    state: NetState,
    progress: Progress,
    /// What has changed since the caller last heard of anything; `None`: more than neighbours.
    touched: Option<Touched>,
    tasks: [JoinHandle<()>; 2],
}

impl Netlink {
    /// Opens the sockets and reads everything. Needs a tokio runtime.
    ///
    /// # Errors
    /// No socket, or the kernel refuses a dump.
    pub async fn open() -> Result<Self, NetError> {
        // The groups first: what changes during the dump is heard after it.
        let (hearing, _, notices) = rtnetlink::new_multicast_connection(&GROUPS)?;
        let nexthops = NexthopWatch::open()?;
        let (asking, handle, _) = rtnetlink::new_connection()?;
        let tasks = [tokio::spawn(hearing), tokio::spawn(asking)];
        let notices = Box::new(notices.map(|(message, _)| message));
        let (state, progress, touched) = (NetState::default(), Progress::Hears, Some(Touched::default()));
        let mut netlink = Self { handle, notices, nexthops, state, progress, touched, tasks };
        netlink.state = dump(netlink.handle.clone()).await?;
        Ok(netlink)
    }

    /// The state as of the last call of [`changed`](Self::changed).
    #[must_use]
    pub fn state(&self) -> &NetState {
        &self.state
    }

    /// Makes sure that a bridge of this name is there with these ports, see [`bridges`].
    ///
    /// # Errors
    /// See [`BridgeError`].
    pub async fn provide_bridge(&mut self, name: &str, ports: &[&str]) -> Result<(), BridgeError> {
        if bridges::provide(&self.handle, &self.state, name, ports).await? {
            self.state = dump(self.handle.clone()).await?;
        }
        Ok(())
    }

    /// A device by which packets with a mark leave.
    ///
    /// # Errors
    /// See [`SideDeviceError`].
    pub async fn side_device(&self, mark: u32) -> Result<SideDevice, SideDeviceError> {
        SideDevice::new(self.handle.clone(), mark).await
    }

    /// Resolves neighbours through the same kernel.
    #[must_use]
    pub fn resolver(&self) -> Resolver {
        Resolver::new(self.handle.clone())
    }

    /// Waits until something changes that a snapshot shows. May be cancelled at any point: the next
    /// call goes on where this one was.
    ///
    /// # Errors
    /// The kernel refuses a dump, which is tried again a second later; or the socket is gone, which
    /// is said once: from then on nothing changes.
    pub async fn changed(&mut self) -> Result<Change, NetError> {
        loop {
            match &mut self.progress {
                Progress::Hears => {
                    let notice = tokio::select! {
                        notice = self.notices.next() => notice,
                        () = self.nexthops.changed() => {
                            self.progress = Progress::settle(SETTLE);
                            continue;
                        }
                    };
                    let Some(notice) = notice else {
                        self.progress = Progress::Deaf;
                        return Err(NetError::Closed);
                    };
                    let first = self.take_in(notice);
                    let rest = self.take_in_what_waits();
                    if first.max(rest) == Effect::Changed {
                        return Ok(self.take_change());
                    }
                }
                Progress::Settles(time) => {
                    time.as_mut().await;
                    self.take_in_what_waits();
                    self.nexthops.forget();
                    self.progress = Progress::Reads(Box::pin(dump(self.handle.clone())));
                }
                Progress::Reads(dump) => {
                    let fresh = dump.as_mut().await;
                    let is_fresh = fresh.is_ok();
                    self.progress = if is_fresh { Progress::Hears } else { Progress::settle(TRY_AGAIN) };
                    self.state = fresh?;
                    self.touched = Some(Touched::default());
                    return Ok(Change::Whole);
                }
                Progress::Deaf => std::future::pending().await,
            }
        }
    }

    fn take_in_what_waits(&mut self) -> Effect {
        let mut effect = Effect::Nothing;
        for _ in 0..BURST {
            let Some(Some(notice)) = self.notices.next().now_or_never() else { break };
            effect = effect.max(self.take_in(notice));
        }
        effect
    }

    fn take_in(&mut self, notice: Message) -> Effect {
        let effect = match notice.payload {
            NetlinkPayload::InnerMessage(message) => {
                let replace = notice.header.flags & NLM_F_REPLACE != 0;
                event(message, replace).map_or(Effect::Nothing, |event| self.apply(event))
            }
            NetlinkPayload::Overrun(_) => Effect::Incomplete,
            _ => Effect::Nothing,
        };
        // A dump that is due already will tell.
        if effect == Effect::Incomplete && matches!(self.progress, Progress::Hears) {
            self.progress = Progress::settle(SETTLE);
        }
        effect
    }
}

impl std::fmt::Debug for Netlink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Netlink").field("state", &self.state).finish_non_exhaustive()
    }
}

impl Drop for Netlink {
    fn drop(&mut self) {
        // The task that hears; the one that asks ends with the last resolver's handle.
        self.tasks[0].abort();
    }
}

pub(super) fn event(message: RouteNetlinkMessage, replace: bool) -> Option<Event> {
    match message {
        RouteNetlinkMessage::NewLink(m) => link(m).map(Event::Link),
        // A port that leaves its bridge is told as a deletion too, of the bridge's family.
        RouteNetlinkMessage::DelLink(m) if m.header.interface_family == AddressFamily::Unspec => {
            Some(Event::LinkGone(m.header.index))
        }
        RouteNetlinkMessage::NewAddress(m) => {
            address(&m).map(|address| Event::Address(m.header.index, address))
        }
        RouteNetlinkMessage::DelAddress(m) => {
            address(&m).map(|address| Event::AddressGone(m.header.index, address))
        }
        RouteNetlinkMessage::NewRoute(m) => Route::from_message(m).map(|route| Event::Route(route, replace)),
        RouteNetlinkMessage::DelRoute(m) => Route::from_message(m).map(Event::RouteGone),
        RouteNetlinkMessage::NewRule(m) => PolicyRule::from_message(&m).map(Event::Rule),
        RouteNetlinkMessage::DelRule(m) => PolicyRule::from_message(&m).map(Event::RuleGone),
        RouteNetlinkMessage::NewNeighbour(m) if m.header.family == AddressFamily::Bridge => {
            Station::from_message(&m).map(Event::Station)
        }
        RouteNetlinkMessage::DelNeighbour(m) if m.header.family == AddressFamily::Bridge => {
            Station::from_message(&m).map(Event::StationGone)
        }
        RouteNetlinkMessage::NewNeighbour(m) => Neighbour::from_message(&m).map(Event::Neighbour),
        RouteNetlinkMessage::DelNeighbour(m) => {
            Neighbour::from_message(&m).map(|n| Event::NeighbourGone(n.interface, n.address))
        }
        _ => None,
    }
}

fn link(message: rtnetlink::packet_route::link::LinkMessage) -> Option<Link> {
    (message.header.interface_family == AddressFamily::Unspec).then(|| Link::from_message(message))?
}

/// On a point-to-point link the plain attribute is the peer's address, the local one the box's.
fn address(message: &AddressMessage) -> Option<IpAddr> {
    let local = message.attributes.iter().find_map(|a| match a {
        AddressAttribute::Local(address) => Some(*address),
        _ => None,
    });
    local.or_else(|| {
        message.attributes.iter().find_map(|a| match a {
            AddressAttribute::Address(address) => Some(*address),
            _ => None,
        })
    })
}

#[cfg(test)]
#[path = "netlink_tests.rs"]
mod tests;
