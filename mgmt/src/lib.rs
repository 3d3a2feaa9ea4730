//! Everything slow.
#![forbid(unsafe_code)]

pub mod api;
pub mod cli;
pub mod config;
pub mod net;
