//! Building a Maglev table, and choosing by it and by the round robins.
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dataplane::schedule::{Ask, Candidate, Kind, Load, Loads, Schedule};
use dataplane::types::{BackendId, WorkerId};
use penstock_benches::{Random, criterion};

/// Nobody has anything to do.
struct Idle;

impl Loads for Idle {
    fn load(&self, _: BackendId) -> Load {
        Load::default()
    }
}

fn candidates(count: u32) -> Vec<Candidate> {
    let one = |id| Candidate::new(BackendId(id), format!("10.0.{}.{}:80", id >> 8, id & 255), 100);
    (0..count).map(one).collect()
}

fn build(c: &mut Criterion) {
    let mut group = c.benchmark_group("schedule/maglev_build");
    for count in [3, 10, 100, 1000] {
        let candidates = candidates(count);
        group.bench_function(format!("{count}-backends"), |b| {
            b.iter(|| Schedule::compile(Kind::Maglev, black_box(&candidates), 1, "edge-1"));
        });
    }
    group.finish();
}

fn choose(c: &mut Criterion) {
    let mut group = c.benchmark_group("schedule/choose");
    group.throughput(Throughput::Elements(1));
    let kinds = [
        ("maglev", Kind::Maglev),
        ("rr", Kind::RoundRobin),
        ("wrr", Kind::WeightedRoundRobin),
        ("sh", Kind::SourceHash),
        ("twos", Kind::TwoChoices),
        ("wlc", Kind::WeightedLeastConnections),
    ];
    for (name, kind) in kinds {
        let schedule = Schedule::compile(kind, &candidates(100), 1, "edge-1");
        let mut random = Random::default();
        group.bench_function(name, |b| {
            b.iter(|| schedule.choose(&Ask::new(WorkerId(0), black_box(random.word())), &Idle));
        });
    }
    group.finish();
}

criterion_group! { name = benches; config = criterion(); targets = build, choose }
criterion_main!(benches);
