//! Frames to headers, per batch of 64.
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dataplane::bench::Parser;
use dataplane::limits::BATCH;

fn parse(c: &mut Criterion) {
    let mut group = c.benchmark_group("parse");
    group.throughput(Throughput::Elements(BATCH as u64));
    for (name, v6) in [("ipv4-tcp", false), ("ipv6-tcp", true)] {
        let mut parser = Parser::new(v6);
        group.bench_function(name, |b| b.iter(|| parser.parse()));
    }
    group.finish();
}

criterion_group! { name = benches; config = penstock_benches::criterion(); targets = parse }
criterion_main!(benches);
