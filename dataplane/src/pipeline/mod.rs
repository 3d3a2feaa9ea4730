//! The stages.
mod verdict;
pub use verdict::{DropReason, Verdict};
