//! The management side: everything slow.
//!
//! ```text
//!            control socket (api) ──Request──▶ ┌────────────┐ ──Snapshot──▶ dataplane workers
//!  kernel ──netlink (net)── links, neighbours ▶│ supervisor │ ◀─frames, missing neighbours──
//!                    signals, one-second tick ▶└────────────┘ ──ARP and ND answers──▶
//!                                                 │  uses
//!               config (file ─▶ Config) · inventory (backends, their numbers) · compile (─▶ Snapshot)
//! ```
//!
//! One thread, one task that owns all state: the [`supervisor`] takes one event at a time. What it calls
//! is pure: [`config`], [`inventory`], [`compile`], and the state and answers in [`net`]. The CLI
//! ([`cli`]) is on the other side of the socket and knows [`api::view`] alone.

#![forbid(unsafe_code)]

pub mod api;
pub mod bfd;
pub mod cli;
pub mod clock;
pub mod compile;
pub mod config;
pub mod doctor;
pub mod events;
pub mod failover;
pub mod files;
pub mod health;
pub mod history;
pub mod import;
pub mod inventory;
pub mod launcher;
pub mod log;
pub mod mailbox;
pub mod net;
pub mod pcapng;
pub mod pulse;
pub mod rights;
pub mod save;
pub mod signals;
pub mod supervisor;
pub mod systemd;
pub mod vrrp;
