//! The hash that hashing schedulers choose by: the same on every box of a group, for ever.

use std::net::IpAddr;

use super::maglev::{spread, stable_hash};
use crate::types::Port;

/// The seed that boxes of one cluster share.
#[must_use]
pub fn cluster_seed(cluster: &str) -> u64 {
    stable_hash(0, cluster.as_bytes())
}

/// The hash of a client's address and port.
#[inline]
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "the two halves of the address")]
pub fn client_hash(seed: u64, address: IpAddr, port: Port) -> u64 {
    let bits = match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    };
    let upper = spread(seed ^ (bits >> 64) as u64);
    spread(spread(upper ^ bits as u64) ^ u64::from(port.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known answers: fail when a change of the code would make two versions of the box disagree.
    #[test]
    fn the_hash_is_the_same_in_every_version() {
        let hash =
            |address: &str, port| client_hash(cluster_seed("edge-1"), address.parse().unwrap(), Port(port));
        let hashes = [hash("10.0.0.2", 40000), hash("10.0.0.2", 40001), hash("fd00::2", 40000)];
        assert_eq!(hashes, KNOWN, "{hashes:#x?}");
    }
    const KNOWN: [u64; 3] = [0x218b_2286_9300_d807, 0xe3b6_6020_fb5a_2cc2, 0xabb7_60b3_85f0_3c49];
}
