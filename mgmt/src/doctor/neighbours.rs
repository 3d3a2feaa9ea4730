//! The kernel's neighbour tables: how many hosts of the service networks they hold.
//!
//! Beyond `gc_thresh3` entries the kernel refuses new ones, and their hosts get no packets. The tables are of all network
//! namespaces together; only the first one sees their limits.

use super::{Finding, Sight};

/// Hosts that a table should have room for. The kernel's own default is 1024.
const ENOUGH: u64 = 4096;

/// What is advised: the table grows as far as it has to.
const ADVISED: u64 = 65_536;

pub(super) fn examine(sight: &Sight) -> Vec<Finding> {
    [("arp table", "ipv4"), ("nd table", "ipv6")].map(|(what, family)| table(sight, what, family)).into()
}

fn table(sight: &Sight, what: &str, family: &str) -> Finding {
    let limit = |name: &str| sight.number(&format!("/proc/sys/net/{family}/neigh/default/{name}"));
    match limit("gc_thresh3") {
        None => Finding::ok(what, "its limits are not visible here"),
        Some(hosts) if hosts >= ENOUGH => Finding::ok(what, format!("{hosts} hosts")),
        Some(hosts) => Finding::advice(
            what,
            format!("{hosts} hosts"),
            format!(
                "sysctl net.{family}.neigh.default.gc_thresh3={ADVISED} net.{family}.neigh.default.gc_thresh2={}, \
                 if more clients than that are on the service networks: the kernel refuses further ones, and they \
                 get no packets",
                ADVISED / 2
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::State::{Advice, Ok};
    use super::*;

    #[test]
    fn a_table_of_the_kernel_s_default_size_is_small() {
        let path = "/proc/sys/net/ipv4/neigh/default/gc_thresh3";
        let state =
            |limit| examine(&Sight::of(&[(path, limit)])).into_iter().map(|f| f.state).collect::<Vec<_>>();
        assert_eq!(state("1024\n"), [Advice, Ok]);
        assert_eq!(state("4096\n"), [Ok, Ok]);
        assert!(
            examine(&Sight::of(&[(path, "512")]))[0]
                .advice
                .starts_with("sysctl net.ipv4.neigh.default.gc_thresh3=")
        );
    }
}
