//! What Linux says of an interface of this namespace.

use std::fs;

use dataplane::types::Mac;

use crate::Result;

/// The kernel's number for it.
pub(crate) fn index(interface: &str) -> Result<u32> {
    Ok(attribute(interface, "ifindex")?.parse()?)
}

/// Its MAC address.
pub(crate) fn mac(interface: &str) -> Result<Mac> {
    Ok(attribute(interface, "address")?.parse()?)
}

fn attribute(interface: &str, name: &str) -> Result<String> {
    let text = fs::read_to_string(format!("/sys/class/net/{interface}/{name}"));
    let text = text.map_err(|error| format!("{interface}: {error}: run this by scripts/compare"))?;
    Ok(text.trim().to_owned())
}
