//! How many queues an interface has.

use std::io;

use super::sys::{self, Plain};

const ETHTOOL_GCHANNELS: u32 = 0x3c;

/// `struct ethtool_channels` of linux/ethtool.h.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
struct Channels {
    command: u32,
    max_rx: u32,
    max_tx: u32,
    max_other: u32,
    max_combined: u32,
    rx: u32,
    tx: u32,
    other: u32,
    combined: u32,
}

// SAFETY: integers only.
unsafe impl Plain for Channels {}

/// The RX/TX queue pairs of an interface: what a worker's sockets can be bound to.
///
/// The driver is asked first, because it knows what is in use; one that has no answer (loopback,
/// tap) shows its queues as directories.
pub fn queues(interface: &str) -> io::Result<u16> {
    let mut channels = Channels { command: ETHTOOL_GCHANNELS, ..Channels::default() };
    let pairs = match sys::ethtool(interface, &mut channels) {
        Ok(()) => channels.combined + channels.rx.min(channels.tx),
        Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => {
            listed(interface, "rx-")?.min(listed(interface, "tx-")?)
        }
        Err(error) => return Err(error),
    };
    Ok(u16::try_from(pairs).unwrap_or(u16::MAX).max(1))
}

fn listed(interface: &str, prefix: &str) -> io::Result<u32> {
    let mut count = 0;
    for entry in std::fs::read_dir(format!("/sys/class/net/{interface}/queues"))? {
        if entry?.file_name().to_string_lossy().starts_with(prefix) {
            count += 1;
        }
    }
    Ok(count)
}
