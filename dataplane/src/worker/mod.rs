//! The poll loop.
mod punt;
pub use punt::{ControlFrame, Punt};
