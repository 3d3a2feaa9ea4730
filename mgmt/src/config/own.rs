//! Addresses of the node itself, as far as they are known when a file is checked.

use std::collections::BTreeMap;
use std::net::IpAddr;

/// The addresses of the node's interfaces, each with the name of one that has it. No backend can have one of them:
/// workers send frames out, and none of them reaches a program on the node itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnAddresses(BTreeMap<IpAddr, String>);

impl OwnAddresses {
    /// The interface that has an address.
    #[must_use]
    pub fn interface_of(&self, address: IpAddr) -> Option<&str> {
        self.0.get(&address).map(String::as_str)
    }
}

impl FromIterator<(IpAddr, String)> for OwnAddresses {
    fn from_iter<T: IntoIterator<Item = (IpAddr, String)>>(addresses: T) -> Self {
        Self(addresses.into_iter().collect())
    }
}
