//! Everything slow.
#![forbid(unsafe_code)]

pub mod api;
pub mod cli;
pub mod clock;
pub mod compile;
pub mod config;
pub mod inventory;
pub mod net;
pub mod supervisor;
