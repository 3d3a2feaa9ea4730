//! Who takes part.

use clap::ValueEnum;

/// What forwards in the box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// `AF_XDP` and nothing else: `dataplane::bench::Forwarder`
    Forwarder,
    /// `penstockd` in DSR mode
    Dsr,
    /// `penstockd` in router mode: destination NAT
    Router,
    /// Linux routes
    Linux,
    /// Linux routes, and nftables translates destinations
    Nftables,
    /// DPDK's testpmd over its `AF_XDP` driver
    Testpmd,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Forwarder => "bare AF_XDP forwarder",
            Self::Dsr => "penstockd, DSR",
            Self::Router => "penstockd, router (NAT)",
            Self::Linux => "Linux, ip_forward",
            Self::Nftables => "Linux, nftables DNAT",
            Self::Testpmd => "DPDK testpmd, mac",
        }
    }

    /// The configuration of a kind that is penstockd.
    pub(crate) fn configuration(self) -> Option<&'static str> {
        match self {
            Self::Dsr => Some("dsr.toml"),
            Self::Router => Some("router.toml"),
            Self::Forwarder | Self::Linux | Self::Nftables | Self::Testpmd => None,
        }
    }

    /// Whether the kernel does it by itself, in softirqs.
    pub(crate) fn is_kernel(self) -> bool {
        matches!(self, Self::Linux | Self::Nftables)
    }
}
