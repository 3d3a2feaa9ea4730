//! The whole worker in memory: packets of random established flows, every check and counter of the
//! real one. One element is one packet; the time to write the frames is not in it.
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dataplane::bench::{Engine, Subject};
use dataplane::limits::BATCH;
use penstock_benches::{SIZES, criterion, time_passes};

fn pipeline(c: &mut Criterion) {
    let mut group = c.benchmark_group("pipeline");
    group.throughput(Throughput::Elements(BATCH as u64));
    for subject in Subject::ALL {
        for (family, v6) in [("ipv4", false), ("ipv6", true)] {
            for (name, flows) in SIZES {
                // Filled only if it is asked for: a million flows take a while.
                let mut engine = None;
                group.bench_function(format!("{}/{family}/{name}", subject.name()), |b| {
                    b.iter_custom(|iterations| {
                        let engine = engine.get_or_insert_with(|| Engine::new(subject, v6, flows));
                        let before = engine.sent();
                        let time = time_passes(iterations, engine, Engine::prepare, |engine| {
                            engine.pass();
                        });
                        // One flow in a hundred thousand may have found its buckets full.
                        let packets = iterations * BATCH as u64;
                        let lost = packets - (engine.sent() - before);
                        assert!(lost * 1000 <= packets, "{lost} of {packets} packets were not sent on");
                        time
                    });
                });
            }
        }
    }
    group.finish();
}

criterion_group! { name = benches; config = criterion(); targets = pipeline }
criterion_main!(benches);
