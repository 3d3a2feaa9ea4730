//! Why a packet can't be rewritten as its flow asks for.

use crate::wire::WireError;

/// What is refused is left as it was, for the caller to drop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// A header, of the packet or of the one it quotes, is cut or contradicts itself.
    Broken(WireError),
    /// The TTL or hop limit has run out.
    TtlExceeded,
    /// An ICMP error's own checksum is wrong.
    BadChecksum,
    /// A message that is no error, a redirect, or an error that the other family has no word for.
    NotCarried,
    /// Neither TCP nor UDP.
    UnknownProtocol,
    /// A later fragment is quoted: nobody knows its ports.
    NoPorts,
    /// IPv6 extension headers that are too many, or that don't outlive a change of family.
    ExtensionHeaders,
    /// A source route or routing header has hops left to visit: the destination is not the last one.
    SourceRouted,
    /// A fragment of a UDP datagram without a checksum, which IPv6 asks for.
    NoChecksum,
    /// Longer than the other family's length field can say.
    TooLong,
    /// The addresses that it shall have are not of the family that was asked for.
    WrongFamily,
}

impl From<WireError> for Refusal {
    fn from(error: WireError) -> Self {
        Self::Broken(error)
    }
}
