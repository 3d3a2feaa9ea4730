//! All sessions of this box. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use super::auth::Auth;
use super::packet::{Packet, Refusal};
use super::session::{Action, Session, Settings, Status};
use super::{Discriminator, Micros};
use crate::config::health::Bind;

/// The same refusal is told of again after this.
const SAY_AGAIN: Duration = Duration::from_secs(60);

/// How far away a peer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hops {
    /// On the same network (RFC 5881).
    Single,
    /// Behind routers (RFC 5883).
    Multi,
}

/// Whom a session is with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Peer {
    /// Its address.
    pub address: IpAddr,
    /// How far away it is.
    pub hops: Hops,
    /// Where packets come from. Default: as the kernel routes.
    pub bind: Option<Bind>,
}

/// A session that somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wanted {
    /// With whom.
    pub peer: Peer,
    /// Between two packets, either way.
    pub interval: Duration,
    /// So many packets missed are too many.
    pub multiplier: u8,
    /// What both ends know.
    pub auth: Option<Auth>,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Send this.
    Send(Peer, Vec<u8>),
    /// A session is in another state.
    Changed(Peer, Status),
    /// The operator should know; not said each time.
    Refused(IpAddr, Refusal),
    /// Those who ask for a session with this peer do not agree on its authentication.
    Contradiction(Peer),
}

/// See the module's head.
#[derive(Debug)]
pub struct Fleet {
    sessions: BTreeMap<Peer, Session>,
    by_discriminator: BTreeMap<Discriminator, Peer>,
    /// For discriminators and sequence numbers that nobody can guess.
    random: fn() -> u64,
    said: BTreeMap<&'static str, Instant>,
    refused: [u64; Refusal::ALL.len()],
    effects: Vec<Effect>,
}

impl Fleet {
    /// Without sessions.
    #[must_use]
    pub fn new(random: fn() -> u64) -> Self {
        Self {
            sessions: BTreeMap::new(),
            by_discriminator: BTreeMap::new(),
            random,
            said: BTreeMap::new(),
            refused: [0; Refusal::ALL.len()],
            effects: Vec::new(),
        }
    }

    /// Has these sessions from now on, and no others. Who asks for the same peer shares the session: it is as quick
    /// as the quickest of them wants it.
    pub fn follow(&mut self, wanted: &[Wanted], now: Instant) {
        let mut settings = BTreeMap::<Peer, Settings>::new();
        for Wanted { peer, interval, multiplier, auth } in wanted {
            let interval = Micros::of(*interval);
            let shared = settings.entry(peer.clone()).or_insert_with(|| Settings {
                interval,
                multiplier: *multiplier,
                auth: auth.clone(),
            });
            shared.interval = shared.interval.min(interval);
            shared.multiplier = shared.multiplier.min(*multiplier);
            if shared.auth != *auth {
                self.effects.push(Effect::Contradiction(peer.clone()));
            }
        }
        let known: BTreeSet<Peer> = self.sessions.keys().cloned().collect();
        for peer in known.iter().filter(|peer| !settings.contains_key(peer)) {
            if let Some(mut gone) = self.sessions.remove(peer) {
                self.by_discriminator.remove(&gone.discriminator());
                // Twice: the first may be lost.
                (0..2).for_each(|_| gone.shut_down(now));
                note(&mut self.effects, peer, &mut gone);
            }
        }
        for (peer, settings) in settings {
            match self.sessions.get_mut(&peer) {
                Some(session) => {
                    session.reconfigure(settings, now);
                    note(&mut self.effects, &peer, session);
                }
                None => self.add(peer, settings, now),
            }
        }
    }

    fn add(&mut self, peer: Peer, settings: Settings, now: Instant) {
        let mine = loop {
            let word = u32::try_from((self.random)() >> 32).ok();
            let number = word.and_then(NonZeroU32::new).map(Discriminator);
            if let Some(free) = number.filter(|number| !self.by_discriminator.contains_key(number)) {
                break free;
            }
        };
        self.by_discriminator.insert(mine, peer.clone());
        self.sessions.insert(peer, Session::new(settings, mine, (self.random)(), now));
    }

    /// A packet; `None` for one whose hop limit was not 255 where it has to be.
    pub fn hear(&mut self, now: Instant, hops: Hops, source: IpAddr, payload: Option<&[u8]>) {
        let heard = match payload {
            Some(payload) => self.listen(now, hops, source, payload),
            None => Err(Refusal::HopLimit),
        };
        let Err(why) = heard else { return };
        if let Some(place) = Refusal::ALL.iter().position(|refusal| *refusal == why) {
            self.refused[place] += 1;
        }
        let again =
            self.said.get(why.code()).is_none_or(|at| now.saturating_duration_since(*at) >= SAY_AGAIN);
        if again {
            self.said.insert(why.code(), now);
            self.effects.push(Effect::Refused(source, why));
        }
    }

    /// How many packets were refused, in the order of [`Refusal::ALL`].
    #[must_use]
    pub fn refused(&self) -> [u64; Refusal::ALL.len()] {
        self.refused
    }

    /// Section 6.3: by the discriminator, or before the peer knows it by the address.
    fn listen(&mut self, now: Instant, hops: Hops, source: IpAddr, payload: &[u8]) -> Result<(), Refusal> {
        let packet = Packet::new_checked(payload)?;
        let peer = match packet.control.yours {
            Some(yours) => self.by_discriminator.get(&yours).cloned().ok_or(Refusal::YourDiscriminator)?,
            None => {
                let is_it = |peer: &&Peer| peer.address == source && peer.hops == hops;
                self.sessions.keys().find(is_it).cloned().ok_or(Refusal::NoSession)?
            }
        };
        // Who sends by the other port has not passed its check of the hop limit.
        let session = self.sessions.get_mut(&peer).filter(|_| peer.hops == hops).ok_or(Refusal::NoSession)?;
        let heard = session.hear(now, &packet);
        note(&mut self.effects, &peer, session);
        heard
    }

    /// Does what is due.
    pub fn timers(&mut self, now: Instant) {
        for (peer, session) in &mut self.sessions {
            if session.next_deadline().is_some_and(|at| at <= now) {
                session.timers(now);
                note(&mut self.effects, peer, session);
            }
        }
    }

    /// When something is due next.
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        self.sessions.values().filter_map(Session::next_deadline).min()
    }

    /// What is to be done, in this order.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }
}

fn note(effects: &mut Vec<Effect>, peer: &Peer, session: &mut Session) {
    for action in session.take_actions() {
        effects.push(match action {
            Action::Send(bytes) => Effect::Send(peer.clone(), bytes),
            Action::Changed => Effect::Changed(peer.clone(), session.status()),
        });
    }
}

#[cfg(test)]
#[path = "fleet_tests.rs"]
mod tests;
