//! One session (RFC 5880 section 6.8). Pure: times and packets in, [`Action`]s out.
//!
//! ```text
//!              peer: down                  peer: init, up
//!   Down ─────────────────────▶ Init ─────────────────────▶ Up
//!    │ ▲  ◀──────────────────────┘                          │
//!    │ └─ nothing heard in time, peer: admin-down           │
//!    │ ◀── nothing heard in time, peer: down or admin-down ─┘
//!    └──────────── peer: init ─────────────────────────────▶ Up
//! ```

mod status;
mod timing;

pub use status::{Status, Why};

use std::time::{Duration, Instant};

use super::auth::{Auth, Sequence};
use super::packet::{Control, Packet, Refusal};
use super::{Diagnostic, Discriminator, Micros, State};
use timing::Dice;

/// Three packets a second apart make a session; who has none after this has nobody to have it with.
const SETTLE: Duration = Duration::from_secs(5);

/// What the operator wants of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// To send and to hear so often, once it is up.
    pub interval: Micros,
    /// So many packets missed are too many.
    pub multiplier: u8,
    /// What both ends know.
    pub auth: Option<Auth>,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Send this to the peer.
    Send(Vec<u8>),
    /// [`Session::status`] is another one.
    Changed,
}

/// What the peer has said (section 6.8.1, bfd.Remote…).
#[derive(Debug, Clone, Copy)]
struct Remote {
    discriminator: Option<Discriminator>,
    state: State,
    diagnostic: Diagnostic,
    min_rx: Micros,
    desired_tx: Micros,
    multiplier: u8,
    demand: bool,
}

impl Remote {
    /// Before anything is heard.
    const UNKNOWN: Self = Self {
        discriminator: None,
        state: State::Down,
        diagnostic: Diagnostic::NONE,
        // "Any interval will do", until the peer says which.
        min_rx: Micros(1),
        desired_tx: Micros(0),
        multiplier: 0,
        demand: false,
    };
}

/// See the module's head.
#[derive(Debug)]
pub struct Session {
    settings: Settings,
    mine: Discriminator,
    state: State,
    diagnostic: Diagnostic,
    remote: Remote,
    /// What is in force, while the peer may not know yet what is wanted (section 6.8.3).
    tx: Micros,
    rx: Micros,
    /// The peer has not said yet that it knows what is wanted.
    polls: bool,
    send_at: Instant,
    /// Nothing heard until then: the peer is gone.
    detect_at: Option<Instant>,
    /// The same twice over: its sequence numbers may begin anew (section 6.8.1).
    forget_at: Option<Instant>,
    /// It should be up by then, the first time.
    settle_at: Option<Instant>,
    known: Sequence,
    sequence: u32,
    dice: Dice,
    why: Why,
    actions: Vec<Action>,
}

impl Session {
    /// Down, with its first packet due at once. `seed`: any number, another one each time.
    #[must_use]
    pub fn new(settings: Settings, mine: Discriminator, seed: u64, now: Instant) -> Self {
        let mut dice = Dice::new(seed);
        let (tx, rx) = (settings.interval.max(Micros::SLOW), settings.interval);
        Self {
            settings,
            mine,
            state: State::Down,
            diagnostic: Diagnostic::NONE,
            remote: Remote::UNKNOWN,
            tx,
            rx,
            polls: false,
            send_at: now,
            detect_at: None,
            forget_at: None,
            settle_at: Some(now + SETTLE),
            known: Sequence::default(),
            sequence: dice.word(),
            dice,
            why: Why::New,
            actions: Vec::new(),
        }
    }

    /// What it is known by here.
    #[must_use]
    pub fn discriminator(&self) -> Discriminator {
        self.mine
    }

    /// When [`Self::timers`] has something to do.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let send_at = self.is_periodic().then_some(self.send_at);
        [send_at, self.detect_at, self.forget_at, self.settle_at].into_iter().flatten().min()
    }

    /// What is to be done, in this order.
    pub fn take_actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    /// Goes on with other settings; while it is up the peer is asked whether it knows them (section 6.8.3).
    pub fn reconfigure(&mut self, settings: Settings, now: Instant) {
        let has_changed = self.settings != settings;
        self.settings = settings;
        if has_changed {
            self.polls = self.state == State::Up;
            self.negotiate(now, false);
        }
    }

    /// The last word of a session that is no longer wanted: no failure, and the peer need not think so.
    pub fn shut_down(&mut self, now: Instant) {
        self.diagnostic = Diagnostic::ADMIN;
        self.state = State::AdminDown;
        self.polls = false;
        (self.detect_at, self.forget_at, self.settle_at) = (None, None, None);
        self.send(now, false);
    }

    /// A packet for this session: the checks that are left, and what follows from it (section 6.8.6).
    pub fn hear(&mut self, now: Instant, packet: &Packet<'_>) -> Result<(), Refusal> {
        Auth::admit(self.settings.auth.as_ref(), &mut self.known, packet)?;
        let control = packet.control;
        let before = self.status();
        self.remote = Remote {
            discriminator: Some(control.mine),
            state: control.state,
            diagnostic: control.diagnostic,
            min_rx: control.required_rx,
            desired_tx: control.desired_tx,
            multiplier: control.multiplier,
            demand: control.demand,
        };
        let is_answered = self.polls && control.is_final;
        self.polls &= !control.is_final;
        if self.state == State::AdminDown {
            return Ok(());
        }
        let was = self.state;
        self.follow(control.state);
        self.negotiate(now, is_answered);
        self.expect_more(now);
        if control.poll {
            self.send(now, true);
        }
        if self.state != was {
            // At once, for the peer need not wait for what it may know now (section 6.8.7).
            self.send(now, false);
        }
        self.tell(before);
        Ok(())
    }

    /// The table of section 6.8.6.
    fn follow(&mut self, heard: State) {
        match (self.state, heard) {
            (State::Init | State::Up, State::AdminDown) => {
                self.go_down(Diagnostic::NEIGHBOUR, Why::PeerAdminDown);
            }
            (State::Down, State::AdminDown) => self.why = Why::PeerAdminDown,
            (State::Down, State::Down) => self.state = State::Init,
            (State::Down, State::Init) | (State::Init, State::Init | State::Up) => {
                (self.state, self.diagnostic, self.why) = (State::Up, Diagnostic::NONE, Why::New);
                self.polls = true;
            }
            (State::Up, State::Down) => {
                self.go_down(Diagnostic::NEIGHBOUR, Why::PeerDown(self.remote.diagnostic));
            }
            (State::Down, State::Up) | (State::Init, State::Down) | (State::Up, State::Init | State::Up) => {}
            (State::AdminDown, _) => {}
        }
    }

    fn go_down(&mut self, diagnostic: Diagnostic, why: Why) {
        (self.state, self.diagnostic, self.why) = (State::Down, diagnostic, why);
        self.polls = false;
    }

    /// Does what is due.
    pub fn timers(&mut self, now: Instant) {
        if self.detect_at.is_some_and(|at| at <= now) {
            self.expire(now);
        }
        if self.settle_at.is_some_and(|at| at <= now) {
            let before = self.status();
            self.settle_at = None;
            if self.state != State::Up && self.why == Why::New {
                self.why = Why::NoSession(SETTLE);
            }
            self.tell(before);
        }
        if self.forget_at.is_some_and(|at| at <= now) {
            self.forget_at = None;
            self.known.forget();
        }
        if self.is_periodic() && self.send_at <= now {
            self.send(now, false);
        }
    }

    /// Nothing was heard for the detection time (section 6.8.4).
    fn expire(&mut self, now: Instant) {
        let before = self.status();
        let silence = self.detection_time();
        self.detect_at = None;
        if matches!(self.state, State::Init | State::Up) {
            self.go_down(Diagnostic::EXPIRED, Why::Silence(silence));
        }
        // Who was down before stays what it was: a peer may say that it is down on purpose, and then nothing more.
        self.remote = Remote { state: State::Down, ..Remote::UNKNOWN };
        self.negotiate(now, false);
        if before.state != self.state {
            self.send(now, false);
        }
        self.tell(before);
    }

    fn tell(&mut self, before: Status) {
        if before != self.status() {
            self.actions.push(Action::Changed);
        }
    }

    /// Sends what is true now; `answers`: the peer's poll.
    fn send(&mut self, now: Instant, answers: bool) {
        let control = Control {
            diagnostic: self.diagnostic,
            state: self.state,
            poll: self.polls && !answers,
            is_final: answers,
            independent: false,
            demand: false,
            multiplier: self.settings.multiplier,
            mine: self.mine,
            yours: self.remote.discriminator,
            desired_tx: self.desired_tx(),
            required_rx: self.settings.interval,
            required_echo: Micros(0),
        };
        // Section 6.7.4: each packet has another one, which either kind allows.
        self.sequence = self.sequence.wrapping_add(1);
        let bytes = Auth::emit(self.settings.auth.as_ref(), &control, self.sequence);
        self.actions.push(Action::Send(bytes));
        if !answers {
            self.send_at = now + self.interval();
        }
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
