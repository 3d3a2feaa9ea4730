//! Idle timeouts by state.

use std::time::Duration;

/// Idle times after which a flow is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowTimeouts {
    /// TCP, handshake not finished.
    pub tcp_syn: Duration,
    /// TCP, established.
    pub tcp_established: Duration,
    /// TCP, over: both sides have finished, and each has acknowledged that of the other, or one has reset it by a RST
    /// whose number fits.
    pub tcp_fin: Duration,
    /// TCP, over as it seems, which is not proven: traffic takes that back.
    pub tcp_reset: Duration,
    /// UDP.
    pub udp: Duration,
    /// ICMP echo.
    pub icmp: Duration,
}

impl Default for FlowTimeouts {
    fn default() -> Self {
        Self {
            tcp_syn: Duration::from_secs(10),
            tcp_established: Duration::from_secs(15 * 60),
            tcp_fin: Duration::from_secs(30),
            // RFC 5382 REQ-5, RFC 7857 section 2.2: no less than four minutes.
            tcp_reset: Duration::from_secs(4 * 60),
            udp: Duration::from_secs(60),
            icmp: Duration::from_secs(10),
        }
    }
}
