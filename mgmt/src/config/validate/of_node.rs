//! What services are checked against of the node that they are on. No backend can be the node itself: workers send frames
//! out, and none of them reaches a program on the node.

use std::collections::HashMap;
use std::net::IpAddr;

use toml::Spanned;

use super::super::diagnostic::{Report, Span};
use super::super::{OwnAddresses, model};

const OTHER_MACHINE: &str = "a backend has to be another machine: frames from workers do not reach programs on the \
                             node itself. Take it out of the service, and run its program on another machine";

/// See the module's head.
pub(super) struct OfNode<'a> {
    pub(super) name: &'a str,
    pub(super) has_bridge: bool,
    own: &'a OwnAddresses,
    /// The addresses of virtual routers, with the name and the place of each.
    routers: HashMap<IpAddr, (&'a str, Span)>,
}

impl<'a> OfNode<'a> {
    pub(super) fn new(
        name: &'a str,
        has_bridge: bool,
        own: &'a OwnAddresses,
        vrrp: &'a [model::Vrrp],
    ) -> Self {
        let mut routers = HashMap::new();
        for router in vrrp {
            let name = router.name.as_ref().map_or("", |name| name.get_ref().as_str());
            for address in router.addresses.iter().flat_map(Spanned::get_ref) {
                routers.entry(*address.get_ref()).or_insert_with(|| (name, address.span()));
            }
        }
        Self { name, has_bridge, own, routers }
    }

    /// Reports a backend that is the node itself.
    pub(super) fn refuses(&self, backend: &Spanned<IpAddr>, report: &mut Report<'_>) -> bool {
        let ip = *backend.get_ref();
        if let Some(interface) = self.own.interface_of(ip) {
            let message =
                format!("{ip} is an address of this node's interface `{interface}` and cannot be a backend");
            report.error(&backend.span(), message).help(OTHER_MACHINE);
        } else if let Some((router, place)) = self.routers.get(&ip) {
            let message =
                format!("{ip} is an address of the virtual router `{router}` and cannot be a backend");
            let finding = report.error(&backend.span(), message);
            finding.note("this node has it while it is master", place).help(OTHER_MACHINE);
        } else {
            return false;
        }
        true
    }
}
