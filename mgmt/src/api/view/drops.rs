//! What was dropped last, and why.

use serde::{Deserialize, Serialize};

/// An item of `GET /v1/drops`: a reason.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dropped {
    /// The reason's stable name.
    pub code: String,
    /// Frames dropped for it since the start.
    pub count: u64,
    /// The reason as a sentence.
    pub meaning: String,
    /// The last of them, the latest first.
    pub frames: Vec<DroppedFrame>,
}

/// A frame that was dropped, as it stood when it was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DroppedFrame {
    /// When.
    pub seconds_ago: f64,
    /// By which interface it came; `null`: the box has made it.
    pub interface: Option<String>,
    /// The service that its destination belongs to now, or its source.
    pub service: Option<String>,
    /// Address and port, or what there is of that; of a frame without an IP packet, the MAC address.
    pub source: String,
    /// The same.
    pub destination: String,
    /// `tcp`, `udp`, `icmp`, `icmpv6`, the number of another protocol, or an ethertype as `0x0806`.
    pub protocol: String,
    /// `syn,ack`; `type 8 code 0`; `later fragment`.
    pub detail: Option<String>,
    /// Of the outermost VLAN tag; 0: none.
    pub vlan: u16,
    /// Of the whole frame, in bytes.
    pub length: u16,
    /// Its beginning in hexadecimal, from the Ethernet header on. What is behind the headers is shown as zeros: it is of
    /// the clients and servers alone. Of a frame whose headers cannot be read, that is what is behind 60 bytes.
    pub frame: String,
}
