//! What is known of the end of a connection beside the flags that were seen: four bits of an entry's first word.
//!
//! FINs and resets are claims, which can be sent blindly. They count as proven when numbers of the other side fit
//! them, see [`closing`](super::closing).

use super::entry::{Direction, Entry};
use crate::sync::Ordering::Relaxed;
use crate::wire::tcp::Flags;

/// See the module's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Proofs(pub(super) u32);

impl Proofs {
    /// The server has acknowledged the client's FIN.
    const CLIENT: Self = Self(1 << 18);
    /// The client has acknowledged the server's FIN.
    const SERVER: Self = Self(1 << 19);
    /// Both, or a reset that fits: the connection is over.
    pub(super) const OVER: Self = Self(Self::CLIENT.0 | Self::SERVER.0);
    /// A reset was taken back.
    pub(super) const REVOKED: Self = Self(1 << 20);
    /// A FIN or a reset was seen, be it taken back or not. For good: two workers may add and take back at the same time, and
    /// for a flow that forgeries have been sent to it is worth while to know where its sides are.
    pub(super) const SUSPECTED: Self = Self(1 << 21);
    pub(super) const ALL: Self = Self(Self::OVER.0 | Self::REVOKED.0 | Self::SUSPECTED.0);

    /// A flow that begins with the end of a connection has nothing that waiting for more would save.
    #[inline(always)]
    pub(super) fn at_birth(flags: Flags) -> Self {
        if flags.has(Flags::FIN) { Self(Self::OVER.0 | Self::SUSPECTED.0) } else { Self(0) }
    }

    /// That the FIN of the side that sends in `direction` is acknowledged.
    pub(super) fn of(direction: Direction) -> Self {
        match direction {
            Direction::Forward => Self::CLIENT,
            Direction::Return => Self::SERVER,
        }
    }

    /// Whether all of `others` are among these.
    #[inline(always)]
    pub(super) fn has(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }
}

impl Entry<'_> {
    #[inline(always)]
    pub(super) fn proofs(&self) -> Proofs {
        Proofs(self.word(0) & Proofs::ALL.0)
    }

    pub(super) fn prove(&self, proofs: Proofs) {
        self.0[0].fetch_or(proofs.0, Relaxed);
    }

    pub(super) fn withdraw(&self, proofs: Proofs) {
        self.0[0].fetch_and(!proofs.0, Relaxed);
    }
}
