//! Which backend the packets of a check are for that take the data path: known by the port that they come from.
//!
//! Such a check asks for the virtual IP, as a client does, and many backends have that. Its socket has a mark by
//! which the kernel routes its packets to a device of the daemon, and workers send them on as they do a
//! client's; the backend's answer comes to the box's own address, past the workers.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};

use super::Subject;

/// Of the sockets whose packets take the data path; also the number of the routing table, and the place of the rule.
pub const MARK: u32 = 0x5053;

/// IPv6 or not, the number of the protocol, and the box's port.
type Key = (bool, u8, u16);

/// See the module's head.
#[derive(Debug, Default)]
pub struct Ways(Mutex<HashMap<Key, Arc<Subject>>>);

impl Ways {
    /// What comes from this address by a protocol (its number) is for that backend, until something else is said
    /// of the port.
    pub fn lead(&self, from: SocketAddr, protocol: u8, to: &Arc<Subject>) {
        let key = (from.is_ipv6(), protocol, from.port());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::clone(to));
    }

    /// Whom a packet is for.
    #[must_use]
    pub fn of(&self, packet: &[u8]) -> Option<Arc<Subject>> {
        let key = key(packet)?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned()
    }
}

/// Of a packet that the kernel has just made: without extension headers, and no fragment.
fn key(packet: &[u8]) -> Option<Key> {
    let (is_v6, protocol, transport) = match packet.first()? >> 4 {
        4 => (false, *packet.get(9)?, usize::from(packet[0] & 0xf) * 4),
        6 => (true, *packet.get(6)?, 40),
        _ => return None,
    };
    let port = packet.get(transport..transport + 2)?;
    Some((is_v6, protocol, u16::from_be_bytes(port.try_into().ok()?)))
}

/// The way of a check to its backend.
#[derive(Debug, Clone)]
pub struct Way {
    /// The backend.
    pub to: Arc<Subject>,
    /// Where it is looked up.
    pub ways: Arc<Ways>,
}

impl PartialEq for Way {
    fn eq(&self, other: &Self) -> bool {
        self.to == other.to
    }
}

impl Eq for Way {}

/// The box's address that a backend's answers come to: the one that the kernel would talk to it from.
///
/// # Errors
/// There is no way to the backend.
pub fn own_address(backend: IpAddr) -> std::io::Result<IpAddr> {
    let any: IpAddr = if backend.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
    let socket = UdpSocket::bind((any, 0))?;
    // Sends nothing.
    socket.connect((backend, 9))?;
    Ok(socket.local_addr()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(last: u8) -> Arc<Subject> {
        Arc::new(Subject { service: "web".into(), address: [10, 0, 1, last].into(), port: None })
    }

    #[test]
    fn a_packet_is_known_by_family_protocol_and_port() {
        let ways = Ways::default();
        ways.lead("10.0.1.1:40000".parse().unwrap(), 6, &subject(11));
        ways.lead("[fd01::1]:40000".parse().unwrap(), 6, &subject(12));
        let mut v4 = [0; 40];
        (v4[0], v4[9]) = (0x46, 6);
        v4[24..26].copy_from_slice(&40000_u16.to_be_bytes());
        let mut v6 = [0; 60];
        (v6[0], v6[6]) = (0x60, 6);
        v6[40..42].copy_from_slice(&40000_u16.to_be_bytes());
        assert_eq!(ways.of(&v4), Some(subject(11)));
        assert_eq!(ways.of(&v6), Some(subject(12)));
        v4[9] = 17;
        assert_eq!(ways.of(&v4), None, "UDP from the same port");
        for length in 0..26 {
            assert_eq!(ways.of(&v4[..length]), None);
        }
    }

    #[test]
    fn answers_come_to_the_address_that_leads_to_the_backend() {
        assert_eq!(own_address([127, 0, 0, 9].into()).unwrap(), IpAddr::from([127, 0, 0, 1]));
    }
}
