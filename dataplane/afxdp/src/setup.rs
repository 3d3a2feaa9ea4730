//! The interfaces that sockets are opened on.

/// An interface to receive from and send by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfaceSetup {
    /// Its name.
    pub name: String,
    /// The kernel's number for it.
    pub index: u32,
    /// What is asked of its driver.
    pub xdp: XdpPreference,
}

/// What is asked of an interface's driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum XdpPreference {
    /// The best that the driver has: zero-copy, else copy, else generic.
    Auto,
    /// Zero-copy, or no start.
    ZeroCopy,
    /// The driver's XDP, frames copied.
    Copy,
    /// XDP behind the driver.
    Generic,
}
