//! Meters against simple models, under churn and under two workers at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use proptest::prelude::*;

use super::rate::{moment, next};
use super::*;
use crate::engine::apportion;
use crate::flow::{
    Addresses, Direction, Expired, FlowTable, HugePages, Inserted, Keeper, NewFlow, Numbers, Timeouts, Tuple,
};
use crate::pipeline::ended;
use crate::snapshot::{FlowTimeouts, Snapshot};
use crate::stats::WorkerCounters;
use crate::testing::offer::{How, Offer};
use crate::testing::rig::network;
use crate::types::Tick;
use crate::types::{BackendId, Port, Protocol, WorkerId};
use crate::wire::tcp::Flags;

fn meters(count: u32) -> Vec<ServiceMeter> {
    let commons = Arc::new(Commons::default());
    (0..count).map(|number| ServiceMeter::new(number, Arc::clone(&commons), 2)).collect()
}

proptest! {
    #[test]
    fn the_common_room_holds_what_is_beyond_the_own_rooms(
        steps in proptest::collection::vec((0_usize..3, 0_u8..5, 0_u32..20), 1..400),
    ) {
        let meters = meters(3);
        let commons = Arc::clone(meters[0].commons());
        commons.set_room(10);
        let mut model = [0_u32; 3];
        for (who, what, room) in steps {
            match what {
                0..=2 => {
                    let limit = Some(room).filter(|room| *room > 10);
                    let own = meters[who].own_room();
                    let expected = match limit {
                        Some(limit) if model[who] >= limit => Err(Short::Limit),
                        _ if model[who] >= own && commons.used() >= 10 => Err(Short::Share),
                        _ => Ok(()),
                    };
                    prop_assert_eq!(meters[who].begin(limit, false), expected);
                    model[who] += u32::from(expected.is_ok());
                }
                3 if model[who] > 0 => {
                    meters[who].end(false);
                    model[who] -= 1;
                }
                _ => meters[who].resize(room),
            }
            let beyond = |(meter, flows): (&ServiceMeter, u32)| u64::from(flows.saturating_sub(meter.own_room()));
            prop_assert_eq!(commons.used(), meters.iter().zip(model).map(beyond).sum::<u64>());
            prop_assert_eq!([0, 1, 2].map(|n: usize| meters[n].flows()), model);
        }
    }
}

#[test]
fn two_workers_never_exceed_a_limit_and_leave_nothing_behind() {
    let meters = meters(2);
    let commons = Arc::clone(meters[0].commons());
    commons.set_room(50);
    meters.iter().for_each(|meter| meter.resize(100));
    let (held, most) = (AtomicU32::new(0), AtomicU32::new(0));
    let work = |seed: u32| {
        let mut random = seed;
        let mut own = 0;
        for _ in 0..200_000 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let takes = random >> 16 & 3 != 0;
            if takes && meters[0].begin(Some(120), true).is_ok() {
                own += 1;
                most.fetch_max(held.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            } else if own > 0 {
                own -= 1;
                held.fetch_sub(1, Ordering::SeqCst);
                meters[0].end(true);
            }
            if random >> 20 & 0x3f == 0 {
                meters[0].resize(80 + (random >> 8) % 40);
            }
        }
        held.fetch_sub(own, Ordering::SeqCst);
        (0..own).for_each(|_| meters[0].end(true));
    };
    std::thread::scope(|scope| {
        scope.spawn(|| work(1));
        scope.spawn(|| work(2));
    });
    let most = most.into_inner();
    assert!((100..=120).contains(&most), "{most}: the limit was met and never exceeded");
    assert_eq!((meters[0].flows(), meters[0].half_open(), commons.used()), (0, 0, 0));
}

#[test]
fn a_service_that_fills_the_common_room_leaves_the_others_theirs() {
    let meters = meters(2);
    meters[0].commons().set_room(500);
    meters.iter().for_each(|meter| meter.resize(250));
    let fill = |meter: &ServiceMeter| (0..2000).filter(|_| meter.begin(None, false).is_ok()).count();
    assert_eq!(fill(&meters[0]), 750);
    assert!(meters[0].is_beyond_own_room());
    assert_eq!(fill(&meters[1]), 250);
    assert!(!meters[1].is_beyond_own_room());
}

#[test]
fn a_backend_takes_no_more_than_its_threshold_from_two_workers() {
    let (meter, most) = (BackendMeter::default(), AtomicU32::new(0));
    let work = || {
        for _ in 0..100_000 {
            let taken = (0..5).filter(|_| meter.begin(Thresholds::new(4, 4))).count();
            most.fetch_max(meter.flows(), Ordering::SeqCst);
            (0..taken).for_each(|_| meter.end(false));
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        scope.spawn(work);
    });
    // Two who are refused may be seen before they have stepped back.
    assert!((4..=6).contains(&most.into_inner()));
    assert_eq!(meter.flows(), 0);
    assert!((0..9).filter(|_| meter.begin(None)).count() == 9, "no threshold");
    assert!(!meter.begin(Thresholds::new(9, 0)));
}

#[test]
fn a_seconds_worth_comes_at_once_and_then_evenly() {
    let rate = Rate::default();
    let taken = |at: u32| (0..1000).filter(|_| rate.take(100, Tick(at))).count();
    assert_eq!(taken(5000), 100);
    assert_eq!(taken(5000), 0);
    assert_eq!(taken(5100), 10);
    let second: usize = (5101..=6100).map(taken).sum();
    assert!((99..=101).contains(&second), "{second}");
    assert_eq!(taken(60_000), 100, "silence saves up no more than a second");
    // The clock wraps, and a limiter that was not asked for most of a turn is as good as new.
    assert_eq!(taken(u32::MAX - 5), 100);
    assert_eq!(taken(5000), 100);
    assert_eq!(taken(5000 + (1 << 31) + 4001), 100);
}

#[test]
fn the_rate_holds_whatever_it_is() {
    for per_second in [1, 3, 1000, 1_000_000, u32::MAX] {
        let (mut due, mut count) = (0, 0_u64);
        while let Some(later) = next(due, per_second, moment(Tick(0))).filter(|_| count < 2_000_000) {
            (due, count) = (later, count + 1);
        }
        let expected = u64::from(per_second).min(2_000_000);
        assert!((expected..=expected + 1).contains(&count), "{per_second}: {count}");
    }
}

#[test]
fn two_workers_share_a_rate() {
    let rate = Rate::default();
    let taken = || (0..100_000).filter(|_| rate.take(1000, Tick(7))).count();
    let (a, b) = std::thread::scope(|scope| {
        let (a, b) = (scope.spawn(taken), scope.spawn(taken));
        (a.join().unwrap(), b.join().unwrap())
    });
    assert_eq!(a + b, 1000);
}

/// A table, a worker's share of it, and a service with two backends.
struct Bench {
    table: FlowTable,
    keeper: Keeper,
    snapshot: Snapshot,
    counters: WorkerCounters,
}

impl Bench {
    fn new(capacity: usize) -> Self {
        let mut snapshot = network();
        for protocol in [Protocol::Tcp, Protocol::Udp] {
            Offer::new(How::Router, false, protocol, (&[11, 12], false)).add_to(&mut snapshot);
        }
        let table = FlowTable::new(capacity, 1, HugePages::Off).unwrap();
        apportion(&snapshot, capacity);
        let keeper = Keeper::new(&table, WorkerId(0));
        Self { table, keeper, snapshot, counters: WorkerCounters::new(8) }
    }

    fn meter(&self, protocol: Protocol) -> &ServiceMeter {
        let service = self.snapshot.services.iter().find(|service| service.protocol == protocol);
        &service.unwrap().admission.meter
    }

    fn insert(&mut self, tuple: &Tuple, opens: bool, now: Tick) -> Option<Inserted> {
        self.table.quiescence().pass(WorkerId(0));
        let of = |id: u32| self.snapshot.backend(BackendId(id)).unwrap();
        let id = if tuple.protocol == Protocol::Tcp { 0 } else { 2 } + u32::from(tuple.source_port.0 & 1);
        let half_open = opens && tuple.protocol == Protocol::Tcp;
        of(id).meters.service.begin(None, half_open).ok()?;
        of(id).meters.backend.begin(None);
        let flow = NewFlow {
            tuple,
            hash: self.table.hash(tuple),
            backend: BackendId(id),
            two_way: true,
            flags: Flags(if opens { Flags::SYN } else { Flags::ACK }),
            nat: None,
            handshake: None,
        };
        let inserted = self.table.insert(&mut self.keeper, &flow, &self.snapshot, now);
        if !matches!(inserted, Inserted::Created(_)) {
            of(id).meters.service.end(half_open);
            of(id).meters.backend.end(false);
        } else if flow.is_closing() {
            of(id).meters.backend.closes();
        }
        Some(inserted)
    }

    fn note(&self, tuple: &Tuple, direction: Direction, flags: u8, now: Tick) {
        self.note_at(tuple, direction, flags, now, None);
    }

    fn note_at(&self, tuple: &Tuple, direction: Direction, flags: u8, now: Tick, numbers: Option<Numbers>) {
        let Some(found) = self.table.find(self.table.hash(tuple), tuple, &self.snapshot) else { return };
        let entry = self.table.entry(found.entry);
        let Some(turn) = self.table.note(found.entry, direction, Flags(flags), now, numbers) else { return };
        let meters = &self.snapshot.backend(entry.backend()).unwrap().meters;
        if turn.established {
            meters.service.established();
        }
        if turn.closing {
            meters.backend.closes();
        }
        if turn.reopened {
            meters.backend.reopens();
        }
    }

    fn sweep(&mut self, now: Tick) {
        let timeouts = Timeouts::from(&FlowTimeouts::default());
        let mut behind = true;
        while behind {
            self.table.quiescence().pass(WorkerId(0));
            let (snapshot, counters) = (&self.snapshot, &self.counters);
            let over = |flow: Expired| ended(snapshot, counters, &flow);
            behind = self.keeper.sweep(&self.table, snapshot, &timeouts, now, over);
            self.keeper.reclaim(&self.table);
        }
    }

    fn recycle(&mut self) -> bool {
        let flow = self.keeper.recycle(&self.table, &self.snapshot, |_| true);
        flow.inspect(|flow| ended(&self.snapshot, &self.counters, flow)).is_some()
    }

    fn backends(&self, count: impl Fn(&BackendMeter) -> u32) -> u32 {
        self.snapshot.backends.iter().flatten().map(|backend| count(&backend.meters.backend)).sum()
    }
}

fn tuple(port: u16, protocol: Protocol) -> Tuple {
    let addresses = Addresses::V4 { source: [10, 0, 0, 2].into(), destination: [10, 0, 0, 100].into() };
    Tuple { addresses, source_port: Port(port), destination_port: Port(80), protocol }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn meters_count_the_flows_in_the_table_whatever_becomes_of_them(
        steps in proptest::collection::vec((0_u8..12, 0_u16..60, any::<bool>()), 1..500),
    ) {
        let mut bench = Bench::new(4096);
        let mut now = Tick(0);
        for (action, port, udp) in steps {
            let protocol = if udp { Protocol::Udp } else { Protocol::Tcp };
            let tuple = tuple(port, protocol);
            match action {
                0 | 1 => _ = bench.insert(&tuple, true, now),
                2 => _ = bench.insert(&tuple, false, now),
                3 => bench.note(&tuple, Direction::Return, Flags::SYN | Flags::ACK, now),
                4 => bench.note(&tuple, Direction::Forward, Flags::ACK, now),
                5 => bench.note(&tuple, Direction::Forward, Flags::RST, now),
                6 => bench.note(&tuple, Direction::Return, Flags::FIN | Flags::ACK, now),
                7 => {
                    let numbers = Numbers { start: 7 << 20, end: 8 << 20, acknowledged: Some(9) };
                    bench.note_at(&tuple, Direction::Return, Flags::ACK, now, Some(numbers));
                }
                8 => bench.note_at(&tuple, Direction::Forward, Flags::FIN | Flags::ACK, now, Some(Numbers { start: 7, end: 9, acknowledged: Some(1) })),
                9 => bench.note_at(&tuple, Direction::Return, Flags::ACK, now, Some(Numbers { start: 1, end: 1, acknowledged: Some(9) })),
                10 => _ = bench.recycle(),
                _ => {
                    now = Tick(now.0 + 3000);
                    bench.sweep(now);
                }
            }
            let flows: Vec<_> = bench.table.flows(now).collect();
            for protocol in [Protocol::Tcp, Protocol::Udp] {
                let own = flows.iter().filter(|flow| flow.protocol == protocol).count();
                prop_assert_eq!(bench.meter(protocol).flows() as usize, own);
            }
            let half_open = flows.iter().filter(|flow| flow.state == crate::FlowState::Syn).count();
            prop_assert_eq!(bench.meter(Protocol::Tcp).half_open() as usize, half_open);
            prop_assert_eq!(bench.backends(BackendMeter::flows) as usize, flows.len());
            let closing = flows.iter().filter(|flow| flow.state.is_closing()).count();
            prop_assert_eq!(bench.backends(BackendMeter::closing) as usize, closing);
        }
        for _ in 0..3 {
            now = Tick(now.0 + 3_600_000);
            bench.sweep(now);
        }
        let left = bench.backends(|meter| meter.flows() + meter.closing());
        prop_assert_eq!((left, bench.meter(Protocol::Tcp).half_open()), (0, 0));
    }
}

#[test]
fn what_was_never_established_makes_way_in_the_order_of_age() {
    let mut bench = Bench::new(4096);
    for port in 1..=6 {
        bench.insert(&tuple(port, Protocol::Tcp), true, Tick(0));
    }
    // The second is established; the third has been answered, which is no more than half open.
    bench.note(&tuple(2, Protocol::Tcp), Direction::Return, Flags::SYN | Flags::ACK, Tick(1));
    bench.note(&tuple(2, Protocol::Tcp), Direction::Forward, Flags::ACK, Tick(1));
    bench.note(&tuple(3, Protocol::Tcp), Direction::Return, Flags::SYN | Flags::ACK, Tick(1));
    bench.insert(&tuple(7, Protocol::Udp), true, Tick(0));
    let ports = |bench: &Bench| {
        let mut ports: Vec<_> = bench.table.flows(Tick(1)).map(|flow| flow.client.port()).collect();
        ports.sort_unstable();
        ports
    };
    assert!(bench.recycle());
    assert_eq!(ports(&bench), [2, 3, 4, 5, 6, 7]);
    assert!(bench.recycle());
    assert_eq!(ports(&bench), [2, 4, 5, 6, 7]);
    (0..3).for_each(|_| assert!(bench.recycle()));
    assert_eq!(ports(&bench), [2, 7]);
    assert!(bench.recycle(), "a datagram that nobody has answered");
    assert!(!bench.recycle());
    assert_eq!(ports(&bench), [2]);
}

/// The room that workers have in hand, in limbo and in blocks of other sizes does not count against the
/// flows that the table is for.
#[test]
fn the_table_has_room_for_every_flow_that_the_meters_let_in() {
    for capacity in [64_u32, 1000, 20_000] {
        let mut bench = Bench::new(capacity as usize);
        let mut failed = 0;
        for round in 0..3_u32 {
            let ports = (0..u16::try_from(capacity).unwrap()).map(|port| port + 1);
            for port in ports {
                let protocol = if port % 3 == 0 { Protocol::Udp } else { Protocol::Tcp };
                let inserted = bench.insert(&tuple(port, protocol), true, Tick(round * 120_000));
                failed += u32::from(matches!(inserted, Some(Inserted::Full)));
                bench.keeper.reclaim(&bench.table);
            }
            let used = bench.meter(Protocol::Tcp).flows() + bench.meter(Protocol::Udp).flows();
            assert!(used + failed >= capacity, "{used} of {capacity}");
            bench.sweep(Tick(round * 120_000 + 60_000));
            bench.sweep(Tick(round * 120_000 + 119_000));
            assert_eq!(bench.table.flows(Tick(0)).count(), 0);
        }
        // All buckets of a tuple may be full a little before the table is.
        assert!(failed * 1000 <= capacity * 3, "{failed} of {capacity}");
    }
}
