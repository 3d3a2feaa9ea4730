//! Packets that have waited for the MAC address of their next hop.

use super::Worker;
use super::punt::Punt;
use crate::capture::Became;
use crate::io::PacketIo;
use crate::packet::Packet;
use crate::pipeline;
use crate::types::InterfaceId;
use crate::types::Tick;
use crate::unresolved::{Held, Missing};
use crate::verdict::{DropReason, Verdict};

impl<I: PacketIo> Worker<I> {
    /// Sends what waits for neighbours that the snapshot has now: before packets that come after it.
    #[inline(always)]
    pub(super) fn send_resolved(&mut self, now: Tick) {
        if !self.own.unresolved.is_idle() {
            self.send_resolved_packets(now);
        }
    }

    #[cold]
    fn send_resolved_packets(&mut self, now: Tick) {
        let snapshot = self.links.snapshots.load();
        self.own.unresolved.look(snapshot.generation, snapshot.fib.neighbours());
        while let Some((next_hop, Held { ingress, frame })) = self.own.unresolved.take_ready() {
            self.fill_spares();
            let mut packet = Packet::arrived(ingress, frame);
            let mut context = self.own.context(&mut self.links, now);
            pipeline::resume(&mut packet, &mut context, &next_hop);
            self.send_waited(packet, now);
            self.send_copies(now);
        }
    }

    fn send_waited(&mut self, packet: Packet, now: Tick) {
        let Packet { frame, ingress, verdict, .. } = packet;
        match verdict {
            Verdict::Transmit(interface) if ingress == InterfaceId::NOWHERE => {
                self.send_own(interface, frame, now);
            }
            Verdict::Transmit(interface) => {
                if let Some(capture) = &self.links.snapshots.load().capture {
                    let became = Became::Sent(interface);
                    capture.show(self.last_round, Some(ingress), became, frame.bytes());
                }
                match self.io.transmit(interface, frame) {
                    Ok(()) => self.links.counters.forwarded.add(1),
                    Err((frame, refused)) => {
                        self.drop_held(Held { ingress, frame }, super::deliver::reason_of(refused), now);
                    }
                }
            }
            Verdict::Drop(reason) => self.drop_held(Held { ingress, frame }, reason, now),
            _ => self.drop_held(Held { ingress, frame }, DropReason::NeighbourMissing, now),
        }
    }

    /// Gives up packets that have waited for long enough, and asks again for what the others wait for.
    #[cold]
    pub(super) fn drop_unresolved(&mut self, now: Tick) {
        self.own.unresolved.pass_time(now);
        while let Some(held) = self.own.unresolved.take_given_up() {
            self.drop_held(held, DropReason::NeighbourMissing, now);
        }
        self.report(None);
    }

    /// Drops a packet that has waited. One that the node has made was not received, and is no drop.
    pub(super) fn drop_held(&mut self, Held { ingress, frame }: Held, reason: DropReason, now: Tick) {
        if ingress != InterfaceId::NOWHERE {
            self.links.counters.recorder.record(reason, ingress, frame.bytes(), now);
            if let Some(capture) = &self.links.snapshots.load().capture {
                capture.show(self.last_round, Some(ingress), Became::Dropped(reason), frame.bytes());
            }
            self.links.counters.drops[reason.index()].add(1);
        }
        self.io.recycle(frame);
    }

    /// Reports to management which neighbours are to be resolved, and which one seems to have moved. What finds no
    /// room in the channel is reported again.
    #[cold]
    pub(super) fn report_neighbours(&mut self) {
        let (unresolved, punts) = (&mut self.own.unresolved, &self.links.punts);
        let mut has_sent = false;
        unresolved.report(|Missing { interface, address }| {
            let sent = punts.report(Punt::NeighbourMissing { interface, address });
            has_sent |= sent;
            sent
        });
        if punts.takes_reports()
            && let Some(Missing { interface, address }) = unresolved.take_moved()
        {
            has_sent |= punts.report(Punt::NeighbourMoved { interface, address });
        }
        self.punted |= has_sent;
    }
}
