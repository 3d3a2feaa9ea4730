//! Summing a whole text, and changing a checksum by difference.
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dataplane::bench::{checksum_by_difference, checksum_whole};

fn checksum(c: &mut Criterion) {
    let mut group = c.benchmark_group("checksum");
    for length in [20_usize, 64, 1500] {
        let bytes = vec![0x5a; length];
        group.throughput(Throughput::Bytes(length as u64));
        group.bench_function(format!("whole-{length}"), |b| b.iter(|| checksum_whole(black_box(&bytes))));
    }
    group.throughput(Throughput::Elements(1));
    group.bench_function("by-difference", |b| {
        b.iter(|| checksum_by_difference(black_box(0x1234), black_box((1, 2)), black_box((80, 8080))));
    });
    group.finish();
}

criterion_group! { name = benches; config = penstock_benches::criterion(); targets = checksum }
criterion_main!(benches);
