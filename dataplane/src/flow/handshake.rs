//! What a flow remembers whose handshake the box makes itself: seven words behind those that it has anyway.
//!
//! | word | | |
//! | --- | --- | --- |
//! | 0 .. 3 | how the handshake began | written before anybody can find the flow |
//! | 4 | how far it is; once it stands, the third word of what stands | one bit says which |
//! | 5, 6 | once it stands, the first two of that | written before the bit |
//!
//! What the words mean is `syn_proxy`'s. Two workers may see the end of a handshake at once: one of them
//! claims it, and the other's segment is lost, as one of two equal segments may be.

use super::entry::Entry;
use super::kind::Kind;
use super::tcp_state::Seen;
use crate::sync::Ordering::{Acquire, Relaxed, Release};

/// The bit of word 4 that is the table's.
pub(crate) const STANDS: u32 = 1 << 12;

/// Where a handshake is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Handshake {
    /// The backend has not answered.
    Opening([u32; 5]),
    /// The connection stands.
    Stands([u32; 3]),
}

impl Entry<'_> {
    /// Fills the words of an entry that nobody can see yet.
    pub(super) fn create_handshake(&self, kind: Kind, words: [u32; 5]) {
        let at = kind.words_before_handshake();
        for (word, value) in (at..).zip(words) {
            self.set(word, value);
        }
    }

    /// Whether the box makes the flow's handshake.
    #[inline(always)]
    pub(crate) fn is_proxied(&self) -> bool {
        self.kind().is_proxied()
    }

    /// `None`: its ends make it themselves.
    pub(crate) fn handshake(&self) -> Option<Handshake> {
        let kind = self.kind();
        kind.is_proxied().then(|| {
            let at = kind.words_before_handshake();
            let last = self.0[at + 4].load(Acquire);
            match last & STANDS {
                0 => Handshake::Opening([
                    self.word(at),
                    self.word(at + 1),
                    self.word(at + 2),
                    self.word(at + 3),
                    last,
                ]),
                _ => Handshake::Stands([self.word(at + 5), self.word(at + 6), last & !STANDS]),
            }
        })
    }

    /// Remembers how far the handshake is; `false`: another worker was first, or it stands.
    pub(crate) fn goes_on(&self, before: [u32; 5], after: [u32; 5]) -> bool {
        let at = self.kind().words_before_handshake();
        let ([.., before], [.., after]) = (before, after);
        self.0[at + 4].compare_exchange(before & !STANDS, after & !STANDS, Relaxed, Relaxed).is_ok()
    }

    /// The connection stands: whether this is the first to say so. What it remembers of it then is for good.
    pub(crate) fn stands(&self, [first, second, third]: [u32; 3]) -> bool {
        let is_first = self.add_answered();
        if is_first {
            let at = self.kind().words_before_handshake();
            self.set(at + 5, first);
            self.set(at + 6, second);
            self.0[at + 4].store(third | STANDS, Release);
        }
        is_first
    }

    /// The backend has answered: whether it had not.
    #[expect(clippy::cast_possible_truncation, reason = "the low byte")]
    fn add_answered(&self) -> bool {
        let before = self.0[3].fetch_or(u32::from(Seen::ANSWERED.0), Relaxed);
        !Seen(before as u8).is_answered()
    }
}
