//! What a service's SYN-ACKs promise before it is known which backend will have to keep it.
//!
//! The promise begins with what servers have by default, and learns from each SYN-ACK of a backend. It is
//! what all backends seen so far can keep: a service whose backends differ gets the least of them, and gets
//! more again only when the promise is forgotten, as with other backends.
//!
//! What becomes of a connection whose backend keeps less than was promised:
//!
//! | the backend has | then |
//! | --- | --- |
//! | another window scale | windows are rescaled for the life of the flow ([`super::translate`]) |
//! | none | windows of both directions are rescaled |
//! | no selective acknowledgements | those of the client become filling |
//! | no timestamps | the connection is reset, the client's next one is promised none (RFC 7323 section 3.2: a segment without the option may be dropped once it was agreed on, and there is no room to add it to full segments) |
//! | a smaller segment size | nothing can be done: the client may send more than the backend has asked for. Hosts take what the link carries; where it does not, path MTU discovery helps as for any packet that is too long |

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::options::{Agreed, Scales, SynOptions, WindowScale};
use crate::wire::tcp_options::Mss;

/// What the box offers to a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) mss: Mss,
    pub(crate) window_scale: Option<WindowScale>,
    pub(crate) sack: bool,
    pub(crate) timestamps: bool,
}

impl Offer {
    /// With a segment size of at most this: a service may clamp it, put a PROXY header in front of the
    /// stream, or have backends of the other family.
    pub(crate) fn at_most(self, mss: Mss) -> Self {
        Self { mss: self.mss.min(mss), ..self }
    }

    /// What box and client both have. `None`: one of them has no timestamps.
    pub(super) fn agree(&self, client: &SynOptions) -> Option<Agreed> {
        client.timestamps.filter(|_| self.timestamps)?;
        let scales = client.window_scale.zip(self.window_scale);
        Some(Agreed {
            scales: scales.map(|(client, promised)| Scales { client, promised }),
            sack: self.sack && client.sack_permitted,
        })
    }
}

/// What a client has asked a backend for, as far as is known: what was not asked for is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Asked {
    pub(crate) window_scale: bool,
    pub(crate) sack: bool,
    pub(crate) timestamps: bool,
}

/// One word of a service, shared by all workers.
#[derive(Debug)]
pub(crate) struct Promise(AtomicU32);

/// For a service that no backend has answered for yet.
impl Default for Promise {
    fn default() -> Self {
        let mss = Mss(u16::MAX);
        let scale = Some(WindowScale::new(7));
        Self(AtomicU32::new(to_word(Offer { mss, window_scale: scale, sack: true, timestamps: true })))
    }
}

impl Promise {
    /// What a client of that family is offered: segments of an Ethernet at most.
    pub(crate) fn offer(&self, v6: bool) -> Offer {
        from_word(self.0.load(Relaxed)).at_most(Mss(if v6 { 1440 } else { 1460 }))
    }

    /// Forgets what it has learned.
    pub(crate) fn forget(&self) {
        self.0.store(Self::default().0.into_inner(), Relaxed);
    }

    /// Takes note of a backend's SYN-ACK. `asked`: of a connection that the box has not opened itself
    /// nothing is known, and what is missing says nothing.
    pub(crate) fn learn(&self, asked: Asked, answer: &SynOptions) {
        let before = self.0.load(Relaxed);
        let old = from_word(before);
        let missing = |asked: bool, present: bool| asked && !present;
        let new = Offer {
            mss: answer.mss.map_or(old.mss, |mss| old.mss.min(mss.max(LEAST))),
            // Where there was none once, there is none: rescaling helps what was promised, but costs precision.
            window_scale: match answer.window_scale {
                None if asked.window_scale => None,
                Some(scale) => old.window_scale.map(|_| scale),
                None => old.window_scale,
            },
            sack: old.sack && !missing(asked.sack, answer.sack_permitted),
            timestamps: old.timestamps && !missing(asked.timestamps, answer.timestamps.is_some()),
        };
        let after = to_word(new);
        if after != before {
            // If another worker is faster, the next SYN-ACK is early enough.
            let _ = self.0.compare_exchange(before, after, Relaxed, Relaxed);
        }
    }
}

/// No backend can talk a service into less: 536 bytes, what everybody must take (RFC 9293 section 3.7.1).
const LEAST: Mss = Mss(536);

const NO_SCALE: u32 = 15;
const SACK: u32 = 1 << 4;
const TIMESTAMPS: u32 = 1 << 5;

fn to_word(offer: Offer) -> u32 {
    u32::from(offer.mss.0) << 16
        | if offer.timestamps { TIMESTAMPS } else { 0 }
        | if offer.sack { SACK } else { 0 }
        | offer.window_scale.map_or(NO_SCALE, |scale| scale.shift().into())
}

fn from_word(word: u32) -> Offer {
    let scale = word & 15;
    Offer {
        mss: Mss((word >> 16) as u16),
        window_scale: (scale != NO_SCALE).then(|| WindowScale::new(scale as u8)),
        sack: word & SACK != 0,
        timestamps: word & TIMESTAMPS != 0,
    }
}

#[cfg(test)]
mod tests {
    use super::super::options::Timestamps;
    use super::*;
    use proptest::prelude::*;

    const ALL: Asked = Asked { window_scale: true, sack: true, timestamps: true };

    fn answer(mss: u16, scale: Option<u8>, sack: bool, timestamps: bool) -> SynOptions {
        SynOptions {
            mss: Some(Mss(mss)),
            window_scale: scale.map(WindowScale::new),
            sack_permitted: sack,
            timestamps: timestamps.then(Timestamps::default),
        }
    }

    #[test]
    fn it_begins_with_what_servers_have() {
        for (v6, mss) in [(false, 1460), (true, 1440)] {
            let scale = Some(WindowScale::new(7));
            let offer = Offer { mss: Mss(mss), window_scale: scale, sack: true, timestamps: true };
            assert_eq!(Promise::default().offer(v6), offer);
            assert_eq!(offer.at_most(Mss(1400)), Offer { mss: Mss(1400), ..offer });
            assert_eq!(offer.at_most(Mss(9000)), offer);
        }
    }

    #[test]
    fn it_becomes_the_least_of_what_backends_have() {
        let promise = Promise::default();
        promise.learn(ALL, &answer(1400, Some(9), true, true));
        promise.learn(ALL, &answer(1460, Some(8), false, true));
        let offer = promise.offer(false);
        assert_eq!((offer.mss, offer.window_scale), (Mss(1400), Some(WindowScale::new(8))));
        assert!(!offer.sack && offer.timestamps);
        promise.learn(ALL, &answer(20, None, true, false));
        promise.learn(ALL, &answer(1460, Some(8), true, true));
        let least = Offer { mss: LEAST, window_scale: None, sack: false, timestamps: false };
        assert_eq!(promise.offer(false), least);
        promise.forget();
        assert_eq!(promise.offer(true), Promise::default().offer(true));
    }

    #[test]
    fn what_was_not_asked_for_is_not_missed() {
        let promise = Promise::default();
        promise.learn(Asked::default(), &answer(1460, None, false, false));
        assert_eq!(promise.offer(false), Promise::default().offer(false));
        promise.learn(Asked::default(), &answer(1380, Some(3), false, false));
        let offer = promise.offer(false);
        assert_eq!((offer.mss, offer.window_scale), (Mss(1380), Some(WindowScale::new(3))));
        assert!(offer.sack && offer.timestamps);
    }

    proptest! {
        #[test]
        fn a_word_has_all_of_it(mss: u16, scale in proptest::option::of(0..=14_u8), sack: bool, timestamps: bool) {
            let window_scale = scale.map(WindowScale::new);
            let offer = Offer { mss: Mss(mss), window_scale, sack, timestamps };
            prop_assert_eq!(from_word(to_word(offer)), offer);
        }
    }
}
