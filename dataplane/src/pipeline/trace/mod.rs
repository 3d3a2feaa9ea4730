//! What would happen to a packet, stage by stage, and why: for who asks without sending it.
//!
//! The code is that of the stages wherever it changes nothing: parsing, the look-up, the choice of a backend, the rewrite
//! and the way out are theirs. What is used up by being asked for (rates, room for flows, ports of source-NAT pools, answers) is
//! not asked for.

mod frame;
mod node;
mod walk;

use std::io;
use std::net::SocketAddr;

use super::answer::Budget;
use super::context::Context;
use super::openings::Openings;
use super::pick::Why;
use super::source::Draws;
use super::spares::Spares;
use crate::flow::FlowState;
use crate::flow::{FlowTable, Keeper};
use crate::fragment::Fragments;
use crate::io::Frame;
use crate::limits::{HEADROOM, MAX_FRAME};
use crate::packet::Packet;
use crate::snapshot::{Fate, Snapshot};
use crate::stats::WorkerCounters;
use crate::syn_proxy::Secret;
use crate::types::Tick;
use crate::types::{BackendId, InterfaceId, Protocol, ServiceId, VlanId, WorkerId};
use crate::unresolved::Unresolved;
use crate::verdict::DropReason;
use crate::xdp::Umem;

/// A packet in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    /// Who sends it; of an echo request, the port is of no use.
    pub source: SocketAddr,
    /// Whom to; of the same family.
    pub destination: SocketAddr,
    /// `None`: an ICMP echo request.
    pub protocol: Option<Protocol>,
}

/// What is found out about a packet, in the order of the stages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// It came in by this interface.
    Arrives(InterfaceId),
    /// Its source is an address of the node: it comes in by no interface.
    OwnAddress,
    /// What it is.
    Parsed {
        /// Its source.
        source: SocketAddr,
        /// Its destination. Of an ICMP error, both are those of the packets that it goes with.
        destination: SocketAddr,
        /// Of the packet, or of the one that an error quotes.
        protocol: Protocol,
        /// In words.
        kind: &'static str,
        /// From the IP header on.
        length: u16,
        /// Of the outermost tag; 0: none.
        vlan: VlanId,
    },
    /// Whether the virtual router that the address belongs to is this box now.
    Master(bool),
    /// It belongs to a flow.
    Flow {
        /// Whose.
        backend: BackendId,
        /// From the backend to the client.
        is_reply: bool,
        /// Where the flow is in its life.
        state: FlowState,
        /// What becomes of the backend's flows.
        fate: Fate,
    },
    /// No flow is known for it.
    NoFlow,
    /// The flow is over: what follows is about another one.
    BeginsAnew,
    /// Both sides get a reset in its place.
    IsReset,
    /// It is for a service.
    Service(ServiceId),
    /// It is for none: a backend's own traffic, which is forwarded as it is.
    AsItIs,
    /// Whether the service's access list lets the client in.
    Access(bool),
    /// It is from the middle of a connection.
    Stray,
    /// A backend is chosen.
    Chosen {
        /// Which.
        backend: BackendId,
        /// Why; `None`: the packet alone says so, as of a connection that nobody remembers.
        why: Option<Why>,
    },
}

/// What becomes of the packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It leaves.
    Forwarded {
        /// By this interface.
        interface: InterfaceId,
        /// Looking like this.
        frame: Vec<u8>,
    },
    /// The steering program leaves it to Linux: no worker sees it.
    ToLinux,
    /// Linux sends it, as any packet of its own.
    SentByLinux,
    /// It is one of the node to a virtual IP of the node, which has no clients on the node itself.
    NotServed,
    /// It goes to the management thread.
    ToManagement,
    /// It is a later fragment: it gets the ports of the first one, or waits for it.
    Fragment,
    /// It waits until the MAC address of its next hop is known.
    Waits,
    /// It is answered: an echo request, or a handshake by a cookie.
    Answered,
    /// It is dropped, and its sender is told by a reset.
    Reset,
    /// It is longer than what the way takes: it is cut if it may be, else its sender is told.
    TooBig {
        /// What the way takes of it.
        mtu: u16,
    },
    /// It is dropped.
    Dropped(DropReason),
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traced {
    /// The packet as it was asked about.
    pub frame: Vec<u8>,
    /// What was found out.
    pub steps: Vec<Step>,
    /// What becomes of it.
    pub outcome: Outcome,
}

pub use crate::packet::{Detail, Ends, ends};

/// All that stages write to besides the packet, so that it is nobody's.
#[derive(Debug)]
pub(crate) struct Tracer {
    umem: Umem,
    keeper: Keeper,
    counters: WorkerCounters,
    fragments: Fragments,
    answers: Budget,
    spares: Spares,
    openings: Openings,
    draws: Draws,
    secret: Secret,
    unresolved: Unresolved,
}

impl Tracer {
    /// Has memory for one frame, as long as the process lives.
    pub(crate) fn new(table: &FlowTable) -> io::Result<Self> {
        Ok(Self {
            umem: Umem::new(1)?,
            keeper: Keeper::new(table, WorkerId(0)),
            counters: WorkerCounters::new(0),
            fragments: Fragments::new(),
            answers: Budget::new(),
            spares: Spares::new(),
            openings: Openings::new(),
            draws: Draws::new(WorkerId(0)),
            secret: Secret::random(),
            unresolved: Unresolved::new(),
        })
    }

    /// The packet in words. Of TCP it is a SYN, or a segment of the connection that is there.
    pub(crate) fn described(
        &mut self,
        (snapshot, table): (&Snapshot, &FlowTable),
        ingress: Option<InterfaceId>,
        question: &Question,
        now: Tick,
    ) -> Option<Traced> {
        let own = node::own(snapshot, question, now).filter(|_| ingress.is_none());
        let ingress = ingress.unwrap_or_else(|| frame::towards(snapshot, question.source.ip()));
        let macs = frame::macs(snapshot, ingress, question);
        let opening = frame::build(question, macs, true)?;
        if let Some((steps, outcome)) = own {
            return Some(Traced { frame: opening, steps, outcome });
        }
        let traced = self.frame((snapshot, table), ingress, &opening, now);
        let is_known = traced.steps.iter().any(|step| matches!(step, Step::Flow { .. }));
        if !is_known || question.protocol != Some(Protocol::Tcp) {
            return Some(traced);
        }
        let segment = frame::build(question, macs, false)?;
        Some(self.frame((snapshot, table), ingress, &segment, now))
    }

    /// A frame; longer ones than a worker can get are cut.
    pub(crate) fn frame(
        &mut self,
        (snapshot, table): (&Snapshot, &FlowTable),
        ingress: InterfaceId,
        bytes: &[u8],
        now: Tick,
    ) -> Traced {
        let mut steps = vec![Step::Arrives(ingress)];
        let bytes = bytes.get(..bytes.len().min(MAX_FRAME)).unwrap_or_default();
        let Some(chunk) = self.umem.take() else {
            // It is given back below each time.
            return Traced { frame: bytes.to_vec(), steps, outcome: Outcome::Dropped(DropReason::NotOurs) };
        };
        let mut copy = Frame::new(chunk, HEADROOM, 0);
        copy.fill(bytes);
        let mut packet = Packet::made(copy);
        packet.ingress = ingress;
        self.unresolved.pass_time(now);
        let mut context = Context {
            snapshot,
            table,
            keeper: &mut self.keeper,
            counters: &self.counters,
            now,
            fragments: &mut self.fragments,
            answers: &mut self.answers,
            spares: &mut self.spares,
            openings: &mut self.openings,
            draws: &mut self.draws,
            secret: &self.secret,
            is_overloaded: false,
            asked: None,
            unresolved: &mut self.unresolved,
            station: None,
        };
        let outcome = match walk::walk(&mut packet, &mut context, &mut steps) {
            Ok(interface) if interface.unresolved_slot().is_some() => Outcome::Waits,
            Ok(interface) => Outcome::Forwarded { interface, frame: packet.frame.bytes().to_vec() },
            Err(outcome) => outcome,
        };
        self.umem.give(packet.frame.into_chunk());
        Traced { frame: bytes.to_vec(), steps, outcome }
    }
}
