//! Which backends of a service may take new flows: priority groups, quorum and the backup.

use dataplane::schedule::Candidate;
use dataplane::types::BackendId;

use crate::config::Choice;
use crate::inventory::Standing;

/// A backend, as far as choosing among them goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entrant {
    pub(super) id: BackendId,
    pub(super) name: String,
    pub(super) group: u16,
    pub(super) standing: Standing,
}

/// Who may take new flows, and what that follows from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Selection {
    /// Those who may; with weight 0 those who could if they were up.
    pub(super) candidates: Vec<Candidate>,
    /// Whether enough is up.
    pub(super) has_quorum: bool,
    /// Whether the backup takes new flows instead.
    pub(super) on_backup: bool,
    /// The last priority group that takes part; 0: none does.
    pub(super) last_group: u16,
}

/// `had_quorum`: what was so before; `None`: the service is new. `backup`: its number and name.
///
/// * Quorum, as in Keepalived: lost when nothing is up, or less than the quorum by more than the hysteresis;
///   found again with the quorum and the hysteresis. While it is lost the backup takes all new flows; a service
///   without a backup goes on with what it has.
/// * Priority groups: the lowest one takes new flows; while fewer than the minimum are up in the groups so
///   far, the next one joins.
pub(super) fn select(
    choice: &Choice,
    entrants: &[Entrant],
    backup: Option<(BackendId, String)>,
    had_quorum: Option<bool>,
) -> Selection {
    let live = || entrants.iter().filter(|entrant| entrant.standing.weight > 0);
    let weight = live().map(|entrant| u64::from(entrant.standing.full)).sum::<u64>();
    let (quorum, hysteresis) = (u64::from(choice.quorum.weight), u64::from(choice.quorum.hysteresis));
    let has_quorum = weight > 0
        && match had_quorum {
            Some(true) => weight >= quorum.saturating_sub(hysteresis),
            Some(false) => weight >= quorum + hysteresis,
            None => weight >= quorum,
        };
    if let Some((id, name)) = backup.filter(|_| !has_quorum) {
        let candidates = vec![Candidate::new(id, name, 1)];
        return Selection { candidates, has_quorum, on_backup: true, last_group: 0 };
    }
    let last_group = last_group(entrants, choice.group_minimum);
    let candidate = |entrant: &Entrant| Candidate {
        id: entrant.id,
        name: entrant.name.clone(),
        weight: entrant.standing.weight,
        full: entrant.standing.full,
    };
    let joined = entrants.iter().filter(|entrant| entrant.group <= last_group);
    Selection { candidates: joined.map(candidate).collect(), has_quorum, on_backup: false, last_group }
}

/// The last group that takes part.
fn last_group(entrants: &[Entrant], minimum: u32) -> u16 {
    let mut groups: Vec<_> =
        entrants.iter().map(|entrant| (entrant.group, entrant.standing.weight > 0)).collect();
    groups.sort_unstable();
    let (mut up, mut last) = (0, 0);
    for (group, is_up) in groups {
        if group != last && up >= minimum {
            break;
        }
        last = group;
        up += u32::from(is_up);
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Quorum;

    fn choice(group_minimum: u32, weight: u32, hysteresis: u32) -> Choice {
        Choice { group_minimum, quorum: Quorum { weight, hysteresis }, ..Choice::default() }
    }

    /// Group, weight now and weight at best.
    fn entrants(list: &[(u16, u16, u16)]) -> Vec<Entrant> {
        let one = |(n, &(group, weight, full)): (u32, &(u16, u16, u16))| Entrant {
            id: BackendId(n),
            name: n.to_string(),
            group,
            standing: Standing { weight, full },
        };
        (0..).zip(list).map(one).collect()
    }

    fn chosen(choice: &Choice, list: &[(u16, u16, u16)]) -> Vec<u32> {
        let selection = select(choice, &entrants(list), None, None);
        selection.candidates.iter().filter(|c| c.weight > 0).map(|c| c.id.0).collect()
    }

    #[test]
    fn the_next_group_joins_while_too_few_of_the_ones_before_are_up() {
        let list = |up: [u16; 5]| [(1, up[0], 9), (1, up[1], 9), (2, up[2], 9), (2, up[3], 9), (5, up[4], 9)];
        assert_eq!(chosen(&choice(1, 1, 0), &list([9; 5])), [0, 1]);
        assert_eq!(chosen(&choice(1, 1, 0), &list([0, 9, 9, 9, 9])), [1]);
        assert_eq!(chosen(&choice(1, 1, 0), &list([0, 0, 9, 9, 9])), [2, 3]);
        assert_eq!(chosen(&choice(2, 1, 0), &list([0, 9, 9, 9, 9])), [1, 2, 3]);
        assert_eq!(chosen(&choice(2, 1, 0), &list([0, 0, 0, 9, 9])), [3, 4]);
        assert_eq!(chosen(&choice(1, 1, 0), &list([0; 5])), Vec::<u32>::new());
        // Whatever their order in the file.
        assert_eq!(chosen(&choice(1, 1, 0), &[(3, 9, 9), (1, 9, 9), (2, 9, 9)]), [1]);
    }

    #[test]
    fn who_is_down_keeps_its_place_and_other_groups_have_none() {
        let selection = select(&choice(1, 1, 0), &entrants(&[(1, 0, 9), (1, 9, 9), (2, 9, 9)]), None, None);
        let all: Vec<_> = selection.candidates.iter().map(|c| (c.id.0, c.weight, c.full)).collect();
        assert_eq!(all, [(0, 0, 9), (1, 9, 9)]);
    }

    #[test]
    fn quorum_is_lost_below_and_found_above_by_the_hysteresis() {
        let choice = choice(1, 100, 20);
        let has = |weight, had| select(&choice, &entrants(&[(1, weight, weight)]), None, had).has_quorum;
        for (weight, when_had, when_not, at_first) in [
            (0, false, false, false),
            (79, false, false, false),
            (80, true, false, false),
            (99, true, false, false),
            (100, true, false, true),
            (119, true, false, true),
            (120, true, true, true),
        ] {
            let found = [Some(true), Some(false), None].map(|had| has(weight, had));
            assert_eq!(found, [when_had, when_not, at_first], "{weight}");
        }
    }

    #[test]
    fn the_backup_takes_all_while_quorum_is_lost_even_if_it_is_a_backend() {
        let list = entrants(&[(1, 50, 50), (1, 0, 50)]);
        for id in [9, 1, 0] {
            let backup = Some((BackendId(id), "sorry".to_owned()));
            let selection = select(&choice(1, 80, 0), &list, backup.clone(), Some(true));
            let takers: Vec<_> = selection.candidates.iter().map(|c| (c.id.0, c.weight > 0)).collect();
            assert_eq!((takers, selection.on_backup), (vec![(id, true)], true));
            let selection = select(&choice(1, 50, 0), &list, backup, Some(true));
            assert!(!selection.on_backup && selection.candidates.len() == 2);
        }
        let without = select(&choice(1, 80, 0), &list, None, Some(true));
        assert_eq!((without.has_quorum, without.candidates.len()), (false, 2), "goes on with what it has");
    }

    /// What warms up is up: its weight at best counts.
    #[test]
    fn slow_start_costs_no_quorum() {
        assert!(select(&choice(1, 100, 0), &entrants(&[(1, 1, 100)]), None, Some(true)).has_quorum);
    }
}
