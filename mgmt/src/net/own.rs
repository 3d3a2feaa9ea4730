//! The addresses of the node itself.

use super::{NetState, Netlink};
use crate::config::OwnAddresses;

/// As the kernel has them now, each with the interface that has it.
#[must_use]
pub fn own_addresses(state: &NetState) -> OwnAddresses {
    state.addresses().map(|(link, address)| (address, link.name.clone())).collect()
}

/// The same without a daemon; none where the kernel does not answer.
pub async fn own_addresses_now() -> OwnAddresses {
    match Netlink::open().await {
        Ok(netlink) => own_addresses(netlink.state()),
        Err(_) => OwnAddresses::default(),
    }
}
