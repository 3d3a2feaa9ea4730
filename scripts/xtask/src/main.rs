//! The developers' loop.
fn main() {}
