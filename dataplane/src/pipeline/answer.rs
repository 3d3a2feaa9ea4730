//! What is answered instead of being forwarded: the sender of a dropped packet is told why, where
//! the Internet's protocols have a word for it.

use std::net::IpAddr;

use super::context::Context;
use crate::flow::Addresses;
use crate::limits::ANSWERS_PER_SECOND;
use crate::mode::icmp_reply::{self, IcmpError};
use crate::mode::refusal::Refusal;
use crate::mode::reset;
use crate::packet::Packet;
use crate::packet::{Content, Headers};
use crate::recorder::Glimpse;
use crate::types::Mac;
use crate::types::Tick;
use crate::verdict::{DropReason, Verdict};
use crate::wire::WireError;

/// Why a packet goes no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// It is dropped.
    Drop(DropReason),
    /// It is longer than the way ahead carries; a packet of `mtu` bytes would have fitted.
    TooBig { mtu: u16 },
    /// Nobody knows its connection, and the service wants its sender to know.
    Reset,
    /// Its answer stands in its frame already.
    Answered,
}

impl From<DropReason> for Stop {
    fn from(reason: DropReason) -> Self {
        Self::Drop(reason)
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Drop(refusal.into())
    }
}

impl From<Refusal> for DropReason {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Broken(WireError::Truncated) => Self::Truncated,
            Refusal::Broken(WireError::Malformed) => Self::BadHeader,
            Refusal::TtlExceeded => Self::TtlExceeded,
            Refusal::BadChecksum => Self::BadChecksum,
            Refusal::NotCarried | Refusal::NoPorts | Refusal::UnknownProtocol => Self::IcmpError,
            Refusal::TooLong => Self::TooLong,
            Refusal::ExtensionHeaders
            | Refusal::SourceRouted
            | Refusal::NoChecksum
            | Refusal::WrongFamily => Self::Untranslatable,
        }
    }
}

/// How many answers a worker may still send: a token bucket (RFC 1812 section 4.3.2.8, RFC 4443 section
/// 2.4 (f)).
#[derive(Debug)]
pub(crate) struct Budget {
    /// In thousandths of an answer.
    credit: u32,
    last: Tick,
}

impl Budget {
    /// What silence saves up at most.
    const FULL: u32 = ANSWERS_PER_SECOND / 10 * 1000;

    pub(crate) fn new() -> Self {
        Self { credit: Self::FULL, last: Tick::default() }
    }

    pub(super) fn take(&mut self, now: Tick) -> bool {
        let elapsed = now.millis_since(self.last).min(1000);
        self.last = now;
        self.credit = (self.credit + elapsed * ANSWERS_PER_SECOND).min(Self::FULL);
        let allowed = self.credit >= 1000;
        if allowed {
            self.credit -= 1000;
        }
        allowed
    }
}

/// The verdict on a packet that goes no further.
pub(super) fn verdict(
    packet: &mut Packet,
    context: &mut Context<'_>,
    headers: &Headers,
    stop: Stop,
) -> Verdict {
    let reason = match stop {
        // As with an echo: what comes goes, in another shape.
        Stop::Answered => {
            own_source(packet, context);
            return Verdict::Transmit(packet.ingress);
        }
        Stop::Drop(reason) => reason,
        Stop::TooBig { .. } => DropReason::TooLong,
        Stop::Reset => DropReason::NoFlow,
    };
    let (network, length) = (usize::from(headers.network), usize::from(headers.packet_length));
    // An answer is written into the frame.
    let is_answerable = !matches!(stop, Stop::Drop(reason) if reason != DropReason::TtlExceeded);
    let seen = is_answerable.then(|| Glimpse::of(packet.frame.bytes()));
    let answered = match stop {
        Stop::TooBig { mtu } => error(packet, context, headers, IcmpError::TooBig { mtu }),
        Stop::Drop(DropReason::TtlExceeded) => error(packet, context, headers, IcmpError::TimeExceeded),
        Stop::Reset if context.answers.take(context.now) => {
            reset::reset(&mut packet.frame, network, usize::from(headers.transport), length)
        }
        Stop::Drop(_) | Stop::Reset | Stop::Answered => None,
    };
    match answered {
        Some(()) => {
            if let Some(seen) = seen {
                context.counters.recorder.record_glimpse(reason, packet.ingress, &seen, context.now);
            }
            own_source(packet, context);
            Verdict::Answer(packet.ingress, reason)
        }
        None => Verdict::Drop(reason),
    }
}

/// Lets an answer leave with the interface's MAC address where it would leave with a virtual one. Switches learn from
/// sources: an answer of who was master a moment ago would lead them back to it, and its successor would not be heard
/// of before its next advert.
pub(super) fn own_source(packet: &mut Packet, context: &Context<'_>) {
    let Some(interface) = context.snapshot.interfaces.get(packet.ingress.index()) else { return };
    let source = packet.frame.bytes_mut().get_mut(6..12).and_then(|bytes| bytes.first_chunk_mut());
    if let Some(source) = source.filter(|source| context.snapshot.tenancies.is_virtual(Mac(**source))) {
        *source = interface.mac.0;
    }
}

fn error(packet: &mut Packet, context: &mut Context<'_>, headers: &Headers, error: IcmpError) -> Option<()> {
    let Content::Segment { .. } = headers.content else { return None };
    let from = own_address(context, &headers.tuple.addresses)?;
    if headers.piece.is_later() || !context.answers.take(context.now) {
        return None;
    }
    let (network, length) = (usize::from(headers.network), usize::from(headers.packet_length));
    icmp_reply::error(&mut packet.frame, network, length, from, error)
}

/// The address that the sender meant, if it is the box's, or one that the box has.
fn own_address(context: &Context<'_>, addresses: &Addresses) -> Option<IpAddr> {
    let (meant, snapshot) = (addresses.destination(), context.snapshot);
    if snapshot.vips.contains(meant) {
        return Some(meant);
    }
    let fits = |own: &&IpAddr| match own {
        IpAddr::V4(v4) => meant.is_ipv4() && !v4.is_loopback() && !v4.is_link_local(),
        IpAddr::V6(v6) => meant.is_ipv6() && !v6.is_loopback() && !v6.is_unicast_link_local(),
    };
    snapshot.local_addresses.iter().find(fits).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_paced_and_a_little_is_saved_up() {
        let mut budget = Budget::new();
        let burst = (0..10_000).filter(|_| budget.take(Tick(5000))).count();
        assert_eq!(burst, 100);
        let second = (5000..6000).map(|n| (0..10).filter(|_| budget.take(Tick(n))).count()).sum::<usize>();
        assert!((995..=1000).contains(&second), "{second}");
    }
}
