//! The connection table alone: look-ups in batches of 64 as a worker does them, inserts, and a flow's
//! whole life.
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use dataplane::bench::Table;
use dataplane::limits::BATCH;
use penstock_benches::{Random, SIZES, SMALL_SIZES, criterion, time_passes};

fn look_up(c: &mut Criterion) {
    let mut group = c.benchmark_group("flow_table/look_up");
    group.throughput(Throughput::Elements(BATCH as u64));
    for (name, flows) in SIZES {
        let table = Table::new(flows as usize * 9 / 8, flows);
        for (kind, first) in [("hit", 0), ("miss", 1 << 27)] {
            let mut random = Random::default();
            let mut asked = [0; BATCH];
            group.bench_function(format!("{kind}/{name}"), |b| {
                b.iter_custom(|iterations| {
                    let state = &mut (&mut random, &mut asked);
                    let prepare = |state: &mut (&mut Random, &mut [u32; BATCH])| {
                        state.1.fill_with(|| first + state.0.below(flows));
                    };
                    time_passes(iterations, state, prepare, |state| {
                        let found = table.look_up(state.1);
                        assert_eq!(found, if first == 0 { BATCH } else { 0 });
                    })
                });
            });
        }
    }
    group.finish();
}

fn insert_and_expire(c: &mut Criterion) {
    let mut group = c.benchmark_group("flow_table/insert_and_expire");
    for (kind, two_way) in [("one-way", false), ("two-way", true)] {
        for (name, flows) in SMALL_SIZES {
            let mut table = Table::new(flows as usize * 9 / 8, 0);
            group.throughput(Throughput::Elements(u64::from(flows)));
            group.bench_function(format!("{kind}/{name}"), |b| {
                b.iter(|| {
                    (0..flows).for_each(|_| table.insert(two_way));
                    assert!(table.expire_all() >= flows as usize * 99 / 100);
                });
            });
        }
    }
    group.finish();
}

fn insert(c: &mut Criterion) {
    let mut group = c.benchmark_group("flow_table/insert");
    for (name, flows) in SMALL_SIZES {
        let count = flows / 4;
        group.throughput(Throughput::Elements(u64::from(count)));
        group.bench_function(format!("one-way/{name}"), |b| {
            let half_full = || Table::new(flows as usize, flows / 2);
            b.iter_batched_ref(
                half_full,
                |table| (0..count).for_each(|_| table.insert(false)),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group! { name = benches; config = criterion(); targets = look_up, insert, insert_and_expire }
criterion_main!(benches);
