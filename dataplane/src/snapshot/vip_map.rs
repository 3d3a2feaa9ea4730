//! (address, protocol, port) to whatever stands behind it.

use std::net::IpAddr;

use hashbrown::HashMap;

use crate::types::{Port, Protocol};

/// A transport endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// The address.
    pub address: IpAddr,
    /// The protocol.
    pub protocol: Protocol,
    /// The port.
    pub port: Port,
}

/// A map from endpoints; of VIPs to services, and the set of backends' endpoints.
#[derive(Debug, Clone)]
pub struct EndpointMap<T>(HashMap<Endpoint, T>);

impl<T> Default for EndpointMap<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T: Copy> EndpointMap<T> {
    /// What stands behind `endpoint`.
    #[must_use]
    pub fn get(&self, endpoint: &Endpoint) -> Option<T> {
        self.0.get(endpoint).copied()
    }

    /// Puts `value` behind `endpoint`; gives back what stood there.
    pub fn insert(&mut self, endpoint: Endpoint, value: T) -> Option<T> {
        self.0.insert(endpoint, value)
    }

    /// All endpoints.
    pub fn endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        self.0.keys()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
