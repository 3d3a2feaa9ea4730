//! Network interfaces as the kernel tells of them.

use dataplane::types::Mac;
use rtnetlink::packet_route::link::{InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkMessage};

/// A network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The kernel's number; another one after deletion and re-creation.
    pub index: u32,
    /// The name that the configuration uses.
    pub name: String,
    /// Its address; zero where the link type has none of six bytes.
    pub mac: Mac,
    /// The largest IP packet.
    pub mtu: u32,
    /// Switched on by the administrator.
    pub up: bool,
    /// The cable is in.
    pub carrier: bool,
    /// It is a bridge.
    pub is_bridge: bool,
    /// The number of the bridge, bond or other link that it is a port of.
    pub master: Option<u32>,
}

impl Link {
    /// Whether frames can pass.
    #[must_use]
    pub fn usable(&self) -> bool {
        self.up && self.carrier
    }

    /// `None` for a message without a name, such as a bridge's about its ports.
    pub(super) fn from_message(message: LinkMessage) -> Option<Self> {
        let flags = message.header.flags;
        let mut link = Self {
            index: message.header.index,
            name: String::new(),
            mac: Mac::default(),
            mtu: 0,
            up: flags.contains(LinkFlags::Up),
            carrier: flags.contains(LinkFlags::LowerUp),
            is_bridge: false,
            master: None,
        };
        for attribute in message.attributes {
            match attribute {
                LinkAttribute::IfName(name) => link.name = name,
                LinkAttribute::Mtu(mtu) => link.mtu = mtu,
                LinkAttribute::Address(bytes) => link.mac = bytes.try_into().map(Mac).unwrap_or_default(),
                LinkAttribute::Controller(index) => link.master = Some(index).filter(|index| *index != 0),
                LinkAttribute::LinkInfo(info) => {
                    link.is_bridge = info.contains(&LinkInfo::Kind(InfoKind::Bridge));
                }
                _ => {}
            }
        }
        (!link.name.is_empty()).then_some(link)
    }
}
