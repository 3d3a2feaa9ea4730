//! Everything slow.
#![forbid(unsafe_code)]
