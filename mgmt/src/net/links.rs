//! Network interfaces as the kernel tells of them.

use dataplane::types::Mac;
use rtnetlink::packet_route::link::{InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkMessage, Prop};

use super::NetState;

/// A network interface.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Link {
    /// The kernel's number; another one after deletion and re-creation.
    pub index: u32,
    /// The kernel's name.
    pub name: String,
    /// Other names of it (`ip link property add dev NAME altname OTHER`).
    pub altnames: Vec<String>,
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
    /// Of a VLAN's interface: the number of the link that carries it.
    pub carrier_of_vlan: Option<u32>,
    /// Frames may come from a sender on the same machine, which leaves their checksums unfinished.
    pub unfinished: bool,
}

/// Whether a device's frames may come from the same machine, and have not passed a NIC.
fn is_local(kind: &InfoKind) -> bool {
    matches!(
        kind,
        InfoKind::Veth
            | InfoKind::Netkit
            | InfoKind::Tun
            | InfoKind::Bridge
            | InfoKind::MacVlan
            | InfoKind::MacVtap
            | InfoKind::IpVlan
            | InfoKind::IpVtap
    )
}

impl Link {
    /// Whether this is one of its names.
    #[must_use]
    pub fn is_named(&self, name: &str) -> bool {
        self.name == name || self.altnames.iter().any(|other| other == name)
    }

    /// All of its names, for a human.
    #[must_use]
    pub fn names(&self) -> String {
        match self.altnames.is_empty() {
            true => self.name.clone(),
            false => format!("{} ({})", self.name, self.altnames.join(", ")),
        }
    }

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
            up: flags.contains(LinkFlags::Up),
            carrier: flags.contains(LinkFlags::LowerUp),
            ..Self::default()
        };
        let (mut below, mut is_vlan) = (None, false);
        for attribute in message.attributes {
            match attribute {
                LinkAttribute::IfName(name) => link.name = name,
                LinkAttribute::Mtu(mtu) => link.mtu = mtu,
                LinkAttribute::Address(bytes) => link.mac = bytes.try_into().map(Mac).unwrap_or_default(),
                LinkAttribute::Controller(index) => link.master = Some(index).filter(|index| *index != 0),
                LinkAttribute::PropList(properties) => {
                    let name = |property| match property {
                        Prop::AltIfName(name) => Some(name),
                        _ => None,
                    };
                    link.altnames = properties.into_iter().filter_map(name).collect();
                }
                LinkAttribute::Link(index) => below = Some(index),
                LinkAttribute::LinkInfo(info) => {
                    let is = |wanted: fn(&InfoKind) -> bool| {
                        info.iter().any(|info| matches!(info, LinkInfo::Kind(kind) if wanted(kind)))
                    };
                    link.is_bridge = is(|kind| *kind == InfoKind::Bridge);
                    link.unfinished = is(is_local);
                    is_vlan = is(|kind| *kind == InfoKind::Vlan);
                }
                _ => {}
            }
        }
        link.carrier_of_vlan = below.filter(|_| is_vlan);
        (!link.name.is_empty()).then_some(link)
    }
}

impl NetState {
    /// Whether a link's frames may come with unfinished checksums: by itself, or by the one that carries its VLAN.
    #[must_use]
    pub fn is_unfinished(&self, link: &Link) -> bool {
        let below = link.carrier_of_vlan.and_then(|index| self.link_by_index(index));
        link.unfinished || below.is_some_and(|below| below.unfinished)
    }

    /// The interfaces of VLANs that a link carries.
    pub fn vlans_on(&self, index: u32) -> impl Iterator<Item = &Link> {
        self.links().filter(move |link| link.carrier_of_vlan == Some(index))
    }

    /// The main name of each link, and its others.
    pub fn names(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.links().map(|link| (link.name.as_str(), &link.altnames[..]))
    }
}
