//! What bridges have learned: which port a station is behind.

use dataplane::types::Mac;
use rtnetlink::packet_route::neighbour::{NeighbourAttribute, NeighbourMessage, NeighbourState};

/// An entry of a bridge's forwarding database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Station {
    /// The bridge's number.
    pub bridge: u32,
    /// The number of the port that the station is behind.
    pub port: u32,
    /// The station.
    pub mac: Mac,
    /// The VLAN that it was learned in, where the bridge tells VLANs apart, or 0.
    pub vlan: u16,
}

impl Station {
    /// `None` for the bridge's own addresses, for groups, and for what is no bridge's: a link's own filter.
    pub(super) fn from_message(message: &NeighbourMessage) -> Option<Self> {
        // Permanent is what the bridge calls its ports' own addresses.
        if message.header.state == NeighbourState::Permanent {
            return None;
        }
        let (mut bridge, mut mac, mut vlan) = (None, None, 0);
        for attribute in &message.attributes {
            match attribute {
                NeighbourAttribute::Controller(index) => bridge = Some(*index),
                NeighbourAttribute::LinkLayerAddress(bytes) => {
                    mac = <[u8; 6]>::try_from(bytes.as_slice()).ok().map(Mac);
                }
                NeighbourAttribute::Vlan(number) => vlan = *number,
                _ => {}
            }
        }
        let mac = mac.filter(|mac| !mac.is_multicast())?;
        Some(Self { bridge: bridge?, port: message.header.ifindex, mac, vlan })
    }
}
