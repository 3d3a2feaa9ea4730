//! Services under a flood: a word when one has no room left in the flow table, or when its handshakes begin to be
//! answered by cookie, and when that is over.

use std::collections::{HashMap, HashSet};

use dataplane::admission::{ServiceMeter, SynProxy};
use dataplane::types::Mode;

use super::Supervisor;

/// Looks without an event until a service is out of it: a flood that takes a breath must not fill the log.
const CALM: u32 = 5;

/// What is remembered of a service, by its name.
#[derive(Debug, Default)]
pub(super) struct Pressures(HashMap<String, Pressure>);

#[derive(Debug, Default)]
struct Pressure {
    /// How often it had happened when it was looked at last.
    seen: u64,
    /// Looks since it has not; `None`: it does not.
    calm: Option<u32>,
}

/// What is to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Begins,
    Ends,
}

impl Pressures {
    /// Takes in how often it has happened to a service so far.
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
        for (service, compiled) in self.config.services.iter().zip(snapshot.services.iter()) {
            let meter = &compiled.admission.meter;
            let name = service.name.as_str();
            if compiled.syn_proxy == SynProxy::Auto {
                tell_of_cookies(&mut self.watched.cookies, name, meter);
            }
            match self.watched.pressures.follow(name, meter.counts().pressed()) {
                Some(Change::Begins) => tracing::warn!(
                    event = "capacity",
                    service = name,
                    flows = meter.flows(),
                    guaranteed = meter.own_room(),
                    "above its share of the flow table: {}",
                    consequence(service.mode())
                ),
                Some(Change::Ends) => {
                    tracing::warn!(
                        event = "capacity",
                        service = name,
                        flows = meter.flows(),
                        "back to normal: there is room again"
                    );
                }
                None => {}
            }
        }
        let there: HashSet<_> = self.config.services.iter().map(|service| service.name.as_str()).collect();
        self.watched.pressures.0.retain(|name, _| there.contains(name.as_str()));
        self.watched.cookies.0.retain(|name, _| there.contains(name.as_str()));
    }
}

/// Tells of a service whose handshakes are answered by cookie now, or not any more.
fn tell_of_cookies(cookies: &mut Pressures, name: &str, meter: &ServiceMeter) {
    let counts = meter.counts();
    match cookies.follow(name, counts.cookies_sent) {
        Some(Change::Begins) => tracing::warn!(
            event = "capacity",
            service = name,
            half_open = meter.half_open(),
            guaranteed = meter.own_room(),
            "many handshakes that nobody finishes: SYNs are answered by cookie"
        ),
        Some(Change::Ends) => tracing::warn!(
            event = "capacity",
            service = name,
            cookies_sent = counts.cookies_sent,
            cookies_taken = counts.cookies_taken,
            "back to normal: handshakes go to the backends again"
        ),
        None => {}
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
