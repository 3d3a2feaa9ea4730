//! The whole worker in memory, every check and counter of the real one. One element is one packet; the
//! time to write the frames is not in it.
//!
//! `pipeline`: packets of random established flows. `zipf`: the same, but some flows have most of the
//! packets. `miss`: packets from the middle of connections that nobody knows, which router mode drops.
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dataplane::bench::{Engine, Subject};
use dataplane::limits::BATCH;
use penstock_benches::{Random, SIZES, Zipf, criterion, time_passes};

/// A flow that is in nobody's table.
const UNKNOWN: u32 = 1 << 27;

/// Times batches whose flows `pick` chooses; `sent` says how many packets of so many must be sent on.
fn bench(
    c: &mut Criterion,
    (group, name): (&str, &str),
    make: impl Fn() -> Engine,
    mut pick: impl FnMut() -> u32,
    are_sent: bool,
) {
    let mut group = c.benchmark_group(group);
    group.throughput(Throughput::Elements(BATCH as u64));
    // Filled only if it is asked for: ten million flows take a while.
    let mut engine = None;
    group.bench_function(name, |b| {
        // Outside of what criterion watches, or it would take the filling for the first batch.
        let engine = engine.get_or_insert_with(&make);
        b.iter_custom(|iterations| {
            let before = engine.sent();
            let prepare = |engine: &mut Engine| engine.prepare(&mut pick);
            let time = time_passes(iterations, engine, prepare, |engine| {
                engine.pass();
            });
            let (packets, sent) = (iterations * BATCH as u64, engine.sent() - before);
            // One flow in a hundred thousand may have found its buckets full.
            let wrong = if are_sent { packets - sent } else { sent };
            assert!(wrong * 1000 <= packets, "{sent} of {packets} packets were sent on");
            time
        });
    });
    group.finish();
}

fn pipeline(c: &mut Criterion) {
    for subject in Subject::ALL {
        for (family, v6) in [("ipv4", false), ("ipv6", true)] {
            for (size, flows) in SIZES {
                let name = format!("{}/{family}/{size}", subject.name());
                let mut random = Random::default();
                let make = || Engine::new(subject, v6, flows);
                bench(c, ("pipeline", &name), make, || random.below(flows), true);
            }
        }
    }
}

fn zipf(c: &mut Criterion) {
    for subject in [Subject::Dsr, Subject::Router, Subject::OneArm] {
        for (size, flows) in SIZES {
            let name = format!("{}/ipv4/{size}", subject.name());
            let mut zipf = Zipf::new(flows);
            let make = || Engine::new(subject, false, flows);
            bench(c, ("zipf", &name), make, || zipf.pick(), true);
        }
    }
}

fn miss(c: &mut Criterion) {
    for (size, flows) in SIZES {
        let name = format!("router/ipv4/{size}");
        let mut random = Random::default();
        let make = || Engine::new(Subject::Router, false, flows);
        bench(c, ("miss", &name), make, || UNKNOWN + random.below(flows), false);
    }
}

criterion_group! { name = benches; config = criterion(); targets = pipeline, zipf, miss }
criterion_main!(benches);
