//! Two workers on one flow table in memory beside one: random established flows, each worker pinned to a
//! core of its own. Each round has a window of the first alone, of the second alone, and of both.
//!
//! A worker's rate is that of its median batch: one that the machine has disturbed does not count.
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dataplane::bench::{Engine, Subject};
use dataplane::limits::BATCH;
use penstock_benches::clock::{Stopwatch, sleep};
use penstock_benches::figures::{self, Spread};
use penstock_benches::{Random, SIZES};
use serde_json::json;

const ROUNDS: usize = 5;
const WINDOW: Duration = Duration::from_millis(500);
const CORES: [usize; 2] = [0, 1];

fn main() {
    println!("Mpps, median of {ROUNDS} rounds: one worker (mean of two cores), two, and their ratio");
    let mut rows = Vec::new();
    for subject in [Subject::Dsr, Subject::Router, Subject::OneArm] {
        for (size, flows) in SIZES {
            let mut engines = Engine::pair(subject, false, flows);
            let rounds: Vec<[f64; 2]> = (0..ROUNDS).map(|_| round(&mut engines, flows)).collect();
            let one = Spread::of(rounds.iter().map(|[one, _]| one / 1e6));
            let two = Spread::of(rounds.iter().map(|[_, two]| two / 1e6));
            let ratio = Spread::of(rounds.iter().map(|[one, two]| two / one));
            let name = format!("{}/ipv4/{size}", subject.name());
            println!(
                "  {name:20} {:6.2} {:6.2} {:6.2} ({:.2} to {:.2})",
                one.median, two.median, ratio.median, ratio.low, ratio.high
            );
            rows.push(json!({"name": name, "one": one.json(), "two": two.json(), "ratio": ratio.json()}));
        }
    }
    let results = json!({"machine": figures::machine(), "unit": "Mpps", "rows": rows});
    figures::keep("scaling.json", &results).expect("the results folder is writable");
}

/// Packets per second of one worker, and of both together.
fn round([first, second]: &mut [Engine; 2], flows: u32) -> [f64; 2] {
    let alone = [(&mut *first, CORES[0]), (&mut *second, CORES[1])].map(|worker| window([worker], flows));
    let both = window([(first, CORES[0]), (second, CORES[1])], flows);
    [f64::midpoint(alone[0], alone[1]), both]
}

/// The sum of what the workers do side by side.
fn window<const N: usize>(workers: [(&mut Engine, usize); N], flows: u32) -> f64 {
    let stop = &AtomicBool::new(false);
    std::thread::scope(|scope| {
        let threads = workers.map(|(engine, core)| scope.spawn(move || work(engine, core, flows, stop)));
        sleep(WINDOW);
        stop.store(true, Ordering::Relaxed);
        threads.into_iter().map(|thread| thread.join().expect("a worker that does not panic")).sum()
    })
}

fn work(engine: &mut Engine, core: usize, flows: u32, stop: &AtomicBool) -> f64 {
    assert!(core_affinity::set_for_current(core_affinity::CoreId { id: core }), "core {core} is not there");
    // Each core its own sequence.
    let mut random = Random::default();
    for _ in 0..core * 1000 {
        random.word();
    }
    let mut times = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        engine.prepare(|| random.below(flows));
        let since = Stopwatch::start();
        engine.pass();
        times.push(since.elapsed().as_secs_f64());
    }
    engine.leave();
    #[expect(clippy::cast_precision_loss, reason = "BATCH is 64")]
    let batch = BATCH as f64;
    batch / Spread::of(times).median
}
