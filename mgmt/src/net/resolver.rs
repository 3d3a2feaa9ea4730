//! Asks the kernel to find neighbours, and to keep those fresh that the data plane depends on; and reports to
//! it what only the data plane hears: where hosts are, and to its bridges where stations are.
//!
//! A managed entry (`NTF_EXT_MANAGED`, Linux 5.16) is resolved and proved again by the kernel for
//! as long as it exists. On older kernels the flag is ignored and the request resolves once; call
//! [`Resolver::keep`] every few seconds there as well as after each change.

use std::collections::BTreeSet;
use std::net::IpAddr;

use dataplane::types::Mac;
use futures_util::{StreamExt, stream};
use rtnetlink::Handle;
use rtnetlink::packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload,
};
use rtnetlink::packet_route::neighbour::{
    self as wire, NeighbourAttribute, NeighbourExtFlags, NeighbourFlags, NeighbourMessage,
};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};

use super::{Lesson, Neighbour, NeighbourState, NetError};

/// A link's number and an address on it.
pub type NeighbourId = (u32, IpAddr);

/// Requests that are under way simultaneously: as many as the kernel answers before the next event is due.
const AT_ONCE: usize = 32;

/// What is asked of the kernel about one neighbour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NeighbourRequest {
    /// It is to be found; or to be verified, if it is known and stale.
    Resolve(NeighbourId),
    /// It has been heard.
    Teach(Lesson),
}

impl NeighbourRequest {
    /// Which neighbour.
    #[must_use]
    pub fn id(&self) -> NeighbourId {
        match self {
            Self::Resolve(id) => *id,
            Self::Teach(lesson) => lesson.id,
        }
    }
}

/// See the module's head.
#[derive(Debug)]
pub struct Resolver {
    handle: Handle,
    kept: BTreeSet<NeighbourId>,
}

impl Resolver {
    pub(super) fn new(handle: Handle) -> Self {
        Self { handle, kept: BTreeSet::new() }
    }

    /// Makes all of these requests; those that failed come back.
    pub async fn perform(&self, requests: &[NeighbourRequest]) -> Vec<(NeighbourId, NetError)> {
        let perform = |request: &NeighbourRequest| {
            let request = *request;
            async move {
                let done = match request {
                    NeighbourRequest::Resolve((interface, address)) => self.resolve(interface, address).await,
                    NeighbourRequest::Teach(lesson) => self.teach(lesson).await,
                };
                done.err().map(|error| (request.id(), error))
            }
        };
        let all = stream::iter(requests).map(perform).buffer_unordered(AT_ONCE);
        all.filter_map(std::future::ready).collect().await
    }

    /// Reports to the kernel where a neighbour is. The entry is stale: the kernel verifies it when it is used.
    async fn teach(&self, lesson: Lesson) -> Result<(), NetError> {
        let Lesson { id, mac, creates } = lesson;
        if creates && self.create(id, taught(id, mac, None)).await? {
            return Ok(());
        }
        let Some(entry) = self.entry(id).await? else { return Ok(()) };
        if entry.state.fixed() || entry.usable_mac() == Some(mac) {
            return Ok(());
        }
        let mut message =
            NetlinkMessage::from(RouteNetlinkMessage::NewNeighbour(taught(id, mac, Some(&entry))));
        message.header.flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_REPLACE;
        self.ask(id, message).await?;
        // With the flag the kernel takes no address, and without it ends its care.
        if entry.managed { self.request(id, true, true).await } else { Ok(()) }
    }

    /// Makes an entry; `false`: there is one.
    async fn create(&self, id: NeighbourId, message: NeighbourMessage) -> Result<bool, NetError> {
        let mut message = NetlinkMessage::from(RouteNetlinkMessage::NewNeighbour(message));
        message.header.flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
        match self.ask(id, message).await {
            Ok(_) => Ok(true),
            Err(error) if error.code() == Some(libc::EEXIST) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Starts resolution of a neighbour that a packet waits for.
    ///
    /// # Errors
    /// The kernel refuses: the link is gone or down.
    pub async fn resolve(&self, interface: u32, address: IpAddr) -> Result<(), NetError> {
        let id = (interface, address);
        let entry = self.entry(id).await?;
        if entry.as_ref().is_some_and(|n| n.state.fixed()) {
            return Ok(());
        }
        // Without the flag the request would end the kernel's care for a kept entry.
        self.request(id, entry.is_some(), self.kept.contains(&id)).await
    }

    /// Makes the kernel keep exactly these neighbours fresh: begins with new ones, repairs those
    /// that were flushed meanwhile, and lets go of the others. Entries that an operator has made
    /// permanent are never touched. All are tried; what failed comes back.
    pub async fn keep(&mut self, wanted: &BTreeSet<NeighbourId>) -> Vec<(NeighbourId, NetError)> {
        let mut failed = Vec::new();
        for id in self.kept.difference(wanted).copied().collect::<Vec<_>>() {
            self.kept.remove(&id);
            // A link that is gone has taken its entries along.
            if let Err(error) = self.let_go(id).await {
                tracing::debug!(neighbour = %id.1, %error, "neighbour not released");
            }
        }
        for &id in wanted {
            match self.hold(id).await {
                Ok(true) => {
                    self.kept.insert(id);
                }
                Ok(false) => {
                    self.kept.remove(&id);
                }
                Err(error) => failed.push((id, error)),
            }
        }
        failed
    }

    /// Lets go of all of them; for the end of the daemon.
    pub async fn release(&mut self) {
        self.keep(&BTreeSet::new()).await;
    }

    /// Whether the entry is ours to let go of later.
    async fn hold(&self, id: NeighbourId) -> Result<bool, NetError> {
        match self.entry(id).await? {
            Some(entry) if entry.state.fixed() => Ok(false),
            // Also one that another program manages already: nothing to do, and not ours to end.
            Some(entry) if entry.managed => Ok(self.kept.contains(&id)),
            Some(entry) if entry.state == NeighbourState::Reachable && self.kept.contains(&id) => Ok(true),
            entry => self.request(id, entry.is_some(), true).await.map(|()| true),
        }
    }

    async fn let_go(&self, id: NeighbourId) -> Result<(), NetError> {
        match self.entry(id).await? {
            Some(entry) if entry.managed && !entry.state.fixed() => self.request(id, true, false).await,
            _ => Ok(()),
        }
    }

    /// The kernel's entry as it is now: the request below would take the permanence off an
    /// operator's entry, and what was heard of it may be older than that.
    async fn entry(&self, id: NeighbourId) -> Result<Option<Neighbour>, NetError> {
        let mut message = NetlinkMessage::from(RouteNetlinkMessage::GetNeighbour(about(id)));
        message.header.flags = NLM_F_REQUEST;
        match self.ask(id, message).await {
            Ok(answer) => Ok(answer),
            Err(error) if error.code() == Some(libc::ENOENT) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// `NTF_USE` starts resolution; `managed` sets the kernel's care, its absence takes it off.
    async fn request(&self, id: NeighbourId, exists: bool, managed: bool) -> Result<(), NetError> {
        let mut message = about(id);
        message.header.flags = NeighbourFlags::Use;
        if managed {
            message.attributes.push(NeighbourAttribute::ExtFlags(NeighbourExtFlags::Managed));
        }
        let mut message = NetlinkMessage::from(RouteNetlinkMessage::NewNeighbour(message));
        // Exclusive, so that an entry which an operator adds at this moment stays as it is.
        let how = if exists { NLM_F_REPLACE } else { NLM_F_CREATE | NLM_F_EXCL };
        message.header.flags = NLM_F_REQUEST | NLM_F_ACK | how;
        self.ask(id, message).await.map(drop)
    }

    /// Tells a port's bridge that a station was heard there, as if it had heard it itself: it learns the
    /// station, and forgets it in its own time.
    ///
    /// # Errors
    /// The kernel refuses: the link is no port of a bridge.
    pub async fn heard(&self, port: u32, station: Mac) -> Result<(), NetError> {
        let mut message = NeighbourMessage::default();
        message.header.family = AddressFamily::Bridge;
        message.header.ifindex = port;
        message.header.state = wire::NeighbourState::Reachable;
        message.header.flags = NeighbourFlags::Controller | NeighbourFlags::Use;
        message.attributes.push(NeighbourAttribute::LinkLayerAddress(station.0.to_vec()));
        let mut message = NetlinkMessage::from(RouteNetlinkMessage::NewNeighbour(message));
        message.header.flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE;
        self.exchange(&format!("station {station} on link {port}"), message).await.map(drop)
    }

    async fn ask(
        &self,
        (interface, address): NeighbourId,
        message: NetlinkMessage<RouteNetlinkMessage>,
    ) -> Result<Option<Neighbour>, NetError> {
        self.exchange(&format!("neighbour {address} on link {interface}"), message).await
    }

    async fn exchange(
        &self,
        what: &str,
        message: NetlinkMessage<RouteNetlinkMessage>,
    ) -> Result<Option<Neighbour>, NetError> {
        let failed = |error| NetError::request(what)(error);
        let mut answers = self.handle.clone().request(message).map_err(failed)?;
        let mut found = None;
        while let Some(answer) = answers.next().await {
            match answer.payload {
                NetlinkPayload::Error(e) if e.code.is_some() => {
                    return Err(failed(rtnetlink::Error::NetlinkError(e)));
                }
                NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewNeighbour(m)) => {
                    found = Neighbour::from_message(&m);
                }
                _ => {}
            }
        }
        Ok(found)
    }
}

/// An entry that was heard. A router stays one, and keeps its default route.
fn taught(id: NeighbourId, mac: Mac, before: Option<&Neighbour>) -> NeighbourMessage {
    let mut message = about(id);
    message.header.state = wire::NeighbourState::Stale;
    if before.is_some_and(|entry| entry.router) {
        message.header.flags = NeighbourFlags::Router;
    }
    message.attributes.push(NeighbourAttribute::LinkLayerAddress(mac.0.to_vec()));
    message
}

fn about((interface, address): NeighbourId) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    message.header.ifindex = interface;
    message.attributes.push(NeighbourAttribute::Destination(address.into()));
    message
}
