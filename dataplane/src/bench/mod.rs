//! The inside of the engine, opened to the benches alone (feature `bench`).

mod admission;
mod engine;
mod forwarder;
mod subject;
mod table;
mod wire;

pub use admission::{Flows, access_list};
pub use engine::Engine;
pub use forwarder::{Forwarded, Forwarder};
pub use subject::Subject;
pub use table::Table;
pub use wire::{Parser, checksum_by_difference, checksum_whole};
