//! What moves a virtual router beside its peers: tracked things, and the group that it moves with. Pure.
//!
//! By the rules of Keepalived's `track_…` and `vrrp_sync_group`.

use super::Priority;
use super::router::{Order, Standing, State};

/// What a tracked thing does to the priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// Without it the router takes no part: a weight of 0.
    Fault,
    /// Added while it is well if positive, and while it is not if negative.
    Adds(i16),
}

/// Whether a tracked thing is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// It is.
    Well,
    /// It is not.
    Failed,
}

/// An interface, a script, a service, whose state counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tracked {
    /// How much.
    pub weight: Weight,
    /// How it is.
    pub condition: Condition,
}

/// What is left of a priority. Those of sync groups get what all members track, so that they move together.
///
/// The owner's does not change: 255 says whose the addresses are (RFC 9568 section 5.2.4). Nobody else's becomes
/// 255, nor 0, which says that the master leaves.
#[must_use]
pub fn standing(base: Priority, tracked: impl IntoIterator<Item = Tracked>) -> Standing {
    let mut sum = i32::from(base.0);
    for Tracked { weight, condition } in tracked {
        match (weight, condition) {
            (Weight::Fault, Condition::Failed) => return Standing::Unfit,
            (Weight::Fault, Condition::Well) => {}
            (Weight::Adds(by @ 1..), Condition::Well) | (Weight::Adds(by @ ..0), Condition::Failed) => {
                sum += i32::from(by);
            }
            (Weight::Adds(0..), Condition::Failed) | (Weight::Adds(..1), Condition::Well) => {}
        }
    }
    if base == Priority::OWNER {
        return Standing::Fit(base);
    }
    let sum = sum.clamp(Priority::LOWEST.0.into(), Priority::HIGHEST.0.into());
    Standing::Fit(u8::try_from(sum).map_or(Priority::LOWEST, Priority))
}

/// A place in a sync group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MemberId(pub usize);

/// What the group must know of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Where it stands.
    pub state: State,
    /// Its own link or trackers keep it from taking part.
    pub is_unfit: bool,
    /// Others keep it from taking part.
    pub is_held: bool,
    /// It would be master by itself.
    pub is_ripe: bool,
    /// It is master until another is.
    pub is_leaving: bool,
}

/// A member that has just changed its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Which.
    pub member: MemberId,
    /// What it was.
    pub from: State,
}

/// Who is held or released: with one member unfit the others take no part either.
///
/// Asked after each event. The unfit one is not held by itself, so that its recovery sets all free.
#[must_use]
pub fn holds(members: &[Member]) -> Vec<(MemberId, Order)> {
    let unfit = members.iter().filter(|member| member.is_unfit).count();
    let orders = members.iter().enumerate().filter_map(|(id, member)| {
        let is_to_be_held = unfit > usize::from(member.is_unfit);
        match (member.is_held, is_to_be_held) {
            (false, true) => Some((MemberId(id), Order::Hold)),
            (true, false) => Some((MemberId(id), Order::Release)),
            (true, true) | (false, false) => None,
        }
    });
    orders.collect()
}

/// Who becomes master: all who are not, once each of them would be by itself.
#[must_use]
pub fn takers(members: &[Member]) -> Vec<(MemberId, Order)> {
    if members.iter().any(|member| member.state != State::Master && !member.is_ripe) {
        return Vec::new();
    }
    let ripe = members.iter().enumerate().filter(|(_, member)| member.is_ripe);
    ripe.map(|(id, _)| (MemberId(id), Order::Take)).collect()
}

/// Who becomes master at once, because its group is: it came to it by a reload.
#[must_use]
pub fn joiners(members: &[Member]) -> Vec<(MemberId, Order)> {
    let has_master = members.iter().any(|member| member.state == State::Master && !member.is_leaving);
    let backups =
        members.iter().enumerate().filter(|(_, member)| has_master && member.state == State::Backup);
    backups.map(|(id, _)| (MemberId(id), Order::Take)).collect()
}

/// Who is told that the master of `member` leaves: the box that it is leaves with its whole group.
#[must_use]
pub fn noticed(members: &[Member], member: MemberId) -> Vec<(MemberId, Order)> {
    let others =
        members.iter().enumerate().filter(|(id, other)| *id != member.0 && other.state == State::Backup);
    others.map(|(id, _)| (MemberId(id), Order::Notice)).collect()
}

/// Who announces its addresses with `member`, which was not the only master.
#[must_use]
pub fn announcers(members: &[Member], member: MemberId) -> Vec<(MemberId, Order)> {
    let others =
        members.iter().enumerate().filter(|(id, other)| *id != member.0 && other.state == State::Master);
    others.map(|(id, _)| (MemberId(id), Order::Announce)).collect()
}

/// Who follows a change. Their own changes, made by these orders, ask for nothing more.
#[must_use]
pub fn followers(members: &[Member], change: Change) -> Vec<(MemberId, Order)> {
    let Some(changed) = members.get(change.member.0) else { return Vec::new() };
    let others = |state: State, order: Order| {
        let all = members.iter().enumerate();
        let concerned = all.filter(move |(id, member)| *id != change.member.0 && member.state == state);
        concerned.map(move |(id, _)| (MemberId(id), order)).collect::<Vec<_>>()
    };
    match (change.from, changed.state) {
        (State::Init | State::Backup | State::Fault, State::Master) => others(State::Backup, Order::Take),
        (State::Master, State::Backup) => others(State::Master, Order::Yield),
        // It joins a group that has a master: as its members are.
        (State::Init | State::Fault, State::Backup) => {
            let has_master = members.iter().any(|member| member.state == State::Master && !member.is_leaving);
            has_master.then_some((change.member, Order::Take)).into_iter().collect()
        }
        // Faults are for `holds`; who is shut down is so for all.
        (State::Init | State::Backup | State::Master | State::Fault, State::Init | State::Fault)
        | (State::Master, State::Master)
        | (State::Backup, State::Backup) => Vec::new(),
    }
}

#[cfg(test)]
#[path = "group_tests.rs"]
mod tests;
