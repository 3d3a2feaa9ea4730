//! The bridges under the ports of inline segments.
//!
//! Linux does the bridging, so that all that is no service's goes on while the daemon is away. A bridge
//! that is there is used as it is; one that is missing is made, and left behind for the same reason: the
//! next start finds it.

use rtnetlink::{Handle, LinkBridge, LinkUnspec};

use super::{NetError, NetState};

/// Why a bridge cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum BridgeError {
    /// The name is another link's.
    #[error(
        "there is an interface {name:?}, but it is no bridge: give `bridge` another name, or delete the interface"
    )]
    NoBridge {
        /// The bridge's name.
        name: String,
    },
    /// Somebody else has the port.
    #[error(
        "interface {port:?} is a port of {master:?} and not of bridge {bridge:?}: \
         'ip link set dev {port} nomaster' sets it free"
    )]
    PortElsewhere {
        /// The port.
        port: String,
        /// The bridge that it should be in.
        bridge: String,
        /// The link that it is in.
        master: String,
    },
    /// A port is not there.
    #[error("there is no interface {port:?} for bridge {bridge:?}")]
    NoPort {
        /// The port.
        port: String,
        /// The bridge.
        bridge: String,
    },
    /// Hosts behind such a port would lose the backends: what these send is taken from the bridge, and
    /// leaves by the configured ports only.
    #[error(
        "bridge {bridge:?} has ports that are not configured, and hosts behind them would not reach the \
         backends; add {}, or take them out with 'ip link set dev PORT nomaster'",
        lines(.bridge, .ports)
    )]
    ForeignPorts {
        /// The bridge.
        bridge: String,
        /// The ports.
        ports: Vec<String>,
    },
    /// The kernel refused.
    #[error(transparent)]
    Net(#[from] NetError),
}

/// What the configuration lacks.
fn lines(bridge: &str, ports: &[String]) -> String {
    let line = |port| format!("`[[interface]]` with `name = {port:?}` and `bridge = {bridge:?}`");
    ports.iter().map(line).collect::<Vec<_>>().join(", ")
}

/// Whether all ports of a bridge are among `ports`.
///
/// # Errors
/// [`BridgeError::ForeignPorts`].
pub fn refuse_foreign_ports(state: &NetState, name: &str, ports: &[&str]) -> Result<(), BridgeError> {
    let Some(bridge) = state.link(name) else { return Ok(()) };
    let members = state.links().filter(|link| link.master == Some(bridge.index));
    let foreign = members.map(|link| &link.name).filter(|member| !ports.contains(&member.as_str()));
    let foreign: Vec<_> = foreign.cloned().collect();
    if foreign.is_empty() {
        return Ok(());
    }
    Err(BridgeError::ForeignPorts { bridge: name.to_owned(), ports: foreign })
}

/// Whether a bridge of this name with these ports could be had.
///
/// # Errors
/// See [`BridgeError`].
pub fn check(state: &NetState, name: &str, ports: &[&str]) -> Result<(), BridgeError> {
    refuse_foreign_ports(state, name, ports)?;
    missing(state, name, ports).map(drop)
}

/// What is missing.
#[derive(Debug, PartialEq, Eq)]
struct Missing {
    /// The bridge's number; `None`: it has to be made.
    bridge: Option<u32>,
    /// Links that have to become ports.
    ports: Vec<u32>,
}

fn missing(state: &NetState, name: &str, ports: &[&str]) -> Result<Missing, BridgeError> {
    let bridge = match state.link(name) {
        Some(link) if !link.is_bridge => return Err(BridgeError::NoBridge { name: name.to_owned() }),
        link => link.map(|link| link.index),
    };
    let mut missing = Missing { bridge, ports: Vec::new() };
    for port in ports {
        let (owned, bridge_name) = (|| (*port).to_owned(), || name.to_owned());
        let link = state.link(port);
        let link = link.ok_or_else(|| BridgeError::NoPort { port: owned(), bridge: bridge_name() })?;
        match link.master {
            None => missing.ports.push(link.index),
            master if master == bridge => {}
            Some(master) => {
                let master =
                    state.link_by_index(master).map_or_else(|| master.to_string(), |m| m.name.clone());
                return Err(BridgeError::PortElsewhere { port: owned(), bridge: bridge_name(), master });
            }
        }
    }
    Ok(missing)
}

/// Makes the bridge if there is none, and its ports those that are free; whether anything was done. All
/// or nothing, where the bridge is a new one.
pub(super) async fn provide(
    handle: &Handle,
    state: &NetState,
    name: &str,
    ports: &[&str],
) -> Result<bool, BridgeError> {
    let missing = missing(state, name, ports)?;
    if let Missing { bridge: Some(_), ports } = &missing
        && ports.is_empty()
    {
        return Ok(false);
    }
    warn_of_addresses(state, name, &missing.ports);
    let bridge = match missing.bridge {
        Some(index) => index,
        None => create(handle, name).await?,
    };
    let joined = join(handle, bridge, name, &missing.ports).await;
    if joined.is_err() && missing.bridge.is_none() {
        // With its ports in part it would connect nothing, and only be in the way of who looks for why.
        if let Err(error) = handle.link().del(bridge).execute().await {
            tracing::warn!(bridge = name, %error, "the new bridge could not be deleted again");
        }
    }
    joined?;
    tracing::info!(
        bridge = name,
        is_new = missing.bridge.is_none(),
        ports = missing.ports.len(),
        "bridge joined"
    );
    Ok(true)
}

/// Without snooping: groups that nobody has announced, such as those of neighbour solicitations, have to
/// reach all ports of an inline segment.
async fn create(handle: &Handle, name: &str) -> Result<u32, BridgeError> {
    let refused = |error| NetError::request(format!("bridge {name} cannot be made"))(error);
    let message = LinkBridge::new(name).mcast_snooping(false).up().build();
    handle.link().add(message).execute().await.map_err(refused)?;
    let mut found = std::pin::pin!(handle.link().get().match_name(name.to_owned()).execute());
    let link = futures_util::TryStreamExt::try_next(&mut found).await.map_err(refused)?;
    let gone = || BridgeError::NoBridge { name: name.to_owned() };
    link.map(|link| link.header.index).ok_or_else(gone)
}

async fn join(handle: &Handle, bridge: u32, name: &str, ports: &[u32]) -> Result<(), NetError> {
    for port in ports {
        let message = LinkUnspec::new_with_index(*port).controller(bridge).up().build();
        let refused = NetError::request(format!("link {port} cannot become a port of bridge {name}"));
        handle.link().set(message).execute().await.map_err(refused)?;
    }
    Ok(())
}

/// A port's own addresses are out of reach: the bridge has what comes in by the port.
fn warn_of_addresses(state: &NetState, bridge: &str, ports: &[u32]) {
    for port in ports {
        let is_link_local = |address: &std::net::IpAddr| matches!(address, std::net::IpAddr::V6(v6) if v6.is_unicast_link_local());
        for address in state.addresses_of(*port).filter(|address| !is_link_local(address)) {
            let interface = state.link_by_index(*port).map(|link| link.name.as_str());
            tracing::warn!(
                interface,
                %address,
                "is an address of a port, where nobody reaches it: it belongs on {bridge}"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{Event, Link};
    use dataplane::types::Mac;

    fn state(links: &[(u32, &str, bool, Option<u32>)]) -> NetState {
        let mut state = NetState::default();
        for &(index, name, is_bridge, master) in links {
            let (name, mac) = (name.to_owned(), Mac([2; 6]));
            let (up, carrier) = (true, true);
            let link =
                Link { index, name, mac, mtu: 1500, up, carrier, is_bridge, master, ..Link::default() };
            state.apply(Event::Link(link));
        }
        state
    }

    #[test]
    fn only_what_is_missing_is_made() {
        let ports = ["eth0", "eth1"];
        let free = [(1, "eth0", false, None), (2, "eth1", false, None)];
        let found = missing(&state(&free), "br0", &ports).unwrap();
        assert_eq!(found, Missing { bridge: None, ports: vec![1, 2] });
        let half = [(1, "eth0", false, Some(9)), (2, "eth1", false, None), (9, "br0", true, None)];
        let found = missing(&state(&half), "br0", &ports).unwrap();
        assert_eq!(found, Missing { bridge: Some(9), ports: vec![2] });
        let whole = [(1, "eth0", false, Some(9)), (2, "eth1", false, Some(9)), (9, "br0", true, None)];
        let found = missing(&state(&whole), "br0", &ports).unwrap();
        assert_eq!(found, Missing { bridge: Some(9), ports: vec![] });
    }

    #[test]
    fn what_is_somebody_else_s_is_left_alone() {
        let error = |links: &[_]| missing(&state(links), "br0", &["eth0"]).unwrap_err().to_string();
        let other = error(&[(1, "eth0", false, Some(9)), (9, "bond0", false, None), (8, "br0", true, None)]);
        assert!(
            other.starts_with("interface \"eth0\" is a port of \"bond0\" and not of bridge \"br0\""),
            "{other}"
        );
        let taken = error(&[(1, "eth0", false, None), (8, "br0", false, None)]);
        assert!(taken.starts_with("there is an interface \"br0\", but it is no bridge"), "{taken}");
        let absent = error(&[(8, "br0", true, None)]);
        assert_eq!(absent, "there is no interface \"eth0\" for bridge \"br0\"");
    }

    #[test]
    fn a_bridge_with_ports_that_nobody_configured_is_refused_with_the_lines_that_are_missing() {
        let links = [
            (1, "eth0", false, Some(9)),
            (2, "eth1", false, Some(9)),
            (3, "tap0", false, Some(8)),
            (8, "br1", true, None),
            (9, "br0", true, None),
        ];
        let refused = |ports: &[&str]| refuse_foreign_ports(&state(&links), "br0", ports);
        assert!(refused(&["eth0", "eth1"]).is_ok());
        assert!(refused(&["eth0", "eth1", "eth2"]).is_ok(), "one that is missing is not foreign");
        let error = refused(&["eth0"]).unwrap_err().to_string();
        assert!(error.starts_with("bridge \"br0\" has ports that are not configured"), "{error}");
        let line = "`[[interface]]` with `name = \"eth1\"` and `bridge = \"br0\"`";
        assert!(error.contains(line) && !error.contains("tap0"), "{error}");
        assert!(refuse_foreign_ports(&state(&[]), "br0", &["eth0"]).is_ok(), "it will be made");
    }
}
