//! Why a program, a socket or a map was refused: what is wrong, what was found, what to do next.

/// A program or a socket could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
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
