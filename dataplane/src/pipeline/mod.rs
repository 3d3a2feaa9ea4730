//! The stages that every batch of frames passes, in order. The first file to read.
//!
//! Each stage walks the whole batch once, so that its code stays in the instruction cache and the
//! memory accesses of one frame hide behind those of the others. A stage looks at frames that no
//! earlier stage has decided about, and nothing else is passed between stages than what stands in the
//! [`Packet`](crate::packet::Packet). After the last stage every frame has a [`Verdict`](crate::verdict::Verdict); the worker carries it out.

mod admit;
mod answer;
mod choose;
mod clash;
mod classify;
mod context;
mod cookie;
mod egress;
mod finish;
mod fragments;
mod lookup;
mod openings;
mod parse;
mod pick;
mod probe;
mod retire;
mod rewrite;
mod source;
mod spares;
mod tenure;
pub mod trace;

pub(crate) use admit::ended;
pub(crate) use answer::Budget;
pub(crate) use context::{Context, Station};
pub(crate) use egress::resume;
pub(crate) use fragments::key_of_waiting;
pub(crate) use openings::{Openings, run_due};
#[cfg(feature = "bench")]
pub(crate) use parse::parse_batch;
pub(crate) use pick::explain;
pub use pick::{Explained, Why};
pub(crate) use probe::probe;
pub(crate) use source::Draws;
pub(crate) use spares::Spares;

use crate::packet::Batch;

type Stage = fn(&mut Batch, &mut Context<'_>);

/// The drawing of the data plane.
pub(crate) const STAGES: [Stage; 7] = [
    parse::run,     // frame -> headers and hash; what is broken or no IP gets its verdict here
    tenure::run,    // what is for a virtual router's master, while that is another box, ends here
    classify::run,  // control frames to management, echoes answered, the rest is a flow's
    fragments::run, // fragments get the ports of their packet; those that came too early wait
    lookup::run,    // read all buckets, then all entries: which flow
    choose::run,    // no flow: a new one of a service, or a reason why not
    rewrite::run,   // the mode's rewrite, and the interface to leave by
];

/// Runs all stages over a batch.
pub(crate) fn run(batch: &mut Batch, context: &mut Context<'_>) {
    batch.begin();
    for stage in STAGES {
        stage(batch, context);
    }
}
