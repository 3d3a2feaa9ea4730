//! Services that have no room left in the flow table: a word when that begins, and when it is over.

use std::collections::HashMap;

use dataplane::types::Mode;

use super::Supervisor;

/// Looks without an event until a service is out of it: a flood that takes a breath must not fill the log.
const CALM: u32 = 5;

/// What is remembered of a service, by its name.
#[derive(Debug, Default)]
pub(super) struct Pressures(HashMap<String, Pressure>);

#[derive(Debug, Default)]
struct Pressure {
    /// How often it had no room, when it was looked at last.
    seen: u64,
    /// Looks since it had none; `None`: it is not under pressure.
    calm: Option<u32>,
}

/// What is to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Begins,
    Ends,
}

impl Pressures {
    /// Takes in how often a service had no room so far.
    fn follow(&mut self, service: &str, events: u64) -> Option<Change> {
        if !self.0.contains_key(service) {
            self.0.insert(service.to_owned(), Pressure::default());
        }
        let pressure = self.0.get_mut(service)?;
        let is_pressed = events > pressure.seen;
        pressure.seen = events;
        match (pressure.calm, is_pressed) {
            (None, true) => {
                pressure.calm = Some(0);
                Some(Change::Begins)
            }
            (Some(calm), false) if calm + 1 >= CALM => {
                pressure.calm = None;
                Some(Change::Ends)
            }
            (Some(calm), is_pressed) => {
                pressure.calm = Some(if is_pressed { 0 } else { calm + 1 });
                None
            }
            (None, false) => None,
        }
    }

    /// Whether a service is under pressure.
    pub(super) fn is_pressed(&self, service: &str) -> bool {
        self.0.get(service).is_some_and(|pressure| pressure.calm.is_some())
    }
}

impl Supervisor {
    /// Tells of services that have come under pressure, or out of it.
    pub(super) fn watch_pressure(&mut self) {
        let snapshot = self.dataplane.snapshot();
        for (service, compiled) in self.config.services.iter().zip(&snapshot.services) {
            let meter = &compiled.admission.meter;
            let name = service.name.as_str();
            match self.pressures.follow(name, meter.counts().pressed()) {
                Some(Change::Begins) => tracing::warn!(
                    service = name,
                    flows = meter.flows(),
                    guaranteed = meter.own_room(),
                    "above its share of the flow table: {}",
                    consequence(service.mode())
                ),
                Some(Change::Ends) => {
                    tracing::warn!(
                        service = name,
                        flows = meter.flows(),
                        "back to normal: there is room again"
                    );
                }
                None => {}
            }
        }
        let is_there = |name: &String| self.config.services.iter().any(|service| service.name == *name);
        self.pressures.0.retain(|name, _| is_there(name));
    }
}

fn consequence(mode: Mode) -> &'static str {
    match mode {
        Mode::Dsr | Mode::Tunnel => "flows that were never established make way, others go on statelessly",
        Mode::Bridge | Mode::Router | Mode::OneArm => {
            "flows that were never established make way, further new ones are refused"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_told_of_when_it_comes_under_pressure_and_when_it_was_calm_for_a_while() {
        let mut pressures = Pressures::default();
        let mut told = |events| pressures.follow("web", events);
        assert_eq!([0, 0, 5, 9, 9, 9, 9, 12].map(&mut told)[2], Some(Change::Begins));
        assert_eq!([12, 12, 12, 12, 12, 12].map(&mut told)[4], Some(Change::Ends));
        assert!(!pressures.is_pressed("web"));
        assert_eq!(pressures.follow("web", 13), Some(Change::Begins));
        assert!(pressures.is_pressed("web") && !pressures.is_pressed("dns"));
    }
}
