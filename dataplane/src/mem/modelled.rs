//! The table's memory where the models run: loom's atomics are more than the words they stand for, so
//! they are made one by one.

use std::io;
use std::sync::Arc;

use super::PageKind;
use crate::sync::{AtomicU32, AtomicU64};

/// Memory of which any number of words may be taken.
#[derive(Debug)]
pub(crate) struct Mapping;

/// A slice of atomics.
pub(crate) type Words<T> = Box<[T]>;

impl Mapping {
    pub(crate) fn new(_bytes: usize, _kind: PageKind) -> io::Result<Self> {
        Ok(Self)
    }

    pub(crate) fn words64(self: &Arc<Self>, _offset: usize, count: usize) -> Words<AtomicU64> {
        (0..count).map(|_| AtomicU64::new(0)).collect()
    }

    pub(crate) fn words32(self: &Arc<Self>, _offset: usize, count: usize) -> Words<AtomicU32> {
        (0..count).map(|_| AtomicU32::new(0)).collect()
    }
}
