//! What the daemon may do: after its start no more than it needs, root or not.

use caps::{CapSet, Capability, CapsHashSet};

/// What it needs as long as it runs, and for what.
pub const KEPT: [(Capability, &str); 10] = [
    (
        Capability::CAP_NET_ADMIN,
        "interfaces that come back, bridges, neighbours, the device of checks, marks",
    ),
    (Capability::CAP_NET_RAW, "AF_XDP and packet sockets; VRRP, pings"),
    (Capability::CAP_BPF, "maps of the steering program, and its link to an interface that comes back"),
    (Capability::CAP_PERFMON, "loading the steering program, which begins after this"),
    (Capability::CAP_IPC_LOCK, "frames of AF_XDP in locked memory, also for a queue that comes back"),
    (Capability::CAP_SYS_NICE, "threads of VRRP and BFD that go first, workers on their cores"),
    (
        Capability::CAP_CHOWN,
        "a control socket that is bound again, and a saved file, which belong to whom they did; SETUID and SETGID \
         could do more",
    ),
    (Capability::CAP_SETUID, "scripts of checks and virtual routers, which run as another user"),
    (Capability::CAP_SETGID, "the same"),
    (Capability::CAP_KILL, "the same, when their time is over"),
];

/// Gives up all else, in this thread and for all that are started later, and for scripts and the guardian for good.
/// To be called before other threads are there: each has rights of its own.
///
/// # Errors
/// The kernel refuses; what was given up stays so.
pub fn give_up() -> Result<(), caps::errors::CapsError> {
    let kept: CapsHashSet = KEPT.iter().map(|(capability, _)| *capability).collect();
    // Without this right there is nothing that the bounding set could be made smaller by: systemd has done it.
    if caps::has_cap(None, CapSet::Effective, Capability::CAP_SETPCAP)? {
        for capability in caps::read(None, CapSet::Bounding)?.difference(&kept) {
            caps::drop(None, CapSet::Bounding, *capability)?;
        }
    }
    caps::clear(None, CapSet::Ambient)?;
    for set in [CapSet::Effective, CapSet::Inheritable, CapSet::Permitted] {
        let held = caps::read(None, set)?;
        caps::set(None, set, &held.intersection(&kept).copied().collect())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_lets_the_daemon_have_what_it_keeps() {
        let unit = include_str!("../../configs/penstockd.service");
        let granted = unit.lines().find_map(|line| line.strip_prefix("CapabilityBoundingSet=")).unwrap();
        let mut granted: Vec<_> =
            granted.split(' ').map(|name| name.parse::<Capability>().unwrap()).collect();
        let mut needed: Vec<_> = KEPT.iter().map(|(capability, _)| *capability).collect();
        granted.sort_by_key(|capability| capability.index());
        needed.sort_by_key(|capability| capability.index());
        assert_eq!(granted, needed);
    }

    #[test]
    fn what_is_not_kept_is_gone_for_good() {
        // In a thread of its own, which is all that it concerns.
        let held = std::thread::spawn(|| {
            give_up().unwrap();
            [CapSet::Effective, CapSet::Permitted].map(|set| caps::read(None, set).unwrap())
        });
        let kept: CapsHashSet = KEPT.iter().map(|(capability, _)| *capability).collect();
        for held in held.join().unwrap() {
            assert!(held.is_subset(&kept), "{held:?}");
        }
    }
}
