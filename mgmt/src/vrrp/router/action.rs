//! What a virtual router is told, and what it wants done.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::vrrp::Priority;
use crate::vrrp::advert::Heard;
use crate::vrrp::timing::AdvertInterval;

/// What the operator wants of a virtual router.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Its own interval; says the version too.
    pub interval: AdvertInterval,
    /// Before anything tracked is counted in.
    pub priority: Priority,
    /// What it sends from: among equals the highest address is master (RFC 9568 section 6.4.3).
    pub own: IpAddr,
    /// Whether it takes over from a worse master.
    pub preempt: bool,
    /// How long it hears a worse master before it takes over.
    pub preempt_delay: Duration,
    /// How much longer than a dead master's time it waits after its start.
    pub start_delay: Duration,
    /// Of the addresses.
    pub announce: AnnouncePlan,
    /// Whether it is master only when its sync group says so.
    pub grouped: bool,
}

/// How the segment is told where the addresses are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnnouncePlan {
    /// At once, and again after the delay.
    pub repeats: Repeats,
    /// Zero: no second set.
    pub delay: Duration,
    /// Zero: not again.
    pub refresh: Duration,
}

impl AnnouncePlan {
    /// When the second set is due that belongs to one of now.
    pub(super) fn second(self, now: Instant) -> Option<Instant> {
        (!self.delay.is_zero()).then(|| now + self.delay)
    }

    /// When they are announced again by themselves.
    pub(super) fn next_refresh(self, now: Instant) -> Option<Instant> {
        (!self.refresh.is_zero()).then(|| now + self.refresh)
    }
}

/// How often each address is announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repeats(pub u8);

/// What happens to a virtual router.
#[derive(Debug, Clone, Copy)]
pub enum Event {
    /// The configuration has it, and link and trackers are known.
    Start,
    /// An advert was accepted.
    Advert(Heard),
    /// The deadline may have passed.
    Timer,
    /// The interface has changed.
    Link(Link),
    /// What is tracked has changed.
    Track(Standing),
    /// The sync group wants something.
    Group(Order),
    /// The operator wants another box to be master.
    HandOver,
    /// The daemon ends, or the configuration has it no more. A second time: at once.
    Shutdown,
}

/// Whether the interface carries frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// It does.
    Up,
    /// It does not.
    Down,
}

/// What is left of the priority after tracking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Takes part with this priority.
    Fit(Priority),
    /// Takes no part.
    Unfit,
}

/// From the sync group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// All members may be masters, or another one is.
    Take,
    /// The master of another member has said that it leaves.
    Notice,
    /// Another member is no longer master.
    Yield,
    /// Another member was not the only master: its rival may have had the addresses of all.
    Announce,
    /// Another member takes no part.
    Hold,
    /// All others could take part.
    Release,
}

/// As the control socket and notify scripts name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Not started, or stopped.
    Init,
    /// Another is master, or nobody yet.
    Backup,
    /// Has the addresses.
    Master,
    /// Takes no part.
    Fault,
}

impl State {
    /// On the control socket.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Backup => "backup",
            Self::Master => "master",
            Self::Fault => "fault",
        }
    }
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Send an advert.
    Send {
        /// The own one, or [`Priority::RELEASE`].
        priority: Priority,
        /// The own one.
        interval: AdvertInterval,
    },
    /// Answer for the addresses.
    Take,
    /// Answer for them no more.
    Release,
    /// Gratuitous ARP, or unsolicited neighbour advertisements, for each address.
    Announce(Repeats),
    /// The state is another one.
    Notify(State),
    /// The operator should know.
    Report(Incident),
}

/// What should not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Incident {
    /// A worse router was master at the same time.
    SecondMaster(IpAddr),
    /// Two say that the addresses are their own: neither gives in (RFC 9568 section 7.1).
    SecondOwner(IpAddr),
    /// The addresses were to be handed over, and nobody has taken them.
    NobodyTookOver,
}
