//! Where a virtual router stands, and when something is due there.

use std::net::IpAddr;
use std::time::Instant;

use super::action::State;
use crate::vrrp::timing::AdvertInterval;

#[derive(Debug, Clone, Copy)]
pub(super) enum Phase {
    Init,
    Backup(Waiting),
    Master(Duty),
    /// Has said priority 0, and answers until somebody else does.
    Leaving(Leave),
    Fault,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Waiting {
    /// When the master counts as dead.
    pub(super) down_at: Instant,
    /// The master's (`Active_Adver_Interval`), as long as none is heard the own one.
    pub(super) interval: AdvertInterval,
    /// Since a worse master is heard: when to take over from it.
    pub(super) preempt_at: Option<Instant>,
    pub(super) master: Option<IpAddr>,
    /// Its time has come, and its sync group's has not.
    pub(super) ripe: bool,
    /// When another member of its group has lost against a better master.
    pub(super) yielded_at: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Duty {
    pub(super) advert_at: Instant,
    /// The second set of announcements.
    pub(super) second_at: Option<Instant>,
    pub(super) refresh_at: Option<Instant>,
    /// When a second master last made it announce again.
    pub(super) healed_at: Option<Instant>,
    /// When a worse master was heard last.
    pub(super) rival_at: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Leave {
    pub(super) advert_at: Instant,
    /// Who was to take over has had its time.
    pub(super) until: Instant,
    pub(super) then: Then,
    /// Others of its sync group are backups by then: it is one, too, even if nobody has taken over.
    pub(super) yields: bool,
}

/// What comes after the addresses are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    StandBy,
    Stop,
}

impl Phase {
    pub(super) fn state(&self) -> State {
        match self {
            Self::Init => State::Init,
            Self::Backup(_) => State::Backup,
            Self::Master(_) | Self::Leaving(_) => State::Master,
            Self::Fault => State::Fault,
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        match *self {
            Self::Init | Self::Fault => None,
            Self::Backup(Waiting { down_at, preempt_at, .. }) => {
                [Some(down_at), preempt_at].into_iter().flatten().min()
            }
            Self::Master(Duty { advert_at, second_at, refresh_at, .. }) => {
                [Some(advert_at), second_at, refresh_at].into_iter().flatten().min()
            }
            Self::Leaving(Leave { advert_at, until, .. }) => Some(advert_at.min(until)),
        }
    }
}
