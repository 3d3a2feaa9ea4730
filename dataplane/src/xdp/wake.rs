use std::sync::atomic::{AtomicU64,Ordering};
#[derive(Debug)]
pub(crate) struct Wake(AtomicU64);
impl Wake { pub(crate) fn new() -> std::io::Result<Self> { Ok(Self(AtomicU64::new(0))) }
 pub(crate) fn wake(&self) { self.0.fetch_add(1, Ordering::Relaxed); } }
