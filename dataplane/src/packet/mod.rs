//! Frames on their way through the stages: the batch, each frame's parsed headers, and its ends.

mod batch;
mod ends;
mod headers;

pub(crate) use batch::{Batch, Marks, Packet, Route};
pub use ends::{Detail, Ends, ends};
pub(crate) use headers::{Content, Headers, Piece};
