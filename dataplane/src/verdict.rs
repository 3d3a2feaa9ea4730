//! What becomes of a frame. Every frame ends in exactly one verdict, and every verdict is counted.

use crate::types::InterfaceId;

/// See the module's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Verdict {
    /// Not decided yet: later stages go on with this frame.
    #[default]
    Undecided,
    /// Leaves by this interface.
    Transmit(InterfaceId),
    /// Goes to the management thread.
    Punt,
    /// Waits for the first fragment of its packet.
    Hold,
    /// Is dropped for a reason, and what the box answers its sender instead leaves by this interface.
    Answer(InterfaceId, DropReason),
    /// Is dropped, for a reason that the operator sees.
    Drop(DropReason),
}

macro_rules! drop_reasons {
    ($($name:ident, $code:literal, $meaning:literal;)*) => {
        /// Why a frame was dropped.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum DropReason {
            $(#[doc = $meaning] $name,)*
        }

        impl DropReason {
            /// All reasons, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$name,)*];
            /// How many there are.
            pub const COUNT: usize = Self::ALL.len();

            /// The stable name that scripts and dashboards go by.
            #[must_use]
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// A sentence for operators.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning,)* }
            }

            /// Its place in [`Self::ALL`].
            #[must_use]
            pub fn index(self) -> usize {
                self as usize
            }
        }
    };
}

drop_reasons! {
    Truncated, "truncated", "the frame ends before the headers or the length that they announce";
    BadHeader, "bad-header", "a header contradicts itself: version, header length or total length";
    BadChecksum, "bad-checksum", "the checksum of the IPv4 header, of an ICMP error or of a handshake that the box makes is wrong";
    NotIp, "not-ip", "neither IP nor a control protocol that the box speaks";
    TooManyTags, "too-many-tags", "the frame carries more than two VLAN tags";
    WrongVlan, "wrong-vlan", "the service is in another VLAN";
    Fragment, "fragment", "a fragment whose first part is not known";
    ExtensionHeaders, "extension-headers", "the IPv6 extension headers are too many or hide the transport header";
    UnknownProtocol, "unknown-protocol", "neither TCP nor UDP nor an ICMP echo request";
    IcmpError, "icmp-error", "an ICMP error about no packet of a known flow, or a redirect";
    NotOurs, "not-ours", "belongs to no service and no flow";
    NotMaster, "not-master", "to an address of a virtual router whose master is another box";
    MartianSource, "martian-source", "from an address that no single host has: broadcast, multicast, loopback or none";
    UnknownPort, "unknown-port", "a virtual IP, but a port or protocol that no service has";
    ServiceDown, "service-down", "an echo request to a virtual IP none of whose services has a backend that is up";
    Overload, "overload", "the worker has more frames waiting than it keeps up with, and this one would begin a flow";
    Denied, "denied", "the service's access list does not let this client in";
    ServiceFull, "service-full", "the service has as many flows as its own limit allows";
    ServiceRate, "service-rate", "more new flows a second than the service's limit";
    SourceRate, "source-rate", "more new flows a second than one client of the service may begin";
    BackendsFull, "backends-full", "every backend that was asked has as many flows as its upper_threshold";
    ServiceShare, "service-share", "the service has used up its share of the flow table";
    NoBackend, "no-backend", "every backend of the service is down";
    SnatExhausted, "snat-exhausted", "every port of the source-NAT pool towards this backend is in use: add addresses to snat_pool";
    NoFlow, "no-flow", "in the middle of a connection that the box does not know";
    TableFull, "table-full", "the flow table has no room for a new flow";
    OutOfHandshake, "out-of-handshake", "does not fit the handshake that the box makes for a service with syn_proxy";
    BackendPending, "backend-pending", "the client's handshake is over and its backend's is not (syn_proxy); the client sends the segment again";
    TupleInUse, "tuple-in-use", "other services' flows from this client port to the same server port of every backend that was tried are still open, their replies could not be told apart";
    SynWithData, "syn-with-data", "a SYN with data, which would overtake the PROXY header; the client sends the data again";
    Untranslatable, "untranslatable", "it has no counterpart in the backend's address family (RFC 7915)";
    SameSegment, "same-segment", "bridge mode, but the destination is on the side that the frame came from";
    TtlExceeded, "ttl-exceeded", "the time to live ends here";
    NoRoute, "no-route", "no route to the destination through the box's service interfaces";
    NeighbourMissing, "neighbour-missing", "the next hop has not answered ARP or neighbour discovery in time, or more packets waited for it than are kept";
    NotOnLink, "not-on-link", "a backend of a dsr service is behind a router, where its MAC address cannot be reached";
    TooLong, "too-long", "larger than the MTU of the interface it would leave by";
    PuntQueueFull, "punt-queue-full", "a control frame that the management thread had no room for";
    TxRingFull, "tx-ring-full", "the interface it would leave by takes no more frames";
    InterfaceGone, "interface-gone", "the interface it would leave by is not there";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn codes_are_unique_and_numbers_are_places() {
        let codes: HashSet<_> = DropReason::ALL.iter().map(|r| r.code()).collect();
        assert_eq!(codes.len(), DropReason::COUNT);
        assert!(DropReason::ALL.iter().enumerate().all(|(place, reason)| reason.index() == place));
    }
}
