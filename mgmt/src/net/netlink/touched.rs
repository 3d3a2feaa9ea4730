//! Which neighbours have changed, where nothing else has; and what is taken for known before the kernel reports it.

use std::collections::BTreeSet;

use dataplane::types::Mac;

use super::super::{Effect, Event, Lesson, Neighbour, NeighbourId, NeighbourState};
use super::{Netlink, Progress, SETTLE};

/// Neighbours and stations of bridges that have changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Touched {
    /// By link and address.
    pub neighbours: BTreeSet<NeighbourId>,
    /// By bridge and MAC address.
    pub stations: BTreeSet<(u32, Mac)>,
}

/// What has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Neighbours and stations alone.
    Neighbours(Touched),
    /// Something else, too.
    Whole,
}

impl Netlink {
    /// Takes for known what the kernel is about to be taught. Gives what has changed with it.
    pub fn suppose(&mut self, lessons: impl Iterator<Item = Lesson>) -> Touched {
        let mut touched = Touched::default();
        for Lesson { id, mac, .. } in lessons {
            let (state, mac) = (NeighbourState::Stale, Some(mac));
            let known = self.state.neighbour(id.0, id.1);
            let (managed, router) = known.map_or((false, false), |known| (known.managed, known.router));
            let (interface, address) = id;
            let supposed = Neighbour { interface, address, mac, state, managed, router };
            if self.state.apply(Event::Neighbour(supposed)) != Effect::Nothing {
                touched.neighbours.insert(id);
            }
        }
        touched
    }

    /// The kernel has refused to be taught this. An entry that there is not is forgotten again; of one that there was,
    /// the kernel knows better, and everything is read again, soon.
    pub fn take_back(&mut self, lesson: Lesson) -> Touched {
        let mut touched = Touched::default();
        let (link, address) = lesson.id;
        if lesson.creates {
            if self.state.apply(Event::NeighbourGone(link, address)) != Effect::Nothing {
                touched.neighbours.insert(lesson.id);
            }
        } else if matches!(self.progress, Progress::Hears) {
            self.progress = Progress::settle(SETTLE);
        }
        touched
    }

    pub(super) fn take_change(&mut self) -> Change {
        let touched = self.touched.replace(Touched::default());
        touched.map_or(Change::Whole, Change::Neighbours)
    }

    /// Takes in an event, and notes what it changes.
    pub(super) fn apply(&mut self, event: Event) -> Effect {
        let (neighbour, station) = match &event {
            Event::Neighbour(n) => (Some((n.interface, n.address)), None),
            Event::NeighbourGone(link, address) => (Some((*link, *address)), None),
            Event::Station(s) | Event::StationGone(s) => (None, Some((s.bridge, s.mac))),
            _ => (None, None),
        };
        let effect = self.state.apply(event);
        if effect != Effect::Nothing {
            match (&mut self.touched, neighbour, station) {
                (Some(touched), Some(neighbour), _) => _ = touched.neighbours.insert(neighbour),
                (Some(touched), _, Some(station)) => _ = touched.stations.insert(station),
                (touched, None, None) => *touched = None,
                (None, ..) => {}
            }
        }
        effect
    }
}
