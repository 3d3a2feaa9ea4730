//! Backends at an address of the node itself: a file that has one is refused, and an address may come to an interface
//! later, or be there when the daemon starts.

use std::time::Instant;

use super::Supervisor;
use crate::api::view::{self, BackendState};
use crate::config::OwnAddresses;
use crate::inventory::{Inventory, Member};
use crate::net::own_addresses;

/// Takes in the node's addresses. Those backends count as down from the next snapshot on.
pub(super) fn take_own(inventory: &mut Inventory, own: &OwnAddresses, now: Instant) {
    for id in inventory.take_own(own, now) {
        let Some(member) = inventory.get(id) else { continue };
        let (service, backend) = (&member.service, member.endpoint());
        match member.own_interface() {
            Some(interface) => tracing::error!(
                event = "backend.address-became-own",
                service,
                backend,
                interface,
                "The backend counts as down because its address is one of this node: frames from workers do not \
                 reach programs on the node itself. Take it out of the service."
            ),
            None => tracing::info!(
                event = "backend.address-became-foreign",
                service,
                backend,
                "The backend's address is no longer one of this node."
            ),
        }
    }
}

impl Supervisor {
    /// To be called before a snapshot is made of changes that may concern addresses or backends.
    pub(super) fn follow_own_addresses(&mut self) {
        let own = own_addresses(self.netlink.state());
        take_own(&mut self.inventory, &own, crate::clock::now());
    }

    /// Adds to what is shown of a backend that it is the node itself.
    pub(super) fn add_own(member: &Member, backend: &mut view::Backend) {
        let Some(interface) = member.own_interface() else { return };
        if member.admin == view::Admin::Enabled {
            backend.state = BackendState::Down;
        }
        let reason = format!("{} is an address of this node, on {interface}", member.address);
        backend.last_result = Some(reason);
    }
}
