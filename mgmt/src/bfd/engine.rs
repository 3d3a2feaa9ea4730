//! The thread of BFD.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::net::{IpAddr, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

use super::board::{Board, News};
use super::fleet::{Effect, Fleet, Peer, Wanted};
use super::session::Why;
use super::sockets::{self, Mouths, Place};

/// Packets taken from a socket before anything else has its turn.
const BURST: usize = 256;
/// How long news wait where somebody is reading.
const PACE: Duration = Duration::from_millis(1);
/// How often a port is tried again that another program has.
const TRY_AGAIN: Duration = Duration::from_secs(5);
/// The same trouble of sending is told of again after this.
const SAY_AGAIN: Duration = Duration::from_secs(60);

/// Whoever must hear of a dead peer before all others.
pub type OnDeath = Box<dyn Fn(IpAddr) + Send>;

/// The sessions, and the thread that keeps them until this is dropped.
#[derive(Debug)]
pub struct Bfd {
    orders: Arc<Orders>,
    bell: Arc<OwnedFd>,
    board: Arc<Board>,
    thread: Option<JoinHandle<()>>,
}

impl Bfd {
    /// Begins with no session. `on_death` is called by the thread, and must not wait.
    ///
    /// # Errors
    /// The kernel gives no thread, or no descriptor.
    pub fn start(on_death: OnDeath) -> io::Result<Self> {
        let orders = Arc::<Orders>::default();
        let bell = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let board = Arc::new(Board::default());
        let (taken, thread_bell, thread_board) = (Arc::clone(&orders), Arc::clone(&bell), Arc::clone(&board));
        let thread = std::thread::Builder::new().name("bfd".to_owned()).spawn(move || {
            Engine::new(taken, thread_bell, thread_board).run(&on_death);
        })?;
        Ok(Self { orders, bell, board, thread: Some(thread) })
    }

    /// Has these sessions from now on, and no others.
    pub fn follow(&self, wanted: Vec<Wanted>) {
        self.orders.put(wanted);
        self.ring();
    }

    fn ring(&self) {
        // The only failure is a counter at its end, and that is readable.
        let _: Result<usize, _> = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
    }

    /// What is known.
    #[must_use]
    pub fn board(&self) -> &Arc<Board> {
        &self.board
    }
}

impl Drop for Bfd {
    fn drop(&mut self) {
        self.orders.has_ended.store(true, Ordering::Release);
        self.ring();
        if let Some(thread) = self.thread.take() {
            let _: Result<(), _> = thread.join();
        }
    }
}

/// The sessions that are wanted: the last order replaces one that was not taken.
#[derive(Debug, Default)]
struct Orders {
    wanted: Mutex<Option<Vec<Wanted>>>,
    /// There are no more.
    has_ended: AtomicBool,
}

impl Orders {
    fn put(&self, wanted: Vec<Wanted>) {
        let before = self.wanted.lock().unwrap_or_else(PoisonError::into_inner).replace(wanted);
        drop(before);
    }

    /// Does not wait: the bell rings again after an order that is being put.
    fn take(&self) -> Option<Vec<Wanted>> {
        match self.wanted.try_lock() {
            Ok(mut wanted) => wanted.take(),
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner().take(),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

/// Another number each time, that nobody outside can guess: a hash with the keys that std draws.
fn random() -> u64 {
    std::hash::RandomState::new().build_hasher().finish()
}

struct Engine {
    orders: Arc<Orders>,
    bell: Arc<OwnedFd>,
    board: Arc<Board>,
    fleet: Fleet,
    wanted: BTreeSet<Peer>,
    ears: BTreeMap<Place, UdpSocket>,
    mouths: Mouths,
    news: Vec<News>,
    /// When ports are tried again that could not be had, and since when that is said.
    try_at: Option<Instant>,
    deaf: BTreeSet<Place>,
    mute: Option<Instant>,
}

impl Engine {
    fn new(orders: Arc<Orders>, bell: Arc<OwnedFd>, board: Arc<Board>) -> Self {
        Self {
            orders,
            bell,
            board,
            fleet: Fleet::new(random),
            wanted: BTreeSet::new(),
            ears: BTreeMap::new(),
            mouths: Mouths::default(),
            news: Vec::new(),
            try_at: None,
            deaf: BTreeSet::new(),
            mute: None,
        }
    }

    /// Until nobody commands any more.
    fn run(&mut self, on_death: &OnDeath) {
        // Said for VRRP, where it matters most.
        let _: io::Result<()> = dataplane::go_first();
        let mut buffer = [0; 256];
        loop {
            self.wait();
            // Packets before timers: who was not scheduled for a while must hear the peer that lives.
            let now = crate::clock::now();
            self.listen(now, &mut buffer);
            let is_commanded = self.obey(now);
            if self.try_at.is_some_and(|at| at <= now) {
                self.open(now);
            }
            self.fleet.timers(now);
            self.carry_out(now, on_death);
            if !is_commanded {
                return;
            }
            if !self.news.is_empty() {
                self.board.post(&mut self.news);
            }
        }
    }

    fn wait(&self) {
        let now = crate::clock::now();
        let unposted = (!self.news.is_empty()).then(|| now + PACE);
        let next = [self.fleet.next(), unposted, self.try_at].into_iter().flatten().min();
        let timeout = next.map(|next| {
            let left = next.saturating_duration_since(now);
            Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() }
        });
        let mut watched = vec![PollFd::new(&self.bell, PollFlags::IN)];
        watched.extend(self.ears.values().map(|ear| PollFd::new(ear, PollFlags::IN)));
        // An interrupted wait is a short one.
        let _: Result<usize, _> = poll(&mut watched, timeout.as_ref());
    }

    fn listen(&mut self, now: Instant, buffer: &mut [u8]) {
        for ((_, hops), ear) in &self.ears {
            for _ in 0..BURST {
                let Ok((source, payload)) = sockets::hear(ear, *hops, buffer) else { break };
                self.fleet.hear(now, *hops, source, payload);
            }
        }
        self.board.count(self.fleet.refused());
    }

    /// `false`: nobody will command any more, and each peer is told.
    fn obey(&mut self, now: Instant) -> bool {
        let mut count = [0; 8];
        let _: Result<usize, _> = rustix::io::read(self.bell.as_fd(), &mut count);
        if let Some(wanted) = self.orders.take() {
            self.wanted = wanted.iter().map(|wanted| wanted.peer.clone()).collect();
            self.open(now);
            self.fleet.follow(&wanted, now);
            self.board.keep(|peer| self.wanted.contains(peer));
        }
        let has_ended = self.orders.has_ended.load(Ordering::Acquire);
        if has_ended {
            self.fleet.follow(&[], now);
        }
        !has_ended
    }

    fn open(&mut self, now: Instant) {
        let places: BTreeSet<Place> = self.wanted.iter().map(sockets::place).collect();
        self.ears.retain(|place, _| places.contains(place));
        self.deaf.retain(|place| places.contains(place));
        self.try_at = None;
        for place in places {
            if self.ears.contains_key(&place) {
                continue;
            }
            match sockets::ear(place) {
                Ok(ear) => {
                    self.ears.insert(place, ear);
                    self.deaf.remove(&place);
                }
                Err(error) => {
                    self.try_at = Some(now + TRY_AGAIN);
                    if self.deaf.insert(place) {
                        let family = if place.0 { "IPv4" } else { "IPv6" };
                        let trouble =
                            format!("packets over {family} cannot be heard: {error}; it is tried again");
                        self.news.push(News::Trouble(trouble));
                    }
                }
            }
        }
    }

    fn carry_out(&mut self, now: Instant, on_death: &OnDeath) {
        for effect in self.fleet.take_effects() {
            match effect {
                Effect::Send(peer, bytes) => {
                    if let Err(error) = self.mouths.send(&peer, &bytes, random()) {
                        self.not_sent(now, &peer, &error);
                    }
                }
                Effect::Changed(peer, status) => {
                    // Who only says that it does not hear this box lives.
                    if matches!(status.why, Why::Silence(_)) {
                        on_death(peer.address);
                    }
                    self.news.push(News::Changed(peer, status));
                }
                Effect::Refused(source, why) => self.news.push(News::Refused(source, why)),
                Effect::Contradiction(peer) => {
                    let trouble = format!(
                        "{}: two of those who watch it name different `auth`; one is taken",
                        peer.address
                    );
                    self.news.push(News::Trouble(trouble));
                }
            }
        }
        // After the last words are said.
        self.mouths.keep(|peer| self.wanted.contains(peer));
    }

    fn not_sent(&mut self, now: Instant, peer: &Peer, error: &io::Error) {
        if self.mute.is_none_or(|at| now.saturating_duration_since(at) >= SAY_AGAIN) {
            self.mute = Some(now);
            self.news.push(News::Trouble(format!("{}: a packet could not be sent: {error}", peer.address)));
        }
    }
}
