#![allow(unsafe_code)]
mod umem;
mod wake;
pub(crate) use wake::Wake;
pub(crate) use umem::{Chunk, Umem};
