//! Why the data plane could not start: what is wrong, what was found, what to do next.

use std::io;

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
    /// The steering program was refused.
    #[error(
        "cannot load the XDP steering program: {reason}; this needs root or CAP_BPF and CAP_NET_ADMIN, and a kernel of 6.1 or newer"
    )]
    Program {
        /// The loader's words.
        reason: String,
    },
    /// The steering program could not be attached to an interface.
    #[error("{interface}: cannot attach the XDP steering program: {reason}")]
    Attach {
        /// The interface.
        interface: String,
        /// What is in the way, and what to do.
        reason: String,
    },
    /// An AF_XDP socket could not be set up.
    #[error("{interface}, queue {queue}: cannot open an AF_XDP socket: {reason}")]
    Socket {
        /// The interface.
        interface: String,
        /// The queue.
        queue: u16,
        /// What is in the way, and what to do.
        reason: String,
    },
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

/// The steering program's maps could not be brought up to a new snapshot.
#[derive(Debug, thiserror::Error)]
#[error("cannot update the steering map {map}: {reason}")]
pub struct SteeringError {
    /// Which map.
    pub map: &'static str,
    /// The kernel's answer.
    pub reason: String,
}
