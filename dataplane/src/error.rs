//! Why the data plane could not start: what is wrong, what was found, what to do next.

use std::io;

use penstock_afxdp::OpenError;

/// See the module's head.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The flow table did not get its memory.
    #[error(
        "flows = {flows} needs {need_mib} MiB of memory, which the kernel refused: {error}; set a smaller number"
    )]
    Memory {
        /// Configured flows.
        flows: usize,
        /// Bytes needed, in MiB.
        need_mib: usize,
        /// The kernel's answer.
        error: io::Error,
    },
    /// `hugepages = "require"` and there are not enough.
    #[error(
        "flows = {flows} needs {need_mib} MiB of huge pages and the kernel has not as many free: reserve {pages} in vm.nr_hugepages, or set hugepages = \"auto\""
    )]
    HugePages {
        /// Configured flows.
        flows: usize,
        /// Bytes needed, in MiB.
        need_mib: usize,
        /// The same in pages of 2 MiB.
        pages: usize,
    },
    /// The XDP program or a socket was refused.
    #[error(transparent)]
    Afxdp(#[from] OpenError),
    /// A worker thread could not be started or pinned.
    #[error("worker {worker}: {reason}")]
    Worker {
        /// Its number.
        worker: u16,
        /// What is in the way, and what to do.
        reason: String,
    },
    /// A bound of this version was exceeded.
    #[error("{what}: {found} configured, at most {limit} are possible")]
    Limit {
        /// What there is too much of.
        what: &'static str,
        /// How many were asked for.
        found: usize,
        /// How many there may be.
        limit: usize,
    },
}
