//! Source-NAT pools: the hashes of the NICs that replies come in by, and a word before the ports run out.

use std::collections::HashSet;
use std::net::IpAddr;

use dataplane::snapshot::Rss;

use super::Supervisor;
use crate::compile::{Server, is_above};
use crate::config::backend_name;

/// A set of which so many per cent are taken is warned of …
const HIGH: u32 = 80;
/// … and again only after it was below so many: a figure that sways must not fill the log.
const LOW: u32 = 70;

/// The sets that were warned of, by pool address and server.
#[derive(Debug, Default)]
pub(super) struct Crowded(HashSet<(IpAddr, Server)>);

impl Crowded {
    /// Takes in how many ports of a set are taken; whether to warn.
    fn follow(&mut self, set: (IpAddr, Server), used: u32) -> bool {
        if is_above(used, HIGH) {
            return self.0.insert(set);
        }
        if !is_above(used, LOW) {
            self.0.remove(&set);
        }
        false
    }
}

/// The NIC's hash, by which a source port is chosen so that the reply comes to the worker of the flow.
pub(super) fn rss(interface: &str) -> Option<Rss> {
    let read = dataplane::rss(interface);
    match &read {
        Ok(Some(_)) => tracing::info!(interface, "source ports are chosen by the NIC's receive hash"),
        Ok(None) => {
            tracing::debug!(interface, "the NIC tells no receive hash: any worker translates replies");
        }
        Err(error) => tracing::debug!(interface, %error, "the NIC's receive hash cannot be read"),
    }
    read.ok().flatten()
}

impl Supervisor {
    /// Warns of pool addresses whose ports towards a backend are nearly all taken.
    pub(super) fn watch_pools(&mut self) {
        for (address, server, used) in self.compiler.pools().usage() {
            if self.crowded.follow((address, server), used) {
                let backend = backend_name(server.address, server.port);
                tracing::warn!(
                    event = "capacity", %address,
                    backend,
                    used,
                    "pool address has few ports left towards this backend: add addresses to `snat_pool`"
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dataplane::snapshot::CAPACITY;
    use dataplane::types::{Port, Protocol};

    #[test]
    fn a_crowded_set_is_told_of_once_until_it_was_clearly_below() {
        let server =
            Server { address: "10.0.1.11".parse().unwrap(), port: Some(Port(80)), protocol: Protocol::Tcp };
        let set = ("10.0.0.110".parse().unwrap(), server);
        let percent = |n: u32| (CAPACITY * n).div_ceil(100);
        let mut crowded = Crowded::default();
        let told = [79, 80, 100, 75, 80, 69, 79, 81].map(|n| crowded.follow(set, percent(n)));
        assert_eq!(told, [false, true, false, false, false, false, false, true]);
    }
}
