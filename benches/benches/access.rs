//! What a new flow is asked before it begins: access lists of a hundred thousand prefixes, and the life of
//! flows that nothing refuses, meters included. Packets of known flows meet none of it: see `pipeline`.
use std::hint::black_box;
use std::net::IpAddr;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dataplane::bench::{Flows, access_list};
use dataplane::limits::BATCH;
use penstock_benches::{Random, criterion};

const PREFIXES: u32 = 100_000;
const FAMILIES: [(&str, bool); 2] = [("ipv4", false), ("ipv6", true)];

fn build(c: &mut Criterion) {
    let mut group = c.benchmark_group("access/build");
    for (family, v6) in FAMILIES {
        group.bench_function(format!("{family}/100k"), |b| b.iter(|| access_list(black_box(PREFIXES), v6)));
    }
    group.finish();
}

fn look_up(c: &mut Criterion) {
    let mut group = c.benchmark_group("access/look_up");
    group.throughput(Throughput::Elements(1));
    for (family, v6) in FAMILIES {
        for (name, prefixes) in [("none", 0), ("100k", PREFIXES)] {
            let list = access_list(prefixes, v6);
            let mut random = Random::default();
            let mut client = || {
                let word = random.word();
                match v6 {
                    true => IpAddr::V6((0x2001_u128 << 112 | u128::from(word)).into()),
                    false => IpAddr::V4(u32::try_from(word >> 32).unwrap_or(0).into()),
                }
            };
            group.bench_function(format!("{family}/{name}"), |b| b.iter(|| list.allows(client())));
        }
    }
    group.finish();
}

fn new_flows(c: &mut Criterion) {
    const FLOWS: u32 = 65_536;
    let mut group = c.benchmark_group("access/new_flow");
    let mut flows = Flows::new(FLOWS as usize * 9 / 8);
    group.throughput(Throughput::Elements(u64::from(FLOWS)));
    group.bench_function("dsr", |b| {
        b.iter(|| {
            let begun: usize = (0..FLOWS as usize / BATCH).map(|_| flows.begin()).sum();
            assert!(begun >= FLOWS as usize * 99 / 100);
            // Those of the last step are over with the next one.
            assert!(flows.end_all() <= FLOWS);
        });
    });
    group.finish();
}

criterion_group! { name = benches; config = criterion(); targets = build, look_up, new_flows }
criterion_main!(benches);
