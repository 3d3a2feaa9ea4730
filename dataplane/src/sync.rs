//! What threads share, from the standard library; and where the models run, from loom, which tries the
//! ways in which threads can meet (`scripts/models`).

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
#[cfg(loom)]
pub(crate) use loom::sync::{Arc, RwLock};
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
#[cfg(not(loom))]
pub(crate) use std::sync::{Arc, RwLock};

/// Runs `model` in all ways in which its threads can meet, with at most that many switches away from a thread that
/// could go on: nearly all faults need one or two. `LOOM_MAX_PREEMPTIONS` asks for more.
#[cfg(all(test, loom))]
pub(crate) fn explore(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let runs = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = std::sync::Arc::clone(&runs);
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(preemptions);
    builder.max_branches = 20_000;
    #[expect(clippy::disallowed_methods, reason = "only tells how long it took")]
    let start = std::time::Instant::now();
    builder.check(move || {
        counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        model();
    });
    println!("{runs:?} runs in {:.1?}", start.elapsed());
}
