//! The least that a forwarder over AF_XDP does: what the whole data plane is measured against.
//!
//! The same steering program, sockets, rings and memory as a worker's; between receiving and
//! sending, new MAC addresses and nothing else.

use std::net::IpAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::channel::Channel;
use crate::error::StartError;
use crate::io::xsk::XskIo;
use crate::io::{Frame, PacketIo};
use crate::limits::BATCH;
use crate::snapshot::{Interface, Snapshot, Vip};
use crate::types::{InterfaceId, Mac, Prefix, QueueId};
use crate::xdp::InterfaceSetup;
use crate::xdp::RingStatus;
use crate::xdp::{OpenError, Program, Queue, Socket, SocketHandle, Umem, Wake};

const INGRESS: InterfaceId = InterfaceId(0);
const EGRESS: InterfaceId = InterfaceId(1);

/// See the module's head.
#[derive(Debug, Clone)]
pub struct Forwarder {
    /// Where frames come in; its first queue is used.
    pub ingress: InterfaceSetup,
    /// Where they leave; its first queue is used.
    pub egress: InterfaceSetup,
    /// What they are addressed to.
    pub vip: IpAddr,
    /// Where they are addressed to below that: the ingress's own.
    pub own: Mac,
    /// Their new source.
    pub source: Mac,
    /// Their new destination.
    pub destination: Mac,
    /// Where it runs.
    pub core: usize,
}

/// What a forwarder has counted.
#[derive(Debug, Clone, Default)]
pub struct Forwarded {
    /// Frames put into the TX ring.
    pub forwarded: u64,
    /// Frames that the TX ring had no room for.
    pub tx_ring_full: u64,
    /// The kernel's counters.
    pub rings: Vec<RingStatus>,
}

impl Forwarder {
    /// Forwards on this thread, which it pins, until `stop`. Never sleeps.
    pub fn run(&self, stop: &AtomicBool) -> Result<Forwarded, StartError> {
        if !core_affinity::set_for_current(core_affinity::CoreId { id: self.core }) {
            return Err(refused(&format!("cannot be pinned to core {}", self.core)));
        }
        let mut program = Program::load()?;
        let mut steered = Snapshot::default();
        steered.vips.insert(Prefix::host(self.vip), Vip::default());
        steered.interfaces.push(Interface { mac: self.own, mtu: 1500, bridge: None, bridge_mac: None });
        program.steering.add(&steered).map_err(|error| refused(&error))?;

        let umem = Umem::new(Umem::chunks_for(2, 0)).map_err(|error| refused(&error))?;
        let mut sockets = Vec::new();
        for (id, setup) in [(INGRESS, &self.ingress), (EGRESS, &self.egress)] {
            sockets.push(open(&umem, &mut program, id, setup)?);
        }
        let handles: Vec<_> = sockets.iter().map(Socket::handle).collect();
        let wake = Arc::new(Wake::new().map_err(|error| refused(&error))?);
        let mut io = XskIo::new(umem, wake, Channel::new());
        io.attach(sockets);
        for (id, setup) in [(INGRESS, &self.ingress), (EGRESS, &self.egress)] {
            program.attach(setup, id)?;
        }

        let mut counted = Forwarded::default();
        let mut batch = Vec::with_capacity(BATCH);
        while !stop.load(Ordering::Relaxed) {
            self.round(&mut io, &mut batch, &mut counted);
        }
        counted.rings = handles.iter().filter_map(SocketHandle::statistics).collect();
        Ok(counted)
    }

    /// One pass over all rings.
    fn round(&self, io: &mut XskIo, batch: &mut Vec<Frame>, counted: &mut Forwarded) {
        for ring in 0..io.rings() {
            io.receive(ring, BATCH, |_, frame| batch.push(frame));
            for mut frame in batch.drain(..) {
                self.readdress(frame.bytes_mut());
                match io.transmit(EGRESS, frame) {
                    Ok(()) => counted.forwarded += 1,
                    Err((frame, _)) => {
                        counted.tx_ring_full += 1;
                        io.recycle(frame);
                    }
                }
            }
        }
        io.flush();
    }

    fn readdress(&self, frame: &mut [u8]) {
        if let Some((destination, rest)) = frame.split_first_chunk_mut()
            && let Some(source) = rest.first_chunk_mut()
        {
            *destination = self.destination.0;
            *source = self.source.0;
        }
    }
}

/// A socket on the first queue of an interface, known to the program.
fn open(
    umem: &Umem,
    program: &mut Program,
    id: InterfaceId,
    setup: &InterfaceSetup,
) -> Result<Socket, StartError> {
    let queue = QueueId(0);
    let at = Queue { interface: id, index: setup.index, queue };
    let explain = |reason| {
        StartError::from(OpenError::Socket { interface: setup.name.clone(), queue: queue.0, reason })
    };
    let socket = Socket::open(umem.region(), at, setup.xdp).map_err(|error| explain(error.to_string()))?;
    program.set_socket(id, queue, socket.as_fd()).map_err(|error| explain(error.to_string()))?;
    Ok(socket)
}

fn refused(why: &dyn std::fmt::Display) -> StartError {
    StartError::Worker { worker: 0, reason: why.to_string() }
}
