//! The table's algorithms, in all ways in which workers can meet. `scripts/models` runs them.
//!
//! BREAKAGES

mod index;
mod reuse;
mod slab;
mod table;
