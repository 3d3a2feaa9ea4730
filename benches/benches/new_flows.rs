//! New connections through the whole worker in memory: each packet is the SYN of a flow that has not been
//! before. The flow is given a backend, and in one-arm mode a source port, is put into the table and, as
//! its client falls silent, taken out again: as many end as begin. One element is one connection; the
//! time to write the frames is not in it.
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dataplane::bench::{Engine, Subject};
use dataplane::limits::BATCH;
use penstock_benches::{criterion, time_passes};

/// How long a flow stays. Times the rate, that is how many there are at a time.
const LIFE: Duration = Duration::from_millis(500);
/// More than there are at a time, whatever the machine.
const ROOM: u32 = 4_000_000;

fn new_flows(c: &mut Criterion) {
    let mut group = c.benchmark_group("new_flows");
    group.throughput(Throughput::Elements(BATCH as u64));
    for subject in [Subject::Dsr, Subject::Router, Subject::OneArm] {
        for (family, v6) in [("ipv4", false), ("ipv6", true)] {
            let mut engine = None;
            group.bench_function(format!("{}/{family}", subject.name()), |b| {
                let engine = engine.get_or_insert_with(|| steady(subject, v6));
                b.iter_custom(|iterations| {
                    let (sent, expired) = (engine.sent(), engine.expired());
                    let time = time_passes(iterations, engine, Engine::prepare_new, |engine| {
                        engine.pass();
                    });
                    let lost = iterations * BATCH as u64 - (engine.sent() - sent);
                    assert_eq!(lost, 0, "connections were refused");
                    assert!(iterations < 10_000 || engine.expired() > expired, "no flow has ended");
                    time
                });
            });
        }
    }
    group.finish();
}

/// An engine in which flows have begun to end.
fn steady(subject: Subject, v6: bool) -> Engine {
    let mut engine = Engine::for_new_flows(subject, v6, ROOM, LIFE);
    while engine.expired() < u64::from(ROOM) / 4 {
        engine.prepare_new();
        engine.pass();
    }
    engine
}

criterion_group! { name = benches; config = criterion(); targets = new_flows }
criterion_main!(benches);
